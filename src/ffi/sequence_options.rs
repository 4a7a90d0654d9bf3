//! ImageSequenceOptions: what to make of a sequence of frames.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::Arc,
};

use super::{
    boundary::run,
    callback::{self, ImageProgressFn},
    handle::{self, Kind, Object},
    packing_options::{self, ImageTail},
    pointer::{array, out, text},
    report::{self, ImageReport},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    model::{options::Reporter, sequence::SequenceOptions},
    pack::control::User,
    shared::Shared,
};

/// What to make of a sequence of frames. A pack reads the options once, at its start. All lists are copied.
///
/// A list that is shorter than the sequence has its last value for all further frames, so that one value is for every
/// frame; a longer one is cut.
pub struct ImageSequenceOptions {
    _private: [u8; 0],
}

/// Options as their handle holds them: every change makes a new snapshot.
struct Cell(Shared<SequenceOptions>);

impl Object for SequenceOptions {
    const KIND: Kind = Kind::Snapshot;
}

impl Object for Cell {
    const KIND: Kind = Kind::SequenceOptions;
}

/// The options as they are now.
pub(super) fn snapshot(options: *const ImageSequenceOptions) -> Result<Arc<SequenceOptions>> {
    handle::get::<Cell>(options.addr())?.0.get()
}

/// Applies a change to a copy and puts it in place; a failing change leaves the options as they were.
pub(super) fn change(
    options: *mut ImageSequenceOptions,
    change: impl Fn(&mut SequenceOptions) -> Result<()>,
) -> ImageStatus {
    run(Family::Data, || {
        handle::get::<Cell>(options.addr())?.0.update(|now| {
            let mut new = now.clone();
            change(&mut new)?;
            Ok(new)
        })
    })
}

/// Options for a format, everything else at its default.
///
/// @param format       MIME type of an animated format in any case: "image/gif", "image/apng" (or "image/png"),
///                     "image/webp"; "image/avif" and "image/heic" with libheif 1.21 or newer
/// @param frame_count  frames of the animation. Fewer than there are: the first ones. More: the last one again, up to
///                     10000 frames in all. 0: as many as there are, for image_sequence_begin() and for image sources
///                     alone
/// @param[out] options  new handle
/// @return 62980113 for a format this machine cannot write; 401 with cause UNSUPPORTED for one without animations.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_create(
    format: *const c_char,
    frame_count: u32,
    options: *mut *mut ImageSequenceOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let options = out(options, "options")?;
        let made = SequenceOptions::new(text(format, "format")?, frame_count)?;
        let token = handle::insert(Arc::new(Cell(Shared::new(made)?)))?;
        options.put(ptr::without_provenance_mut(token));
        Ok(())
    })
}

/// Time on screen of each frame, in units of 10 ms, 1 to 65535. Default: 10 for pixel maps; an image source's own.
///
/// @return 401 for NULL, an empty list, or any value out of range; the options are as they were then.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_delay_times(
    options: *mut ImageSequenceOptions,
    delays: *const i32,
    count: usize,
) -> ImageStatus {
    change(options, |options| options.set_delays(array(delays, count, "delays")?))
}

/// What happens to each frame's part of the canvas before the next frame is drawn: 0 unspecified (it stays), 1 it stays,
/// 2 it becomes transparent, 3 what was there before comes back. NULL and 0 are the default: 1.
///
/// GIF carries these numbers. Animations of other formats look the same, whatever they carry. An image source always looks
/// as it did: its own numbers are carried unless others are set.
///
/// @return 401 for NULL with a count, or any value above 3; the options are as they were then.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_disposal_types(
    options: *mut ImageSequenceOptions,
    types: *const u32,
    count: usize,
) -> ImageStatus {
    change(options, |options| options.set_disposals(array(types, count, "types")?))
}

/// Left and top edge of each frame on the canvas, in pixels: x0, y0, x1, y1 ... NULL and 0 are the default: 0, 0.
///
/// @param frames  pairs at `offsets`
/// @return 401 for NULL with a count.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_offsets(
    options: *mut ImageSequenceOptions,
    offsets: *const u32,
    frames: usize,
) -> ImageStatus {
    change(options, |options| {
        options.set_offsets(array(offsets, frames.saturating_mul(2), "offsets")?);
        Ok(())
    })
}

/// Size of the canvas in pixels; a frame that passes it is an error. 0 and 0 are the default: the smallest that holds
/// every frame; for image_sequence_begin() the first frame.
///
/// @return 401 if one side is 0 and the other is not.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_canvas(
    options: *mut ImageSequenceOptions,
    width: u32,
    height: u32,
) -> ImageStatus {
    change(options, |options| {
        options.canvas = match (width, height) {
            (0, 0) => None,
            (0, _) | (_, 0) => bail!(OutOfRange, "a canvas of {width} x {height} pixels has no pixels"),
            size => Some(size),
        };
        Ok(())
    })
}

