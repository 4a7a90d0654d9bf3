//! ImagePackingOptions: what to make of an image.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::Arc,
};

use super::{
    boundary::run,
    callback::{self, ImageProgressFn},
    handle::{self, Kind, Object},
    pointer::{out, text},
    report::{self, ImageReport},
    status::{Family, ImageStatus},
};
use crate::{
    bail, codec,
    error::Result,
    model::options::{ColorPolicy, DeviceUse, DynamicRange, Options, Reporter, Subsampling, Tail},
    pack::control::User,
    shared::Shared,
};

/// What to make of an image. A pack reads the options once, at its start.
pub struct ImagePackingOptions {
    _private: [u8; 0],
}

/// Which dynamic range to write.
pub type ImageDynamicRange = i32;
/// HDR if the input is HDR and the format can carry it, else SDR.
pub const IMAGE_DYNAMIC_RANGE_AUTO: i32 = 0;
/// SDR; HDR input is tone-mapped.
pub const IMAGE_DYNAMIC_RANGE_SDR: i32 = 1;

/// Which colours to write.
pub type ImageColorPolicy = i32;
/// Those of the pixels, with their profile.
pub const IMAGE_COLOR_KEEP: i32 = 0;
/// sRGB.
pub const IMAGE_COLOR_SRGB: i32 = 1;

/// Chroma subsampling of lossy formats.
pub type ImageSubsampling = i32;
/// The codec's choice, by quality.
pub const IMAGE_SUBSAMPLING_AUTO: i32 = 0;
/// Chroma at half width and height.
pub const IMAGE_SUBSAMPLING_420: i32 = 420;
/// Chroma at half width.
pub const IMAGE_SUBSAMPLING_422: i32 = 422;
/// Chroma at full size.
pub const IMAGE_SUBSAMPLING_444: i32 = 444;

/// What happens to the bytes of an old file behind the image.
pub type ImageTail = i32;
/// Cut if the image started at offset 0, kept otherwise.
pub const IMAGE_TAIL_AUTO: i32 = 0;
/// Cut.
pub const IMAGE_TAIL_CUT: i32 = 1;
/// Kept.
pub const IMAGE_TAIL_KEEP: i32 = 2;

/// Who encodes images of tensors that are in the memory of a device.
pub type ImageDeviceUse = i32;
/// The device where it does what the host would do: JPEG up to effort 3 of three components of 8 bits, with whatever
/// encoder the device has; the host does the rest, and what the device failed to do.
pub const IMAGE_DEVICE_USE_AUTO: i32 = 0;
/// The host: the bytes are those of an image in its own memory.
pub const IMAGE_DEVICE_USE_CPU: i32 = 1;
/// The device, or it is an error: effort 1 gives standard Huffman tables, 2 to 5 the image's own, 6 and up progressive
/// files.
pub const IMAGE_DEVICE_USE_GPU: i32 = 2;

/// Options as their handle holds them: every change makes a new snapshot.
pub(super) struct Cell(Shared<Options>);

impl Object for Options {
    const KIND: Kind = Kind::Snapshot;
}

impl Object for Cell {
    const KIND: Kind = Kind::Options;
}

/// The options as they are now.
pub(super) fn snapshot(options: *const ImagePackingOptions) -> Result<Arc<Options>> {
    handle::get::<Cell>(options.addr())?.0.get()
}

fn make(options: Options) -> Result<*mut ImagePackingOptions> {
    let token = handle::insert(Arc::new(Cell(Shared::new(options)?)))?;
    Ok(ptr::without_provenance_mut(token))
}

/// Applies a change to a copy and puts it in place; a failing change leaves the options as they were.
fn change(options: *mut ImagePackingOptions, change: impl Fn(&mut Options) -> Result<()>) -> ImageStatus {
    run(Family::Data, || {
        handle::get::<Cell>(options.addr())?.0.update(|now| {
            let mut new = now.clone();
            change(&mut new)?;
            Ok(new)
        })
    })
}

