//! ImagePixelMap: a rectangle of pixels and what they mean.
#![allow(unsafe_code, reason = "island: takes over memory that the caller lends")]

use std::{ffi::c_void, ptr, sync::Arc};

use super::{
    boundary::run,
    callback::ImageReleaseFn,
    handle::{self, Kind, Object},
    pointer::{array, bytes, bytes_mut, check, out},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    limits::DEFAULT_MAX_PIXELS,
    model::{
        color::{Cicp, MasteringDisplay},
        foreign::Foreign,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, PixelMap, Pixels},
    },
};

/// A rectangle of pixels and what they mean.
pub struct ImagePixelMap {
    _private: [u8; 0],
}

/// Memory layout of a pixel. Components are named in the order of their bytes; packed and 16-bit formats are in
/// the byte order of the machine.
pub type ImagePixelFormat = i32;
/// 16 bits: red in the high 5, green in 6, blue in the low 5.
pub const IMAGE_PIXEL_FORMAT_RGB_565: i32 = 2;
/// 8 bits each.
pub const IMAGE_PIXEL_FORMAT_RGBA_8888: i32 = 3;
/// 8 bits each.
pub const IMAGE_PIXEL_FORMAT_BGRA_8888: i32 = 4;
/// 8 bits each, 3 bytes a pixel.
pub const IMAGE_PIXEL_FORMAT_RGB_888: i32 = 5;
/// Only alpha; its colour is black.
pub const IMAGE_PIXEL_FORMAT_ALPHA_8: i32 = 6;
/// IEEE half floats, 8 bytes a pixel. 1.0 is SDR white.
pub const IMAGE_PIXEL_FORMAT_RGBA_F16: i32 = 7;
/// Plane of Y, plane of interleaved Cr, Cb at half width and height.
pub const IMAGE_PIXEL_FORMAT_NV21: i32 = 8;
/// Plane of Y, plane of interleaved Cb, Cr at half width and height.
pub const IMAGE_PIXEL_FORMAT_NV12: i32 = 9;
/// 32 bits: red in the low 10, green, blue, alpha in the high 2.
pub const IMAGE_PIXEL_FORMAT_RGBA_1010102: i32 = 10;
/// As NV12 with 16-bit samples, the value in the high 10 bits.
pub const IMAGE_PIXEL_FORMAT_YCBCR_P010: i32 = 11;
/// As NV21 with 16-bit samples, the value in the high 10 bits.
pub const IMAGE_PIXEL_FORMAT_YCRCB_P010: i32 = 12;
/// One component.
pub const IMAGE_PIXEL_FORMAT_GRAY_8: i32 = 1000;
/// Gray and alpha.
pub const IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88: i32 = 1001;
/// 8 bits each, 3 bytes a pixel.
pub const IMAGE_PIXEL_FORMAT_BGR_888: i32 = 1002;
/// The fourth byte has no meaning.
pub const IMAGE_PIXEL_FORMAT_RGBX_8888: i32 = 1003;
/// The fourth byte has no meaning.
pub const IMAGE_PIXEL_FORMAT_BGRX_8888: i32 = 1004;
/// 8 bits each.
pub const IMAGE_PIXEL_FORMAT_ARGB_8888: i32 = 1005;
/// 16 bits.
pub const IMAGE_PIXEL_FORMAT_GRAY_16: i32 = 1006;
/// 16 bits each, 6 bytes a pixel.
pub const IMAGE_PIXEL_FORMAT_RGB_161616: i32 = 1007;
/// 16 bits each, 8 bytes a pixel.
pub const IMAGE_PIXEL_FORMAT_RGBA_16161616: i32 = 1008;
/// IEEE floats, 16 bytes a pixel. 1.0 is SDR white.
pub const IMAGE_PIXEL_FORMAT_RGBA_F32: i32 = 1009;
/// Planes of Y, Cb, Cr; chroma at half width and height.
pub const IMAGE_PIXEL_FORMAT_I420: i32 = 1010;
/// Planes of Y, Cb, Cr; chroma at half width.
pub const IMAGE_PIXEL_FORMAT_I422: i32 = 1011;
/// Planes of Y, Cb, Cr at full size.
pub const IMAGE_PIXEL_FORMAT_I444: i32 = 1012;

