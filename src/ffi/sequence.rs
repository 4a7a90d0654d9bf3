//! Sequences: many frames into one animated image.

use std::ffi::{c_char, c_int, c_void};

use super::{
    boundary::run,
    callback::{ImageWriteFn, writer},
    data::{self, ImageData},
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
    model::sequence::SequenceOptions,
    pack::{
        control::Control,
        packer::{Input, Packer},
        sequence::{FramesOf, Sequence},
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

fn pack(packer: &Packer, sequence: Sequence, sink: &mut dyn Sink, control: &Control) -> Result<()> {
    let options = sequence.options.clone();
    packer.pack(Input::Sequence(sequence), &options.pack, sink, control).map(drop)
}

fn encode(packer: &Packer, sequence: Sequence, control: &Control) -> Result<Buffer> {
    let mut bytes = Buffer::default();
    pack(packer, sequence, &mut bytes, control)?;
    Ok(bytes)
}

/// How these options want a file written.
pub(super) fn file_options(options: &SequenceOptions) -> FileOptions {
    FileOptions { tail: options.pack.tail, sync: options.pack.sync }
}

fn to_data(
    packer: *mut ImagePacker,
    sequence: impl FnOnce() -> Result<Sequence>,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Picture, || {
        let data = out(data, "data")?;
        let (packer, sequence) = (packer::get(packer)?, sequence()?);
        let control = Control::new(&sequence.options.pack);
        data.put(data::make(encode(&packer, sequence, &control)?)?);
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
        let control = Control::new(&sequence.options.pack);
        destination.commit(encode(&packer, sequence, &control)?.as_slice(), &control)
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
        let control = Control::new(&sequence.options.pack);
        destination.commit(encode(&packer, sequence, &control)?.as_slice(), &control)
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
        let (packer, sequence) = (packer::get(packer)?, sequence()?);
        let control = Control::new(&sequence.options.pack);
        pack(&packer, sequence, &mut Writer::new(write), &control)
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

/// As image_packer_pack_to_data_from_sequence(), to a writer: GIF passes bytes on frame by frame, the other formats, whose
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

/// What a job encodes, checked.
fn order(packer: *mut ImagePacker, sequence: impl FnOnce() -> Result<Sequence>) -> Result<Order> {
    let (packer, sequence) = (packer::get(packer)?, sequence()?);
    let options = sequence.options.pack.clone();
    Ok(Order::of(packer, Input::Sequence(sequence), options))
}

/// As image_packer_pack_to_data_from_sequence() on the library's threads. The array may be freed on return, the frames
/// released or written to.
///
/// @param done  called at the end, with the animation; may be NULL
/// @param[out] job  new handle; may be NULL
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

/// As image_packer_pack_to_path_from_sequence() on the library's threads.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_sequence_async(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    path: *const c_char,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_maps(frames, frame_count, options));
    job::to_path(Family::Picture, order, path, Reply { done, user, job })
}

/// As image_packer_pack_to_writer_from_sequence() on the library's threads. `write` and `done` are called on a worker.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_sequence_async(
    packer: *mut ImagePacker,
    frames: *const *mut ImagePixelMap,
    frame_count: usize,
    write: ImageWriteFn,
    write_user: *mut c_void,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_maps(frames, frame_count, options));
    job::to_writer(Family::Picture, order, write, write_user, Reply { done, user, job })
}

/// As image_packer_pack_to_data_from_source_sequence() on the library's threads.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_source_sequence_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_source(source, options));
    job::to_data(Family::Picture, order, Reply { done, user, job })
}

/// As image_packer_pack_to_file_from_source_sequence() on the library's threads. The descriptor is duplicated.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_source_sequence_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    fd: c_int,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_source(source, options));
    job::to_file(Family::Picture, order, fd, Reply { done, user, job })
}

/// As image_packer_pack_to_path_from_source_sequence() on the library's threads.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_source_sequence_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    path: *const c_char,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_source(source, options));
    job::to_path(Family::Picture, order, path, Reply { done, user, job })
}

/// As image_packer_pack_to_writer_from_source_sequence() on the library's threads. `write` and `done` are called on a
/// worker.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_source_sequence_async(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    write: ImageWriteFn,
    write_user: *mut c_void,
    options: *const ImageSequenceOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || order(packer, || from_source(source, options));
    job::to_writer(Family::Picture, order, write, write_user, Reply { done, user, job })
}
