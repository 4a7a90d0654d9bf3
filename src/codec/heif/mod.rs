//! HEIC and AVIF through the platform's libheif, which is looked for at run time.
//!
//! Without a libheif, or with one that lacks the encoder, the format is not listed and asking for it says what to
//! install. libheif is LGPL and the usual HEVC encoder, x265, is GPL: both stay the platform's, nothing links them.
//!
//! libheif and its codecs are C++ that may end the process when memory runs out; see `docs/heif.md`.

mod animate;
mod assembly;
mod companions;
mod container;
#[cfg(test)]
mod container_tests;
mod decode;
mod engine;
mod library;
mod movie;
mod movie_writing;
mod objects;
mod parsing;
mod planes;
mod playing;
mod reading;
mod running;
mod sps;
#[cfg(test)]
mod tests;
mod tracks;
mod writing;

use std::{borrow::Cow, sync::Arc};

use self::{
    assembly::Facts,
    engine::{Chroma, Compression, Engine, Recipe, Shape},
    planes::{Filler, chroma_of},
};
use super::{Format, Setting, SettingKind, features, hdr};
use crate::{
    bail, err,
    error::Result,
    host::stack::apart,
    model::{
        color::{Cicp, Color, Light},
        metadata::Metadata,
        options::{Options, Subsampling},
        picture::Auxiliary,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        report::Code,
    },
    pack::plan::Plan,
    pixels::{Layout, Orientation, Rows, Sampling, Scratch, YuvLayout, YuvPacking, code_points},
    sink::{Sink, memory::Buffer},
};

pub(super) use companions::{auxiliaries, auxiliary_kinds, gain_map, has_gain_map};
pub(super) use decode::{decode, metadata, probe, sniff};
pub(super) use playing::{frames, scan};

/// Rows pulled at a time; even, so that no chroma sample is split.
const BAND: u32 = 16;
/// What libheif's own decoder takes at most.
const MAX_SIDE: u32 = 32768;

/// HEIC's row in the table of formats.
pub static HEIC: Format = Format {
    mime: c"image/heic",
    aliases: &["image/heif"],
    features: FEATURES,
    max_side: MAX_SIDE,
    settings: &[
        HEIC_ENCODER,
        HEIC_PRESET,
        HEIC_TUNE,
        HEIC_BITS,
        hdr::FORM,
        hdr::TONE_MAPPER,
        hdr::BASE_GAMUT,
        hdr::LINEAR_WHITE,
        hdr::MAP_SCALE,
        hdr::MAP_QUALITY,
    ],
    available: || engine(Compression::Hevc, None).map(drop),
    layout: |pixels, options| Ok(HEIC_CODEC.choose(pixels, options)?.layout),
    developed: None,
    encode: |plan, sink| encode(&HEIC_CODEC, plan, sink),
    animate: || match sequences(Compression::Hevc) {
        true => Some(|animation| animate::animate(&HEIC_CODEC, animation)),
        false => None,
    },
    codec: || codec(Compression::Hevc),
    memory: |pixels, options| HEIC_CODEC.memory(pixels, options),
};

/// AVIF's row in the table of formats.
pub static AVIF: Format = Format {
    mime: c"image/avif",
    aliases: &[],
    features: FEATURES,
    max_side: MAX_SIDE,
    settings: &[
        AVIF_TUNE,
        AVIF_BITS,
        hdr::FORM,
        hdr::TONE_MAPPER,
        hdr::BASE_GAMUT,
        hdr::LINEAR_WHITE,
        hdr::MAP_SCALE,
        hdr::MAP_QUALITY,
    ],
    available: || engine(Compression::Av1, None).map(drop),
    layout: |pixels, options| Ok(AVIF_CODEC.choose(pixels, options)?.layout),
    developed: None,
    encode: |plan, sink| encode(&AVIF_CODEC, plan, sink),
    animate: || match sequences(Compression::Av1) {
        true => Some(|animation| animate::animate(&AVIF_CODEC, animation)),
        false => None,
    },
    codec: || codec(Compression::Av1),
    memory: |pixels, options| AVIF_CODEC.memory(pixels, options),
};

