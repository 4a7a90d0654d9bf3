//! The workers of one packer. They come when there is work and go when there has been none for a while, so an idle
//! library has no thread; the packer's end waits for those that are idle.
//!
//! All of them together are never more than the packer's threads: what a job's encoder wants done side by side goes to
//! the same workers as other jobs, and has precedence, so that what was begun ends first. Jobs start in the order in
//! which they came. One for which the memory limit leaves no room goes back to its place and starts again when another
//! has ended; meanwhile nothing behind it starts, or large jobs would wait for ever.
//!
//! A child that was forked has none of the threads, and perhaps a lock that one of them held: it never touches a crew of
//! its parent's (`is_here`), its packer makes a new one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::pool::Pool;
use crate::{
    bail,
    error::Result,
    handle::{Kind, Object},
    host::{
        lent::Lent,
        thread::{self, Thread},
    },
};

/// How long a worker stays without work.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a job that waits for memory looks whether others than jobs have given some back.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Something to do, in one part or many. Parts start in order, on several workers at once.
pub trait Work: Send + Sync {
    /// How many parts there are.
    fn parts(&self) -> usize;

    /// Does one part. Must not panic.
    fn run(&self, part: usize, pool: &Pool) -> Turn;

    /// Whether it has been asked to stop. Then it needs no memory to end.
    fn is_cancelled(&self) -> bool;
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has ended.
    Done,
    /// There was no memory for it now: it is to be called again.
    Again,
}

/// Workers and what they have to do.
pub struct Crew(Arc<Inner>);

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("process", &self.0.process).finish_non_exhaustive()
    }
}

impl Object for Crew {
    const KIND: Kind = Kind::Snapshot;
}

pub(super) struct Inner {
    process: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Parts that nobody has begun, by order of work and number of the part.
    queue: BTreeMap<(i64, usize), Entry>,
    /// Number of parts behind the entries of `queue`.
    waiting: usize,
    /// Encoders that want help, the last one first.
    help: Vec<Call>,
    threads: Vec<(u64, Thread)>,
    /// Threads that are past their last look at this state.
    ended: Vec<Thread>,
    /// Most threads, and most that may be busy.
    limit: usize,
    /// Workers that do something, and threads of a codec's own.
    busy: usize,
    /// Workers that wait, those included that are about to begin.
    idle: usize,
    next_thread: u64,
    next_work: i64,
    next_urgent: i64,
    /// The first part in the queue waits for memory.
    short: bool,
    closed: bool,
}

struct Entry {
    work: Arc<dyn Work>,
    /// This part alone, not those behind it as well.
    single: bool,
}

struct Call {
    lent: Arc<Lent>,
    wanted: usize,
}

/// What a worker does next.
enum Step {
    Help(Arc<Lent>),
    Part((i64, usize), Arc<dyn Work>),
}

/// Where a piece of work stands in the queue.
#[derive(Clone, Copy, Debug)]
pub struct Place(i64);

impl Crew {
    /// A crew without workers.
    pub fn new() -> Self {
        let (state, changed) = (Mutex::new(State::default()), Condvar::new());
        Self(Arc::new(Inner { process: std::process::id(), state, changed }))
    }

    /// Whether it belongs to this process and not to one that forked it.
    pub fn is_here(&self) -> bool {
        self.0.process == std::process::id()
    }

    /// Queues work for at most `limit` threads. Fails if there is no thread to do it.
    pub fn submit(&self, work: Arc<dyn Work>, limit: usize) -> Result<Place> {
        let parts = work.parts();
        let mut state = self.0.lock();
        state.limit = limit.max(1);
        let order = state.next_work;
        if parts > 0 {
            state.next_work += 1;
            state.queue.insert((order, 0), Entry { work, single: false });
            state.waiting += parts;
            self.0.staff(&mut state);
            if state.threads.is_empty() {
                state.queue.remove(&(order, 0));
                state.waiting -= parts;
                bail!(OutOfMemory, "a thread for this job could not start");
            }
        }
        Ok(Place(order))
    }