/// Options for a format and a quality, everything else at its default.
///
/// @param format   MIME type in any case: "image/jpeg"; common other names such as "image/jpg" are understood
/// @param quality  0 (smallest) to 100 (best); lossless formats take it and do not need it
/// @param[out] options  new handle
/// @return 62980113 for a format this machine cannot write; 401 for a quality outside 0 to 100.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_create(
    format: *const c_char,
    quality: i32,
    options: *mut *mut ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let options = out(options, "options")?;
        options.put(make(Options::new(text(format, "format")?, quality)?)?);
        Ok(())
    })
}

/// A second handle with the same values, independent of the first.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_copy(
    options: *const ImagePackingOptions,
    copy: *mut *mut ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let copy = out(copy, "copy")?;
        copy.put(make(Options::clone(&*snapshot(options)?))?);
        Ok(())
    })
}

/// As in image_packing_options_create(). Settings of other codecs are kept.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_format(
    options: *mut ImagePackingOptions,
    format: *const c_char,
) -> ImageStatus {
    change(options, |options| {
        options.format = codec::find(text(format, "format")?)?;
        Ok(())
    })
}

/// 0 (smallest) to 100 (best).
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_quality(
    options: *mut ImagePackingOptions,
    quality: i32,
) -> ImageStatus {
    change(options, |options| options.set_quality(quality))
}

/// Bytes to reserve for the result: a hint, never a limit. Default 0: estimated.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_buffer_size(
    options: *mut ImagePackingOptions,
    size: u64,
) -> ImageStatus {
    change(options, |options| {
        options.buffer_size = size;
        Ok(())
    })
}

/// Most bytes of the encoded image: it gets the highest quality, up to the one set, with which it is no larger, found
/// by encoding it about five times. image_report_get_quality() tells which. For single images. Default, and 0: no limit.
///
/// A pack whose image is too large at quality 0 too, or that is lossless, answers 62980119 with the size that it has.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_max_bytes(
    options: *mut ImagePackingOptions,
    bytes: u64,
) -> ImageStatus {
    change(options, |options| {
        options.max_bytes = bytes;
        Ok(())
    })
}

/// Which dynamic range to write: IMAGE_DYNAMIC_RANGE_AUTO (default) or IMAGE_DYNAMIC_RANGE_SDR.
///
/// @return 401 for any other value.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_dynamic_range(
    options: *mut ImagePackingOptions,
    range: ImageDynamicRange,
) -> ImageStatus {
    change(options, |options| {
        options.dynamic_range = match range {
            IMAGE_DYNAMIC_RANGE_AUTO => DynamicRange::Auto,
            IMAGE_DYNAMIC_RANGE_SDR => DynamicRange::Sdr,
            _ => bail!(OutOfRange, "{range} is not a dynamic range"),
        };
        Ok(())
    })
}

/// Which colours to write: IMAGE_COLOR_KEEP (default) or IMAGE_COLOR_SRGB.
///
/// Kept colours have the numbers of the pixels and their ICC profile byte for byte, or one made from their CICP. GIF is
/// written in sRGB in any case but that of lossless packs. Conversions go through the profile and are told by the report.
/// Images of high dynamic range that stay so keep their code points.
///
/// @return 401 for any other value.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_color(
    options: *mut ImagePackingOptions,
    policy: ImageColorPolicy,
) -> ImageStatus {
    change(options, |options| {
        options.color = match policy {
            IMAGE_COLOR_KEEP => ColorPolicy::Keep,
            IMAGE_COLOR_SRGB => ColorPolicy::Srgb,
            _ => bail!(OutOfRange, "{policy} is not a colour policy"),
        };
        Ok(())
    })
}

/// Whether EXIF, XMP, IPTC and comments of the input are written, where the format carries them: JPEG and GIF have comments,
/// PNG all texts with a keyword that a PNG has; at most 256 of a file. Default: false. Auxiliary images
/// of a source are properties, too: JPEG takes those of a JPEG, byte for byte unless they have to be turned.
///
/// Colour, density and which way is up are kept in any case. What the new pixels make wrong is put right on the way:
/// sizes, orientation, the thumbnail; the report says what was changed or left out.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_needs_pack_properties(
    options: *mut ImagePackingOptions,
    needed: bool,
) -> ImageStatus {
    change(options, |options| {
        options.needs_pack_properties = needed;
        Ok(())
    })
}

