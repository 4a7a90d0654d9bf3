//! Work that cannot be stopped, and need not be waited for.
#![allow(unsafe_code, reason = "island: asks the loader to keep this library")]

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::{panics, thread};
use crate::error::Result;

/// How often the one who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

struct Desk<R> {
    result: Mutex<Option<std::thread::Result<R>>>,
    there: Condvar,
}

/// Runs `work` on a thread of its own, and asks `go_on` now and then while it waits. When the answer is an error the work
/// is left alone: it goes on by itself with all that it owns until its end, its result is dropped, and this library stays
/// in memory from then on. Without a thread to be had the work is done here and cannot be left.
pub fn or_leave<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
    go_on: impl Fn() -> Result<()>,
) -> Result<R> {
    let desk = Arc::new(Desk { result: Mutex::new(None), there: Condvar::new() });
    let work = Arc::new(Mutex::new(Some(work)));
    let (far_desk, far_work) = (desk.clone(), work.clone());
    let far = move || {
        let work = far_work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(work) = work else { return };
        let result = panics::catch(work);
        *far_desk.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        far_desk.there.notify_all();
    };
    let Some(thread) = thread::spawn(Box::new(far)) else {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody else has taken it.
        return work.map(|work| work()).ok_or_else(|| crate::err!(Bug, "work that nobody has"));
    };
    let mut result = desk.result.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(result) = result.take() {
            thread.join();
            return Ok(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        if let Err(error) = go_on() {
            keep_this_library();
            return Err(error);
        }
        result = desk.there.wait_timeout(result, LOOK).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// From now on dlclose() leaves the library where it is: a thread of ours may be in it.
fn keep_this_library() {
    #[cfg(unix)]
    // SAFETY: dladdr fills the structure when it answers other than 0; the name it gives lives as long as the library, and
    // with RTLD_NOLOAD nothing is loaded.
    unsafe {
        let mut found = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
        let address = keep_this_library as *const libc::c_void;
        if libc::dladdr(address, found.as_mut_ptr()) != 0 {
            let name = found.assume_init().dli_fname;
            if !name.is_null() {
                libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        thread::{sleep, yield_now},
    };

    use super::*;
    use crate::{bail, error::ErrorKind};

    #[test]
    fn the_result_comes_back() {
        assert_eq!(or_leave(|| 7, || Ok(())).unwrap(), 7);
        let panic =
            panics::catch(|| or_leave(|| -> u8 { std::panic::resume_unwind(Box::new(5u8)) }, || Ok(())));
        assert_eq!(*panic.unwrap_err().downcast::<u8>().unwrap(), 5);
    }

    #[test]
    fn work_that_is_left_ends_by_itself_and_lets_go_of_what_it_owns() {
        let (go, owned) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let (far_go, far_owned) = (go.clone(), owned.clone());
        let asked = AtomicUsize::new(0);
        let result = or_leave(
            move || {
                let _owned = far_owned;
                while !far_go.load(SeqCst) {
                    sleep(Duration::from_millis(1));
                }
            },
            || {
                if asked.fetch_add(1, SeqCst) > 1 {
                    bail!(Cancelled, "enough");
                }
                Ok(())
            },
        );
        assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
        assert_eq!(Arc::strong_count(&owned), 2);
        go.store(true, SeqCst);
        while Arc::strong_count(&owned) > 1 {
            yield_now();
        }
    }
}