    /// Lets work that nobody has begun start next: it was cancelled and wants to end.
    pub fn hurry(&self, place: Place) {
        if !self.is_here() {
            return;
        }
        let mut state = self.0.lock();
        let mut later = state.queue.split_off(&(place.0, 0));
        let mut behind = later.split_off(&(place.0 + 1, 0));
        state.queue.append(&mut behind);
        if !later.is_empty() {
            state.next_urgent -= 1;
            let order = state.next_urgent;
            state.queue.extend(later.into_iter().map(|((_, part), entry)| ((order, part), entry)));
            state.short = false;
            self.0.staff(&mut state);
        }
    }
}

impl Default for Crew {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if !self.is_here() {
            return;
        }
        let mut state = self.0.lock();
        state.closed = true;
        let mut threads: Vec<_> = state.ended.drain(..).collect();
        let working = state.threads.drain(..).map(|(_, thread)| thread);
        if thread::is_ours() {
            // The end of the last job of a packer that was released before; its worker cannot wait for itself.
            working.for_each(drop);
        } else {
            threads.extend(working);
        }
        self.0.changed.notify_all();
        drop(state);
        // Nothing is queued or being encoded, for that would have kept the crew alive.
        threads.into_iter().for_each(Thread::join);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that there are workers for what is to be done.
    fn staff(self: &Arc<Self>, state: &mut State) {
        for thread in state.ended.drain(..) {
            thread.join();
        }
        let wanted = state.waiting + state.help.iter().map(|call| call.wanted).sum::<usize>();
        // Each newcomer comes here too, so two at a time are many soon.
        for _ in 0..2 {
            if wanted <= state.idle || state.threads.len() >= state.limit || state.closed {
                break;
            }
            let (inner, number) = (self.clone(), state.next_thread);
            let Some(thread) = thread::spawn(Box::new(move || inner.work(number))) else { break };
            state.next_thread += 1;
            state.threads.push((number, thread));
            state.idle += 1;
        }
        match wanted {
            0 => {}
            1 => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
    }

    /// The life of a worker.
    fn work(self: &Arc<Self>, number: u64) {
        let mut state = self.lock();
        let mut patient = true;
        loop {
            // Idle when it gets here.
            if let Some(step) = state.next() {
                state.idle -= 1;
                state.busy += 1;
                patient = true;
                let threads = state.free();
                self.staff(&mut state);
                drop(state);
                let back = self.take(step, threads);
                state = self.lock();
                state.busy -= 1;
                state.idle += 1;
                state.settle(back);
                continue;
            }
            // The last one stays with what is queued: a codec that was left alone may hold all threads for longer than
            // anybody's patience, when there are fewer than it was lent.
            let done = state.queue.is_empty();
            let patience_over = !patient && (done || state.threads.len() > 1);
            let over = state.closed && done || patience_over || state.threads.len() > state.limit;
            if over {
                break;
            }
            let wait = if state.short && state.busy == 0 { LOOK_AGAIN } else { PATIENCE };
            let (guard, waited) =
                self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if state.short && state.busy == 0 {
                state.short = false; // memory may be there again, or the next try says so
            } else {
                patient = !waited.timed_out();
            }
        }
        state.idle -= 1;
        if let Some(index) = state.threads.iter().position(|(thread, _)| *thread == number) {
            let (_, thread) = state.threads.swap_remove(index);
            state.ended.push(thread);
        }
    }

    /// Does what is next. Answers a part that has to come again, or that one has ended.
    fn take(self: &Arc<Self>, step: Step, threads: usize) -> Back {
        match step {
            Step::Help(lent) => {
                lent.call();
                Back::Helped
            }
            Step::Part(place, work) => match work.run(place.1, &Pool::of(self.clone(), threads)) {
                Turn::Done => Back::Done,
                Turn::Again => Back::Again(place, work),
            },
        }
    }

    /// Asks `wanted` workers to call `lent`, as they become free, while `meanwhile` runs.
    pub(super) fn help<R>(
        self: &Arc<Self>,
        lent: &Arc<Lent>,
        wanted: usize,
        meanwhile: impl FnOnce() -> R,
    ) -> R {
        {
            let mut state = self.lock();
            state.help.push(Call { lent: lent.clone(), wanted });
            self.staff(&mut state);
        }
        let result = meanwhile();
        self.lock().help.retain(|call| !Arc::ptr_eq(&call.lent, lent));
        result
    }

    /// Counts threads that a codec makes by itself among the workers while the answer lives: at most `most`, the
    /// caller's own included.
    pub(super) fn reserve(self: &Arc<Self>, most: usize) -> Reserved {
        let mut state = self.lock();
        let threads = state.free().min(most).max(1);
        state.busy += threads - 1;
        Reserved { crew: Some(self.clone()), threads }
    }
}

/// Threads that a codec makes by itself.
pub struct Reserved {
    crew: Option<Arc<Inner>>,
    threads: usize,
}

impl Reserved {
    /// Threads of a pack without a crew.
    pub(super) fn alone(threads: usize) -> Self {
        Self { crew: None, threads }
    }

