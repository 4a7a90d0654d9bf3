//! Panics stay inside and are silent.
//!
//! The shared library has a standard library of its own, so its hook is nobody else's. In a Rust program that links us
//! as a crate the hook is shared: there, panics outside of this library's calls go to the hook that was there before.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

thread_local! {
    /// This thread is inside one of our calls.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`; a panic is an answer, and nothing is printed.
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    install_hook();
    let outside = INSIDE.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outside);
    result
}

/// What a panic said.
pub fn text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

fn install_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    // A panicking thread (a destructor of the host called us) may not change the hook: the next call will.
    // No lock: a fork while another thread holds it would leave the child without its key.
    if INSTALLED.load(Relaxed) || thread::panicking() || INSTALLED.swap(true, Relaxed) {
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if INSIDE.get() {
            crate::log::write(crate::log::ERROR, || info.to_string());
        } else {
            previous(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer_and_nothing_is_printed() {
        // The test harness prints what reaches the previous hook; a child process shows that nothing does.
        const CHILD: &str = "IMAGE_PACKER_TEST_PANIC";
        if std::env::var_os(CHILD).is_some() {
            let payload = catch(|| panic!("number {}", 7)).unwrap_err();
            assert_eq!(text(payload.as_ref()), "number 7");
            let payload =
                catch(|| thread::spawn(|| catch(|| [0][1..][0])).join().unwrap().unwrap_err()).unwrap();
            assert!(text(payload.as_ref()).contains("out of bounds"));
            assert!(!INSIDE.get());
            return;
        }
        let program = std::env::current_exe().unwrap();
        let name = "host::panics::tests::a_panic_is_an_answer_and_nothing_is_printed";
        let output = std::process::Command::new(program)
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }
}
