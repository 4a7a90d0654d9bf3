//! ImageSource: an encoded image to be re-encoded.
#![allow(unsafe_code, reason = "island: takes over memory and descriptors that the caller lends")]

use std::{
    ffi::{c_char, c_int, c_void},
    os::fd::BorrowedFd,
    ptr,
    sync::Arc,
};

use super::{
    boundary::run,
    callback::{ImageReadFn, ImageReleaseFn, Reader},
    handle::{self, Kind, Object},
    pixelmap::{self, ImagePixelMap},
    pointer::{self, bytes, check, out},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    codec::decode,
    err,
    error::Result,
    host,
    limits::Limits,
    model::{foreign::Foreign, source::ImageSource as Source},
};

/// An encoded image to be re-encoded. Only its header is read at creation.
pub struct ImageSource {
    _private: [u8; 0],
}

impl Object for Source {
    const KIND: Kind = Kind::Source;
}

fn make(source: Source) -> Result<*mut ImageSource> {
    Ok(ptr::without_provenance_mut(handle::insert(Arc::new(source))?))
}

pub(super) fn get(source: *const ImageSource) -> Result<Arc<Source>> {
    handle::get(source.addr())
}

/// Copies encoded bytes.
///
/// @param[out] source  new handle
/// @return 62980113 for a format that is not known; 62980101 for a damaged header.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_from_copy(
    encoded: *const c_void,
    size: usize,
    source: *mut *mut ImageSource,
) -> ImageStatus {
    run(Family::Data, || {
        let source = out(source, "source")?;
        source.put(make(Source::from_copy(bytes(encoded, size, "encoded")?)?)?);
        Ok(())
    })
}

/// Borrows encoded bytes: they must stay readable and unchanged until `release` is called, when the last user of
/// the source is gone.
///
/// @param release  may be NULL when the memory outlives every use
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_borrowed(
    encoded: *const c_void,
    size: usize,
    release: ImageReleaseFn,
    user: *mut c_void,
    source: *mut *mut ImageSource,
) -> ImageStatus {
    run(Family::Data, || {
        let source = out(source, "source")?;
        check(encoded, size, "encoded")?;
        // SAFETY: the size is the caller's statement; the header demands that the bytes stay until `release`.
        let foreign = unsafe { Foreign::new([(encoded.cast(), size), (ptr::null(), 0), (ptr::null(), 0)]) };
        let foreign = Arc::new(foreign);
        let made = make(Source::from_foreign(foreign.clone())?)?;
        foreign.on_release(release, user);
        source.put(made);
        Ok(())
    })
}

/// Reads a regular file by offset: neither moves nor closes `fd`, which the caller may close on return.
///
/// @return 401 for a descriptor that is not open; 62980096 for one that is not a regular file.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_from_fd(fd: c_int, source: *mut *mut ImageSource) -> ImageStatus {
    run(Family::Data, || {
        let source = out(source, "source")?;
        if fd < 0 {
            bail!(BadDescriptor, "{fd} is not a file descriptor");
        }
        // SAFETY: only duplicated here; a closed number is an error of the duplication.
        let own = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
        let own = own.map_err(|e| err!(BadDescriptor, "descriptor {fd} cannot be used: {e}"))?;
        source.put(make(Source::from_fd(own)?)?);
        Ok(())
    })
}

/// Opens and reads a regular file by path; reads it by offset when pixels are asked for, so it must not change meanwhile.
///
/// @param path  the system's own bytes for a name; need not be UTF-8 where the system does not demand it
/// @return 62980096 for a file that cannot be opened or is not a regular one (a pipe is not waited for).
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_from_path(
    path: *const c_char,
    source: *mut *mut ImageSource,
) -> ImageStatus {
    run(Family::Data, || {
        let source = out(source, "source")?;
        source.put(make(Source::from_path(pointer::path(path, "path")?)?)?);
        Ok(())
    })
}

/// Reads through a callback, one call at a time, on any thread.
///
/// @param release  called when the last user of the source is gone; may be NULL
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_from_reader(
    read: ImageReadFn,
    release: ImageReleaseFn,
    user: *mut c_void,
    source: *mut *mut ImageSource,
) -> ImageStatus {
    run(Family::Data, || {
        let source = out(source, "source")?;
        let reader = Reader::new(read, user)?;
        let end = reader.release.clone();
        let made = make(Source::from_reader(Box::new(reader))?)?;
        end.arm(release, user);
        source.put(made);
        Ok(())
    })
}

/// MIME type found in the data; static, never NULL on IMAGE_OK.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_format(
    source: *const ImageSource,
    mime: *mut *const c_char,
) -> ImageStatus {
    run(Family::Data, || {
        let mime = out(mime, "mime")?;
        mime.put(get(source)?.info().mime.as_ptr());
        Ok(())
    })
}

/// Width and height in pixels, upright. Either place may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_size(
    source: *const ImageSource,
    width: *mut u32,
    height: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let source = get(source)?;
        if let Ok(width) = out(width, "width") {
            width.put(source.info().width);
        }
        if let Ok(height) = out(height, "height") {
            height.put(source.info().height);
        }
        Ok(())
    })
}

/// Number of frames; 1 for a still image.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_frame_count(source: *const ImageSource, count: *mut usize) -> ImageStatus {
    run(Family::Data, || {
        let count = out(count, "count")?;
        count.put(get(source)?.info().frames);
        Ok(())
    })
}

/// How often the animation is to be shown; 0 is for ever, 1 for a still image.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_loop_count(source: *const ImageSource, loops: *mut u32) -> ImageStatus {
    run(Family::Data, || {
        let loops = out(loops, "loops")?;
        let source = get(source)?;
        loops.put(host::shield(|| decode::timing(&source, 0))?.loops.into());
        Ok(())
    })
}

/// Time on screen of frame `index` in milliseconds, rounded; 0 for a still image.
///
/// @return 401 for an index past the last frame.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_frame_delay(
    source: *const ImageSource,
    index: usize,
    milliseconds: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let milliseconds = out(milliseconds, "milliseconds")?;
        milliseconds.put(frame(source, index)?.map_or(0, |frame| frame.delay.to_millis()));
        Ok(())
    })
}

/// What becomes of frame `index` before the next one: 0 to 3 as in image_sequence_options_set_disposal_types(); 0 for a
/// still image.
///
/// @return 401 for an index past the last frame.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_get_frame_disposal(
    source: *const ImageSource,
    index: usize,
    disposal: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let disposal = out(disposal, "disposal")?;
        disposal.put(frame(source, index)?.map_or(0, |frame| frame.disposal as u32));
        Ok(())
    })
}

fn frame(source: *const ImageSource, index: usize) -> Result<Option<decode::Frame>> {
    let source = get(source)?;
    let count = source.info().frames;
    if index >= count {
        bail!(OutOfRange, "frame {index} of an image with {count} frames");
    }
    Ok(host::shield(|| decode::timing(&source, index))?.frame)
}

/// Decodes frame `index`, upright.
///
/// @return 401 for an index past the last frame; 62980101 for damaged data; 62980106 past 2^28 pixels.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_pixelmap(
    source: *const ImageSource,
    index: usize,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let source = get(source)?;
        pixelmap.put(pixelmap::make(host::shield(|| decode::decode(&source, index, &Limits::default()))?)?);
        Ok(())
    })
}

/// Releases the source. Packs that are using it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_source_release(source: *mut ImageSource) -> ImageStatus {
    run(Family::Data, || handle::remove::<Source>(source.addr()))
}
