//! PNG: our own filters, DEFLATE and container, from one pass of SIMD to near-optimal parsing.
//!
//! Rows are filtered and compressed in chunks, and a sample of each chunk says what it is like: flat (nearly all
//! repeats: screens), mixed (many short strings repeat: drawings), noisy (photographs) or bare.
//!
//! | effort | filters, chosen per chunk | flat | mixed | noisy, bare |
//! |---|---|---|---|---|
//! | 1 | none or Paeth | one probe per pixel; where that saves little: runs of one byte | the same | the same |
//! | 2 | none or by magnitude, per row | one probe per pixel | one probe per pixel | one probe per pixel |
//! | 3 | the same; palettes from here on | chains of 2 pixels | chains of 4 bytes | one probe per pixel |
//! | 4 | the same | chains of 3 pixels | lazy chains of 8 bytes | one probe per pixel |
//! | 5, default | the same | chains of 4 pixels | lazy chains of 16 bytes | lazy chains of 4 bytes; bare: one probe per pixel |
//! | 6 | also by entropy | lazy chains of 8 bytes | lazy chains of 32 bytes | one probe per pixel |
//! | 7 | also by pairs of bytes | lazy chains of 32 bytes | lazy chains of 64 bytes | near-optimal, one pass |
//! | 8 | the same, judged by a near-optimal parse | near-optimal, 2 passes | the same | the same |
//! | 9 | the same, larger sample | near-optimal, 3 passes, deeper | the same | the same |
//! | 10 | every strategy | near-optimal, 5 passes, deepest | the same | the same |
//!
//! Alpha that is opaque and colour that is gray are dropped at every effort: looking costs next to nothing, since
//! it ends at the first pixel that needs them. Samples of 16 bits stay 16 bits.

mod animation;
pub(super) mod chunk;
mod deflate;
mod filter;
mod reduce;
mod select;
mod shape;
mod simd;
mod stream;