/// How often the animation is shown, 0 to 65535; 0 is for ever. Default: 1 for pixel maps; an image source's own.
///
/// @return 401 above 65535.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_loop_count(
    options: *mut ImageSequenceOptions,
    loops: u32,
) -> ImageStatus {
    change(options, |options| options.set_loops(loops))
}

/// 0 (smallest) to 100 (best). Default: 80.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_quality(
    options: *mut ImageSequenceOptions,
    quality: i32,
) -> ImageStatus {
    change(options, |options| options.pack.set_quality(quality))
}

/// 1 (fastest) to 10 (smallest). Default: 5.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_effort(
    options: *mut ImageSequenceOptions,
    effort: i32,
) -> ImageStatus {
    change(options, |options| options.pack.set_effort(effort))
}

/// Exact pixels or an error. Default: false.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_lossless(
    options: *mut ImageSequenceOptions,
    lossless: bool,
) -> ImageStatus {
    change(options, |options| {
        options.pack.lossless = lossless;
        Ok(())
    })
}

/// How the colours that a GIF's palette lacks are mixed from those that it has.
pub type ImageDithering = i32;
/// By error diffusion.
pub const IMAGE_DITHERING_DIFFUSION: i32 = 0;
/// By an ordered pattern, which never moves from frame to frame.
pub const IMAGE_DITHERING_ORDERED: i32 = 1;
/// Not at all: the nearest colour.
pub const IMAGE_DITHERING_NONE: i32 = 2;

/// How colours are mixed where the format has a palette: GIF. The others show every colour. Default:
/// IMAGE_DITHERING_DIFFUSION. The same as the setting "gif.dither".
///
/// @return 401 for an unknown number.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_dithering(
    options: *mut ImageSequenceOptions,
    dithering: ImageDithering,
) -> ImageStatus {
    change(options, |options| {
        let name = match dithering {
            IMAGE_DITHERING_DIFFUSION => "diffusion",
            IMAGE_DITHERING_ORDERED => "ordered",
            IMAGE_DITHERING_NONE => "none",
            _ => bail!(OutOfRange, "{dithering} is not a way of dithering"),
        };
        options.pack.set("gif.dither", name)
    })
}

/// Whether EXIF and XMP of an image source are written, where the format carries them: GIF has XMP alone, the others both.
/// Default: false. As image_packing_options_set_needs_pack_properties(); image_sequence_options_set_metadata() goes before
/// it.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_needs_pack_properties(
    options: *mut ImageSequenceOptions,
    needed: bool,
) -> ImageStatus {
    change(options, |options| {
        options.pack.needs_pack_properties = needed;
        Ok(())
    })
}

/// Whether the place where a source's image was taken is written with its metadata; if not, it is removed from EXIF and
/// XMP. Default: true.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_keep_gps(
    options: *mut ImageSequenceOptions,
    keep: bool,
) -> ImageStatus {
    change(options, |options| {
        options.pack.keep_gps = keep;
        Ok(())
    })
}

/// What happens to the bytes of an old file behind the animation: as image_packing_options_set_tail().
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_tail(
    options: *mut ImageSequenceOptions,
    tail: ImageTail,
) -> ImageStatus {
    change(options, |options| {
        options.pack.tail = packing_options::tail(tail)?;
        Ok(())
    })
}

/// Whether packing into a file or a path returns only when the storage says that it has the bytes. Default: false.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_sync(
    options: *mut ImageSequenceOptions,
    sync: bool,
) -> ImageStatus {
    change(options, |options| {
        options.pack.sync = sync;
        Ok(())
    })
}

/// As image_packing_options_set(): a setting of one codec.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set(
    options: *mut ImageSequenceOptions,
    name: *const c_char,
    value: *const c_char,
) -> ImageStatus {
    change(options, |options| options.pack.set(text(name, "name")?, text(value, "value")?))
}

/// As image_packing_options_set_progress(): called at least once per frame when the number of frames is known.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_progress(
    options: *mut ImageSequenceOptions,
    progress: ImageProgressFn,
    user: *mut c_void,
) -> ImageStatus {
    change(options, |options| {
        options.pack.progress = callback::progress(progress, User(user)).map(Reporter);
        Ok(())
    })
}

/// Most time in milliseconds, as image_packing_options_set_timeout(); of an ImageSequence from its beginning to its end.
/// Default, and 0: no limit.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_timeout(
    options: *mut ImageSequenceOptions,
    timeout_ms: u32,
) -> ImageStatus {
    change(options, |options| {
        options.pack.set_timeout(timeout_ms);
        Ok(())
    })
}

/// Where every pack that succeeds leaves its report, as image_packing_options_set_report(). NULL, the default, is
/// nowhere.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_report(
    options: *mut ImageSequenceOptions,
    report: *mut ImageReport,
) -> ImageStatus {
    change(options, |options| {
        options.pack.report = report::optional(report)?;
        Ok(())
    })
}

/// Releases the options. Packs that started with them go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_release(options: *mut ImageSequenceOptions) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(options.addr()))
}