/// What alpha means.
pub type ImageAlphaType = i32;
/// Nothing is known: UNPREMULTIPLIED where the format has alpha, else OPAQUE.
pub const IMAGE_ALPHA_UNKNOWN: i32 = 0;
/// Every pixel is opaque, whatever its alpha says.
pub const IMAGE_ALPHA_OPAQUE: i32 = 1;
/// Colour is multiplied by alpha already.
pub const IMAGE_ALPHA_PREMULTIPLIED: i32 = 2;
/// Colour is independent of alpha ("straight").
pub const IMAGE_ALPHA_UNPREMULTIPLIED: i32 = 3;

impl Object for PixelMap {
    const KIND: Kind = Kind::PixelMap;
}

pub(super) fn make(pixels: Pixels) -> Result<*mut ImagePixelMap> {
    let token = handle::insert(Arc::new(PixelMap::new(pixels)?))?;
    Ok(ptr::without_provenance_mut(token))
}

pub(super) fn get(pixelmap: *const ImagePixelMap) -> Result<Arc<PixelMap>> {
    handle::get(pixelmap.addr())
}

/// Refuses more pixels than any packer takes by default before memory is asked for: unlike for a copy or borrowed
/// memory, nothing shows that it exists.
fn check_pixels(width: u32, height: u32) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > DEFAULT_MAX_PIXELS {
        bail!(
            TooLarge,
            "{width} x {height} = {pixels} pixels is more than the limit of {DEFAULT_MAX_PIXELS}"
        );
    }
    Ok(())
}

/// Allocates a map of zero bytes, rows packed tightly.
///
/// @param[out] pixelmap  new handle
/// @return 401 for a zero side or an unknown format; 62980106 for more than 2^28 pixels; 62980096 without memory.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_create(
    width: u32,
    height: u32,
    format: ImagePixelFormat,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let format = PixelFormat::from_abi(format)?;
        check_pixels(width, height)?;
        pixelmap.put(make(Pixels::zeroed(width, height, format)?)?);
        Ok(())
    })
}

/// Copies pixels. `pixels` may be freed on return.
///
/// @param size        readable bytes at `pixels`
/// @param row_stride  bytes from a row to the next; 0 means rows are tight. For planar formats it is the first
///                    plane's; each further plane starts where the one before ends, last row's padding included,
///                    and has the same number of pixels from row to row (as cameras and video decoders do).
/// @param[out] pixelmap  new handle
/// @return 401 for a zero side, an unknown format, a stride smaller than a row or too few bytes; 62980106 for
///         a side above 2^31 - 1 or sizes that pass the address space; 62980096 without memory.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_create_from_copy(
    width: u32,
    height: u32,
    format: ImagePixelFormat,
    pixels: *const c_void,
    size: usize,
    row_stride: usize,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let format = PixelFormat::from_abi(format)?;
        let source = bytes(pixels, size, "pixels")?;
        pixelmap.put(make(Pixels::copy_from(width, height, format, source, row_stride)?)?);
        Ok(())
    })
}

/// As image_pixelmap_create_from_copy(), without the copy: `pixels` must stay readable and unchanged until
/// `release` is called. That is when the last user of the map is gone, which may be after
/// image_pixelmap_release().
///
/// @param release  may be NULL when the memory outlives every use (static data)
/// @param user     handed to `release`
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_create_borrowed(
    width: u32,
    height: u32,
    format: ImagePixelFormat,
    pixels: *const c_void,
    size: usize,
    row_stride: usize,
    release: ImageReleaseFn,
    user: *mut c_void,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let format = PixelFormat::from_abi(format)?;
        check(pixels, size, "pixels")?;
        let layout = Pixels::borrowed_layout(width, height, format, size, row_stride)?;
        let pieces = layout.map(|(offset, len, _)| (pixels.cast::<u8>().wrapping_add(offset), len));
        let strides = layout.map(|(_, _, stride)| stride);
        pixelmap.put(lend(width, height, format, pieces, strides, release, user)?);
        Ok(())
    })
}

