//! The settings of high dynamic range, which formats share, and what they mean for an image.

use super::{Setting, SettingKind, features};
use crate::{
    model::{
        color::Cicp,
        options::{ColorPolicy, DynamicRange, Options},
        pixelmap::Pixels,
    },
    pixels::hdr::{Recipe, ToneMapper},
};

/// What becomes of PQ and HLG.
pub const FORM: Setting = Setting {
    name: "hdr.form",
    kind: SettingKind::Choice(&["auto", "signal"]),
    default: 0,
    help: c"hdr.form: how formats keep PQ and HLG images, auto|signal, default auto (an SDR image with a gain map where \
            the format has that, else SDR); signal keeps the numbers with their code points where the format can: 16 \
            bits in PNG, 10 in HEIC and AVIF",
};
/// How HDR becomes SDR.
pub const TONE_MAPPER: Setting = Setting {
    name: "hdr.tone_mapper",
    kind: SettingKind::Choice(&["bt2390", "clip", "bt2446a", "reinhard"]),
    default: 0,
    help: c"hdr.tone_mapper: how HDR becomes SDR, bt2390|clip|bt2446a|reinhard, default bt2390 (nothing below its \
            knee changes)",
};
/// Primaries of the SDR image.
pub const BASE_GAMUT: Setting = Setting {
    name: "hdr.base_gamut",
    kind: SettingKind::Choice(&["auto", "p3", "srgb"]),
    default: 0,
    help: c"hdr.base_gamut: colour primaries of the SDR image made of HDR, auto|p3|srgb, default auto (sRGB for \
            sources of sRGB's primaries, else Display P3)",
};
/// What 1.0 means.
pub const LINEAR_WHITE: Setting = Setting {
    name: "hdr.linear_white",
    kind: SettingKind::Integer { min: 1, max: 10_000 },
    default: 203,
    help: c"hdr.linear_white: nits of 1.0 in linear half and single floats, 1 to 10000, default 203 (diffuse white); \
            scRGB has 80",
};
/// Size of a gain map.
pub const MAP_SCALE: Setting = Setting {
    name: "gain_map.scale",
    kind: SettingKind::Choice(&["auto", "1", "2", "4"]),
    default: 0,
    help: c"gain_map.scale: pixels of the image for one sample of a gain map made of HDR, across and down, \
            auto|1|2|4, default auto (1 from quality 95 on, else 2)",
};
/// Minus one is the quality of the image.
pub const MAP_QUALITY: Setting = Setting {
    name: "gain_map.quality",
    kind: SettingKind::Integer { min: -1, max: 100 },
    default: -1,
    help: c"gain_map.quality: quality of a gain map, 0 to 100, default -1 (that of the image)",
};

/// From this effort on the SDR image makes up for what a gain map of fewer samples than pixels cannot tell.
const SHARP: u8 = 5;

/// From this quality on, of the image and of a map of its size, the map makes up for what 8 bits cannot tell of dark light.
const EXACT: u8 = 98;

/// How to develop HDR pixels of these code points: with a gain map where the options and the format want one.
pub fn recipe(pixels: &Pixels, cicp: Cicp, options: &Options, gain_map: bool) -> Recipe {
    let mapper = match options.get(&TONE_MAPPER) {
        1 => ToneMapper::Clip,
        2 => ToneMapper::Bt2446a,
        3 => ToneMapper::Reinhard,
        _ => ToneMapper::Bt2390,
    };
    let primaries = match options.get(&BASE_GAMUT) {
        1 => 12,
        2 => 1,
        _ if matches!(cicp.primaries, 1 | 2) => 1,
        _ if options.color == ColorPolicy::Srgb || options.format.features & features::PROFILES == 0 => 1,
        _ => 12,
    };
    let keeps_alpha = pixels.has_alpha() && options.format.features & features::ALPHA != 0;
    Recipe {
        mapper,
        primaries,
        linear_white: linear_white(options),
        scale: gain_map.then(|| map_scale(options)),
        sharp: options.effort >= SHARP,
        exact: map_scale(options) == 1 && options.quality.min(map_quality(options)) >= EXACT,
        background: (!keeps_alpha).then_some(options.background),
    }
}

/// Nits of 1.0 in linear input.
pub fn linear_white(options: &Options) -> f64 {
    options.get(&LINEAR_WHITE) as f64
}

/// Pixels of an image for one sample of its gain map, across and down.
pub fn map_scale(options: &Options) -> u32 {
    match options.get(&MAP_SCALE) {
        1 => 1,
        2 => 2,
        3 => 4,
        _ if options.quality >= 95 => 1,
        _ => 2,
    }
}

/// The quality of a gain map.
pub fn map_quality(options: &Options) -> u8 {
    let quality = options.get(&MAP_QUALITY);
    if quality < 0 { options.quality } else { quality as u8 }
}

/// Whether the HDR signal itself is asked for, and the format holds it.
pub fn wants_signal(options: &Options) -> bool {
    options.get(&FORM) == 1 && holds_signal(options)
}

/// Whether these pixels go into the file as they are.
pub fn keeps_signal(cicp: Cicp, options: &Options) -> bool {
    (options.get(&FORM) == 1 || options.lossless) && cicp.is_hdr() && holds_signal(options)
}

fn holds_signal(options: &Options) -> bool {
    options.dynamic_range == DynamicRange::Auto && options.format.features & features::HDR != 0
}

/// Whether a gain map is wanted and possible.
pub fn wants_gain_map(options: &Options) -> bool {
    options.dynamic_range == DynamicRange::Auto && options.format.features & features::GAIN_MAP != 0
}