use super::{Format, Setting, SettingKind, features, hdr};
use crate::{
    bail,
    error::Result,
    model::{
        color::{Cicp, Color},
        metadata::Metadata,
        options::Options,
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pack::plan::Plan,
    pixels::{self, Layout},
    sink::Sink,
};
use chunk::{Ancillary, Chunks};
use deflate::{Limits, Search};
use filter::Filter;
use select::Strategy;
use simd::Simd;
use stream::{Effort, Job, Source};

/// "png.filter".
const FILTER: Setting = Setting {
    name: "png.filter",
    kind: SettingKind::Choice(&["auto", "none", "sub", "up", "average", "paeth"]),
    default: 0,
    help: c"png.filter: auto, none, sub, up, average or paeth, default auto (chosen by content)",
};

/// "png.palette".
const PALETTE: Setting = Setting {
    name: "png.palette",
    kind: SettingKind::Choice(&["auto", "off"]),
    default: 0,
    help: c"png.palette: auto or off, default auto (few colours become a palette from effort 3 on)",
};

static SETTINGS: &[Setting] =
    &[FILTER, PALETTE, hdr::FORM, hdr::TONE_MAPPER, hdr::BASE_GAMUT, hdr::LINEAR_WHITE];

/// PNG's row in the table of formats.
pub static FORMAT: Format = Format {
    mime: c"image/png",
    aliases: &["image/x-png", "image/apng"],
    features: features::LOSSLESS
        | features::ALPHA
        | features::DEEP
        | features::HDR
        | features::METADATA
        | features::PROFILES,
    max_side: i32::MAX as u32,
    settings: SETTINGS,
    available: || Ok(()),
    layout,
    developed: Some(Layout::Rgb8),
    encode,
    animate: || Some(animation::animate),
    codec: super::own_codec,
    memory,
};

const fn chain(depth: u32, nice: usize, lazy: bool, skip: u32) -> Search {
    Search::Chain { depth, nice, lazy, exact: true, skip }
}
const fn grid(depth: u32, nice: usize) -> Search {
    Search::Chain { depth, nice, lazy: false, exact: false, skip: 6 }
}
const fn optimal(depth: u32, nice: usize, passes: u32) -> Search {
    Search::Optimal(Limits { depth, nice, passes })
}
const NONE: Strategy = Strategy::Fixed(Filter::None);
const PAETH: Strategy = Strategy::Fixed(Filter::Paeth);

/// At effort 1 a search that saves less of the bits than this against runs alone is left out: matches are what takes
/// time there.
const WORTH: f32 = 0.02;

/// The first effort that looks for palettes.
const PALETTE_EFFORT: u8 = 3;

/// What each effort does; the table above in numbers.
static EFFORTS: [Effort; 10] = {
    const FAST: Search = Search::Fast { skip: 7 };
    const HASTE: Search = Search::Fast { skip: 5 };
    use Strategy::{Entropy, Magnitude, Pairs};
    const LIGHT: &[Strategy] = &[NONE, Magnitude];
    const MORE: &[Strategy] = &[NONE, Magnitude, Entropy];
    const ALL: &[Strategy] = &[NONE, Magnitude, Entropy, Pairs];
    const EVERY: &[Strategy] = &[
        NONE,
        Magnitude,
        Entropy,
        Pairs,
        Strategy::Fixed(Filter::Sub),
        Strategy::Fixed(Filter::Up),
        Strategy::Fixed(Filter::Average),
        PAETH,
    ];
    const fn effort(
        strategies: &'static [Strategy],
        sample: usize,
        judge: Search,
        [flat, mixed, noisy, bare]: [Search; 4],
    ) -> Effort {
        Effort { strategies, sample, judge, flat, mixed, noisy, bare, worth: 0.0 }
    }
    const fn all(search: Search) -> [Search; 4] {
        [search; 4]
    }
    [
        Effort { worth: WORTH, ..effort(&[NONE, PAETH], 32, HASTE, [HASTE, HASTE, HASTE, Search::Runs]) },
        effort(LIGHT, 8, FAST, all(FAST)),
        effort(LIGHT, 8, FAST, [grid(2, 32), chain(4, 32, false, 6), FAST, FAST]),
        effort(LIGHT, 8, FAST, [grid(3, 32), chain(8, 32, true, 6), FAST, FAST]),
        effort(LIGHT, 8, FAST, [grid(4, 32), chain(16, 64, true, 6), chain(4, 16, true, 6), FAST]),
        effort(MORE, 4, FAST, [chain(8, 64, true, 30), chain(32, 64, true, 30), FAST, FAST]),
        effort(
            ALL,
            4,
            FAST,
            [chain(32, 128, true, 30), chain(64, 128, true, 30), optimal(6, 32, 1), optimal(6, 32, 1)],
        ),
        effort(ALL, 4, optimal(8, 32, 1), all(optimal(16, 64, 2))),
        effort(ALL, 2, optimal(8, 32, 1), all(optimal(48, 128, 3))),
        effort(EVERY, 2, optimal(8, 32, 1), all(optimal(200, 258, 5))),
    ]
};

/// What the encoder reads: the pixels' own components, 16 bits where they have more than 8.
fn layout(pixels: &Pixels, _options: &Options) -> Result<Layout> {
    let (alpha, info) = (pixels.has_alpha(), pixels.info());
    Ok(match (info.format, alpha) {
        // A gray image cannot carry a profile for colour.
        (PixelFormat::Gray8, _) if has_rgb_profile(&pixels.color) => Layout::Rgb8,
        (PixelFormat::Gray16, _) if has_rgb_profile(&pixels.color) => Layout::Rgb16,
        (PixelFormat::GrayAlpha88 | PixelFormat::Alpha8, true) if has_rgb_profile(&pixels.color) => {
            Layout::Rgba8
        }
        (PixelFormat::Gray8, _) | (PixelFormat::GrayAlpha88, false) => Layout::Gray8,
        (PixelFormat::Gray16, _) => Layout::Gray16,
        (PixelFormat::GrayAlpha88 | PixelFormat::Alpha8, true) => Layout::GrayA8,
        (PixelFormat::Bgr888, _) => Layout::Bgr8,
        (PixelFormat::Bgra8888, true) => Layout::Bgra8,
        (PixelFormat::Bgra8888, false) | (PixelFormat::Bgrx8888, _) => Layout::Bgrx8,
        (PixelFormat::Rgba8888, false) | (PixelFormat::Rgbx8888, _) => Layout::Rgbx8,
        (PixelFormat::Argb8888, false) => Layout::Xrgb8,
        (_, true) if info.bits > 8 => Layout::Rgba16,
        (_, false) if info.bits > 8 => Layout::Rgb16,
        (_, true) => Layout::Rgba8,
        (_, false) => Layout::Rgb8,
    })
}

/// Whether a profile is for RGB: bytes 16 to 19 of its header.
fn is_rgb(profile: &[u8]) -> bool {
    profile.get(16..20) == Some(b"RGB ")
}

fn has_rgb_profile(color: &Color) -> bool {
    color.icc.as_deref().is_some_and(is_rgb)
}

/// A chunk of rows with its output for each of the chunks in flight, and tables.
fn memory(pixels: &Pixels, _options: &Options) -> u64 {
    let row = 8 * u64::from(pixels.width());
    let all = row.saturating_mul(u64::from(pixels.height()));
    let chunk = stream::chunk_bytes(all).max(2 * row).min(all + 1);
    (4 << 20) + all.min(chunk.saturating_mul(3 * stream::IN_FLIGHT as u64)) + 12 * row
}

fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    encode_with(plan, Simd::detect(), sink)
}