/// As image_pixelmap_create_borrowed(), each plane with its own place and stride: NV12 has 2, I420 has 3.
///
/// @param planes       `plane_count` addresses
/// @param sizes        readable bytes of each plane
/// @param row_strides  bytes from row to row of each plane; 0 means tight
/// @param plane_count  as the format has planes, else 401
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_create_borrowed_planes(
    width: u32,
    height: u32,
    format: ImagePixelFormat,
    planes: *const *const c_void,
    sizes: *const usize,
    row_strides: *const usize,
    plane_count: usize,
    release: ImageReleaseFn,
    user: *mut c_void,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let format = PixelFormat::from_abi(format)?;
        let expected = format.info().planes.len();
        if plane_count != expected {
            bail!(OutOfRange, "{} has {expected} planes, {plane_count} were given", format.info().name);
        }
        let planes = array(planes, plane_count, "planes")?;
        let sizes = array(sizes, plane_count, "sizes")?;
        let row_strides = array(row_strides, plane_count, "row_strides")?;
        let layout = Pixels::planes_layout(width, height, format, sizes, row_strides)?;
        let (mut pieces, mut strides) = ([(ptr::null(), 0); 3], [0; 3]);
        for (index, &plane) in planes.iter().enumerate() {
            check(plane, sizes[index], "a plane")?;
            pieces[index] = (plane.cast::<u8>(), layout[index].0);
            strides[index] = layout[index].1;
        }
        pixelmap.put(lend(width, height, format, pieces, strides, release, user)?);
        Ok(())
    })
}

/// A handle over checked pieces. The release is armed last, when nothing can fail any more.
fn lend(
    width: u32,
    height: u32,
    format: PixelFormat,
    pieces: [(*const u8, usize); 3],
    strides: [usize; 3],
    release: ImageReleaseFn,
    user: *mut c_void,
) -> Result<*mut ImagePixelMap> {
    // SAFETY: the pieces were checked against the sizes the caller stated; the header demands that they stay
    // readable and unchanged until `release`.
    let foreign = Arc::new(unsafe { Foreign::new(pieces) });
    let map = make(Pixels::from_foreign(width, height, format, foreign.clone(), strides))?;
    foreign.on_release(release, user);
    Ok(map)
}

/// Width and height in pixels. Either place may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_get_size(
    pixelmap: *const ImagePixelMap,
    width: *mut u32,
    height: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let pixels = get(pixelmap)?.snapshot()?;
        if let Ok(width) = out(width, "width") {
            width.put(pixels.width());
        }
        if let Ok(height) = out(height, "height") {
            height.put(pixels.height());
        }
        Ok(())
    })
}

/// The pixel format.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_get_format(
    pixelmap: *const ImagePixelMap,
    format: *mut ImagePixelFormat,
) -> ImageStatus {
    run(Family::Data, || {
        let format = out(format, "format")?;
        format.put(get(pixelmap)?.snapshot()?.info().format as i32);
        Ok(())
    })
}

/// Copies the pixels out.
///
/// @param size        writable bytes at `buffer`
/// @param row_stride  as in image_pixelmap_create_from_copy(); 0 means tight
/// @return 401 for a buffer or a stride that is too small; nothing is written then.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_read_pixels(
    pixelmap: *const ImagePixelMap,
    buffer: *mut c_void,
    size: usize,
    row_stride: usize,
) -> ImageStatus {
    run(Family::Data, || {
        let pixels = get(pixelmap)?.snapshot()?;
        if buffer.is_null() {
            bail!(NullPointer, "buffer is NULL");
        }
        pixels.copy_to(bytes_mut(buffer, size, "buffer")?, row_stride)
    })
}

