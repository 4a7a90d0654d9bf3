//! Many packs as one: each image is a part of its own, and none harms another.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    control::Control,
    crew::{Crew, Place as Queued, Turn, Work},
    names::{Place, Rule, SameName},
    packer::{Input, Packer},
    pool::Pool,
};
use crate::{
    bail, err,
    error::{Error, ErrorKind, Result},
    host::{panics, thread},
    model::{options::Options, report::Report, tensor::Tensor},
    sink::{
        self,
        fd::{self, FileOptions},
        memory::Buffer,
    },
};

/// Where the images of a batch go.
#[derive(Debug, Default)]
pub enum Output {
    /// Into memory, each for itself.
    #[default]
    Each,
    /// Into one piece of memory, one behind the other, in order.
    Arena,
    /// Into descriptors, one each.
    Descriptors(Vec<Result<OwnedFd>>),
    /// Into a folder, by names.
    Folder {
        /// The folder.
        path: PathBuf,
        /// One for each image: the name of what it was made of.
        names: Vec<OsString>,
        /// How a file's name is made of it.
        rule: Rule,
        /// What happens when two are the same.
        same: SameName,
    },
}

/// Called with an image's number and how it ended, on its worker; answers what is to be kept of its bytes.
pub type Each = Box<dyn Fn(usize, Result<Option<Buffer>>) -> Result<Option<Buffer>> + Send + Sync>;
/// Called once, at the end.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// What is known of one image.
#[derive(Debug, Default)]
pub struct Record {
    /// Whether it has ended, and how.
    pub result: Option<Result<()>>,
    /// Encoded bytes.
    pub bytes: u64,
    /// What became of it, if it ended well.
    pub report: Option<Report>,
    /// Time at work, without the time in the queue.
    pub time: Duration,
    data: Option<Buffer>,
}

/// A batch.
pub struct Batch {
    process: u32,
    cancelled: Arc<AtomicBool>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Until the end, as the crew is: whoever has waited for that may release the packer and find its threads and devices
    /// gone.
    packer: Option<Arc<Packer>>,
    items: Vec<Option<(Input, Arc<Options>)>>,
    records: Vec<Record>,
    output: Output,
    places: Vec<Result<Place>>,
    arena: Arena,
    each: Option<Arc<Each>>,
    done: Option<Done>,
    crew: Option<Arc<Crew>>,
    queued: Option<Queued>,
    started: bool,
    ended: usize,
    failed: usize,
    over: bool,
}

/// Images one behind the other; those that come too early wait for the ones before them.
#[derive(Default)]
struct Arena {
    bytes: Buffer,
    /// Begin of each image, and the end of the last.
    offsets: Buffer,
    next: usize,
    early: BTreeMap<usize, Option<Buffer>>,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Images that have ended, however they did.
    pub ended: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// All images.
    pub all: usize,
}

