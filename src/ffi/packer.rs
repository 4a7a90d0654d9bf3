//! ImagePacker: packs images.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::Arc,
};

use super::{
    boundary::{run, value},
    callback::{ImageWriteFn, writer},
    data::{self, ImageData},
    handle::{self, Kind, Object},
    packing_options::{self, ImagePackingOptions},
    pixelmap::{self, ImagePixelMap},
    pointer::{out, path, text},
    source::{self, ImageSource},
    status::{Family, ImageStatus},
};
use crate::{
    codec,
    error::Result,
    model::options::Options,
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::{
        self,
        fd::{self, FileOptions},
        memory::Buffer,
        writer::Writer,
    },
};

/// Packs images. Holds limits; one serves many threads.
pub struct ImagePacker {
    _private: [u8; 0],
}

/// What a format can carry: lossy compression.
pub const IMAGE_FORMAT_LOSSY: u32 = 0x01;
/// Exact compression.
pub const IMAGE_FORMAT_LOSSLESS: u32 = 0x02;
/// Transparency.
pub const IMAGE_FORMAT_ALPHA: u32 = 0x04;
/// More than one frame.
pub const IMAGE_FORMAT_ANIMATION: u32 = 0x08;
/// High dynamic range.
pub const IMAGE_FORMAT_HDR: u32 = 0x10;
/// An SDR image with a gain map.
pub const IMAGE_FORMAT_GAIN_MAP: u32 = 0x20;
/// More than 8 bits per component.
pub const IMAGE_FORMAT_DEEP: u32 = 0x40;
/// EXIF, XMP and the like; GIF carries XMP and comments alone.
pub const IMAGE_FORMAT_METADATA: u32 = 0x80;
/// ICC profiles that readers honour.
pub const IMAGE_FORMAT_PROFILES: u32 = 0x100;

impl Object for Packer {
    const KIND: Kind = Kind::Packer;
}

pub(super) fn get(packer: *const ImagePacker) -> Result<Arc<Packer>> {
    handle::get(packer.addr())
}

/// A packer with default limits.
///
/// @param[out] packer  new handle
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_create(packer: *mut *mut ImagePacker) -> ImageStatus {
    run(Family::Data, || {
        let packer = out(packer, "packer")?;
        packer.put(ptr::without_provenance_mut(handle::insert(Arc::new(Packer::default()))?));
        Ok(())
    })
}

/// Releases the packer. Packs in progress and jobs go on. Once its jobs have ended, no thread of the packer is left when
/// this returns.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_release(packer: *mut ImagePacker) -> ImageStatus {
    run(Family::Data, || handle::remove::<Packer>(packer.addr()))
}

/// Most threads of one pack, the caller's own included, and most of all jobs of this packer together. 0, the default: one
/// per core. The encoded bytes do not depend on it.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_set_threads(packer: *mut ImagePacker, threads: u32) -> ImageStatus {
    run(Family::Data, || {
        get(packer)?.limits.set_threads(threads);
        Ok(())
    })
}

/// Most pixels of one image; a larger one answers 62980106. Default, and 0: 2^28.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_set_max_pixels(packer: *mut ImagePacker, pixels: u64) -> ImageStatus {
    run(Family::Data, || {
        get(packer)?.limits.set_max_pixels(pixels);
        Ok(())
    })
}

/// Most working memory in bytes of all packs of this packer together, decoding included; a pack that would pass it
/// answers 62980096 with cause LIMIT before it starts. A job waits instead, until there is room for it, and fails only
/// if it is too large by itself, or beside sequences that have been begun and not ended. Default, and 0: no limit.
///
/// Set it where memory is short and HEIC or AVIF is used: these run in the platform's libheif, which may end the process
/// when an allocation fails.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_set_memory_limit(packer: *mut ImagePacker, bytes: u64) -> ImageStatus {
    run(Family::Data, || {
        get(packer)?.limits.set_memory(bytes);
        Ok(())
    })
}

/// MIME type number `index` that this machine can write; NULL past the last. Static.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_get_supported_format(index: usize) -> *const c_char {
    value(ptr::null(), || {
        Ok(codec::supported().nth(index).map_or(ptr::null(), |format| format.mime.as_ptr()))
    })
}

/// What a format can carry: IMAGE_FORMAT_ bits; 0 if it cannot be written.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_get_format_features(format: *const c_char) -> u32 {
    value(0, || Ok(codec::find(text(format, "format")?)?.all_features()))
}

/// Setting number `index` of a format for image_packing_options_set(), as "name: meaning, values, default". NULL
/// past the last. Static.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_get_setting(format: *const c_char, index: usize) -> *const c_char {
    value(ptr::null(), || {
        let settings = codec::find(text(format, "format")?)?.settings;
        Ok(settings.get(index).map_or(ptr::null(), |setting| setting.help.as_ptr()))
    })
}

/// Encodes into memory.
fn encode(packer: &Packer, input: Input, options: &Options, control: &Control) -> Result<Buffer> {
    let mut bytes = Buffer::with_hint(usize::try_from(options.buffer_size).unwrap_or(usize::MAX));
    packer.pack(input, options, &mut bytes, control)?;
    Ok(bytes)
}

/// The body of every pack into memory.
pub(super) fn to_data(
    family: Family,
    packer: *mut ImagePacker,
    input: impl FnOnce() -> Result<Input>,
    options: *const ImagePackingOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(family, || {
        let data = out(data, "data")?;
        let (packer, input, options) = (get(packer)?, input()?, packing_options::snapshot(options)?);
        data.put(data::make(encode(&packer, input, &options, &Control::new(&options))?)?);
        Ok(())
    })
}

