//! What to make of an image.

use std::{sync::Arc, time::Duration};

use crate::{
    bail,
    codec::{self, Format, Setting, SettingKind},
    error::Result,
    model::report::LastReport,
    pack::control::Progress,
};

/// Which dynamic range to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynamicRange {
    /// HDR where the input is HDR and the format carries it, else SDR.
    Auto,
    /// Always SDR.
    Sdr,
}

/// Which colours to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorPolicy {
    /// Those of the pixels, with their profile, where the format's readers know more than sRGB.
    Keep,
    /// Always sRGB.
    Srgb,
}

/// Chroma subsampling of lossy formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsampling {
    /// The codec's choice, by quality.
    Auto,
    /// Half the columns and rows.
    Yuv420,
    /// Half the columns.
    Yuv422,
    /// Full resolution.
    Yuv444,
}

/// Who encodes an image that is in the memory of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceUse {
    /// The device where it does as well as the host, else the host.
    Auto,
    /// The host.
    Cpu,
    /// The device.
    Gpu,
}

/// What happens to the bytes of an old file behind the new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Cut if the image started at offset 0, kept otherwise.
    Auto,
    /// Cut.
    Cut,
    /// Kept.
    Keep,
}

/// The default effort: a good trade of time for bytes.
pub const DEFAULT_EFFORT: u8 = 5;

/// A snapshot of the options of one pack.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to write.
    pub format: &'static Format,
    /// 0 (smallest) to 100 (best).
    pub quality: u8,
    /// 1 (fastest) to 10 (smallest).
    pub effort: u8,
    /// Exact pixels or an error.
    pub lossless: bool,
    /// What shows through where the format has no alpha: R, G, B in sRGB.
    pub background: [u8; 3],
    /// Chroma subsampling.
    pub subsampling: Subsampling,
    /// Dynamic range.
    pub dynamic_range: DynamicRange,
    /// Colour space.
    pub color: ColorPolicy,
    /// Whether EXIF and the like are wanted.
    pub needs_pack_properties: bool,
    /// Whether the place where the image was taken stays in EXIF and XMP.
    pub keep_gps: bool,
    /// Longest side in pixels of a thumbnail in EXIF; 0 is none.
    pub max_embed_thumbnail: u32,
    /// Most encoded bytes, for which quality is lowered; 0 is no limit.
    pub max_bytes: u64,
    /// Capacity to reserve for the result; a hint. 0 is none.
    pub buffer_size: u64,
    /// Dots per inch, horizontally and vertically; 0 is unknown.
    pub density: [u16; 2],
    /// What happens behind the image in a file.
    pub tail: Tail,
    /// Who encodes an image that is in the memory of a device.
    pub device: DeviceUse,
    /// A pack into a file returns when the storage says that it has the bytes.
    pub sync: bool,
    /// Told how far a pack is, on its threads, one call at a time.
    pub progress: Option<Reporter>,
    /// Most time that a pack may take; it is stopped then.
    pub timeout: Option<Duration>,
    /// Where a pack leaves its report.
    pub report: Option<Arc<LastReport>>,
    settings: Vec<(&'static str, i64)>,
}

/// A progress callback as options carry it.
#[derive(Clone)]
pub struct Reporter(pub Arc<Progress>);

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

impl Options {
    /// Options for a MIME type and a quality, everything else at its default.
    pub fn new(mime: &str, quality: i32) -> Result<Self> {
        let mut options = Self {
            format: codec::find(mime)?,
            quality: 0,
            effort: DEFAULT_EFFORT,
            lossless: false,
            background: [0; 3],
            subsampling: Subsampling::Auto,
            dynamic_range: DynamicRange::Auto,
            color: ColorPolicy::Keep,
            needs_pack_properties: false,
            keep_gps: true,
            max_embed_thumbnail: 0,
            max_bytes: 0,
            buffer_size: 0,
            density: [0; 2],
            tail: Tail::Auto,
            device: DeviceUse::Auto,
            sync: false,
            progress: None,
            timeout: None,
            report: None,
            settings: Vec::new(),
        };
        options.set_quality(quality)?;
        Ok(options)
    }

    /// Sets the quality, 0 to 100.
    pub fn set_quality(&mut self, quality: i32) -> Result<()> {
        match u8::try_from(quality) {
            Ok(quality @ 0..=100) => self.quality = quality,
            _ => bail!(OutOfRange, "quality {quality} is not in 0..=100"),
        }
        Ok(())
    }

    /// Sets the effort, 1 to 10.
    pub fn set_effort(&mut self, effort: i32) -> Result<()> {
        match u8::try_from(effort) {
            Ok(effort @ 1..=10) => self.effort = effort,
            _ => bail!(OutOfRange, "effort {effort} is not in 1..=10"),
        }
        Ok(())
    }

    /// Sets the most time in milliseconds; 0 is no limit.
    pub fn set_timeout(&mut self, millis: u32) {
        self.timeout = (millis != 0).then(|| Duration::from_millis(millis.into()));
    }

    /// Sets a codec's setting by name, checked against the registry.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let setting = codec::find_setting(name)?;
        let value = setting.parse(value)?;
        match self.settings.iter_mut().find(|(known, _)| *known == setting.name) {
            Some(entry) => entry.1 = value,
            None => self.settings.push((setting.name, value)),
        }
        Ok(())
    }

    /// The value of a setting, or its default.
    pub fn get(&self, setting: &Setting) -> i64 {
        self.explicit(setting).unwrap_or(setting.default)
    }

    /// The value of a setting if it was set.
    pub fn explicit(&self, setting: &Setting) -> Option<i64> {
        self.settings.iter().find(|(name, _)| *name == setting.name).map(|&(_, value)| value)
    }
}

impl Setting {
    /// Checks a value's text: a whole number in range, 0/1/true/false/on/off, or one of the choices.
    pub fn parse(&self, text: &str) -> Result<i64> {
        match self.kind {
            SettingKind::Flag => match text.to_ascii_lowercase().as_str() {
                "1" | "true" | "on" | "yes" => Ok(1),
                "0" | "false" | "off" | "no" => Ok(0),
                _ => bail!(OutOfRange, "{}: \"{text}\" is neither 0 nor 1", self.name),
            },
            SettingKind::Integer { min, max } => match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(value),
                _ => bail!(OutOfRange, "{}: \"{text}\" is not a whole number in {min}..={max}", self.name),
            },
            SettingKind::Choice(choices) => {
                match choices.iter().position(|choice| choice.eq_ignore_ascii_case(text)) {
                    Some(index) => Ok(index as i64),
                    None => {
                        bail!(OutOfRange, "{}: \"{text}\" is none of {}", self.name, choices.join(", "))
                    }
                }
            }
        }
    }
}