const FEATURES: u32 = features::LOSSY
    | features::LOSSLESS
    | features::ALPHA
    | features::HDR
    | features::GAIN_MAP
    | features::DEEP
    | features::METADATA
    | features::PROFILES;

const ENCODERS: &[&str] = &["auto", "x265", "kvazaar"];
const PRESETS: &[&str] = &[
    "auto",
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];
const HEVC_TUNES: &[&str] = &["auto", "psnr", "ssim", "grain", "fastdecode"];
const AV1_TUNES: &[&str] = &["auto", "psnr", "ssim"];
const BITS: &[&str] = &["auto", "8", "10"];

const HEIC_ENCODER: Setting = choice(
    "heif.encoder",
    ENCODERS,
    c"heif.encoder: libheif's HEVC encoder, auto|x265|kvazaar, default auto (x265 where there is one)",
);
const HEIC_PRESET: Setting = choice(
    "heif.preset",
    PRESETS,
    c"heif.preset: x265's preset, auto|ultrafast|superfast|veryfast|faster|fast|medium|slow|slower|veryslow|placebo, \
      default auto (the effort's)",
);
const HEIC_TUNE: Setting = choice(
    "heif.tune",
    HEVC_TUNES,
    c"heif.tune: what x265 optimises, auto|psnr|ssim|grain|fastdecode, default auto (what the eye sees)",
);
const HEIC_BITS: Setting = choice(
    "heif.bit_depth",
    BITS,
    c"heif.bit_depth: bits per component, auto|8|10, default auto (10 where the pixels have more than 8)",
);
const AVIF_TUNE: Setting =
    choice("avif.tune", AV1_TUNES, c"avif.tune: what libaom optimises, auto|psnr|ssim, default auto (ssim)");
const AVIF_BITS: Setting = choice(
    "avif.bit_depth",
    BITS,
    c"avif.bit_depth: bits per component, auto|8|10, default auto (10 where the pixels have more than 8)",
);

const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    help: &'static std::ffi::CStr,
) -> Setting {
    Setting { name, kind: SettingKind::Choice(words), default: 0, help }
}

