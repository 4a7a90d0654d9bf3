//! Animations through libwebp's encoder of animations, which finds what changes from frame to frame, chooses between
//! blending and clearing, between lossy and lossless, and sets key frames.
#![allow(unsafe_code, reason = "island: calls libwebp's C interface")]

use std::{
    ffi::{CStr, c_int, c_void},
    mem::MaybeUninit,
    slice,
};

use libwebp_sys::*;

use super::{
    EXACT, KEY_FRAMES, METHOD, MINIMIZE, MIXED, Mode,
    encode::{config, explain},
    samples::Picture,
};
use crate::{
    bail,
    codec::animation::{Animation, Animator, Clock, Frame, Work},
    err,
    error::{Error, Result, try_vec},
    model::options::{Options, Subsampling},
    pack::control::Control,
    sink::Sink,
};

/// Longest time on screen of one frame in milliseconds, by the width of its field.
const MOST_MILLIS: u32 = (1 << 24) - 1;
/// From this effort on, every way to code a frame is tried.
const THOROUGH: u8 = 7;

/// Starts an animated WebP.
pub fn animate(animation: Animation) -> Result<Box<dyn Animator>> {
    let options = &*animation.options;
    let mode = Mode::of(options);
    if options.lossless
        && let Mode::Lossless { near: near @ 0..100 } = mode
    {
        bail!(OutOfRange, "webp.near_lossless {near} contradicts lossless");
    }
    if !matches!(mode, Mode::Lossless { .. })
        && matches!(options.subsampling, Subsampling::Yuv422 | Subsampling::Yuv444)
    {
        bail!(Unsupported, "lossy WebP has 4:2:0 chroma only; choose 4:2:0, auto, or lossless");
    }
    let mut config = config(options, mode)?;
    // What is transparent on a canvas has no colour that anybody could have meant, unless it was asked for.
    config.exact = options.explicit(&EXACT).unwrap_or(0) as c_int;
    let (width, height) = (animation.width, animation.height);
    let encoder = Encoder::new(&animation)?;
    let samples = try_vec(animation.pixels(), "WebP pixels")?;
    let clock = Clock::new(1000);
    Ok(Box::new(Frames { encoder, config, samples, size: (width, height), clock, time: 0 }))
}

struct Frames {
    encoder: Encoder,
    config: WebPConfig,
    /// The canvas as libwebp reads it.
    samples: Vec<u32>,
    size: (u32, u32),
    clock: Clock,
    /// When the next frame begins, in milliseconds.
    time: u64,
}

impl Animator for Frames {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, _sink: &mut dyn Sink) -> Result<()> {
        for (sample, &[r, g, b, a]) in self.samples.iter_mut().zip(frame.canvas) {
            *sample = u32::from_be_bytes([a, r, g, b]);
        }
        let mut picture = Picture::new(self.size)?;
        picture.0.use_argb = 1;
        picture.0.argb = self.samples.as_mut_ptr();
        picture.0.argb_stride = self.size.0 as c_int;
        picture.0.progress_hook = Some(go_on);
        picture.0.user_data = std::ptr::from_ref(work.control).cast_mut().cast();
        let time = self.now()?;
        // SAFETY: a live encoder; the picture's samples are as many as its size says and live during the call, as does
        // the control.
        let done = unsafe { WebPAnimEncoderAdd(self.encoder.0, &mut *picture.0, time, &self.config) } != 0;
        work.control.check()?;
        if !done {
            return Err(match picture.0.error_code {
                WebPEncodingError::VP8_ENC_OK => self.encoder.explain(),
                // It writes into memory of its own.
                WebPEncodingError::VP8_ENC_ERROR_BAD_WRITE => {
                    explain(WebPEncodingError::VP8_ENC_ERROR_OUT_OF_MEMORY, self.size)
                }
                code => explain(code, self.size),
            });
        }
        self.time += u64::from(self.clock.ticks(frame.delay, MOST_MILLIS));
        Ok(())
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        let mut output = Output(WebPData { bytes: std::ptr::null(), size: 0 });
        let time = self.now()?;
        // SAFETY: a live encoder; without a frame, the time is the end of the last one. The output is libwebp's, and ours
        // to free.
        let done = unsafe {
            WebPAnimEncoderAdd(self.encoder.0, std::ptr::null_mut(), time, std::ptr::null()) != 0
                && WebPAnimEncoderAssemble(self.encoder.0, &mut output.0) != 0
        };
        work.control.check()?;
        if !done || output.0.bytes.is_null() {
            return Err(self.encoder.explain());
        }
        // SAFETY: libwebp made so many bytes, which live until `output` is dropped.
        sink.write(unsafe { slice::from_raw_parts(output.0.bytes, output.0.size) })
    }
}

