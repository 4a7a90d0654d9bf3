//! WebP through libwebp.
//!
//! | effort | lossy: method | lossless: method, quality |
//! |---|---|---|
//! | 1 | 0 | 0, 0 |
//! | 2 | 1 | 1, 20 |
//! | 3 | 2 | 2, 25 |
//! | 4 | 4 | 3, 30 |
//! | 5 | 4 | 3, 50 |
//! | 6 | 5 | 4, 50 |
//! | 7 | 5 | 4, 75 |
//! | 8 | 6 | 4, 90 |
//! | 9 | 6 | 5, 90 |
//! | 10 | 6 | 6, 100 |
//!
//! Method 3 takes as long as 4 for no fewer bytes, and further passes take long for nothing, so neither is a step. The
//! lossless column is libwebp's own ladder (`WebPConfigLosslessPreset`). Quality 100 is lossy here: only `lossless` asks
//! for exact pixels.

mod animate;
mod encode;
mod riff;
mod samples;
mod screen;
#[cfg(test)]
mod tests;
mod ways;

use super::{Format, Setting, SettingKind, features, hdr};
use crate::{
    bail,
    error::Result,
    model::{
        options::{Options, Subsampling},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pixels::{Layout, Sampling, YuvLayout, YuvPacking},
};

const METHOD: Setting = Setting {
    name: "webp.method",
    kind: SettingKind::Integer { min: 0, max: 6 },
    default: 4,
    help: c"webp.method: libwebp's method, 0 (fast) to 6 (small), in place of the effort; if lossless, quality is then libwebp's second effort, 0 to 100; default by effort",
};
const PRESET: Setting = Setting {
    name: "webp.preset",
    kind: SettingKind::Choice(&["default", "picture", "photo", "drawing", "icon", "text"]),
    default: 0,
    help: c"webp.preset: tunes lossy compression: default, picture, photo, drawing, icon or text, default default",
};
const NEAR_LOSSLESS: Setting = Setting {
    name: "webp.near_lossless",
    kind: SettingKind::Integer { min: 0, max: 100 },
    default: 100,
    help: c"webp.near_lossless: lossless compression of slightly changed pixels, 0 (most) to 99 (least), default 100 (off)",
};
const ALPHA_QUALITY: Setting = Setting {
    name: "webp.alpha_quality",
    kind: SettingKind::Integer { min: 0, max: 100 },
    default: 100,
    help: c"webp.alpha_quality: quality of the alpha of lossy images, 0 to 100, default 100 (exact)",
};
const SHARP_YUV: Setting = Setting {
    name: "webp.sharp_yuv",
    kind: SettingKind::Flag,
    default: 0,
    help: c"webp.sharp_yuv: slower and sharper chroma subsampling, 0 or 1, default 0",
};
const FILTER_STRENGTH: Setting = Setting {
    name: "webp.filter_strength",
    kind: SettingKind::Integer { min: 0, max: 100 },
    default: 60,
    help: c"webp.filter_strength: deblocking of lossy images, 0 (off) to 100, default 60 (or the preset's)",
};
const EXACT: Setting = Setting {
    name: "webp.exact",
    kind: SettingKind::Flag,
    default: 0,
    help: c"webp.exact: keep the colours of fully transparent pixels, 0 or 1, default 1 if lossless, else 0",
};
const MINIMIZE: Setting = Setting {
    name: "webp.minimize_size",
    kind: SettingKind::Flag,
    default: 0,
    help:
        c"webp.minimize_size: animations: try every way to draw a frame, 0 or 1, default 1 from effort 7 on",
};
const MIXED: Setting = Setting {
    name: "webp.mixed",
    kind: SettingKind::Flag,
    default: 0,
    help: c"webp.mixed: animations: each frame lossy or lossless, whichever is smaller, 0 or 1; default: from effort 3 on frames that look like a screen; frames of a lossless animation stay lossless",
};
const KEY_FRAMES: Setting = Setting {
    name: "webp.key_frames",
    kind: SettingKind::Integer { min: 0, max: 10_000 },
    default: 0,
    help: c"webp.key_frames: animations: most frames from a key frame, where players can start, to the next, 0 (only the first) to 10000, default 0",
};

static SETTINGS: &[Setting] = &[
    METHOD,
    PRESET,
    NEAR_LOSSLESS,
    ALPHA_QUALITY,
    SHARP_YUV,
    FILTER_STRENGTH,
    EXACT,
    MINIMIZE,
    MIXED,
    KEY_FRAMES,
    hdr::TONE_MAPPER,
    hdr::BASE_GAMUT,
    hdr::LINEAR_WHITE,
];

/// WebP's row in the table of formats.
pub static FORMAT: Format = Format {
    mime: c"image/webp",
    aliases: &["image/x-webp"],
    features: features::LOSSY
        | features::LOSSLESS
        | features::ALPHA
        | features::METADATA
        | features::PROFILES,
    max_side: 16383,
    settings: SETTINGS,
    available: || Ok(()),
    layout,
    developed: None,
    encode: encode::encode,
    animate: || Some(animate::animate),
    codec: encode::version,
    memory,
};

/// Lossy: method.
const LOSSY: [i32; 10] = [0, 1, 2, 4, 4, 5, 5, 6, 6, 6];
/// Lossless: method and quality, which is libwebp's second knob for effort.
const LOSSLESS: [(i32, u8); 10] =
    [(0, 0), (1, 20), (2, 25), (3, 30), (3, 50), (4, 50), (4, 75), (4, 90), (5, 90), (6, 100)];

/// How the samples of the image are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Luma and chroma.
    Lossy,
    /// Luma and chroma, made by libwebp's sharp conversion.
    Sharp,
    /// Red, green, blue; 100 is exact.
    Lossless { near: u8 },
}

