//! Room 5, the press: one file or folder per format, and the table of all formats.

pub mod animation;
pub mod decode;
pub mod gain_map;
mod gif;
pub mod hdr;
#[cfg(feature = "heif")]
mod heif;
mod jpeg;
pub mod metadata;
mod png;
mod webp;

use std::borrow::Cow;

use crate::{
    bail,
    error::Result,
    model::{options::Options, pixelmap::Pixels},
    pack::plan::Plan,
    pixels::Layout,
    sink::Sink,
};

/// What a format can carry; the bits of the header's `IMAGE_FORMAT_` constants.
pub mod features {
    /// Lossy compression.
    pub const LOSSY: u32 = 0x01;
    /// Exact compression.
    pub const LOSSLESS: u32 = 0x02;
    /// Transparency.
    pub const ALPHA: u32 = 0x04;
    /// More than one frame.
    pub const ANIMATION: u32 = 0x08;
    /// High dynamic range.
    pub const HDR: u32 = 0x10;
    /// An SDR image with a gain map.
    pub const GAIN_MAP: u32 = 0x20;
    /// More than 8 bits per component.
    pub const DEEP: u32 = 0x40;
    /// EXIF, XMP and the like.
    pub const METADATA: u32 = 0x80;
    /// ICC profiles that readers honour.
    pub const PROFILES: u32 = 0x100;
}

/// A format this library can write: all that the rest of the crate knows about it.
pub struct Format {
    /// Canonical MIME type; NUL-terminated, as the host sees it.
    pub mime: &'static std::ffi::CStr,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// [`features`] bits, but for [`features::ANIMATION`].
    pub features: u32,
    /// Longest side in pixels.
    pub max_side: u32,
    /// Settings of the codec, for `image_packing_options_set`.
    pub settings: &'static [Setting],
    /// Whether it can be written on this machine; the error says what is missing.
    pub available: fn() -> Result<()>,
    /// The layout that the encoder wants for these pixels; refuses what it cannot do.
    pub layout: fn(&Pixels, &Options) -> Result<Layout>,
    /// The layout for rows of HDR pixels that are developed as they are pulled; none for encoders that pull rows again and
    /// again, or look at the pixels behind them.
    pub developed: Option<Layout>,
    /// Encodes: pulls rows from the plan, pushes bytes into the sink.
    pub encode: fn(&Plan<'_>, &mut dyn Sink) -> Result<()>,
    /// What starts an animated image, if the format has them on this machine; `animation.rs` says what is agreed.
    pub animate: fn() -> Option<animation::Animate>,
    /// What does the work, with its version, for reports.
    pub codec: fn() -> Cow<'static, str>,
    /// Bytes of working memory for these pixels, beside input and output: an estimate that errs upwards.
    pub memory: fn(&Pixels, &Options) -> u64,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Format {
    /// All [`features`] that it has on this machine.
    pub fn all_features(&self) -> u32 {
        self.features | if (self.animate)().is_some() { features::ANIMATION } else { 0 }
    }

    /// The canonical MIME type.
    pub fn name(&self) -> &'static str {
        self.mime.to_str().unwrap_or_default()
    }
}

/// [`Format::codec`] of encoders of our own.
fn own_codec() -> Cow<'static, str> {
    Cow::Borrowed(concat!("image_packer ", env!("CARGO_PKG_VERSION")))
}

/// A setting of one codec.
pub struct Setting {
    /// Codec and name: "jpeg.restart_interval".
    pub name: &'static str,
    /// Which values it takes.
    pub kind: SettingKind,
    /// The value when nothing was set.
    pub default: i64,
    /// Name, meaning, values and default in one line, as the host sees it; NUL-terminated.
    pub help: &'static std::ffi::CStr,
}

/// Which values a setting takes; all are kept as `i64`.
pub enum SettingKind {
    /// 0 or 1.
    Flag,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// The index of one of these words.
    Choice(&'static [&'static str]),
}

/// All formats, in the order in which they are listed. A new format is one module and one line.
pub static REGISTRY: &[&Format] = &[
    &jpeg::FORMAT,
    &png::FORMAT,
    &webp::FORMAT,
    &gif::FORMAT,
    #[cfg(feature = "heif")]
    &heif::HEIC,
    #[cfg(feature = "heif")]
    &heif::AVIF,
];

/// The formats that can be written on this machine.
pub fn supported() -> impl Iterator<Item = &'static Format> {
    REGISTRY.iter().copied().filter(|format| (format.available)().is_ok())
}

/// The format of a MIME type or one of its aliases, in any case.
pub fn find(mime: &str) -> Result<&'static Format> {
    let named = |format: &&&Format| {
        let mut names = std::iter::once(format.name()).chain(format.aliases.iter().copied());
        names.any(|name| name.eq_ignore_ascii_case(mime))
    };
    match REGISTRY.iter().find(named) {
        Some(format) => (format.available)().map(|()| *format),
        None => {
            let known: Vec<_> = supported().map(Format::name).collect();
            bail!(
                UnknownFormat,
                "\"{mime}\" is not a format that can be written; these are: {}",
                known.join(", ")
            )
        }
    }
}

/// The setting of a name, in any case.
pub fn find_setting(name: &str) -> Result<&'static Setting> {
    let mut all = REGISTRY.iter().flat_map(|format| format.settings);
    match all.find(|setting| setting.name.eq_ignore_ascii_case(name)) {
        Some(setting) => Ok(setting),
        None => {
            let names = REGISTRY.iter().flat_map(|format| format.settings).map(|setting| setting.name);
            bail!(
                OutOfRange,
                "\"{name}\" is not a setting; these are: {}",
                names.collect::<Vec<_>>().join(", ")
            )
        }
    }
}