/// Whether the place where the image was taken is written with its properties. If not, it is removed from EXIF and
/// XMP: tags, values, and the bytes that held them. Default: true.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_keep_gps(
    options: *mut ImagePackingOptions,
    keep: bool,
) -> ImageStatus {
    change(options, |options| {
        options.keep_gps = keep;
        Ok(())
    })
}

/// Longest side in pixels of a thumbnail in EXIF, where the format carries EXIF and properties are written. The old
/// thumbnail is never kept: it shows the old pixels. Default: 0, none.
///
/// @return 401 above 1024: EXIF has room for 64 KB in all.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_max_embed_thumbnail(
    options: *mut ImagePackingOptions,
    pixels: u32,
) -> ImageStatus {
    change(options, |options| {
        if pixels > 1024 {
            bail!(OutOfRange, "a thumbnail of {pixels} pixels is more than 1024");
        }
        options.max_embed_thumbnail = pixels;
        Ok(())
    })
}

/// Who encodes images of tensors that are in the memory of a device. The bytes depend on who does, and the report says so.
/// Default: AUTO.
///
/// @param device_use  an IMAGE_DEVICE_USE_ constant; with GPU, an image that is not in a device's memory answers 401 when
///                    it is packed
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_device_use(
    options: *mut ImagePackingOptions,
    device_use: ImageDeviceUse,
) -> ImageStatus {
    change(options, |options| {
        options.device = match device_use {
            IMAGE_DEVICE_USE_AUTO => DeviceUse::Auto,
            IMAGE_DEVICE_USE_CPU => DeviceUse::Cpu,
            IMAGE_DEVICE_USE_GPU => DeviceUse::Gpu,
            _ => bail!(OutOfRange, "{device_use} is not a use of devices"),
        };
        Ok(())
    })
}

/// Every pack with these options that succeeds leaves its report in `report`, until the next. NULL, the default, is
/// nowhere.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_report(
    options: *mut ImagePackingOptions,
    report: *mut ImageReport,
) -> ImageStatus {
    change(options, |options| {
        options.report = report::optional(report)?;
        Ok(())
    })
}

/// How much time to spend on fewer bytes: 1 (fastest) to 10 (smallest). Default: 5.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_effort(
    options: *mut ImagePackingOptions,
    effort: i32,
) -> ImageStatus {
    change(options, |options| options.set_effort(effort))
}

/// Exact pixels, or a pack that answers 401 with cause UNSUPPORTED where the format cannot hold them. Default: false.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_lossless(
    options: *mut ImagePackingOptions,
    lossless: bool,
) -> ImageStatus {
    change(options, |options| {
        options.lossless = lossless;
        Ok(())
    })
}

/// What shows through where the format has no alpha: 0xRRGGBB in sRGB. Default: black.
///
/// @return 401 for a value above 0xFFFFFF.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_background(
    options: *mut ImagePackingOptions,
    rgb: u32,
) -> ImageStatus {
    change(options, |options| {
        let [high, r, g, b] = rgb.to_be_bytes();
        if high != 0 {
            bail!(OutOfRange, "background {rgb:#x} is more than 0xFFFFFF");
        }
        options.background = [r, g, b];
        Ok(())
    })
}

/// Chroma subsampling of lossy formats. Default: AUTO.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_subsampling(
    options: *mut ImagePackingOptions,
    subsampling: ImageSubsampling,
) -> ImageStatus {
    change(options, |options| {
        options.subsampling = match subsampling {
            IMAGE_SUBSAMPLING_AUTO => Subsampling::Auto,
            IMAGE_SUBSAMPLING_420 => Subsampling::Yuv420,
            IMAGE_SUBSAMPLING_422 => Subsampling::Yuv422,
            IMAGE_SUBSAMPLING_444 => Subsampling::Yuv444,
            _ => bail!(OutOfRange, "{subsampling} is not a chroma subsampling"),
        };
        Ok(())
    })
}

