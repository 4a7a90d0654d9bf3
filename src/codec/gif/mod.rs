//! GIF: our own quantiser, dithering and LZW.

mod animate;
mod container;
mod frame;
mod lab;
mod lzw;
mod palette;
mod parse;
mod quantize;
mod screen;

use super::{
    Format, Setting, SettingKind,
    animation::{Animation, Animator},
    features,
};
use crate::{
    bail,
    error::Result,
    model::{options::Options, pixelmap::Pixels},
    pack::plan::Plan,
    pixels::{Layout, Scratch},
    sink::Sink,
};
use animate::Gif;
use frame::{Dither, Picture, Style};
use parse::Way;

const COLORS: Setting = Setting {
    name: "gif.colors",
    kind: SettingKind::Integer { min: 2, max: 256 },
    default: 256,
    help: c"gif.colors: most colours of a frame, transparency included, 2 to 256, default 256",
};
const DITHER: Setting = Setting {
    name: "gif.dither",
    kind: SettingKind::Choice(&["diffusion", "ordered", "none"]),
    default: 0,
    help: c"gif.dither: diffusion, ordered or none, default diffusion; images with few colours need none",
};
const LOSSY: Setting = Setting {
    name: "gif.lossy",
    kind: SettingKind::Integer { min: 0, max: 200 },
    default: 0,
    help: c"gif.lossy: how far colours may be off so that pixels compress better, 0 (not at all) to 200, default by quality",
};

static SETTINGS: &[Setting] = &[COLORS, DITHER, LOSSY];

/// GIF's row in the table of formats.
pub static FORMAT: Format = Format {
    mime: c"image/gif",
    aliases: &[],
    features: features::LOSSY | features::LOSSLESS | features::ALPHA | features::METADATA,
    max_side: 65535,
    settings: SETTINGS,
    available: || Ok(()),
    layout,
    developed: None,
    encode,
    memory,
    animate: || Some(animate),
    codec: super::own_codec,
};

fn layout(pixels: &Pixels, options: &Options) -> Result<Layout> {
    if options.lossless && pixels.info().bits > 8 {
        let info = pixels.info();
        bail!(
            Unsupported,
            "GIF has 8 bits a component: the {} bits of {} would not be lossless",
            info.bits,
            info.name
        );
    }
    Ok(if pixels.has_alpha() { Layout::Rgba8 } else { Layout::Rgbx8 })
}

/// The pixels if they have to be converted, tables, and the output.
fn memory(pixels: &Pixels, _options: &Options) -> u64 {
    let count = u64::from(pixels.width()) * u64::from(pixels.height());
    (16 << 20) + count.saturating_mul(6)
}

/// How far below the best the quality is, in steps of `each`, a distance in Oklab.
fn below_best(options: &Options, each: f32) -> f32 {
    f32::from(100 - options.quality.min(100)) * each
}

const fn way(ends: usize, from: u32, patience: u32) -> Way {
    Way { ends, from, patience }
}

/// Ways to find strings, from quick to thorough.
static WAYS: [Way; 6] = [
    way(1, lzw::CODES, 10),
    way(2, lzw::CODES, 10),
    way(2, lzw::CODES, lzw::ENDLESS),
    way(4, lzw::CODES / 2, 10),
    way(4, lzw::CODES, lzw::ENDLESS),
    way(16, lzw::CODES / 2, 20),
];

/// Those that an effort tries.
fn ways(effort: u8) -> &'static [Way] {
    match effort {
        0..=3 => &[],
        4 => &WAYS[..1],
        5 | 6 => &WAYS[1..3],
        7 | 8 => &WAYS[3..5],
        _ => &WAYS[3..],
    }
}

/// What the options ask for.
fn style(options: &Options) -> Style {
    let reach = match options.explicit(&LOSSY) {
        Some(lossy) => lossy as f32 / 1000.0,
        None => below_best(options, 0.003).min(0.1),
    };
    Style {
        colors: options.get(&COLORS) as usize,
        rounds: u32::from(options.effort) - 1,
        dither: match options.get(&DITHER) {
            0 => Dither::Diffusion(0.75),
            1 => Dither::Ordered,
            _ => Dither::None,
        },
        lossless: options.lossless,
        reach: if options.lossless { 0.0 } else { reach },
        ways: ways(options.effort),
    }
}

fn animate(animation: Animation) -> Result<Box<dyn Animator>> {
    let options = &animation.options;
    let still = if options.lossless { 0.0 } else { below_best(options, 0.001).min(0.02) };
    let style = style(options);
    Ok(Box::new(Gif::new(animation, style, still)?))
}

fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let rows = plan.rows;
    let mut scratch = Scratch::default();
    let band = rows.band(0..rows.height(), &mut scratch)?;
    let picture = Picture {
        bytes: band.planes[0].bytes,
        stride: band.planes[0].stride,
        width: rows.width() as usize,
        height: rows.height() as usize,
        opaque: !rows.layout().has_alpha(),
        animated: false,
        clears: false,
    };
    let mut image = frame::compress(&picture, &style(plan.options), None, &|y| {
        plan.control.checkpoint(y as u64 + 1, rows.height().into())
    })?;
    container::header(sink, rows.width(), rows.height(), &image.palette)?;
    image.palette.clear();
    if let Some(icc) = rows.icc() {
        container::profile(sink, icc)?;
    }
    if let Some(packet) = &plan.metadata.xmp {
        container::xmp(sink, packet)?;
    }
    container::comments(sink, plan.metadata)?;
    if image.transparent.is_some() {
        container::control(sink, 0, 0, image.transparent)?;
    }
    container::image(sink, &image, [0, 0, picture.width, picture.height])?;
    container::trailer(sink)
}
