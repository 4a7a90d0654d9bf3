//! ImageJob: packs that run on the library's threads.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    boundary::{attempt, forget, run},
    callback::{self, ImageWriteFn, writer},
    data::{self, ImageData},
    handle::{self, Kind, Object},
    packer::{self, ImagePacker, from_pixelmap, from_source},
    packing_options::{self, ImagePackingOptions},
    pixelmap::ImagePixelMap,
    pointer::{out, path},
    source::ImageSource,
    status::{Family, IMAGE_OK, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    model::options::Options,
    pack::{
        control::Control,
        job::{self, Task},
        packer::{Input, Packer},
        pool::Pool,
    },
    sink::{
        self, Sink,
        fd::{self, FileOptions},
        memory::Buffer,
        writer::Writer,
    },
};

/// A pack that runs on the library's threads.
///
/// Arguments are checked before the submitting call returns: a call that fails starts nothing and calls nothing back.
/// Handles passed to a job may be released at once, and what they stand for may be changed: the job goes on with what
/// it was given. `done` may be NULL; so may `job`, when nobody waits or cancels. A job that packs into memory needs one of
/// them. `done` may be called before the submitting call has returned.
///
/// The jobs of a packer start in the order of their submission, on at most as many threads as the packer has. Threads end
/// when they have had nothing to do for a tenth of a second. Before the library is unloaded, wait for the jobs, then
/// release their packers. In a child made by fork(), packers work as before, and the parent's jobs answer 401 with cause
/// UNSUPPORTED; they end in the parent alone.
pub struct ImageJob {
    _private: [u8; 0],
}

/// The end of a job: called exactly once, on a worker thread, whose last error is the job's. On IMAGE_OK `data` is yours
/// to release; otherwise, and for jobs that write elsewhere, it is NULL.
pub type ImageDoneFn =
    Option<unsafe extern "C" fn(user: *mut c_void, status: ImageStatus, data: *mut ImageData)>;

/// A job, and how its errors are told.
struct Running {
    job: Arc<job::Job<Buffer>>,
    family: Family,
}

impl Object for Running {
    const KIND: Kind = Kind::Job;
}

/// What a job encodes: checked, and its own.
pub(super) struct Order {
    packer: Arc<Packer>,
    input: Input,
    options: Arc<Options>,
}

impl Order {
    /// The order of these arguments.
    pub(super) fn new(
        packer: *const ImagePacker,
        input: impl FnOnce() -> Result<Input>,
        options: *const ImagePackingOptions,
    ) -> Result<Self> {
        Ok(Self {
            packer: packer::get(packer)?,
            input: input()?,
            options: packing_options::snapshot(options)?,
        })
    }

    /// The order of arguments that have been looked up.
    pub(super) fn of(packer: Arc<Packer>, input: Input, options: Options) -> Self {
        Self { packer, input, options: Arc::new(options) }
    }

    fn pack(&self, pool: &Pool, control: &Control, sink: &mut dyn Sink) -> Result<()> {
        self.packer.pack_with(pool, self.input.clone(), &self.options, sink, control).map(drop)
    }

    fn encode(&self, pool: &Pool, control: &Control) -> Result<Buffer> {
        let mut bytes = Buffer::with_hint(usize::try_from(self.options.buffer_size).unwrap_or(usize::MAX));
        self.pack(pool, control, &mut bytes)?;
        Ok(bytes)
    }
}

/// How the end of a job reaches the caller.
pub(super) struct Reply {
    /// Called at the end.
    pub done: ImageDoneFn,
    /// Passed to it.
    pub user: *mut c_void,
    /// Receives the handle.
    pub job: *mut *mut ImageJob,
}

/// The body of every job that packs into memory.
pub(super) fn to_data(family: Family, order: impl FnOnce() -> Result<Order>, reply: Reply) -> ImageStatus {
    run(family, || {
        if reply.done.is_none() && reply.job.is_null() {
            bail!(NullPointer, "done and job are NULL: nobody would get the image");
        }
        let order = order()?;
        let (packer, control) = (order.packer.clone(), Control::new(&order.options));
        let task = move |pool: &Pool, control: &Control| order.encode(pool, control).map(Some);
        submit(&packer, family, control, Box::new(task), reply)
    })
}

