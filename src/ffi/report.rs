//! ImageReport: what became of an image.

use std::{ffi::c_char, ptr, sync::Arc};

use super::{
    boundary::run,
    handle::{self, Kind, Object},
    pointer::{bytes_mut, out},
    status::{Family, ImageStatus},
};
use crate::{bail, error::Result, model::report::LastReport};

/// What became of an image: bytes, format, and everything that was dropped, repaired or converted on the way.
///
/// Filled by packs with options that name it: image_packing_options_set_report(). Until then its getters answer 401.
pub struct ImageReport {
    _private: [u8; 0],
}

/// What is not in the output as it was in the input; free to grow.
pub type ImageWarning = i32;
/// EXIF was dropped: it is damaged, too large, or the format cannot carry it.
pub const IMAGE_WARNING_EXIF_DROPPED: i32 = 1;
/// XMP was dropped, for the same reasons.
pub const IMAGE_WARNING_XMP_DROPPED: i32 = 2;
/// IPTC was dropped, for the same reasons.
pub const IMAGE_WARNING_IPTC_DROPPED: i32 = 3;
/// A part of EXIF was left out or put right.
pub const IMAGE_WARNING_EXIF_CHANGED: i32 = 4;
/// Properties that describe the old file were left out of XMP.
pub const IMAGE_WARNING_XMP_CHANGED: i32 = 5;
/// The place where the image was taken was removed, as asked for.
pub const IMAGE_WARNING_GPS_REMOVED: i32 = 6;
/// Provenance data (C2PA, JUMBF) was dropped: a new encoding breaks its signatures.
pub const IMAGE_WARNING_PROVENANCE_DROPPED: i32 = 7;
/// A vendor's own segments were dropped: they describe the old file.
pub const IMAGE_WARNING_VENDOR_DATA_DROPPED: i32 = 8;
/// The format cannot carry the density.
pub const IMAGE_WARNING_DENSITY_DROPPED: i32 = 9;
/// An ICC profile that does not go with the pixels was dropped.
pub const IMAGE_WARNING_PROFILE_DROPPED: i32 = 10;
/// Colours were converted to another space.
pub const IMAGE_WARNING_COLOR_CONVERTED: i32 = 11;
/// High dynamic range became standard range.
pub const IMAGE_WARNING_TONE_MAPPED: i32 = 12;
/// The gain map was dropped.
pub const IMAGE_WARNING_GAIN_MAP_DROPPED: i32 = 13;
/// An auxiliary image was dropped.
pub const IMAGE_WARNING_AUXILIARY_DROPPED: i32 = 14;
/// Frames after the first were dropped.
pub const IMAGE_WARNING_FRAMES_DROPPED: i32 = 15;
/// The format has fewer bits per component.
pub const IMAGE_WARNING_DEPTH_REDUCED: i32 = 16;
/// Pixels that are not opaque were blended on the background.
pub const IMAGE_WARNING_ALPHA_BLENDED: i32 = 17;
/// Comments or other texts with a keyword were dropped: the format cannot carry them.
pub const IMAGE_WARNING_TEXT_DROPPED: i32 = 18;

/// The GPU was to encode and failed, so the host did; the sentence says why.
pub const IMAGE_WARNING_DEVICE_FAILED: i32 = 30;

/// Who encodes; free to grow.
pub type ImageBackend = i32;
/// The host's processor.
pub const IMAGE_BACKEND_CPU: i32 = 1;
/// nvJPEG, on a CUDA device.
pub const IMAGE_BACKEND_NVJPEG: i32 = 2;

impl Object for LastReport {
    const KIND: Kind = Kind::Report;
}

pub(super) fn get(report: *const ImageReport) -> Result<Arc<LastReport>> {
    handle::get(report.addr())
}

/// A report, or none for NULL.
pub(super) fn optional(report: *const ImageReport) -> Result<Option<Arc<LastReport>>> {
    if report.is_null() { Ok(None) } else { get(report).map(Some) }
}