    /// How many, at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(crew) = &self.crew {
            crew.lock().busy -= self.threads - 1;
            crew.changed.notify_all();
        }
    }
}

enum Back {
    Helped,
    Done,
    Again((i64, usize), Arc<dyn Work>),
}

impl State {
    fn next(&mut self) -> Option<Step> {
        if self.busy >= self.limit {
            return None;
        }
        if let Some(call) = self.help.last_mut() {
            let lent = call.lent.clone();
            call.wanted -= 1;
            if call.wanted == 0 {
                self.help.pop();
            }
            return Some(Step::Help(lent));
        }
        if self.short {
            return None;
        }
        let (place, entry) = self.queue.pop_first()?;
        self.waiting -= 1;
        let next = (place.0, place.1 + 1);
        if !entry.single && next.1 < entry.work.parts() {
            self.queue.insert(next, Entry { work: entry.work.clone(), single: false });
        }
        Some(Step::Part(place, entry.work))
    }

    /// Threads that a busy worker may count on: itself, and those for which there is nothing else to do.
    fn free(&self) -> usize {
        1 + self.limit.saturating_sub(self.busy + self.waiting)
    }

    fn settle(&mut self, back: Back) {
        match back {
            Back::Helped => {}
            Back::Done => self.short = false,
            Back::Again(mut place, work) => {
                // Cancelled while it was not in the queue, where `hurry` looks for it.
                self.short = !work.is_cancelled();
                if !self.short {
                    self.next_urgent -= 1;
                    place.0 = self.next_urgent;
                }
                // The entry of the parts behind it, if there is one, goes on from its own number.
                self.queue.insert(place, Entry { work, single: true });
                self.waiting += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        time::Instant,
    };

    use super::*;

    struct Parts<F>(usize, F);
    impl<F: Fn(usize, &Pool) -> Turn + Send + Sync> Work for Parts<F> {
        fn parts(&self) -> usize {
            self.0
        }
        fn run(&self, part: usize, pool: &Pool) -> Turn {
            (self.1)(part, pool)
        }
        fn is_cancelled(&self) -> bool {
            false
        }
    }

    /// There is no memory for it until it is cancelled.
    #[derive(Default)]
    struct Thirsty {
        cancelled: AtomicBool,
        tried: AtomicBool,
        ended: AtomicBool,
    }
    impl Work for Thirsty {
        fn parts(&self) -> usize {
            1
        }
        fn run(&self, _: usize, _: &Pool) -> Turn {
            if self.tried.swap(true, SeqCst) {
                self.ended.store(self.cancelled.load(SeqCst), SeqCst);
                return if self.ended.load(SeqCst) { Turn::Done } else { Turn::Again };
            }
            // Cancelled in the middle of the first try.
            wait_until(|| self.cancelled.load(SeqCst));
            Turn::Again
        }
        fn is_cancelled(&self) -> bool {
            self.cancelled.load(SeqCst)
        }
    }

    fn wait_until(what: impl Fn() -> bool) {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_secs(20), "this never comes");
            std::thread::yield_now();
        }
    }

