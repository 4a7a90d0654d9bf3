//! JPEG.

mod moz;

use super::{Format, Setting, SettingKind, features};
use crate::{
    error::Result,
    model::{options::Options, pixel_format::PixelFormat, pixelmap::Pixels},
    pack::plan::Plan,
    pixels::Layout,
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
static SETTINGS: &[Setting] = &[RESTART_INTERVAL];

/// JPEG's row in the table of formats.
pub static FORMAT: Format = Format {
    mime: c"image/jpeg",
    aliases: &["image/jpg", "image/pjpeg"],
    features: features::LOSSY,
    max_side: 65500,
    settings: SETTINGS,
    available: || Ok(()),
    layout,
    encode,
    memory,
};

/// What the encoder reads without conversion; everything else is converted to RGB.
fn layout(pixels: &Pixels, _options: &Options) -> Result<Layout> {
    Ok(match pixels.info().format {
        PixelFormat::Gray8 | PixelFormat::Gray16 => Layout::Gray8,
        PixelFormat::Rgba8888 if !pixels.has_alpha() => Layout::Rgbx8,
        PixelFormat::Rgbx8888 => Layout::Rgbx8,
        _ => Layout::Rgb8,
    })
}

fn memory(_pixels: &Pixels, _options: &Options) -> u64 {
    1 << 20
}

fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    moz::encode(plan, sink)
}