/// What distinguishes the two formats.
struct Codec {
    compression: Compression,
    bits: &'static Setting,
    tune: (&'static Setting, &'static [&'static str]),
    /// From this quality on chroma is coded at full resolution unless the caller decides.
    full_chroma_from: u8,
}

/// 4:2:0 always: many HEVC decoders, those in hardware above all, know nothing else.
static HEIC_CODEC: Codec = Codec {
    compression: Compression::Hevc,
    bits: &HEIC_BITS,
    tune: (&HEIC_TUNE, HEVC_TUNES),
    full_chroma_from: 101,
};
static AVIF_CODEC: Codec = Codec {
    compression: Compression::Av1,
    bits: &AVIF_BITS,
    tune: (&AVIF_TUNE, AV1_TUNES),
    full_chroma_from: 90,
};

/// How an image will be coded.
struct Choice {
    engine: Engine,
    layout: Layout,
    shape: Shape,
}

/// The library and an encoder in it, or what to install.
fn engine(compression: Compression, name: Option<&str>) -> Result<Engine> {
    let (mime, package) = match compression {
        Compression::Hevc => {
            ("image/heic", "an HEVC encoder (libheif-plugin-x265, where encoders are packages)")
        }
        Compression::Av1 => {
            ("image/avif", "an AV1 encoder (libheif-plugin-aomenc, where encoders are packages)")
        }
    };
    let library = library::library()
        .map_err(|reason| err!(UnknownFormat, "\"{mime}\" cannot be written here: {reason}"))?;
    Engine::find(library, compression, name).ok_or_else(|| match name {
        None => err!(
            UnknownFormat,
            "\"{mime}\" cannot be written here: {} has no encoder for it; install {package}",
            library.description
        ),
        Some(name) => err!(Unsupported, "{} has no encoder named {name}", library.description),
    })
}

/// The encoder that is taken unless a setting names one.
fn codec(compression: Compression) -> Cow<'static, str> {
    engine(compression, None)
        .map_or(Cow::Borrowed("libheif"), |engine| format!("{} of {}", engine.name, engine.library).into())
}

/// Whether the loaded libheif codes sequences.
fn sequences(compression: Compression) -> bool {
    engine(compression, None).is_ok_and(|engine| engine.has_sequences())
}

impl Codec {
    /// The word that a setting was set to; `None` for "auto".
    fn word(options: &Options, setting: &Setting, words: &'static [&'static str]) -> Option<&'static str> {
        usize::try_from(options.get(setting)).ok().filter(|index| *index > 0).map(|index| words[index])
    }

    /// What to ask of the darkroom, and what will be coded.
    fn choose(&self, pixels: &Pixels, options: &Options) -> Result<Choice> {
        let name = match self.compression {
            Compression::Hevc => Self::word(options, &HEIC_ENCODER, ENCODERS),
            Compression::Av1 => None,
        };
        let engine = engine(self.compression, name)?;
        let (info, lossless) = (pixels.info(), options.lossless);
        let depth = match Self::word(options, self.bits, BITS) {
            Some("8") => 8,
            Some(_) => 10,
            None if info.bits > 8 && (engine.max_depth() >= 10 || lossless) => 10,
            None => 8,
        };
        let (name, library) = (&engine.name, engine.library);
        let words = [&HEIC_PRESET, self.tune.0].map(|setting| (setting.name, options.get(setting) != 0));
        if let Some((setting, _)) =
            words.iter().find(|(_, set)| *set && !matches!(name.as_str(), "x265" | "aom"))
        {
            bail!(Unsupported, "{setting} means nothing to {name} of {library}");
        }
        if depth > engine.max_depth() {
            bail!(
                Unsupported,
                "{name} of {library} codes {depth}-bit images badly or not at all; 8 bits are possible"
            );
        }
        if lossless && info.bits > depth {
            bail!(
                Unsupported,
                "{} has {} bits per component: {depth} bits cannot hold them without loss",
                info.name,
                info.bits
            );
        }
        let (layout, chroma) = self.layout(pixels, options, depth);
        if !engine.can(chroma) {
            bail!(Unsupported, "{name} of {library} codes 4:2:0 only, {chroma:?} is needed");
        }
        let (width, height) = (pixels.width(), pixels.height());
        let shape = Shape { width, height, chroma, alpha: pixels.has_alpha(), depth };
        Ok(Choice { engine, layout, shape })
    }

    /// The rows to pull and the chroma to code.
    fn layout(&self, pixels: &Pixels, options: &Options, depth: u8) -> (Layout, Chroma) {
        let (info, alpha) = (pixels.info(), pixels.has_alpha());
        let deep = depth > 8 && info.bits > 8;
        let gray = match info.format {
            PixelFormat::Gray16 if deep => Some(Layout::Gray16),
            PixelFormat::Gray8 | PixelFormat::Gray16 => Some(Layout::Gray8),
            PixelFormat::GrayAlpha88 => Some(if alpha { Layout::GrayA8 } else { Layout::Gray8 }),
            _ => None,
        };
        if let Some(layout) = gray {
            return (layout, Chroma::Gray);
        }
        let native = yuv_of(pixels).filter(|yuv| yuv.bits == depth);
        let sampling = match (options.subsampling, native) {
            (_, Some(native)) if options.lossless => native.sampling,
            (_, None) if options.lossless => Sampling::Yuv444,
            (Subsampling::Auto, Some(native)) => native.sampling,
            (Subsampling::Auto, None) if options.quality >= self.full_chroma_from => Sampling::Yuv444,
            (Subsampling::Auto | Subsampling::Yuv420, _) => Sampling::Yuv420,
            (Subsampling::Yuv422, _) => Sampling::Yuv422,
            (Subsampling::Yuv444, _) => Sampling::Yuv444,
        };
        let layout = match (native, alpha || options.lossless) {
            (Some(native), _) if native.sampling == sampling => Layout::Yuv(native),
            (Some(native), _) => Layout::Yuv(YuvLayout { sampling, packing: YuvPacking::Planar, ..native }),
            (None, true) => match (alpha, deep) {
                (true, true) => Layout::Rgba16,
                (true, false) => Layout::Rgba8,
                (false, true) => Layout::Rgb16,
                (false, false) => Layout::Rgb8,
            },
            (None, false) => Layout::Yuv(YuvLayout {
                sampling,
                packing: YuvPacking::Planar,
                bits: depth,
                matrix: matrix_for(pixels.color.cicp.primaries),
                full_range: true,
            }),
        };
        (layout, chroma_of(sampling))
    }

    fn memory(&self, pixels: &Pixels, options: &Options) -> u64 {
        // What cannot be coded is refused by `layout` right after this.
        self.choose(pixels, options).map_or(0, |choice| choice.shape.memory())
    }
}