/// Replaces all pixels by a copy of the caller's. A pack in progress goes on with the pixels it started with;
/// nobody waits.
///
/// @param size        readable bytes at `buffer`
/// @param row_stride  as in image_pixelmap_create_from_copy(); 0 means tight
/// @return 401 for a buffer or a stride that is too small, and for a borrowed map.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_write_pixels(
    pixelmap: *mut ImagePixelMap,
    buffer: *const c_void,
    size: usize,
    row_stride: usize,
) -> ImageStatus {
    run(Family::Data, || {
        let map = get(pixelmap)?;
        if buffer.is_null() {
            bail!(NullPointer, "buffer is NULL");
        }
        map.write(bytes(buffer, size, "buffer")?, row_stride)
    })
}

pub(super) fn alpha_type(alpha: ImageAlphaType) -> Result<AlphaType> {
    Ok(match alpha {
        IMAGE_ALPHA_UNKNOWN => AlphaType::Unknown,
        IMAGE_ALPHA_OPAQUE => AlphaType::Opaque,
        IMAGE_ALPHA_PREMULTIPLIED => AlphaType::Premultiplied,
        IMAGE_ALPHA_UNPREMULTIPLIED => AlphaType::Unpremultiplied,
        _ => bail!(OutOfRange, "{alpha} is not an alpha type"),
    })
}

/// What alpha means. Default: UNPREMULTIPLIED where the format has alpha, else OPAQUE.
///
/// @return 401 for an unknown type, and for PREMULTIPLIED or UNPREMULTIPLIED on a format without alpha.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_set_alpha_type(
    pixelmap: *mut ImagePixelMap,
    alpha: ImageAlphaType,
) -> ImageStatus {
    run(Family::Data, || {
        let map = get(pixelmap)?;
        let alpha = alpha_type(alpha)?;
        let info = map.snapshot()?.info();
        if !info.alpha && matches!(alpha, AlphaType::Premultiplied | AlphaType::Unpremultiplied) {
            bail!(OutOfRange, "{} has no alpha", info.name);
        }
        map.update(|pixels| pixels.alpha = alpha)
    })
}

/// Colour as ITU-T H.273 code points. Default: sRGB, 1/13/0 full range for RGB, 1/13/6 full range for YCbCr.
/// Display P3 is 12/13/0. HDR is 9/16/9 (PQ) or 9/18/9 (HLG); for RGB formats the matrix is ignored.
///
/// @return 401 for a code point above 255.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_set_cicp(
    pixelmap: *mut ImagePixelMap,
    primaries: u16,
    transfer: u16,
    matrix: u16,
    full_range: bool,
) -> ImageStatus {
    run(Family::Data, || {
        let map = get(pixelmap)?;
        let [Ok(primaries), Ok(transfer), Ok(matrix)] = [primaries, transfer, matrix].map(u8::try_from)
        else {
            bail!(OutOfRange, "code points {primaries}/{transfer}/{matrix}: none may be above 255");
        };
        map.update(|pixels| pixels.color.cicp = Cicp { primaries, transfer, matrix, full_range })
    })
}

/// An ICC profile, copied; it takes precedence over the CICP. NULL and 0 remove it.
///
/// A profile is of gray for gray pixels in a gray format, of RGB for all others; a pack with another answers 62980172.
///
/// @return 62980172 for bytes that are not a profile that images have: without its signature, of another size than the
///         header says, of a class, colour space or tags that do not hold, or not readable.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_set_icc_profile(
    pixelmap: *mut ImagePixelMap,
    profile: *const c_void,
    size: usize,
) -> ImageStatus {
    run(Family::Data, || {
        let map = get(pixelmap)?;
        let profile = bytes(profile, size, "profile")?;
        let icc = if profile.is_empty() { None } else { Some(crate::model::color::check_icc(profile)?) };
        map.update(|pixels| pixels.color.icc = icc.clone())
    })
}

