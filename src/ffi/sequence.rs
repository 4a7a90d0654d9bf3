//! Sequences: many frames into one animated image.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
};

use super::{
    boundary::run,
    callback::{ImageWriteFn, writer},
    data::{self, ImageData},
    handle::{self, Kind, Object},
    job::{self, ImageDoneFn, ImageJob, Order, Reply},
    packer::{self, ImagePacker},
    pixelmap::{self, ImagePixelMap},
    pointer::{array, out, path},
    sequence_options::{self, ImageSequenceOptions},
    source::{self, ImageSource},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::{Error, Result},
    host,
    model::{
        options::Tail,
        report::Notes,
        sequence::{self, SequenceOptions},
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
        pool::Pool,
        sequence::{FramesOf, Sequence, Site, Step, Stream},
    },
    sink::{
        Sink,
        fd::{self, FileOptions},
        memory::Buffer,
        path::Destination,
        writer::Writer,
    },
};

/// The frames of a call, checked.
fn from_maps(
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    options: *const ImageSequenceOptions,
) -> Result<Sequence> {
    let frames = array(frames, frame_count, "frames")?;
    let options = sequence_options::snapshot(options)?;
    if frames.is_empty() {
        bail!(OutOfRange, "a sequence of 0 frames");
    }
    let used = match options.frame_count {
        0 => bail!(OutOfRange, "frame count 0 in the options; {frame_count} frames were passed"),
        count => frames.len().min(count as usize),
    };
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(used).map_err(|_| Error::out_of_memory(used * 8, "the list of frames"))?;
    for (index, &frame) in frames[..used].iter().enumerate() {
        let map = pixelmap::get(frame).map_err(|mut error| {
            error.message = format!("frame {index}: {}", error.message).into();
            error
        })?;
        pixels.push(map.snapshot()?);
    }
    Ok(Sequence { frames: FramesOf::Pixels(pixels.into()), options })
}

fn from_source(source: *const ImageSource, options: *const ImageSequenceOptions) -> Result<Sequence> {
    let frames = FramesOf::Source(source::get(source)?);
    Ok(Sequence { frames, options: sequence_options::snapshot(options)? })
}

fn pack(packer: &Packer, sequence: Sequence, sink: &mut dyn Sink) -> Result<()> {
    let options = sequence.options.clone();
    packer.pack(Input::Sequence(sequence), &options.pack, sink, &Control::new(&options.pack)).map(drop)
}

fn encode(packer: &Packer, sequence: Sequence) -> Result<Buffer> {
    let mut bytes = Buffer::default();
    pack(packer, sequence, &mut bytes)?;
    Ok(bytes)
}

fn file_options(options: &SequenceOptions) -> FileOptions {
    FileOptions { tail: Tail::Auto, sync: options.pack.sync }
}

fn to_data(
    packer: *mut ImagePacker,
    sequence: impl FnOnce() -> Result<Sequence>,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Picture, || {
        let data = out(data, "data")?;
        data.put(data::make(encode(&*packer::get(packer)?, sequence()?)?)?);
        Ok(())
    })
}

fn to_file(
    packer: *mut ImagePacker,
    sequence: impl FnOnce() -> Result<Sequence>,
    descriptor: c_int,
) -> ImageStatus {
    run(Family::Picture, || {
        let (packer, sequence) = (packer::get(packer)?, sequence()?);
        let destination = fd::Destination::check(descriptor, file_options(&sequence.options))?;
        destination.commit(encode(&packer, sequence)?.as_slice())
    })
}

fn to_path(
    packer: *mut ImagePacker,
    sequence: impl FnOnce() -> Result<Sequence>,
    file: *const c_char,
) -> ImageStatus {
    run(Family::Picture, || {
        let (packer, sequence) = (packer::get(packer)?, sequence()?);
        let destination = Destination::check(path(file, "path")?, sequence.options.pack.sync)?;
        destination.commit(encode(&packer, sequence)?.as_slice())
    })
}