impl Mode {
    fn of(options: &Options) -> Self {
        let near = options.get(&NEAR_LOSSLESS) as u8;
        match options.lossless || near < 100 {
            true => Self::Lossless { near },
            false if options.get(&SHARP_YUV) != 0 => Self::Sharp,
            false => Self::Lossy,
        }
    }
}

/// WebP's luma and chroma: BT.601, codes 16 to 235 and 240 (RFC 6386, section 9.2).
const YUV: YuvLayout = YuvLayout {
    sampling: Sampling::Yuv420,
    packing: YuvPacking::Planar,
    bits: 8,
    matrix: 6,
    full_range: false,
};

/// What is read without conversion: planes for lossy compression, and 8-bit colour in any order libwebp imports.
fn layout(pixels: &Pixels, options: &Options) -> Result<Layout> {
    let (info, alpha, mode) = (pixels.info(), pixels.has_alpha(), Mode::of(options));
    if options.lossless {
        refuse_loss(pixels, mode)?;
    } else if matches!(mode, Mode::Lossy | Mode::Sharp)
        && matches!(options.subsampling, Subsampling::Yuv422 | Subsampling::Yuv444)
    {
        bail!(Unsupported, "lossy WebP has 4:2:0 chroma only; choose 4:2:0, auto, or lossless");
    }
    Ok(match (info.format, alpha) {
        _ if info.yuv && mode == Mode::Lossy => Layout::Yuv(YUV),
        (PixelFormat::Bgr888, _) => Layout::Bgr8,
        (PixelFormat::Bgra8888, true) => Layout::Bgra8,
        (PixelFormat::Bgra8888, false) | (PixelFormat::Bgrx8888, _) => Layout::Bgrx8,
        (PixelFormat::Rgba8888, false) | (PixelFormat::Rgbx8888, _) => Layout::Rgbx8,
        (_, true) => Layout::Rgba8,
        (_, false) => Layout::Rgb8,
    })
}

/// "Exact pixels or an error."
fn refuse_loss(pixels: &Pixels, mode: Mode) -> Result<()> {
    let info = pixels.info();
    if info.bits > 8 {
        bail!(
            Unsupported,
            "WebP has 8 bits a component: the {} bits of {} would not be lossless",
            info.bits,
            info.name
        );
    }
    if let Mode::Lossless { near: near @ 0..100 } = mode {
        bail!(OutOfRange, "webp.near_lossless {near} contradicts lossless");
    }
    Ok(())
}

/// Measured per pixel with noise, rounded up: planes, and from method 3 on the tokens of the whole image, which grow
/// with quality; hash chains and two candidates of a lossless one.
fn memory(pixels: &Pixels, options: &Options) -> u64 {
    let mode = Mode::of(options);
    let step = usize::from(options.effort.clamp(1, 10) - 1);
    let method = options.explicit(&METHOD).unwrap_or(LOSSY[step].into());
    let lossy = match (method, options.quality) {
        (..3, _) => 8,
        (_, ..90) => 16,
        _ => 28,
    };
    let count = u64::from(pixels.width()) * u64::from(pixels.height());
    (1 << 20)
        + match mode {
            Mode::Lossy => count.saturating_mul(lossy),
            Mode::Sharp => count.saturating_mul(lossy + 20),
            Mode::Lossless { .. } => {
                let method = options.explicit(&METHOD).map_or(LOSSLESS[step].0, |method| method as i32);
                count.saturating_mul(60).saturating_add(tiles(count, method))
            }
        }
}

/// Bytes for the histograms of the tiles into which a lossless image is cut: 2600 at most, the smaller the higher the method,
/// and 8.5 KiB each at the most (libwebp's `GetHistoBits` and `VP8LAllocateHistogramSet`).
fn tiles(pixels: u64, method: i32) -> u64 {
    let side = 1u64 << (7 - method.clamp(0, 5));
    (pixels / (side * side) + 1).min(2600) * 8704
}