impl Batch {
    /// An empty batch of `packer`.
    pub fn new(packer: Arc<Packer>) -> Self {
        let state = State { packer: Some(packer), ..State::default() };
        Self {
            process: std::process::id(),
            cancelled: Arc::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Adds `count` images.
    pub fn add(&self, count: usize, input: impl Fn(usize) -> Input, options: &Arc<Options>) -> Result<()> {
        let mut state = self.building()?;
        let memory =
            |_| Error::out_of_memory(count.saturating_mul(size_of::<Record>()), "the list of a batch");
        state.items.try_reserve(count).map_err(memory)?;
        state.records.try_reserve(count).map_err(memory)?;
        for index in 0..count {
            state.items.push(Some((input(index), options.clone())));
            state.records.push(Record::default());
        }
        Ok(())
    }

    /// Adds all images of a tensor.
    pub fn add_tensor(&self, tensor: Arc<Tensor>, options: &Arc<Options>) -> Result<()> {
        drop(self.building()?);
        let (packer, count) = (self.packer()?, tensor.images());
        self.add(count, packer.images(tensor)?, options)
    }

    /// Says where the images go.
    pub fn set_output(&self, output: Output) -> Result<()> {
        self.building()?.output = output;
        Ok(())
    }

    /// Changes rule and policy of an output into a folder.
    pub fn set_names(&self, change: impl FnOnce(&mut Rule, &mut SameName)) -> Result<()> {
        match &mut self.building()?.output {
            Output::Folder { rule, same, .. } => {
                change(rule, same);
                Ok(())
            }
            _ => bail!(OutOfRange, "the images of this batch do not go into a folder"),
        }
    }

    /// Queues all images. `each` and `done` are called as said there, unless this fails.
    pub fn start(self: &Arc<Self>, each: Option<Each>, done: Option<Done>) -> Result<()> {
        let (crew, threads) = {
            let packer = self.packer()?;
            (packer.crew()?, packer.limits.threads())
        };
        {
            let mut state = self.building()?;
            state.prepare()?;
            state.started = true;
            (state.each, state.done) = (each.map(Arc::new), done);
            state.crew = Some(crew.clone());
        }
        match crew.submit(self.clone(), threads) {
            Ok(queued) => {
                self.lock().queued = Some(queued);
                Ok(())
            }
            Err(error) => {
                let mut state = self.lock();
                (state.started, state.each, state.done, state.crew) = (false, None, None, None);
                Err(error)
            }
        }
    }

    /// Asks all images that have not ended to stop soon.
    pub fn cancel(&self) -> Result<()> {
        self.check_process()?;
        self.cancelled.store(true, Relaxed);
        let (crew, queued) = {
            let state = self.lock();
            (state.crew.clone(), state.queued)
        };
        if let (Some(crew), Some(queued)) = (crew, queued) {
            crew.hurry(queued);
        }
        Ok(())
    }

    /// Whether images go into files.
    pub fn writes_files(&self) -> bool {
        matches!(self.lock().output, Output::Descriptors(_) | Output::Folder { .. })
    }

    /// How far the batch is.
    pub fn count(&self) -> Result<Count> {
        self.check_process()?;
        let state = self.lock();
        Ok(Count { ended: state.ended, failed: state.failed, all: state.records.len() })
    }

    /// Waits for the end of all images, at most `timeout` (`None`: for ever). The answer is the first failure by number.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.check_process()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        if !state.started {
            bail!(OutOfRange, "this batch has not been started");
        }
        while !state.over {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || timeout == Some(Duration::ZERO) {
                let all = state.records.len();
                bail!(NotReady, "the batch has not ended; {} of {all} images have", state.ended);
            }
            if !thread::may_wait() {
                bail!(OutOfRange, "waiting for a batch inside a callback, which may be what it waits for");
            }
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.overall()
    }

    /// Lets `look` see what is known of an image.
    pub fn look<R>(&self, index: usize, look: impl FnOnce(&Record) -> R) -> Result<R> {
        self.check_process()?;
        let state = self.lock();
        let all = state.records.len();
        state
            .records
            .get(index)
            .map(look)
            .ok_or_else(|| err!(OutOfRange, "image {index} of a batch of {all}"))
    }

    /// The bytes of an image that were kept.
    pub fn take(&self, index: usize) -> Result<Buffer> {
        self.check_process()?;
        let mut state = self.lock();
        let all = state.records.len();
        let Some(record) = state.records.get_mut(index) else {
            bail!(OutOfRange, "image {index} of a batch of {all}")
        };
        match &record.result {
            None => bail!(NotReady, "image {index} has not ended"),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(())) => record.data.take().ok_or_else(|| {
                err!(OutOfRange, "image {index} is not to be taken: it went elsewhere, or was taken before")
            }),
        }
    }

    /// All bytes, and the offsets: where each image begins, and the end of the last, as 64-bit numbers.
    pub fn take_arena(&self) -> Result<(Buffer, Buffer)> {
        self.check_process()?;
        let mut state = self.lock();
        if !matches!(state.output, Output::Arena) {
            bail!(OutOfRange, "the images of this batch do not go into one piece of memory");
        }
        // Inside `done` already: all images have ended, though the batch is not over before it returns.
        let all = state.records.len();
        if !state.started || state.ended < all {
            bail!(NotReady, "the batch has not ended; {} of {all} images have", state.ended);
        }
        let arena = std::mem::take(&mut state.arena);
        if arena.offsets.as_slice().is_empty() {
            bail!(OutOfRange, "the images of this batch were taken before");
        }
        Ok((arena.bytes, arena.offsets))
    }