fn to_writer(
    packer: *mut ImagePacker,
    sequence: impl FnOnce() -> Result<Sequence>,
    write: ImageWriteFn,
    user: *mut c_void,
) -> ImageStatus {
    run(Family::Picture, || {
        let write = writer(write, user)?;
        pack(&*packer::get(packer)?, sequence()?, &mut Writer::new(write))
    })
}

/// Encodes frames into one animated image in memory.
///
/// Frames may be of any pixel format and size. Each is drawn on the canvas at its offset: where it has alpha, what was
/// there before shines through; then it is disposed of as image_sequence_options_set_disposal_types() says. The colour
/// profile of the first frame is the animation's.
///
/// @param frames       pixel maps; only those that the options' frame count uses are looked at
/// @param frame_count  pixel maps at `frames`, at least 1
/// @param[out] data    the encoded animation; release with image_data_release()
/// @return IMAGE_OK; 401 for a bad or released handle, no frames, a frame count of 0 in the options, or options that
///         contradict each other; 1001 when the progress callback stops it; 7800301 for the rest, with a cause that says
///         why: FRAME_COUNT for more than 10000 frames by repetition, LIMIT for frames that are too large.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_sequence(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    options: *const ImageSequenceOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    to_data(packer, || from_maps(frames, frame_count, options), data)
}

/// As image_packer_pack_to_data_from_sequence(), into a file descriptor as image_packer_pack_to_file() does; bad
/// descriptors are 401.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_sequence(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    fd: c_int,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_file(packer, || from_maps(frames, frame_count, options), fd)
}

/// As image_packer_pack_to_data_from_sequence(), into the file of this name as image_packer_pack_to_path() does.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_sequence(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    path: *const c_char,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_path(packer, || from_maps(frames, frame_count, options), path)
}

/// As image_packer_pack_to_data_from_sequence(), to a writer: GIF passes bytes on frame by frame, APNG and WebP, whose
/// headers tell of what follows, at the end.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_sequence(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_writer(packer, || from_maps(frames, frame_count, options), write, user)
}

/// Re-encodes all frames of an image source, one at a time: an animation as it looks, with its delays, disposal types
/// and loop count where the options set none. An image without animation is one frame, or one per image in the file.
///
/// @return as image_packer_pack_to_data_from_sequence(); 7800301 with cause BAD_DATA for damaged data, and 401 with cause
///         UNSUPPORTED for a canvas other than the source's.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_source_sequence(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    options: *const ImageSequenceOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    to_data(packer, || from_source(source, options), data)
}

/// As image_packer_pack_to_data_from_source_sequence(), into a file descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_source_sequence(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    fd: c_int,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_file(packer, || from_source(source, options), fd)
}

/// As image_packer_pack_to_data_from_source_sequence(), into the file of this name.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_source_sequence(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    path: *const c_char,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_path(packer, || from_source(source, options), path)
}

/// As image_packer_pack_to_data_from_source_sequence(), to a writer.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_source_sequence(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImageSequenceOptions,
) -> ImageStatus {
    to_writer(packer, || from_source(source, options), write, user)
}

fn order(packer: *mut ImagePacker, sequence: impl FnOnce() -> Result<Sequence>) -> Result<Order> {
    let (packer, sequence) = (packer::get(packer)?, sequence()?);
    let options = sequence.options.pack.clone();
    Ok(Order::of(packer, Input::Sequence(sequence), options))
}

/// As image_packer_pack_to_data_from_sequence() on the library's threads.
///
/// @param done  called at the end; NULL if the image is fetched with image_job_take_data()
/// @param[out] job  new handle; NULL if nobody waits or cancels
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_sequence_async(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_maps(frames, frame_count, options));
    job::to_data(Family::Picture, order, Reply { done, user, job })
}

/// As image_packer_pack_to_file_from_sequence() on the library's threads. The descriptor is duplicated: `fd` may be closed
/// on return.
///
/// @param done  called at the end, with no data; may be NULL
/// @param[out] job  new handle; NULL if nobody waits or cancels
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_sequence_async(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    fd: c_int,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_maps(frames, frame_count, options));
    job::to_file(Family::Picture, order, fd, Reply { done, user, job })
}

/// An animated image that takes its frames one at a time, so that nobody has to hold them all: a few canvases and the
/// encoded bytes are all that is in memory. One call at a time; a second one meanwhile answers 401.
pub struct ImageSequence {
    _private: [u8; 0],
}

