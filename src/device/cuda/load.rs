//! Functions of libraries that are found at run time.
#![allow(unsafe_code, reason = "island: opens libraries and looks up their functions")]

use std::ffi::{CStr, c_char, c_void};

/// A library that was opened, for ever: a driver does not survive being unloaded.
#[derive(Clone, Copy)]
pub struct Library {
    handle: *mut c_void,
    pub name: &'static CStr,
}

impl Library {
    /// Opens the first of these names that the system finds; one that the process has already comes first.
    pub fn open(names: &[&'static CStr]) -> Result<Self, String> {
        let mut reasons = Vec::new();
        for loaded in [libc::RTLD_NOLOAD, 0] {
            for &name in names {
                // SAFETY: a NUL-terminated name; RTLD_LOCAL keeps the symbols out of the host's lookups.
                let handle =
                    unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | loaded) };
                if !handle.is_null() {
                    return Ok(Self { handle, name });
                }
                if loaded == 0 {
                    // SAFETY: dlerror describes the call that just failed on this thread, or is NULL.
                    reasons.push(text(unsafe { libc::dlerror() }));
                }
            }
        }
        Err(reasons.join("; "))
    }

    /// The function of a name; NULL if there is none.
    pub fn find(&self, name: &CStr) -> *mut c_void {
        // SAFETY: a live handle (it is never closed) and a NUL-terminated name.
        unsafe { libc::dlsym(self.handle, name.as_ptr()) }
    }
}

/// Copies a C string of a library's; NULL reads as "no message".
pub fn text(text: *const c_char) -> String {
    if text.is_null() {
        return "no message".to_owned();
    }
    // SAFETY: strings that libraries answer are NUL-terminated and live until their next call on this thread.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Declares a table of a library's functions, all of which answer a status.
macro_rules! table {
    ($(#[$about:meta])* $table:ident { $(fn $name:ident($($arg:ty),*);)* }) => {
        $(#[$about])*
        #[allow(non_snake_case)]
        struct $table { $($name: unsafe extern "C" fn($($arg),*) -> std::ffi::c_int,)* }

        impl $table {
            /// Fills the table, or names the first function that the library does not have.
            fn fill(library: &$crate::device::cuda::load::Library) -> std::result::Result<Self, &'static str> {
                Ok(Self { $($name: {
                    let name = concat!(stringify!($name), "\0");
                    let name = std::ffi::CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or_default();
                    let found = library.find(name);
                    if found.is_null() {
                        return Err(stringify!($name));
                    }
                    // SAFETY: the function of this name has this prototype in every version of the library that has it.
                    unsafe {
                        std::mem::transmute::<
                            *mut std::ffi::c_void,
                            unsafe extern "C" fn($($arg),*) -> std::ffi::c_int,
                        >(found)
                    }
                },)* })
            }
        }
    };
}
pub(super) use table;