/// The YCbCr layout of pixels that have one.
fn yuv_of(pixels: &Pixels) -> Option<YuvLayout> {
    use PixelFormat::{I420, I422, I444, Nv12, Nv21, YcbcrP010, YcrcbP010};
    use Sampling::{Yuv420, Yuv422, Yuv444};
    let (sampling, packing, bits) = match pixels.info().format {
        Nv12 => (Yuv420, YuvPacking::CbCr, 8),
        Nv21 => (Yuv420, YuvPacking::CrCb, 8),
        YcbcrP010 => (Yuv420, YuvPacking::CbCr, 10),
        YcrcbP010 => (Yuv420, YuvPacking::CrCb, 10),
        I420 => (Yuv420, YuvPacking::Planar, 8),
        I422 => (Yuv422, YuvPacking::Planar, 8),
        I444 => (Yuv444, YuvPacking::Planar, 8),
        _ => return None,
    };
    let cicp = pixels.color.cicp;
    // Samples that are luma and chroma were not made by "identity" or "unspecified": that is BT.601.
    let matrix = if matches!(cicp.matrix, 0 | 2) { 6 } else { cicp.matrix };
    Some(YuvLayout { sampling, packing, bits, matrix, full_range: cicp.full_range })
}

/// The matrix for RGB of these primaries: BT.2020's own, BT.601's for all others, as JPEG and cameras have it.
fn matrix_for(primaries: u8) -> u8 {
    if primaries == 9 { 9 } else { 6 }
}

/// The colour space of the coded image: that of the rows, with the matrix that makes YCbCr of RGB.
fn coded_color(rows: &Color, layout: Layout, lossless: bool) -> Color {
    let mut color = rows.clone();
    (color.cicp.matrix, color.cicp.full_range) = match layout {
        Layout::Yuv(yuv) => (yuv.matrix, yuv.full_range),
        layout if lossless && !layout.is_gray() => (0, true),
        _ => (matrix_for(color.cicp.primaries), true),
    };
    color
}

/// Codes the images one after the other and puts them together.
fn encode(codec: &Codec, plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let hdr = code_points(plan.rows.color()).is_some_and(Cicp::is_hdr);
    let light = plan.gain_map.map_or(plan.rows.pixels().light, |map| map.pixels.light);
    let light = if hdr || plan.gain_map.is_some() { light } else { Light::default() };
    let mut auxiliaries = Vec::new();
    for Auxiliary { kind, pixels } in plan.auxiliaries {
        auxiliaries.push((*kind, encode_beside(codec, plan, pixels, plan.options.quality)?));
    }
    let quality = hdr::map_quality(plan.options);
    let map = match plan.gain_map {
        Some(map) => Some((map, encode_beside(codec, plan, &map.pixels, quality)?)),
        None => None,
    };
    let main = encode_one(codec, plan, true)?;
    let stored = plan.metadata.stored;
    if map.is_none() && auxiliaries.is_empty() && light == Light::default() && stored == Orientation::Upright
    {
        return sink.write(main.as_slice());
    }
    let facts = Facts {
        size: (plan.rows.width(), plan.rows.height()),
        color: &plan.rows.pixels().color,
        light,
        stored,
    };
    let auxiliaries: Vec<_> = auxiliaries.iter().map(|(kind, bytes)| (*kind, bytes.as_slice())).collect();
    let map = map.as_ref().map(|(map, bytes)| (*map, bytes.as_slice()));
    assembly::write(main.as_slice(), map, &auxiliaries, &facts, sink)
}