/// Encodes with the given instructions.
fn encode_with(plan: &Plan<'_>, simd: Simd, sink: &mut dyn Sink) -> Result<()> {
    let (rows, options) = (plan.rows, plan.options);
    let color = rows.color();
    let settings = Settings::of(options);
    let shape = reduce::shape(rows, settings.palette, !has_rgb_profile(color), plan.control)?;
    let icc = rows.icc().filter(|profile| is_rgb(profile) != shape.color.is_gray());
    if icc.is_none() && color.icc.is_some() {
        bail!(Icc, "the image's profile cannot go into a {:?} PNG", shape.color);
    }

    let mut chunks = Chunks::new(sink)?;
    chunks.write(b"IHDR", &[&shape.header()])?;
    let light = rows.pixels().light;
    let cicp = color.cicp;
    // Code points of primaries that nobody knows stand alone.
    let beside = (color.icc.is_none() && cicp.is_hdr())
        .then(|| pixels::icc_beside(cicp, light.max_cll, shape.color.is_gray()).ok())
        .flatten();
    for piece in ancillary(color, icc.or(beside.as_deref()), plan.metadata) {
        chunks.ancillary(&piece)?;
    }
    if pixels::code_points(color).is_some_and(Cicp::is_hdr) {
        if let Some(display) = light.mastering {
            chunks.ancillary(&Ancillary::MasteringDisplay(display))?;
        }
        if light.has_level() {
            chunks.ancillary(&Ancillary::LightLevel(light))?;
        }
    }
    if let Some(palette) = &shape.palette {
        chunks.write(b"PLTE", &[&palette.plte()])?;
        let alpha = palette.trns();
        if !alpha.is_empty() {
            chunks.write(b"tRNS", &[&alpha])?;
        }
    }
    Job::new(Source::Rows(rows), &shape, settings.effort(shape.depth), simd, plan.control)
        .run(plan.pool, &mut |parts| chunks.write(b"IDAT", parts))?;
    chunks.finish()
}

/// What the options ask for.
#[derive(Clone, Copy)]
struct Settings {
    /// 1 to 10.
    number: u8,
    palette: bool,
    /// Place in [`FIXED`].
    filter: Option<usize>,
}

impl Settings {
    fn of(options: &Options) -> Self {
        let number = options.effort.clamp(1, 10);
        let filter = usize::try_from(options.get(&FILTER)).ok().and_then(|filter| filter.checked_sub(1));
        Self { number, palette: number >= PALETTE_EFFORT && options.get(&PALETTE) == 0, filter }
    }

    /// What that means for samples of `depth` bits.
    fn effort(&self, depth: u8) -> Effort {
        let mut effort = EFFORTS[usize::from(self.number) - 1];
        if let Some(fixed) = self.filter {
            effort.strategies = &FIXED[fixed..=fixed];
        } else if depth < 8 {
            // Filters work on bytes, and a byte holds several pixels here.
            effort.strategies = &FIXED[..1];
        }
        effort
    }
}

static FIXED: [Strategy; 5] = [
    NONE,
    Strategy::Fixed(Filter::Sub),
    Strategy::Fixed(Filter::Up),
    Strategy::Fixed(Filter::Average),
    PAETH,
];

/// What is said about the pixels, in the order in which PNG wants it.
fn ancillary<'a>(color: &Color, icc: Option<&'a [u8]>, metadata: &'a Metadata) -> Vec<Ancillary<'a>> {
    let mut pieces = Vec::new();
    // More exact than the profile that was made from them, for readers that know them; and those that a profile names.
    let points = pixels::code_points(color);
    if let Some(cicp) = points.filter(|cicp| cicp.is_hdr() || color.icc.is_none() && !cicp.is_srgb()) {
        pieces.push(Ancillary::Cicp(cicp));
    }
    if color.icc.is_none() && color.cicp.is_srgb() {
        pieces.push(Ancillary::Srgb);
    } else if let Some(profile) = icc {
        pieces.push(Ancillary::Icc(profile));
    }
    pieces.extend(described(metadata));
    pieces
}

/// Metadata, in that order too.
fn described(metadata: &Metadata) -> impl Iterator<Item = Ancillary<'_>> {
    let density = metadata.density.map(|density| Ancillary::Density(density.to_metre()));
    let exif = metadata.exif.as_deref().map(Ancillary::Exif);
    let xmp = metadata.xmp.as_deref().map(Ancillary::Xmp);
    density.into_iter().chain(exif).chain(xmp).chain(metadata.texts.iter().map(Ancillary::Text))
}

#[cfg(test)]
mod tests;
