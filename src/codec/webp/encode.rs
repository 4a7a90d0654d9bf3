//! Calls into libwebp.
#![allow(unsafe_code, reason = "island: calls libwebp's C interface")]

use std::{
    any::Any,
    ffi::c_int,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    slice,
    sync::Arc,
};

use libwebp_sys::*;

use super::{
    ALPHA_QUALITY, EXACT, FILTER_STRENGTH, LOSSLESS, LOSSY, METHOD, Mode, PRESET,
    riff::{Container, Extras},
    samples::{IMPORT, Samples},
};
use crate::{
    err,
    error::{Error, Result},
    host::leave::or_leave,
    model::options::Options,
    pack::{control::Control, plan::Plan},
    pixels::{Layout, Scratch},
    sink::{Sink, memory::Buffer},
};

/// libwebp and its version.
pub fn version() -> std::borrow::Cow<'static, str> {
    // SAFETY: takes and changes nothing.
    let number = unsafe { WebPGetEncoderVersion() } as u32;
    let [_, major, minor, patch] = number.to_be_bytes();
    format!("libwebp {major}.{minor}.{patch}").into()
}

/// Pixels from which libwebp works on a thread of its own.
const APART: u64 = 1 << 20;

/// Encodes the plan's rows.
pub fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let (rows, mode) = (plan.rows, Mode::of(plan.options));
    let config = config(plan.options, mode)?;
    let mut scratch = Scratch::default();
    let mut samples = match (rows.layout(), mode) {
        (Layout::Yuv(_), _) => Samples::planes(plan, &mut scratch)?,
        (_, Mode::Lossy) => Samples::yuv(plan)?,
        _ => Samples::argb(plan)?,
    };
    let size = (rows.width(), rows.height());
    let (exif, xmp) = (plan.metadata.exif.as_deref(), plan.metadata.xmp.as_deref());
    let extras = Extras { icc: rows.icc(), exif, xmp };
    let mut container = Container::new(sink, size, extras);
    let large = u64::from(size.0) * u64::from(size.1) >= APART;
    match large.then(|| samples.owned()).flatten() {
        Some(samples) => press_apart(samples, size, config, &mut container, plan.control)?,
        None => press(&mut samples, size, &config, &mut container, plan.control, true)?,
    }
    container.finish()
}

/// Encodes a part of an animation, whose progress is counted in frames.
pub fn part(
    mut samples: Samples<'_>,
    size: (u32, u32),
    config: &WebPConfig,
    control: &Control,
) -> Result<Buffer> {
    let mut bytes = Buffer::default();
    press(&mut samples, size, config, &mut bytes, control, false)?;
    Ok(bytes)
}

/// [`press`] on a thread of its own: libwebp asks whether to go on when it likes, and who asks it to stop need not wait for
/// that. Samples and memory are its own until it does.
fn press_apart(
    mut samples: Samples<'static>,
    size: (u32, u32),
    config: WebPConfig,
    sink: &mut dyn Sink,
    control: &Control,
) -> Result<()> {
    let (far, kept) = (Arc::new(Control::default()), control.held());
    let near = far.clone();
    let work = move || {
        let mut bytes = Buffer::default();
        let result = press(&mut samples, size, &config, &mut bytes, &far, true);
        drop((samples, kept));
        result.map(|()| bytes)
    };
    let go_on = || control.checkpoint(near.progress().into(), 1000).inspect_err(|_| near.cancel());
    sink.write(or_leave(work, go_on)??.as_slice())
}

/// Runs libwebp over the samples. Its own bytes go into the sink. `tell`: whether its progress is that of the pack.
fn press(
    samples: &mut Samples<'_>,
    size: (u32, u32),
    config: &WebPConfig,
    sink: &mut dyn Sink,
    control: &Control,
    tell: bool,
) -> Result<()> {
    let mut context = Context { sink, control, tell, failure: None };
    let mut picture = samples.picture(size)?;
    // libwebp calls back with this pointer; `context` is not touched otherwise until WebPEncode is done.
    let shared: *mut Context<'_> = &mut context;
    picture.0.writer = Some(write);
    picture.0.custom_ptr = shared.cast();
    picture.0.progress_hook = Some(progress);
    picture.0.user_data = shared.cast();
    // libwebp (1.6.0) answers success and an empty bitstream when VP8LResidualImage finds no memory: it goes to its
    // error path without an error code. What it then writes is shorter than the best bitstream it had found by then.
    // SAFETY: WebPAuxStats is plain numbers.
    let mut statistics: WebPAuxStats = unsafe { std::mem::zeroed() };
    if config.lossless != 0 {
        picture.0.stats = &mut statistics;
    }
    // SAFETY: configuration and picture are initialised, the picture's planes are as large as it says, and what the
    // callbacks need lives until the end of this function.
    let done = unsafe { WebPEncode(config, &mut *picture.0) } != 0;
    let code = picture.0.error_code;
    match context.failure.take() {
        Some(Failure::Error(error)) => Err(error),
        Some(Failure::Panic(payload)) => resume_unwind(payload),
        None if done && config.lossless != 0 && is_cut(&statistics) => {
            Err(explain(WebPEncodingError::VP8_ENC_ERROR_OUT_OF_MEMORY, size))
        }
        None if done => Ok(()),
        None => Err(explain(code, size)),
    }
}