/// Puts the whole image in its file.
type Commit = Box<dyn FnOnce(&[u8]) -> Result<()> + Send>;

/// Where the bytes go at the end.
enum Target {
    Memory(Buffer),
    /// The descriptor's duplicate is ours: the caller may close it meanwhile.
    File(Buffer, Commit),
    Writer(Box<dyn Sink + Send>),
    Done,
}

struct Running {
    stream: Stream,
    control: Control,
    target: Target,
}

/// A sequence as its handle holds it.
struct Cell {
    packer: Arc<Packer>,
    options: Arc<SequenceOptions>,
    running: Mutex<Running>,
}

impl Object for Cell {
    const KIND: Kind = Kind::Sequence;
}

impl Cell {
    /// The state, if nobody else is at it: nobody ever waits for a lock that a fork could leave taken.
    fn enter(&self) -> Result<MutexGuard<'_, Running>> {
        match self.running.try_lock() {
            Ok(running) => Ok(running),
            Err(TryLockError::WouldBlock) => {
                bail!(OutOfRange, "another call of this sequence is in progress")
            }
            Err(TryLockError::Poisoned(_)) => bail!(OutOfRange, "the sequence has ended by an error"),
        }
    }

    /// Lets the stream work.
    fn work(
        &self,
        running: &mut Running,
        work: impl FnOnce(&mut Stream, Site<'_>, &mut dyn Sink) -> Result<()> + Send,
    ) -> Result<()> {
        let Running { stream, control, target } = running;
        let sink: &mut dyn Sink = match target {
            Target::Memory(bytes) | Target::File(bytes, _) => bytes,
            Target::Writer(writer) => &mut **writer,
            Target::Done => bail!(OutOfRange, "the sequence is finished"),
        };
        let pool = Pool::new(self.packer.limits.threads());
        let notes = Notes::default();
        let site = Site { limits: &self.packer.limits, pool: &pool, control, notes: &notes };
        host::shield_with(sink, |sink| work(stream, site, sink))
    }
}

fn begin(
    packer: *mut ImagePacker,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
    target: impl FnOnce(&SequenceOptions) -> Result<Target>,
) -> ImageStatus {
    run(Family::Picture, || {
        let sequence = out(sequence, "sequence")?;
        let (packer, options) = (packer::get(packer)?, sequence_options::snapshot(options)?);
        let target = target(&options)?;
        let control = Control::new(&options.pack);
        let running = Mutex::new(Running { stream: Stream::new(options.clone()), control, target });
        let token = handle::insert(Arc::new(Cell { packer, options, running }))?;
        sequence.put(ptr::without_provenance_mut(token));
        Ok(())
    })
}

/// Begins an animation in memory.
///
/// @param[out] sequence  new handle
/// @return 401 for a bad handle.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_begin(
    packer: *mut ImagePacker,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
) -> ImageStatus {
    begin(packer, options, sequence, |_| Ok(Target::Memory(Buffer::default())))
}

/// Begins an animation in a file descriptor, which is duplicated: the caller may close `fd` on return. It is written at
/// the end, as image_packer_pack_to_file() does.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_begin_to_file(
    packer: *mut ImagePacker,
    fd: c_int,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
) -> ImageStatus {
    begin(packer, options, sequence, |options| {
        let (duplicate, destination) = fd::Destination::check_duplicate(fd, file_options(options))?;
        let commit = move |bytes: &[u8]| {
            let result = destination.commit(bytes);
            drop(duplicate);
            result
        };
        Ok(Target::File(Buffer::default(), Box::new(commit)))
    })
}

/// Begins an animation in the file of this name, which is written at the end, as image_packer_pack_to_path() does.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_begin_to_path(
    packer: *mut ImagePacker,
    file: *const c_char,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
) -> ImageStatus {
    begin(packer, options, sequence, |options| {
        let destination = Destination::check(path(file, "file")?, options.pack.sync)?;
        Ok(Target::File(Buffer::default(), Box::new(move |bytes: &[u8]| destination.commit(bytes))))
    })
}