/// Brightest pixel and brightest frame average, in nits (cd/m2); 0 is unknown. Where both are unknown they are measured when
/// a file says them: PNG, HEIC and AVIF of PQ, and the HDR image of a gain map in HEIC and AVIF.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_set_content_light_level(
    pixelmap: *mut ImagePixelMap,
    max_cll: u16,
    max_fall: u16,
) -> ImageStatus {
    run(Family::Data, || {
        get(pixelmap)?.update(|pixels| {
            (pixels.light.max_cll, pixels.light.max_fall) = (max_cll, max_fall);
        })
    })
}

/// The values of image_pixelmap_set_content_light_level(), or those of the source that the map was decoded from. 0 is
/// unknown. Either place may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_get_content_light_level(
    pixelmap: *const ImagePixelMap,
    max_cll: *mut u16,
    max_fall: *mut u16,
) -> ImageStatus {
    run(Family::Data, || {
        let light = get(pixelmap)?.snapshot()?.light;
        for (place, value) in [(max_cll, light.max_cll), (max_fall, light.max_fall)] {
            if let Ok(place) = out(place, "light level") {
                place.put(value);
            }
        }
        Ok(())
    })
}

/// The display on which HDR content was made, in the units of SMPTE ST 2086. It is written beside PQ and HLG: as mDCV in
/// PNG, as mdcv in HEIC and AVIF. Default: unknown.
///
/// @param primaries      chromaticities x, y of red, green and blue: 6 values in units of 0.00002, 0 to 50000. NULL
///                       makes the display unknown again; the other values are ignored then.
/// @param white_point    x and y of white: 2 values in the same units
/// @param max_luminance  largest luminance in units of 0.0001 cd/m2; 1000 cd/m2 are 10000000
/// @param min_luminance  smallest luminance in the same units, below `max_luminance`
/// @return 401 for values out of range.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_set_mastering_display(
    pixelmap: *mut ImagePixelMap,
    primaries: *const u16,
    white_point: *const u16,
    max_luminance: u32,
    min_luminance: u32,
) -> ImageStatus {
    run(Family::Data, || {
        let map = get(pixelmap)?;
        let display = if primaries.is_null() {
            None
        } else {
            let p = array(primaries, 6, "primaries")?;
            let white = array(white_point, 2, "white_point")?;
            let chromaticities = [[p[0], p[1]], [p[2], p[3]], [p[4], p[5]], [white[0], white[1]]];
            let display = MasteringDisplay { chromaticities, luminance: [max_luminance, min_luminance] };
            display.check()?;
            Some(display)
        };
        map.update(|pixels| pixels.light.mastering = display)
    })
}

/// The values of image_pixelmap_set_mastering_display(), or those of the source that the map was decoded from; all 0 if the
/// display is unknown. Every place may be NULL.
///
/// @param[out] primaries    6 values
/// @param[out] white_point  2 values
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_get_mastering_display(
    pixelmap: *const ImagePixelMap,
    primaries: *mut u16,
    white_point: *mut u16,
    max_luminance: *mut u32,
    min_luminance: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let display = get(pixelmap)?.snapshot()?.light.mastering;
        let (points, luminance) =
            display.map_or(([[0; 2]; 4], [0; 2]), |display| (display.chromaticities, display.luminance));
        if let Ok(place) = out(primaries.cast::<[[u16; 2]; 3]>(), "primaries") {
            place.put([points[0], points[1], points[2]]);
        }
        if let Ok(place) = out(white_point.cast::<[u16; 2]>(), "white_point") {
            place.put(points[3]);
        }
        for (place, value) in [(max_luminance, luminance[0]), (min_luminance, luminance[1])] {
            if let Ok(place) = out(place, "luminance") {
                place.put(value);
            }
        }
        Ok(())
    })
}

/// Releases the map. Packs that are using it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_pixelmap_release(pixelmap: *mut ImagePixelMap) -> ImageStatus {
    run(Family::Data, || handle::remove::<PixelMap>(pixelmap.addr()))
}