/// Whether a lossless image is shorter than its own bitstream, or has none.
fn is_cut(statistics: &WebPAuxStats) -> bool {
    let bitstream = statistics.lossless_hdr_size + statistics.lossless_data_size;
    bitstream <= 0 || statistics.coded_size < bitstream
}

pub(super) fn config(options: &Options, mode: Mode) -> Result<WebPConfig> {
    let preset = match options.get(&PRESET) {
        1 => WebPPreset::WEBP_PRESET_PICTURE,
        2 => WebPPreset::WEBP_PRESET_PHOTO,
        3 => WebPPreset::WEBP_PRESET_DRAWING,
        4 => WebPPreset::WEBP_PRESET_ICON,
        5 => WebPPreset::WEBP_PRESET_TEXT,
        _ => WebPPreset::WEBP_PRESET_DEFAULT,
    };
    let mut config = WebPConfig::new_with_preset(preset, options.quality.into())
        .map_err(|()| err!(Bug, "libwebp is of another version than its declarations"))?;
    let step = usize::from(options.effort.clamp(1, 10) - 1);
    if let Mode::Lossless { near } = mode {
        config.lossless = 1;
        config.near_lossless = near.into();
        config.method = LOSSLESS[step].0;
        config.quality = LOSSLESS[step].1.into();
    } else {
        config.method = LOSSY[step];
        config.use_sharp_yuv = (mode == Mode::Sharp).into();
    }
    if let Some(method) = options.explicit(&METHOD) {
        // Whoever knows libwebp gets libwebp: its quality, too, which is an effort if lossless.
        (config.method, config.quality) = (method as c_int, options.quality.into());
    }
    if let Some(strength) = options.explicit(&FILTER_STRENGTH) {
        config.filter_strength = strength as c_int;
    }
    config.alpha_quality = options.get(&ALPHA_QUALITY) as c_int;
    config.exact = options.explicit(&EXACT).unwrap_or(options.lossless.into()) as c_int;
    Ok(config)
}

/// What the callbacks need.
struct Context<'a> {
    sink: &'a mut dyn Sink,
    control: &'a Control,
    tell: bool,
    failure: Option<Failure>,
}

/// Why a callback stopped the encoder. Nothing unwinds through C.
enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl Context<'_> {
    /// Does some work for a callback; answers libwebp's "go on".
    fn call(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> c_int {
        let failure = match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(())) => return 1,
            Ok(Err(error)) => Failure::Error(error),
            Err(payload) => Failure::Panic(payload),
        };
        self.failure.get_or_insert(failure);
        0
    }
}

unsafe extern "C" fn write(data: *const u8, size: usize, picture: *const WebPPicture) -> c_int {
    // SAFETY: `encode` set the pointer; libwebp calls back on the thread that called it, one call at a time.
    let context = unsafe { &mut *(*picture).custom_ptr.cast::<Context<'_>>() };
    // SAFETY: libwebp lends `size` bytes for the call.
    let bytes = if size == 0 { &[] } else { unsafe { slice::from_raw_parts(data, size) } };
    context.call(|context| context.sink.write(bytes))
}

unsafe extern "C" fn progress(percent: c_int, picture: *const WebPPicture) -> c_int {
    // SAFETY: as in `write`.
    let context = unsafe { &mut *(*picture).user_data.cast::<Context<'_>>() };
    let done = IMPORT + percent.clamp(0, 100) as u64 * (1000 - IMPORT) / 100;
    context.call(|context| match context.tell {
        true => context.control.checkpoint(done, 1000),
        false => context.control.check(),
    })
}

/// libwebp's error in our words.
pub(super) fn explain(code: WebPEncodingError, (width, height): (u32, u32)) -> Error {
    use WebPEncodingError::*;
    match code {
        VP8_ENC_ERROR_OUT_OF_MEMORY | VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY => {
            err!(OutOfMemory, "libwebp could not allocate memory for {width} x {height} pixels")
        }
        VP8_ENC_ERROR_BAD_DIMENSION => {
            err!(TooLarge, "{width} x {height} pixels: WebP has at most 16383 a side")
        }
        VP8_ENC_ERROR_FILE_TOO_BIG => {
            err!(TooLarge, "{width} x {height} pixels: the WebP file would be larger than 4 GiB")
        }
        VP8_ENC_ERROR_PARTITION0_OVERFLOW => {
            err!(Encode, "{width} x {height} pixels: the modes of the blocks take more than WebP's 512 KiB")
        }
        VP8_ENC_ERROR_PARTITION_OVERFLOW => {
            err!(Encode, "{width} x {height} pixels: a partition takes more than WebP's 16 MiB")
        }
        code => err!(Bug, "libwebp failed with {code:?} on {width} x {height} pixels"),
    }
}
