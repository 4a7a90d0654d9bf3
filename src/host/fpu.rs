//! The host's floating-point environment: rounding, flushing of small numbers, traps.
//!
//! A host that rounds up or traps on inexact results must get the same bytes as any other, and its own environment,
//! status flags included, back.
#![allow(unsafe_code, reason = "island: reads and writes floating-point control registers")]

/// While it lives, arithmetic of this thread is IEEE's default. Dropped on the same thread.
pub struct Normal {
    host: Environment,
    _on_this_thread: std::marker::PhantomData<*const ()>,
}

impl Normal {
    /// Rounds to nearest, keeps small numbers, traps nothing.
    pub fn new() -> Self {
        let host = read();
        write(&DEFAULT);
        Self { host, _on_this_thread: std::marker::PhantomData }
    }
}

impl Default for Normal {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Normal {
    fn drop(&mut self) {
        write(&self.host);
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::*;
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    pub struct Environment {
        pub sse: u32,
        pub x87: u16,
    }

    /// The values a process starts with: Intel SDM vol. 1, 10.2.3 and 8.1.5, with 64-bit x87 precision.
    pub const DEFAULT: Environment = Environment { sse: 0x1f80, x87: 0x037f };

    pub fn read() -> Environment {
        let (mut sse, mut x87) = (0u32, 0u16);
        // SAFETY: each instruction stores one control register into the variable it is given.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &mut sse, options(nostack, preserves_flags));
            asm!("fnstcw [{}]", in(reg) &mut x87, options(nostack, preserves_flags));
        }
        Environment { sse, x87 }
    }

    pub fn write(environment: &Environment) {
        let now = read();
        // SAFETY: the values are the defaults or were read from the registers. Rust assumes the default environment,
        // which is what runs between the two writes; outside of them runs the host.
        unsafe {
            if now.sse != environment.sse {
                asm!("ldmxcsr [{}]", in(reg) &environment.sse, options(nostack, preserves_flags, readonly));
            }
            if now.x87 != environment.x87 {
                // A flag raised under masks would trap once the host's masks are back.
                asm!("fnclex", options(nomem, nostack, preserves_flags));
                asm!("fldcw [{}]", in(reg) &environment.x87, options(nostack, preserves_flags, readonly));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
use aarch64::*;
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    pub struct Environment {
        control: u64,
        status: u64,
    }

    /// Arm ARM, FPCR and FPSR: all zeros are round to nearest, no flushing, no traps, no flags.
    pub const DEFAULT: Environment = Environment { control: 0, status: 0 };

    pub fn read() -> Environment {
        let (control, status);
        // SAFETY: reads two registers that every mode may read.
        unsafe {
            asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags));
            asm!("mrs {}, fpsr", out(reg) status, options(nomem, nostack, preserves_flags));
        }
        Environment { control, status }
    }

    pub fn write(environment: &Environment) {
        // SAFETY: the values are the defaults or were read from the registers.
        unsafe {
            asm!("msr fpcr, {}", in(reg) environment.control, options(nomem, nostack, preserves_flags));
            asm!("msr fpsr, {}", in(reg) environment.status, options(nomem, nostack, preserves_flags));
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use other::*;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other {
    pub struct Environment;
    pub const DEFAULT: Environment = Environment;
    pub fn read() -> Environment {
        Environment
    }
    pub fn write(_environment: &Environment) {}
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_environment_comes_back() {
        let process = read();
        // Round up, flush to zero, inputs too, invalid trapped; x87 rounds down.
        let host = Environment { sse: 0x1f80 & !0x80 | 0x4000 | 0x8040, x87: 0x077f };
        write(&host);
        let inside = {
            let _normal = Normal::new();
            let inside = read();
            std::hint::black_box(std::hint::black_box(1.0f32) / 3.0); // raises a status flag
            inside
        };
        let after = read();
        write(&process);
        assert_eq!((inside.sse, inside.x87), (DEFAULT.sse, DEFAULT.x87));
        assert_eq!((after.sse, after.x87), (host.sse, host.x87));
    }
}
