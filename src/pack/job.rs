//! A pack that runs on the packer's workers.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use super::{
    control::Control,
    crew::{Crew, Place, Turn, Work},
    pool::Pool,
};
use crate::{
    bail, err,
    error::{ErrorKind, Result},
    host::{panics, thread},
};

/// What a job does. It is called again when there was no memory for it.
pub type Task<T> = Box<dyn Fn(&Pool, &Control) -> Result<Option<T>> + Send>;
/// Hears of a job's end, on its worker, and answers what is to be kept for those who ask later.
pub type Done<T> = Box<dyn FnOnce(Result<Option<T>>) -> Result<Option<T>> + Send>;

/// A task, and how far it is.
pub struct Job<T> {
    process: u32,
    control: Control,
    place: OnceLock<Place>,
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    /// What is to be done, until it is.
    task: Option<(Task<T>, Done<T>)>,
    /// Until the end: a worker must not lose its crew.
    crew: Option<Arc<Crew>>,
    result: Option<Result<Option<T>>>,
}

impl<T: Send + 'static> Job<T> {
    /// A job that has not been submitted.
    pub fn new(crew: &Arc<Crew>, control: Control, task: Task<T>, done: Done<T>) -> Arc<Self> {
        let state = State { task: Some((task, done)), crew: Some(crew.clone()), result: None };
        Arc::new(Self {
            process: std::process::id(),
            control,
            place: OnceLock::new(),
            state: Mutex::new(state),
            ended: Condvar::new(),
        })
    }

    /// Queues the job, for at most `threads` threads of `crew`. Its `done` is called exactly once, unless this fails.
    pub fn submit(self: &Arc<Self>, crew: &Crew, threads: usize) -> Result<()> {
        let place = crew.submit(self.clone(), threads)?;
        let _ = self.place.set(place); // set here alone
        Ok(())
    }

    /// Asks the job to stop soon.
    pub fn cancel(&self) -> Result<()> {
        self.check_process()?;
        self.control.cancel();
        let crew = self.lock().crew.clone();
        if let (Some(crew), Some(place)) = (crew, self.place.get()) {
            crew.hurry(*place);
        }
        Ok(())
    }

    /// Per mille that are done; 1000 after success alone.
    pub fn progress(&self) -> u32 {
        self.control.progress()
    }

    /// Waits until the job has ended, at most `timeout` (`None`: for ever), and lets `look` see what has been kept of
    /// the result.
    pub fn wait<R>(
        &self,
        timeout: Option<Duration>,
        look: impl FnOnce(&mut Result<Option<T>>) -> R,
    ) -> Result<R> {
        self.check_process()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            if let Some(result) = &mut state.result {
                return Ok(look(result));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || timeout == Some(Duration::ZERO) {
                bail!(NotReady, "the job has not ended; {} of 1000 are done", self.progress());
            }
            if !thread::may_wait() {
                bail!(OutOfRange, "waiting for a job inside a callback, which may be what it waits for");
            }
            state = match left {
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn check_process(&self) -> Result<()> {
        let here = std::process::id();
        if self.process != here {
            bail!(Unsupported, "this job belongs to process {}, which forked this one, {here}", self.process);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Work for Job<T> {
    fn parts(&self) -> usize {
        1
    }

    fn is_cancelled(&self) -> bool {
        self.control.check().is_err()
    }

    fn run(&self, _part: usize, pool: &Pool) -> Turn {
        let Some((task, done)) = self.lock().task.take() else { return Turn::Done };
        let caught = |payload: Box<dyn std::any::Any + Send>| {
            err!(Bug, "a fault in image_packer was stopped in a job: {}", panics::text(payload.as_ref()))
        };
        let result = panics::catch(|| task(pool, &self.control)).unwrap_or_else(|p| Err(caught(p)));
        if matches!(&result, Err(error) if error.kind == ErrorKind::MemoryBusy) {
            self.lock().task = Some((task, done));
            return Turn::Again;
        }
        // What the task held is let go before anybody hears of its end.
        let _ = panics::catch(|| drop(task));
        let kept = panics::catch(|| done(result)).unwrap_or_else(|p| Err(caught(p)));
        let crew = self.lock().crew.take();
        drop(crew);
        self.lock().result = Some(kept);
        self.ended.notify_all();
        Turn::Done
    }
}