impl Frames {
    fn now(&self) -> Result<c_int> {
        let most = "libwebp counts milliseconds up to 2^31 - 1";
        c_int::try_from(self.time).map_err(|_| err!(TooLarge, "{} ms of animation: {most}", self.time))
    }
}

/// Stops libwebp between two rows of blocks.
unsafe extern "C" fn go_on(_percent: c_int, picture: *const WebPPicture) -> c_int {
    // SAFETY: `frame` set the pointer, whose target lives until libwebp is done; libwebp calls back on the same thread.
    let control = unsafe { &*(*picture).user_data.cast::<Control>() };
    control.check().is_ok().into()
}

/// libwebp's encoder; freed on every way out.
struct Encoder(*mut WebPAnimEncoder);

// SAFETY: plain memory of libwebp's, without any tie to a thread, and only used through `&mut`.
unsafe impl Send for Encoder {}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: made by WebPAnimEncoderNewInternal.
        unsafe { WebPAnimEncoderDelete(self.0) }
    }
}

impl Encoder {
    fn new(animation: &Animation) -> Result<Self> {
        let (width, height) = (animation.width, animation.height);
        let version = WEBP_MUX_ABI_VERSION as c_int;
        let mut options = MaybeUninit::<WebPAnimEncoderOptions>::zeroed();
        // SAFETY: the options are filled in by libwebp.
        let mut options = unsafe {
            if WebPAnimEncoderOptionsInitInternal(options.as_mut_ptr(), version) == 0 {
                bail!(Bug, "libwebp is of another version than its declarations");
            }
            options.assume_init()
        };
        options.anim_params.loop_count = animation.loops.into();
        // Transparent, for the few players that do as it says: libwebp's default is white.
        options.anim_params.bgcolor = 0;
        settle(&mut options, &animation.options);
        // SAFETY: the size was checked against WebP's limit; the options are initialised.
        let encoder =
            unsafe { WebPAnimEncoderNewInternal(width as c_int, height as c_int, &options, version) };
        if encoder.is_null() {
            bail!(OutOfMemory, "libwebp could not allocate memory for {width} x {height} pixels");
        }
        let encoder = Self(encoder);
        let metadata = &animation.metadata;
        for (name, block) in [(c"ICCP", &animation.icc), (c"EXIF", &metadata.exif), (c"XMP ", &metadata.xmp)]
        {
            let Some(block) = block else { continue };
            let chunk = WebPData { bytes: block.as_ptr(), size: block.len() };
            // SAFETY: a live encoder, a name of four letters, and bytes that are copied.
            let answer = unsafe { WebPAnimEncoderSetChunk(encoder.0, name.as_ptr(), &chunk, 1) };
            if answer != WebPMuxError::WEBP_MUX_OK {
                bail!(OutOfMemory, "libwebp did not take {name:?} of {} bytes: {answer:?}", block.len());
            }
        }
        Ok(encoder)
    }

    /// The encoder's last error in our words.
    fn explain(&self) -> Error {
        // SAFETY: a live encoder, whose message is NUL-terminated and lives until its next call.
        let text = unsafe { CStr::from_ptr(WebPAnimEncoderGetError(self.0)) }.to_string_lossy();
        // Its ways to say that memory ran out: WebPMuxError -3, or -2 for data that it made itself and could not take
        // apart again, and WebPEncodingError 1 or 2.
        match text.trim_end_matches('.') {
            text if text.is_empty()
                || [": -3", ": -2", ": 1", ": 2"].iter().any(|end| text.ends_with(end)) =>
            {
                err!(OutOfMemory, "libwebp could not allocate memory for the animation")
            }
            text => err!(Encode, "libwebp says of the animation: {text}"),
        }
    }
}

/// How thoroughly libwebp looks for the smallest coding.
fn settle(target: &mut WebPAnimEncoderOptions, options: &Options) {
    // Whoever names libwebp's method gets libwebp's defaults.
    let thorough = options.effort >= THOROUGH && options.explicit(&METHOD).is_none();
    let exact = matches!(Mode::of(options), Mode::Lossless { .. });
    let distance = options.get(&KEY_FRAMES) as c_int;
    // libwebp sets no key frames while it minimizes.
    let minimize = options.explicit(&MINIMIZE).unwrap_or((thorough && distance == 0).into());
    target.minimize_size = minimize as c_int;
    target.allow_mixed = (!exact && options.explicit(&MIXED).unwrap_or(thorough.into()) != 0).into();
    if distance > 0 {
        // In the last quarter before the distance is reached, a frame may become a key frame where that is cheap.
        (target.kmin, target.kmax) = (distance - distance / 4, distance);
    }
}

/// An assembled file, in memory of libwebp's.
struct Output(WebPData);

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: NULL, or allocated by libwebp.
        unsafe { WebPFree(self.0.bytes.cast_mut().cast::<c_void>()) }
    }
}