/// The body of every job that packs into a descriptor.
pub(super) fn to_file(
    family: Family,
    order: impl FnOnce() -> Result<Order>,
    descriptor: c_int,
    reply: Reply,
) -> ImageStatus {
    run(family, || {
        let order = order()?;
        let file_options = FileOptions { tail: order.options.tail, sync: order.options.sync };
        let (duplicate, destination) = fd::Destination::check_duplicate(descriptor, file_options)?;
        commit(
            family,
            order,
            move |image, control| {
                let result = destination.commit(image, control);
                drop(duplicate);
                result
            },
            reply,
        )
    })
}

/// The body of every job that packs into a path.
pub(super) fn to_path(
    family: Family,
    order: impl FnOnce() -> Result<Order>,
    file: *const c_char,
    reply: Reply,
) -> ImageStatus {
    run(family, || {
        let order = order()?;
        let destination = sink::path::Destination::check(path(file, "path")?, order.options.sync)?;
        commit(family, order, move |image, control| destination.commit(image, control), reply)
    })
}

/// A job whose image goes, when it is whole, to `place`.
fn commit(
    family: Family,
    order: Order,
    place: impl FnOnce(&[u8], &Control) -> Result<()> + Send + 'static,
    reply: Reply,
) -> Result<()> {
    let (packer, control) = (order.packer.clone(), Control::new(&order.options));
    let place = Mutex::new(Some(place));
    let task = move |pool: &Pool, control: &Control| {
        let image = order.encode(pool, control)?;
        let place = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        place.map_or(Ok(()), |place| place(image.as_slice(), control))?;
        Ok(None)
    };
    submit(&packer, family, control, Box::new(task), reply)
}

/// The body of every job that packs to a writer.
pub(super) fn to_writer(
    family: Family,
    order: impl FnOnce() -> Result<Order>,
    write: ImageWriteFn,
    write_user: *mut c_void,
    reply: Reply,
) -> ImageStatus {
    run(family, || {
        let write = writer(write, write_user)?;
        let order = order()?;
        let (packer, control) = (order.packer.clone(), Control::new(&order.options));
        let task = move |pool: &Pool, control: &Control| {
            order.pack(pool, control, &mut Writer::new(write.clone()))?;
            Ok(None)
        };
        submit(&packer, family, control, Box::new(task), reply)
    })
}

fn submit(packer: &Packer, family: Family, control: Control, task: Task<Buffer>, reply: Reply) -> Result<()> {
    let done = callback::done(reply.done, reply.user);
    let done = move |result: Result<Option<Buffer>>| {
        let Some(done) = done else { return result };
        let result = result.and_then(|bytes| attempt(|| bytes.map(data::make).transpose()));
        match result {
            Ok(data) => {
                forget();
                done(IMAGE_OK, data.unwrap_or(ptr::null_mut()));
                Ok(None)
            }
            Err(error) => {
                done(run(family, || Err(error.clone())), ptr::null_mut());
                Err(error)
            }
        }
    };
    let (crew, threads) = (packer.crew()?, packer.limits.threads());
    let job = job::Job::new(&crew, control, task, Box::new(done));
    if reply.job.is_null() {
        return job.submit(&crew, threads);
    }
    // The handle comes first: a job that has started cannot be taken back.
    let token = handle::insert(Arc::new(Running { job: job.clone(), family }))?;
    if let Err(error) = job.submit(&crew, threads) {
        handle::remove::<Running>(token)?;
        return Err(error);
    }
    out(reply.job, "job")?.put(ptr::without_provenance_mut(token));
    Ok(())
}

/// As image_packer_pack_to_data() on the library's threads.
///
/// @param done  called at the end, with the image; may be NULL
/// @param[out] job  new handle; may be NULL
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_async(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_data(Family::Data, || Order::new(packer, from_pixelmap(pixelmap), options), Reply { done, user, job })
}

/// As image_packer_pack_to_data_async() from an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_source_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_data(Family::Data, || Order::new(packer, from_source(source), options), Reply { done, user, job })
}