/// A file of nothing but these pixels, whose samples have no colour.
fn encode_beside(codec: &Codec, plan: &Plan<'_>, pixels: &Arc<Pixels>, quality: u8) -> Result<Buffer> {
    let mut pixels = Pixels::clone(pixels);
    pixels.alpha = AlphaType::Opaque;
    let matrix = if pixels.info().yuv { pixels.color.cicp } else { Cicp::SRGB_YCC };
    pixels.color = Color { cicp: Cicp { primaries: 2, transfer: 2, ..matrix }, icc: None };
    let mut options = plan.options.clone();
    options.quality = quality;
    let layout = codec.choose(&pixels, &options)?.layout;
    let rows = Rows::new(Arc::new(pixels), layout, &options)?;
    let plan = Plan {
        rows: &rows,
        options: &options,
        metadata: &Metadata::default(),
        gain_map: None,
        auxiliaries: &[],
        ..*plan
    };
    encode_one(codec, &plan, false)
}

/// A file of the plan's image alone; `counts` says that it is the main one, whose progress is that of the pack.
fn encode_one(codec: &Codec, plan: &Plan<'_>, counts: bool) -> Result<Buffer> {
    let (rows, options) = (plan.rows, plan.options);
    let Choice { engine, shape, .. } = codec.choose(rows.pixels(), options)?;
    let mut color = coded_color(rows.color(), rows.layout(), options.lossless);
    if rows.pixels().color.icc.is_none() {
        // The darkroom makes a profile for formats that have no code points.
        color.icc = None;
    }
    let reserved = plan.pool.reserve();
    let recipe = Recipe {
        quality: options.quality,
        lossless: options.lossless,
        effort: options.effort,
        preset: Codec::word(options, &HEIC_PRESET, PRESETS),
        tune: Codec::word(options, codec.tune.0, codec.tune.1),
        threads: reserved.threads(),
    };
    let (had, has) = (rows.layout().bits(), shape.depth);
    if counts && has < had {
        plan.notes.add(Code::DepthReduced, format!("{had} bits per component became {has}"));
    }
    let height = shape.height;
    apart(|| -> Result<Buffer> {
        let mut filler = Filler::new(shape, rows.layout(), color.cicp.matrix)?;
        let mut bytes = Buffer::default();
        let mut fill = |mut planes: planes::Planes<'_>| {
            // The codec, which cannot be asked or stopped, does the other nineteen twentieths.
            let mut go_on = |done: u32| match counts {
                true => plan.control.checkpoint(done.into(), u64::from(height) * 20),
                false => plan.control.check(),
            };
            rows_into(rows, height, &mut filler, &mut planes, &mut go_on)
        };
        // Threads and memory are the codec's until it ends, wanted or not.
        let kept = (reserved, plan.control.held());
        let go_on = || plan.control.check();
        engine.encode(&shape, &color, &recipe, plan.metadata, &mut fill, &mut bytes, kept, go_on)?;
        Ok(bytes)
    })?
}

/// Fills the planes of libheif's image. `go_on` is asked with the number of rows that are done.
fn rows_into(
    rows: &Rows,
    height: u32,
    filler: &mut Filler,
    planes: &mut planes::Planes<'_>,
    go_on: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<()> {
    let mut scratch = Scratch::default();
    for first in (0..height).step_by(BAND as usize) {
        let last = (first + BAND).min(height);
        let band = rows.band(first..last, &mut scratch)?;
        filler.fill(planes, first, last - first, &band)?;
        go_on(last)?;
    }
    Ok(())
}