/// Resolution in dots per inch, 1 to 65535, written where the format carries it. Default: 0 and 0, unknown.
///
/// @return 401 if one is 0 and the other is not.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_density(
    options: *mut ImagePackingOptions,
    x_dpi: u16,
    y_dpi: u16,
) -> ImageStatus {
    change(options, |options| {
        if (x_dpi == 0) != (y_dpi == 0) {
            bail!(OutOfRange, "a density of {x_dpi} x {y_dpi} is half known");
        }
        options.density = [x_dpi, y_dpi];
        Ok(())
    })
}

/// What packing into a file does with old bytes behind the image. Default: AUTO.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_tail(
    options: *mut ImagePackingOptions,
    tail: ImageTail,
) -> ImageStatus {
    change(options, |options| {
        options.tail = self::tail(tail)?;
        Ok(())
    })
}

/// A tail rule of the caller's.
pub(super) fn tail(number: ImageTail) -> Result<Tail> {
    Ok(match number {
        IMAGE_TAIL_AUTO => Tail::Auto,
        IMAGE_TAIL_CUT => Tail::Cut,
        IMAGE_TAIL_KEEP => Tail::Keep,
        _ => bail!(OutOfRange, "{number} is not a tail rule"),
    })
}

/// Whether packing into a file or a path returns only when the storage says that it has the bytes (and, for a path,
/// its name). Finds errors that the system otherwise tells nobody, for instance of a network file system. Default:
/// false.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_sync(
    options: *mut ImagePackingOptions,
    sync: bool,
) -> ImageStatus {
    change(options, |options| {
        options.sync = sync;
        Ok(())
    })
}

/// A setting of one codec: ("webp.sharp_yuv", "1"). image_packer_get_setting() lists them. Settings of codecs
/// other than the one that packs are kept and have no effect.
///
/// @return 401 for an unknown name or a value that the setting does not take.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set(
    options: *mut ImagePackingOptions,
    name: *const c_char,
    value: *const c_char,
) -> ImageStatus {
    change(options, |options| options.set(text(name, "name")?, text(value, "value")?))
}

/// Called while packing with these options, on the threads that pack, one call at a time. A pack that is stopped
/// answers 1001. NULL removes it.
///
/// @param user  handed to `progress`; has to stay valid until the last pack has ended that began with these options, or
///              with a copy of them
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_progress(
    options: *mut ImagePackingOptions,
    progress: ImageProgressFn,
    user: *mut c_void,
) -> ImageStatus {
    change(options, |options| {
        options.progress = callback::progress(progress, User(user)).map(Reporter);
        Ok(())
    })
}

/// Most time that a pack with these options may take, in milliseconds, from the call on; for a job the time in the queue
/// counts too, and so does waiting for whoever reads a pipe or a socket. A pack whose time is over answers 1001 with
/// cause TIMED_OUT. Default, and 0: no limit.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_set_timeout(
    options: *mut ImagePackingOptions,
    timeout_ms: u32,
) -> ImageStatus {
    change(options, |options| {
        options.set_timeout(timeout_ms);
        Ok(())
    })
}

/// Options that make files as another product does.
pub type ImagePreset = i32;
/// JPEG files as CV-CUDA's samples made them with nvImageCodec up to 0.5: quality 95, 4:4:4, baseline, the standard
/// Huffman tables.
pub const IMAGE_PRESET_CVCUDA_05: i32 = 1;
/// As IMAGE_PRESET_CVCUDA_05 with quality 75, nvImageCodec's default since 0.6.
pub const IMAGE_PRESET_CVCUDA_06PLUS: i32 = 2;

/// Options that make files as another product does.
///
/// @param preset  an IMAGE_PRESET_ constant
/// @param[out] options  new handle; everything can still be changed
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_create_preset(
    preset: ImagePreset,
    options: *mut *mut ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let options = out(options, "options")?;
        let quality = match preset {
            IMAGE_PRESET_CVCUDA_05 => 95,
            IMAGE_PRESET_CVCUDA_06PLUS => 75,
            _ => bail!(OutOfRange, "{preset} is not a preset"),
        };
        let mut preset = Options::new("image/jpeg", quality)?;
        preset.set_effort(1)?;
        preset.subsampling = Subsampling::Yuv444;
        options.put(make(preset)?);
        Ok(())
    })
}

/// Releases the options. Packs that started with them go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_packing_options_release(options: *mut ImagePackingOptions) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(options.addr()))
}
