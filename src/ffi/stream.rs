//! ImageSequence: an animated image that takes its frames one at a time.

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
    packer::{self, ImagePacker},
    pixelmap::{self, ImagePixelMap},
    pointer::{self, out},
    sequence::file_options,
    sequence_options::{self, ImageSequenceOptions},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    host,
    model::{
        frame::Delay,
        report::{Backend, Notes, Report},
        sequence::{self, SequenceOptions},
    },
    pack::{
        control::Control,
        packer::{Counted, Packer},
        pool::Pool,
        sequence::{Site, Step, Stream},
    },
    sink::{Sink, fd, memory::Buffer, path::Destination, writer::Writer},
};

/// An animated image that takes its frames one at a time, so that nobody has to hold them all: a few canvases and the
/// encoded bytes are all that is in memory.
///
/// One call at a time; a second one meanwhile answers 401, but for image_sequence_cancel() and the release. These calls have
/// no asynchronous form: frames that are made one by one come from a thread of the host's, which makes the next one when
/// this one is taken. A timeout in the options counts from the beginning of the sequence.
pub struct ImageSequence {
    _private: [u8; 0],
}

/// Puts the whole image in its file.
type Commit = Box<dyn FnOnce(&[u8], &Control) -> Result<()> + Send>;

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
    target: Target,
    /// Bytes so far.
    bytes: u64,
}

/// A sequence as its handle holds it.
struct Cell {
    packer: Arc<Packer>,
    options: Arc<SequenceOptions>,
    /// Outside the lock, so that another thread can cancel.
    control: Control,
    /// What all calls together have to report.
    notes: Notes,
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
    fn work<T: Send>(
        &self,
        running: &mut Running,
        work: impl FnOnce(&mut Stream, Site<'_>, &mut dyn Sink) -> Result<T> + Send,
    ) -> Result<T> {
        // One that was stopped says so again, rather than that it has ended.
        self.control.check()?;
        let Running { stream, target, bytes: count } = running;
        let sink: &mut dyn Sink = match target {
            Target::Memory(bytes) | Target::File(bytes, _) => bytes,
            Target::Writer(writer) => &mut **writer,
            Target::Done => bail!(OutOfRange, "the sequence is finished"),
        };
        let pool = Pool::new(self.packer.limits.threads());
        let Self { packer, control, notes, .. } = self;
        let site = Site { limits: &packer.limits, pool: &pool, control, notes };
        let mut counted = Counted::new(sink);
        let result = host::shield_with(&mut counted, |sink| work(stream, site, sink));
        *count += counted.bytes;
        result
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
        let (control, notes) = (Control::new(&options.pack), Notes::default());
        let running = Mutex::new(Running { stream: Stream::open(options.clone()), target, bytes: 0 });
        let token = handle::insert(Arc::new(Cell { packer, options, control, notes, running }))?;
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
        let commit = move |bytes: &[u8], control: &Control| {
            let result = destination.commit(bytes, control);
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
    path: *const c_char,
    options: *const ImageSequenceOptions,
    sequence: *mut *mut ImageSequence,
) -> ImageStatus {
    begin(packer, options, sequence, |options| {
        let destination = Destination::check(pointer::path(path, "path")?, options.pack.sync)?;
        Ok(Target::File(
            Buffer::default(),
            Box::new(move |bytes: &[u8], control: &Control| destination.commit(bytes, control)),
        ))
    })
}

/// Begins an animation that goes to a writer. GIF passes bytes on frame by frame; the other formats, whose headers tell of
/// what follows, at the end: until then they are kept compressed.
///
/// @param write  called on the thread of the call that adds a frame or finishes
/// @param user   handed to `write`; has to stay valid until the sequence is finished or released
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
            delay => Delay::centis(sequence::centis(index, delay)?.into()),
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
        let size = cell.work(&mut running, |stream, site, sink| stream.finish(site, sink))?;
        let made = match std::mem::replace(&mut running.target, Target::Done) {
            Target::Memory(bytes) => data::make(bytes)?,
            Target::File(bytes, commit) => {
                commit(bytes.as_slice(), &cell.control)?;
                ptr::null_mut()
            }
            Target::Writer(_) | Target::Done => ptr::null_mut(),
        };
        if let Some(place) = &cell.options.pack.report {
            let format = cell.options.pack.format;
            let (codec, warnings) = ((format.codec)(), cell.notes.take());
            let quality = cell.options.pack.quality;
            let (bytes, backend) = (running.bytes, Backend::Cpu);
            place.put(&Report { bytes, size, quality, format, codec, backend, warnings })?;
        }
        if let Ok(data) = out(data, "data") {
            data.put(made);
        }
        Ok(())
    })
}

/// Stops the call of this sequence that is in progress on another thread, soon, and every later one: they answer 1001, and
/// nothing is delivered.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_cancel(sequence: *mut ImageSequence) -> ImageStatus {
    run(Family::Picture, || {
        handle::get::<Cell>(sequence.addr())?.control.cancel();
        Ok(())
    })
}

/// Releases the sequence. One that is not finished is dropped: no file is changed, and a writer gets no more bytes.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_release(sequence: *mut ImageSequence) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(sequence.addr()))
}