/// The body of every pack into a descriptor.
pub(super) fn to_file(
    family: Family,
    packer: *mut ImagePacker,
    input: impl FnOnce() -> Result<Input>,
    descriptor: c_int,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(family, || {
        let (packer, input, options) = (get(packer)?, input()?, packing_options::snapshot(options)?);
        let file_options = FileOptions { tail: options.tail, sync: options.sync };
        let destination = fd::Destination::check(descriptor, file_options)?;
        let control = Control::new(&options);
        destination.commit(encode(&packer, input, &options, &control)?.as_slice(), &control)
    })
}

/// The body of every pack into a path.
pub(super) fn to_path(
    family: Family,
    packer: *mut ImagePacker,
    input: impl FnOnce() -> Result<Input>,
    file: *const c_char,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(family, || {
        let (packer, input, options) = (get(packer)?, input()?, packing_options::snapshot(options)?);
        let destination = sink::path::Destination::check(path(file, "path")?, options.sync)?;
        let control = Control::new(&options);
        destination.commit(encode(&packer, input, &options, &control)?.as_slice(), &control)
    })
}

/// The body of every pack to a writer.
pub(super) fn to_writer(
    family: Family,
    packer: *mut ImagePacker,
    input: impl FnOnce() -> Result<Input>,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(family, || {
        let write = writer(write, user)?;
        let (packer, input, options) = (get(packer)?, input()?, packing_options::snapshot(options)?);
        packer.pack(input, &options, &mut Writer::new(write), &Control::new(&options)).map(drop)
    })
}

pub(super) fn from_pixelmap(pixelmap: *const ImagePixelMap) -> impl FnOnce() -> Result<Input> {
    move || Ok(Input::Pixels(pixelmap::get(pixelmap)?.snapshot()?))
}

pub(super) fn from_source(source: *const ImageSource) -> impl FnOnce() -> Result<Input> {
    move || Ok(Input::Source(source::get(source)?))
}

/// Encodes a pixel map into memory.
///
/// @param[out] data  the encoded image; release with image_data_release()
/// @return IMAGE_OK; 401 for a bad or released handle or contradictory options; 62980106 if the format cannot hold
///         the size; 62980119 if the encoder fails; 62980172 for a profile that cannot be embedded; 1001 when the
///         progress callback stops it; 62980096 for the rest.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    options: *const ImagePackingOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    to_data(Family::Data, packer, from_pixelmap(pixelmap), options, data)
}

/// Re-encodes the first frame of an image source into memory. Also 62980101 and 62980113 for its data.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_source(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    options: *const ImagePackingOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    to_data(Family::Data, packer, from_source(source), options, data)
}

/// Encodes a pixel map into a file descriptor, from its current offset. The descriptor stays open and is the
/// caller's.
///
/// A regular file is all or nothing: the image is encoded first; if writing then fails (disk full, I/O error), the
/// file's earlier bytes, length and offset are put back, and the message says whether that worked. An image that
/// starts at offset 0 replaces the whole file; one that starts further in leaves what stands behind it; with
/// O_APPEND nothing is cut (image_packing_options_set_tail() says otherwise). Pipes and sockets are streamed; a
/// closed one is an error, never SIGPIPE.
///
/// @return as image_packer_pack_to_data(), with 62980115 for bad arguments and descriptors.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    fd: c_int,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_file(Family::File, packer, from_pixelmap(pixelmap), fd, options)
}

/// As image_packer_pack_to_file() from an image source. The source may read the same descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_source(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    fd: c_int,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_file(Family::File, packer, from_source(source), fd, options)
}

/// Encodes a pixel map into the file of this name: other processes, and this one after a crash, see the old file or
/// the new one, never a mix.
///
/// The image goes into a new file in the same folder, which then takes the old one's name; on failure the old file
/// is as it was. A symbolic link stays and its target is replaced; a second hard link keeps the old bytes; the old
/// file's mode, owner and group are kept as far as this process may. A process that is killed may leave a file named
/// `.image_packer-*.tmp`. A path that names a pipe, a terminal or a device is written to, not replaced;
/// a pipe that nobody has open for reading is an error, not waited for. To survive a loss of power as well, see
/// image_packing_options_set_sync().
///
/// @param path  the system's own bytes for a name; need not be UTF-8 where the system does not demand it
/// @return as image_packer_pack_to_file().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    path: *const c_char,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_path(Family::File, packer, from_pixelmap(pixelmap), path, options)
}

/// As image_packer_pack_to_path() from an image source. The source may be the same file.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_source(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    path: *const c_char,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_path(Family::File, packer, from_source(source), path, options)
}

/// Encodes a pixel map and passes bytes on as they are made.
///
/// @param write  called on the calling thread, in order
/// @return as image_packer_pack_to_data(); 62980096 with cause WRITE when `write` stops.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer(
    packer: *mut ImagePacker,
    pixelmap: *const ImagePixelMap,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_writer(Family::Data, packer, from_pixelmap(pixelmap), write, user, options)
}

/// As image_packer_pack_to_writer() from an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_source(
    packer: *mut ImagePacker,
    source: *const ImageSource,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    to_writer(Family::Data, packer, from_source(source), write, user, options)
}
