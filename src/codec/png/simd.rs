//! Running plain code with the vector instructions that the machine has.
//!
//! The hot loops of the encoder are ordinary Rust that the compiler turns into vectors. Here they are compiled
//! once for the baseline and once for AVX2 and its companions, and the machine decides at run time. Every choice
//! gives the same bytes.
#![allow(unsafe_code, reason = "island: calls functions compiled for instructions that were checked for")]

/// Which instructions to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// What every machine of this architecture has.
    Baseline,
    /// AVX2, BMI and the like: x86-64-v3.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// And AVX-512 with byte permutations (VBMI).
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Code to run; implementations mark `run` as `#[inline(always)]`, which is what compiles it for each set.
pub trait Kernel {
    type Output;
    fn run(self) -> Self::Output;
}

impl Simd {
    /// The best of this machine.
    pub fn detect() -> Self {
        Self::all().last().copied().unwrap_or(Self::Baseline)
    }

    /// All that this machine can run, the best last.
    pub fn all() -> &'static [Self] {
        #[cfg(target_arch = "x86_64")]
        {
            let has = |all: &[bool]| all.iter().all(|&one| one);
            use std::arch::is_x86_feature_detected as detected;
            if has(&[
                detected!("avx2"),
                detected!("bmi1"),
                detected!("bmi2"),
                detected!("lzcnt"),
                detected!("popcnt"),
            ]) {
                let wide = has(&[detected!("avx512f"), detected!("avx512bw"), detected!("avx512vbmi")]);
                return if wide {
                    &[Self::Baseline, Self::Avx2, Self::Avx512]
                } else {
                    &[Self::Baseline, Self::Avx2]
                };
            }
        }
        &[Self::Baseline]
    }

    /// Runs code compiled for these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Baseline => kernel.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these values are only made by `all`, where the machine has the instructions.
            Self::Avx2 | Self::Avx512 => unsafe { run_avx2(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
