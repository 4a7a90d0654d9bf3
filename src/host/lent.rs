//! A borrowed closure that other threads may call while its owner waits.
#![allow(unsafe_code, reason = "island: other threads call a closure that lives on its owner's stack")]

use std::{
    any::Any,
    panic::resume_unwind,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::panics;

/// The closure, as other threads hold it: it can be called until its owner takes it back.
pub struct Lent {
    call: *const (dyn Fn() + Sync),
    inside: Mutex<Inside>,
    left: Condvar,
}

struct Inside {
    open: bool,
    threads: usize,
    panic: Option<Box<dyn Any + Send>>,
}

// SAFETY: `call` is dereferenced between `enter` and `leave` alone, while `Owner` keeps the closure alive; the closure
// is Sync.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

/// Lends `call` to others for as long as `body` runs, then waits for those that are inside. A panic in one of them, or in
/// `body`, goes on here.
pub fn lend<R>(call: &(dyn Fn() + Sync), body: impl FnOnce(&Arc<Lent>) -> R) -> R {
    let call: *const (dyn Fn() + Sync + '_) = call;
    // SAFETY: the lifetime alone changes; the pointer is not used after `take_back`, which nothing below can skip.
    let call: *const (dyn Fn() + Sync + 'static) = unsafe { std::mem::transmute(call) };
    let inside = Mutex::new(Inside { open: true, threads: 0, panic: None });
    let lent = Arc::new(Lent { call, inside, left: Condvar::new() });
    let result = panics::catch(|| body(&lent));
    let panic = lent.take_back();
    let result = result.unwrap_or_else(|panic| resume_unwind(panic));
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    result
}

impl Lent {
    /// Calls the closure, unless its owner has it back.
    pub fn call(&self) {
        {
            let mut inside = self.lock();
            if !inside.open {
                return;
            }
            inside.threads += 1;
        }
        // SAFETY: `open` was true with the lock held, so `take_back` waits until this thread has left.
        let result = panics::catch(|| unsafe { (*self.call)() });
        let mut inside = self.lock();
        inside.threads -= 1;
        if let Err(panic) = result {
            inside.panic = Some(panic);
        }
        if inside.threads == 0 {
            self.left.notify_all();
        }
    }

    fn take_back(&self) -> Option<Box<dyn Any + Send>> {
        let mut inside = self.lock();
        inside.open = false;
        while inside.threads > 0 {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        inside.panic.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn whoever_is_inside_is_waited_for_and_nobody_comes_after() {
        let (started, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let call = || {
            started.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_millis(20));
            ended.fetch_add(1, SeqCst);
        };
        let mut kept = None;
        let helpers: Vec<_> = lend(&call, |lent| {
            kept = Some(lent.clone());
            let start = |_| {
                let lent = lent.clone();
                thread::spawn(move || lent.call())
            };
            let helpers = (0..3).map(start).collect();
            while started.load(SeqCst) < 3 {
                thread::yield_now();
            }
            helpers
        });
        assert_eq!(ended.load(SeqCst), 3);
        kept.unwrap().call();
        assert_eq!(started.load(SeqCst), 3);
        helpers.into_iter().for_each(|helper| helper.join().unwrap());
    }

    #[test]
    fn a_helpers_panic_is_its_owners() {
        let call = || resume_unwind(Box::new(7u8));
        let caught = panics::catch(|| lend(&call, |lent| lent.call()));
        assert_eq!(*caught.unwrap_err().downcast::<u8>().unwrap(), 7);
    }
}