/// As image_packer_pack_to_file() on the library's threads. The descriptor is duplicated: `fd` may be closed on return. The image
/// is written at the position that it has then.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_async(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    fd: c_int,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_file(
        Family::File,
        || Order::new(packer, from_pixelmap(pixelmap), options),
        fd,
        Reply { done, user, job },
    )
}

/// As image_packer_pack_to_file_async() from an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_source_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    fd: c_int,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_file(Family::File, || Order::new(packer, from_source(source), options), fd, Reply { done, user, job })
}

/// As image_packer_pack_to_path() on the library's threads.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_async(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    path: *const c_char,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_path(
        Family::File,
        || Order::new(packer, from_pixelmap(pixelmap), options),
        path,
        Reply { done, user, job },
    )
}

/// As image_packer_pack_to_path_async() from an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_source_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    path: *const c_char,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_path(
        Family::File,
        || Order::new(packer, from_source(source), options),
        path,
        Reply { done, user, job },
    )
}

/// As image_packer_pack_to_writer() on the library's threads. `write` and `done` are called on a worker.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_async(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    write: ImageWriteFn,
    write_user: *mut c_void,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_writer(
        Family::Data,
        || Order::new(packer, from_pixelmap(pixelmap), options),
        write,
        write_user,
        Reply { done, user, job },
    )
}

/// As image_packer_pack_to_writer_async() from an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_source_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    write: ImageWriteFn,
    write_user: *mut c_void,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    to_writer(
        Family::Data,
        || Order::new(packer, from_source(source), options),
        write,
        write_user,
        Reply { done, user, job },
    )
}

fn get(job: *const ImageJob) -> Result<Arc<Running>> {
    handle::get(job.addr())
}

/// Waits until the job has ended and its `done` has returned; answers the job's status, and makes its message this
/// thread's last error.
///
/// @param timeout_ms  0 asks without waiting; negative waits for ever
/// @return 1002 when the time is over and the job goes on; 401 inside a callback of a job, or one that
///         reads a source, that would have to wait.
#[unsafe(no_mangle)]
pub extern "C" fn image_job_wait(job: *const ImageJob, timeout_ms: i64) -> ImageStatus {
    let mut family = Family::Data;
    let result = attempt(|| {
        let running = get(job)?;
        family = running.family;
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        running.job.wait(timeout, |result| result.as_ref().map(|_| ()).map_err(Clone::clone))?
    });
    run(family, || result)
}

/// Takes the image of a job that had no `done`.
///
/// @param[out] data  the encoded image; release with image_data_release()
/// @return 1002 before the end of the job; the job's status if it failed; 401 when there is nothing, or nothing any more.
#[unsafe(no_mangle)]
pub extern "C" fn image_job_take_data(job: *mut ImageJob, data: *mut *mut ImageData) -> ImageStatus {
    let mut family = Family::Data;
    let result = attempt(|| {
        let data = out(data, "data")?;
        let running = get(job)?;
        family = running.family;
        let bytes = running.job.wait(Some(Duration::ZERO), |result| {
            result.as_mut().map(Option::take).map_err(|error| error.clone())
        })??;
        let Some(bytes) = bytes else {
            bail!(
                OutOfRange,
                "this job has no image to take: it went to a callback or a file, or was taken before"
            )
        };
        data.put(data::make(bytes)?);
        Ok(())
    });
    run(family, || result)
}

/// How much of the job is done, of 1000. Never decreases; 1000 means that the image is whole.
#[unsafe(no_mangle)]
pub extern "C" fn image_job_get_progress(job: *const ImageJob, done: *mut u32) -> ImageStatus {
    run(Family::Data, || {
        let done = out(done, "done")?;
        done.put(get(job)?.job.progress());
        Ok(())
    })
}

/// Asks the job to stop soon. It still ends once, with 1001 unless it was done.
#[unsafe(no_mangle)]
pub extern "C" fn image_job_cancel(job: *mut ImageJob) -> ImageStatus {
    run(Family::Data, || get(job)?.job.cancel())
}

/// Forgets the job; does not stop it.
#[unsafe(no_mangle)]
pub extern "C" fn image_job_release(job: *mut ImageJob) -> ImageStatus {
    run(Family::Data, || handle::remove::<Running>(job.addr()))
}