    #[test]
    fn all_parts_run_and_never_more_threads_than_allowed() {
        let crew = Crew::new();
        for limit in [1, 3] {
            let (ran, now, most) =
                (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (r, n, m) = (ran.clone(), now.clone(), most.clone());
            let work = move |_: usize, pool: &Pool| {
                pool.for_each(4, &|_| {
                    m.fetch_max(n.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(Duration::from_micros(200));
                    n.fetch_sub(1, SeqCst);
                    r.fetch_add(1, SeqCst);
                    Ok(())
                })
                .unwrap();
                Turn::Done
            };
            crew.submit(Arc::new(Parts(20, work)), limit).unwrap();
            wait_until(|| ran.load(SeqCst) == 80);
            assert!(most.load(SeqCst) <= limit, "{} of {limit}", most.load(SeqCst));
        }
    }

    #[test]
    fn a_part_without_memory_comes_again_in_its_turn() {
        let crew = Crew::new();
        let tries = Arc::new(AtomicUsize::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let (t, o) = (tries.clone(), order.clone());
        let work = move |part: usize, _: &Pool| {
            if part == 1 && t.fetch_add(1, SeqCst) < 5 {
                return Turn::Again;
            }
            o.lock().unwrap().push(part);
            Turn::Done
        };
        crew.submit(Arc::new(Parts(4, work)), 1).unwrap();
        wait_until(|| order.lock().unwrap().len() == 4);
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        assert_eq!(tries.load(SeqCst), 6);
    }

    #[test]
    fn what_is_cancelled_while_it_looks_for_memory_ends_before_others_do() {
        let (crew, go) = (Crew::new(), Arc::new(AtomicBool::new(false)));
        let (busy, far_go) = (Arc::new(AtomicBool::new(false)), go.clone());
        let far_busy = busy.clone();
        let other = move |_: usize, _: &Pool| {
            far_busy.store(true, SeqCst);
            wait_until(|| far_go.load(SeqCst));
            Turn::Done
        };
        crew.submit(Arc::new(Parts(1, other)), 2).unwrap();
        wait_until(|| busy.load(SeqCst));
        let thirsty = Arc::new(Thirsty::default());
        let place = crew.submit(thirsty.clone(), 2).unwrap();
        wait_until(|| thirsty.tried.load(SeqCst));
        thirsty.cancelled.store(true, SeqCst);
        crew.hurry(place);
        wait_until(|| thirsty.ended.load(SeqCst));
        go.store(true, SeqCst);
    }

    #[test]
    fn work_waits_for_a_codec_that_was_left_alone() {
        let (crew, kept, ran) = (Crew::new(), Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
        let (k, r) = (kept.clone(), ran.clone());
        let leave = move |_: usize, pool: &Pool| {
            *k.lock().unwrap() = Some(pool.reserve());
            Turn::Done
        };
        crew.submit(Arc::new(Parts(1, leave)), 4).unwrap();
        wait_until(|| kept.lock().unwrap().is_some());
        let next = move |_: usize, _: &Pool| {
            r.fetch_add(1, SeqCst);
            Turn::Done
        };
        // Fewer threads now than the codec holds.
        crew.submit(Arc::new(Parts(1, next)), 2).unwrap();
        std::thread::sleep(PATIENCE * 4);
        assert_eq!(ran.load(SeqCst), 0);
        drop(kept.lock().unwrap().take());
        wait_until(|| ran.load(SeqCst) == 1);
    }

    #[test]
    fn idle_workers_go_and_a_crew_that_ends_has_none() {
        let crew = Crew::new();
        let ran = Arc::new(AtomicUsize::new(0));
        for round in 1..=3 {
            let r = ran.clone();
            let work = move |_: usize, _: &Pool| {
                r.fetch_add(1, SeqCst);
                Turn::Done
            };
            crew.submit(Arc::new(Parts(10, work)), 4).unwrap();
            wait_until(|| ran.load(SeqCst) == round * 10);
            if round == 2 {
                wait_until(|| crew.0.lock().threads.is_empty());
            }
        }
        let inner = Arc::downgrade(&crew.0);
        drop(crew);
        assert_eq!(inner.strong_count(), 0, "every worker has been joined");
    }
}
