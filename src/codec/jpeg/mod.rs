//! JPEG.

mod band;
mod baseline;
mod bits;
mod container;
mod dct;
mod dense;
#[cfg(test)]
mod dense_tests;
mod entropy;
mod front;
mod geometry;
mod huffman;
mod kernels;
mod look;
mod markers;
mod overshoot;
mod raw;
mod scan;
mod scripts;
mod sequential;
mod simd;
mod sparse;
mod strip;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod trellis;
mod tune;
mod zone;

use super::{Format, Setting, SettingKind, features, hdr};
use crate::{
    error::Result,
    model::{options::Options, pixel_format::PixelFormat, pixelmap::Pixels},
    pack::plan::Plan,
    pixels::{Layout, Sampling, YuvLayout, YuvPacking},
    sink::Sink,
};

/// "jpeg.restart_interval".
const RESTART_INTERVAL: Setting = Setting {
    name: "jpeg.restart_interval",
    kind: SettingKind::Integer { min: 0, max: 65535 },
    default: 0,
    help:
        c"jpeg.restart_interval: MCUs between restart markers, 0 to 65535, default 0 (the encoder's choice)",
};

/// All settings of this codec.
static SETTINGS: &[Setting] = &[
    RESTART_INTERVAL,
    hdr::TONE_MAPPER,
    hdr::BASE_GAMUT,
    hdr::LINEAR_WHITE,
    hdr::MAP_SCALE,
    hdr::MAP_QUALITY,
];

/// JPEG's row in the table of formats.
pub static FORMAT: Format = Format {
    mime: c"image/jpeg",
    aliases: &["image/jpg", "image/pjpeg"],
    features: features::GAIN_MAP | features::LOSSY | features::METADATA | features::PROFILES,
    max_side: 65500,
    settings: SETTINGS,
    available: || Ok(()),
    layout,
    developed: Some(Layout::Rgbx8),
    encode,
    animate: || None,
    codec: super::own_codec,
    memory,
};

/// What the encoder reads without conversion; everything else is converted to RGB.
fn layout(pixels: &Pixels, _options: &Options) -> Result<Layout> {
    let opaque = !pixels.has_alpha();
    Ok(match pixels.info().format {
        PixelFormat::Gray8 | PixelFormat::Gray16 => Layout::Gray8,
        PixelFormat::Rgba8888 if opaque => Layout::Rgbx8,
        PixelFormat::Rgbx8888 => Layout::Rgbx8,
        PixelFormat::Bgra8888 if opaque => Layout::Bgrx8,
        PixelFormat::Bgrx8888 => Layout::Bgrx8,
        PixelFormat::Argb8888 if opaque => Layout::Xrgb8,
        PixelFormat::Bgr888 => Layout::Bgr8,
        format => yuv(format).map_or(Layout::Rgb8, Layout::Yuv),
    })
}

/// Planes that need no detour through RGB. JFIF is BT.601 at full range; other matrices and ranges are changed on
/// the way.
fn yuv(format: PixelFormat) -> Option<YuvLayout> {
    let (sampling, packing) = match format {
        PixelFormat::Nv12 | PixelFormat::YcbcrP010 => (Sampling::Yuv420, YuvPacking::CbCr),
        PixelFormat::Nv21 | PixelFormat::YcrcbP010 => (Sampling::Yuv420, YuvPacking::CrCb),
        PixelFormat::I420 => (Sampling::Yuv420, YuvPacking::Planar),
        PixelFormat::I422 => (Sampling::Yuv422, YuvPacking::Planar),
        PixelFormat::I444 => (Sampling::Yuv444, YuvPacking::Planar),
        _ => return None,
    };
    Some(YuvLayout { sampling, packing, bits: 8, matrix: 6, full_range: true })
}

fn memory(pixels: &Pixels, options: &Options) -> u64 {
    // Progressive files keep the coefficients that are not zero, and the coded scans.
    let part = match dense::keeps(options.effort) {
        true => 2,
        false => 10,
    };
    (2 << 20) + pixels.tight_bytes() / part
}

fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let made = plan.rows.film().is_some_and(|film| film.has_gain_map());
    if plan.gain_map.is_none() && !made && plan.auxiliaries.is_empty() {
        return encode_alone(plan, sink);
    }
    container::encode(plan, sink)
}

/// The image without what belongs to it.
fn encode_alone(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    if plan.options.effort < dense::LOWEST { baseline::encode(plan, sink) } else { dense::encode(plan, sink) }
}