/// Copies text with a NUL into the caller's buffer, cut between characters.
fn copy(from: &str, to: *mut c_char, capacity: usize) -> Result<()> {
    let buffer = bytes_mut(to.cast(), capacity, "text")?;
    if let Some(room) = buffer.len().checked_sub(1) {
        let cut = (0..=room.min(from.len())).rev().find(|&len| from.is_char_boundary(len)).unwrap_or(0);
        buffer[..cut].copy_from_slice(&from.as_bytes()[..cut]);
        buffer[cut] = 0;
    }
    Ok(())
}

/// An empty report.
///
/// @param[out] report  new handle
#[unsafe(no_mangle)]
pub extern "C" fn image_report_create(report: *mut *mut ImageReport) -> ImageStatus {
    run(Family::Data, || {
        let report = out(report, "report")?;
        report.put(ptr::without_provenance_mut(handle::insert(Arc::new(LastReport::empty()))?));
        Ok(())
    })
}

/// The number of encoded bytes.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_bytes(report: *const ImageReport, bytes: *mut u64) -> ImageStatus {
    run(Family::Data, || {
        let bytes = out(bytes, "bytes")?;
        bytes.put(get(report)?.last()?.bytes);
        Ok(())
    })
}

/// Width and height of the encoded image in pixels. Either place may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_size(
    report: *const ImageReport,
    width: *mut u32,
    height: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let size = get(report)?.last()?.size;
        if let Ok(width) = out(width, "width") {
            width.put(size.0);
        }
        if let Ok(height) = out(height, "height") {
            height.put(size.1);
        }
        Ok(())
    })
}

/// The quality it was encoded with: that of the options, or what image_packing_options_set_max_bytes() left of it.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_quality(report: *const ImageReport, quality: *mut i32) -> ImageStatus {
    run(Family::Data, || {
        let quality = out(quality, "quality")?;
        quality.put(get(report)?.last()?.quality.into());
        Ok(())
    })
}

/// MIME type of the encoded image; static, never NULL on IMAGE_OK.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_format(
    report: *const ImageReport,
    mime: *mut *const c_char,
) -> ImageStatus {
    run(Family::Data, || {
        let mime = out(mime, "mime")?;
        mime.put(get(report)?.last()?.format.mime.as_ptr());
        Ok(())
    })
}

/// What encoded the image, with its version, copied into `text` with a NUL and cut to fit `capacity` bytes:
/// "libwebp 1.5.0".
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_codec(
    report: *const ImageReport,
    text: *mut c_char,
    capacity: usize,
) -> ImageStatus {
    run(Family::Data, || copy(&get(report)?.last()?.codec, text, capacity))
}

/// Who encoded the image, and so where: an IMAGE_BACKEND_ constant.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_backend(
    report: *const ImageReport,
    backend: *mut ImageBackend,
) -> ImageStatus {
    run(Family::Data, || {
        let backend = out(backend, "backend")?;
        backend.put(get(report)?.last()?.backend as i32);
        Ok(())
    })
}

/// The number of warnings; 0 when nothing but lossy compression stands between input and output.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_warning_count(
    report: *const ImageReport,
    count: *mut usize,
) -> ImageStatus {
    run(Family::Data, || {
        let count = out(count, "count")?;
        count.put(get(report)?.last()?.warnings.len());
        Ok(())
    })
}

/// Warning number `index`: its code, and a sentence that is copied into `text` with a NUL, cut to fit `capacity`
/// bytes. `text` may be NULL when `capacity` is 0.
///
/// @return 401 for an index past the last.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_get_warning(
    report: *const ImageReport,
    index: usize,
    warning: *mut ImageWarning,
    text: *mut c_char,
    capacity: usize,
) -> ImageStatus {
    run(Family::Data, || {
        let place = out(warning, "warning")?;
        let report = get(report)?.last()?;
        let Some(warning) = report.warnings.get(index) else {
            bail!(OutOfRange, "warning {index} of {}", report.warnings.len());
        };
        copy(&warning.text, text, capacity)?;
        place.put(warning.code as i32);
        Ok(())
    })
}

/// Releases the report. Options that name it keep it alive.
#[unsafe(no_mangle)]
pub extern "C" fn image_report_release(report: *mut ImageReport) -> ImageStatus {
    run(Family::Data, || handle::remove::<LastReport>(report.addr()))
}