/// Begins an animation that goes to a writer. GIF passes bytes on frame by frame; APNG and WebP, whose headers tell of what
/// follows, at the end: until then they are kept compressed.
///
/// @param write  called on the thread of the call that adds a frame or finishes
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_begin_to_writer(
    packer: *mut ImagePacker,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
) -> ImageStatus {
    begin(packer, options, sequence, |_| Ok(Target::Writer(Box::new(Writer::new(writer(write, user)?)))))
}

/// Adds a frame at the offset that the options say.
///
/// @param delay     time on screen in units of 10 ms, 1 to 65535; 0: as the options say
/// @param disposal  0 to 3 as in image_sequence_options_set_disposal_types(); -1: as the options say
/// @return 401 for a bad handle, a delay or a disposal out of range, and a frame that passes the canvas; 7800301 with cause
///         FRAME_COUNT for more frames than the options announce; else as image_packer_pack_to_data_from_sequence(). After
///         a failed encode the sequence takes no more frames; a bad argument changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_add_frame(
    sequence: *mut ImageSequence,
    pixelmap: *const ImagePixelMap,
    delay: i32,
    disposal: i32,
) -> ImageStatus {
    add(sequence, pixelmap, None, delay, disposal)
}

/// As image_sequence_add_frame(), at this place of the canvas.
///
/// @param x  left edge of the frame in pixels
/// @param y  top edge of the frame in pixels
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_add_frame_at(
    sequence: *mut ImageSequence,
    pixelmap: *const ImagePixelMap,
    x: u32,
    y: u32,
    delay: i32,
    disposal: i32,
) -> ImageStatus {
    add(sequence, pixelmap, Some((x, y)), delay, disposal)
}

fn add(
    sequence: *mut ImageSequence,
    pixelmap: *const ImagePixelMap,
    offset: Option<(u32, u32)>,
    delay: i32,
    disposal: i32,
) -> ImageStatus {
    run(Family::Picture, || {
        let cell = handle::get::<Cell>(sequence.addr())?;
        let pixels = pixelmap::get(pixelmap)?.snapshot()?;
        let mut running = cell.enter()?;
        let (options, index) = (&cell.options, running.stream.count() as usize);
        let delay = match delay {
            0 => options.delay(index),
            delay => crate::model::frame::Delay::centis(sequence::centis(index, delay)?.into()),
        };
        let disposal = match u32::try_from(disposal) {
            Ok(number) => sequence::disposal(index, number)?,
            Err(_) if disposal == -1 => options.disposal(index),
            Err(_) => bail!(OutOfRange, "disposal type {disposal} of frame {index} is not in 0..=3"),
        };
        let offset = offset.unwrap_or_else(|| options.offset(index));
        let step = Step { pixels, offset, delay, disposal };
        cell.work(&mut running, |stream, site, sink| stream.add(site, &step, sink))
    })
}

/// Ends the animation and delivers it. The handle is still to be released.
///
/// @param[out] data  the encoded animation of image_sequence_begin(); NULL is stored, and may be passed, for the others
/// @return 7800301 with cause FRAME_COUNT for no frames, or fewer than the options announce.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_finish(
    sequence: *mut ImageSequence,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Picture, || {
        let cell = handle::get::<Cell>(sequence.addr())?;
        let mut running = cell.enter()?;
        if matches!(running.target, Target::Memory(_)) && data.is_null() {
            bail!(NullPointer, "data is NULL");
        }
        cell.work(&mut running, |stream, site, sink| stream.finish(site, sink))?;
        let made = match std::mem::replace(&mut running.target, Target::Done) {
            Target::Memory(bytes) => data::make(bytes)?,
            Target::File(bytes, commit) => {
                commit(bytes.as_slice())?;
                ptr::null_mut()
            }
            Target::Writer(_) | Target::Done => ptr::null_mut(),
        };
        if let Ok(data) = out(data, "data") {
            data.put(made);
        }
        Ok(())
    })
}

/// Releases the sequence. One that is not finished is dropped: no file is changed, and a writer gets no more bytes.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_release(sequence: *mut ImageSequence) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(sequence.addr()))
}