    fn building(&self) -> Result<MutexGuard<'_, State>> {
        self.check_process()?;
        let state = self.lock();
        if state.started {
            bail!(OutOfRange, "this batch has been started and is not changed any more");
        }
        Ok(state)
    }

    fn check_process(&self) -> Result<()> {
        let here = std::process::id();
        if self.process != here {
            bail!(
                Unsupported,
                "this batch belongs to process {}, which forked this one, {here}",
                self.process
            );
        }
        Ok(())
    }

    fn packer(&self) -> Result<Arc<Packer>> {
        self.check_process()?;
        self.lock().packer.clone().ok_or_else(|| err!(OutOfRange, "this batch has ended"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes an image and brings it to its place. Bytes that stay in memory are the answer.
    fn pack(&self, index: usize, pool: &Pool, report: &mut Option<Report>) -> Result<Option<Buffer>> {
        let (input, options, place) = {
            let state = self.lock();
            let Some((input, options)) = state.items[index].clone() else { return Ok(None) };
            (input, options, state.places.get(index).cloned().transpose()?)
        };
        if matches!(place, Some(Place::Superseded)) {
            return Ok(None);
        }
        let path = match place {
            Some(Place::At(path)) => Some(sink::path::Destination::check(&path, options.sync)?),
            _ => None,
        };
        let descriptor = match &mut self.lock().output {
            Output::Descriptors(descriptors) => Some(match &descriptors[index] {
                Ok(descriptor) => fd::Destination::check(
                    std::os::fd::AsRawFd::as_raw_fd(descriptor),
                    FileOptions { tail: options.tail, sync: options.sync },
                )?,
                Err(error) => return Err(error.clone()),
            }),
            _ => None,
        };
        let control = Control::part_of(self.cancelled.clone(), &options);
        let mut bytes = Buffer::with_hint(usize::try_from(options.buffer_size).unwrap_or(usize::MAX));
        *report = Some(self.packer()?.pack_with(pool, input, &options, &mut bytes, &control)?);
        match (path, descriptor) {
            (Some(path), _) => path.commit(bytes.as_slice(), &control).map(|()| None),
            (_, Some(descriptor)) => descriptor.commit(bytes.as_slice(), &control).map(|()| None),
            _ => {
                bytes.shrink();
                Ok(Some(bytes))
            }
        }
    }

    /// Brings an image's bytes to their place, notes what is known of it unless that has been done, and counts its end;
    /// the last one ends the batch.
    fn settle(&self, index: usize, result: Result<Option<Buffer>>, record: Option<Record>) {
        let mut state = self.lock();
        let mut lost = Vec::new();
        let mut data = result.unwrap_or_else(|error| {
            lost.push((index, error));
            None
        });
        match &mut state.output {
            Output::Arena => state.arena.put(index, data.take(), &mut lost),
            // Closed at once: there may be many.
            Output::Descriptors(descriptors) => {
                descriptors[index] = Err(err!(Bug, "image {index} was written before"));
            }
            _ => {}
        }
        state.ended += 1;
        if let Some(record) = record {
            state.records[index] = Record { data, ..record };
        }
        for (index, error) in lost {
            let record = &mut state.records[index];
            (record.result, record.report, record.bytes) = (Some(Err(error)), None, 0);
            state.failed += 1;
        }
        let last = state.ended == state.records.len();
        if !last {
            drop(state);
            self.changed.notify_all();
            return;
        }
        let (done, each) = (state.done.take(), state.each.take());
        let overall = state.overall();
        drop(state);
        let _ = panics::catch(|| done.map(|done| done(overall)));
        let (crew, packer) = {
            let mut state = self.lock();
            (state.crew.take(), state.packer.take())
        };
        drop((each, packer, crew));
        self.lock().over = true;
        self.changed.notify_all();
    }
}

impl State {
    /// What has to be known before the first image starts.
    fn prepare(&mut self) -> Result<()> {
        let all = self.items.len();
        if all == 0 {
            bail!(OutOfRange, "a batch without images");
        }
        let given = match &self.output {
            Output::Each => return Ok(()),
            Output::Arena => {
                self.arena = Arena::default();
                return self.arena.offsets.extend(&0i64.to_ne_bytes());
            }
            Output::Descriptors(descriptors) => descriptors.len(),
            Output::Folder { names, .. } => names.len(),
        };
        if given != all {
            bail!(OutOfRange, "{given} descriptors or names for {all} images");
        }
        if let Output::Folder { path, names, rule, same } = &mut self.output {
            let folder = std::fs::metadata(&*path)
                .map_err(|e| err!(Write, "cannot write to {}: {e}", path.display()))?;
            if !folder.is_dir() {
                bail!(BadDescriptor, "{} is not a directory", path.display());
            }
            let mimes = self.items.iter().flatten().map(|(_, options)| options.format.name());
            let images: Vec<_> = std::mem::take(names).into_iter().zip(mimes).collect();
            self.places = rule.places(path, &images, *same);
        }
        Ok(())
    }

    fn overall(&self) -> Result<()> {
        let failures = self.records.iter().enumerate().filter_map(|(index, record)| match &record.result {
            Some(Err(error)) => Some((index, error)),
            _ => None,
        });
        match failures.into_iter().next() {
            None => Ok(()),
            Some((index, error)) => Err(Error::new(
                error.kind,
                format!("{} of {} images failed; image {index}: {error}", self.failed, self.records.len()),
            )),
        }
    }
}

impl Arena {
    /// Takes an image, or nothing in its place, and appends what is complete. Notes in `lost` what memory was too short
    /// for.
    fn put(&mut self, index: usize, data: Option<Buffer>, lost: &mut Vec<(usize, Error)>) {
        self.early.insert(index, data);
        while let Some(data) = self.early.remove(&self.next) {
            let added = data.map_or(Ok(()), |data| self.bytes.extend(data.as_slice()));
            let end = self.bytes.as_slice().len() as i64;
            if let Err(error) = added.and(self.offsets.extend(&end.to_ne_bytes())) {
                lost.push((self.next, error));
            }
            self.next += 1;
        }
    }
}

impl Work for Batch {
    fn parts(&self) -> usize {
        self.lock().items.len()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    fn run(&self, index: usize, pool: &Pool) -> Turn {
        let start = Instant::now();
        let mut report = None;
        let caught = |payload: Box<dyn std::any::Any + Send>| {
            err!(Bug, "a fault in image_packer was stopped in a batch: {}", panics::text(payload.as_ref()))
        };
        let result = panics::catch(|| self.pack(index, pool, &mut report)).unwrap_or_else(|p| Err(caught(p)));
        if matches!(&result, Err(error) if error.kind == ErrorKind::MemoryBusy) {
            return Turn::Again;
        }
        let time = start.elapsed();
        let report = report.filter(|_| result.is_ok());
        let bytes = report.as_ref().map_or(0, |report| report.bytes);
        let ended = result.as_ref().map(|_| ()).map_err(Clone::clone);
        let mut record = Some(Record { result: Some(ended), bytes, report, time, data: None });
        let (item, each, shared) = {
            let mut state = self.lock();
            // Whoever hears of the end may ask at once how it was; whoever asks may take what is there.
            if state.each.is_some() {
                state.records[index] = record.take().unwrap_or_default();
            }
            (state.items[index].take(), state.each.clone(), matches!(state.output, Output::Arena))
        };
        // What the image was made of is let go before anybody hears of its end.
        let _ = panics::catch(|| drop(item));
        let result = match each {
            Some(each) => {
                // Bytes that go into one piece with the others' are not the callback's.
                let (kept, told) = match result {
                    Ok(bytes) if shared => (bytes, Ok(None)),
                    result => (None, result),
                };
                let left = panics::catch(|| each(index, told)).unwrap_or_else(|p| Err(caught(p)));
                left.map(|left| kept.or(left))
            }
            None => result,
        };
        self.settle(index, result, record);
        Turn::Done
    }
}
