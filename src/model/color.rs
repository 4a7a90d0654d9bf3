//! What the numbers of a pixel mean: CICP code points and ICC profiles.

use std::sync::Arc;

use super::metadata::block;
use crate::{
    bail,
    error::Result,
    pixels::{icc, manage},
};

/// Coding-independent code points of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cicp {
    /// Colour primaries: 1 BT.709/sRGB, 9 BT.2020, 12 Display P3.
    pub primaries: u8,
    /// Transfer characteristics: 1 BT.709, 8 linear, 13 sRGB, 16 PQ, 18 HLG.
    pub transfer: u8,
    /// Matrix coefficients: 0 RGB, 1 BT.709, 5 and 6 BT.601, 9 BT.2020 non-constant.
    pub matrix: u8,
    /// Whether samples use the full range of codes.
    pub full_range: bool,
}

impl Cicp {
    /// sRGB in RGB.
    pub const SRGB: Self = Self { primaries: 1, transfer: 13, matrix: 0, full_range: true };
    /// sRGB in JPEG's YCbCr: BT.601 matrix, full range.
    pub const SRGB_YCC: Self = Self { primaries: 1, transfer: 13, matrix: 6, full_range: true };

    /// Perceptual quantiser or hybrid log-gamma.
    pub fn is_hdr(self) -> bool {
        matches!(self.transfer, 16 | 18)
    }

    /// Same primaries and transfer as sRGB. BT.709's transfer and "unspecified" are shown as sRGB everywhere.
    pub fn is_srgb(self) -> bool {
        matches!(self.primaries, 1 | 2) && matches!(self.transfer, 1 | 2 | 6 | 13 | 14 | 15)
    }
}

/// The colour space of an image. A profile takes precedence over the code points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Color {
    /// Code points.
    pub cicp: Cicp,
    /// ICC profile, verbatim.
    pub icc: Option<Arc<[u8]>>,
}

/// What is known of the light of HDR pixels beside their code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Light {
    /// Brightest pixel in nits; 0 is unknown (CTA-861.3).
    pub max_cll: u16,
    /// Brightest frame average, likewise.
    pub max_fall: u16,
    /// The display on which the image was made.
    pub mastering: Option<MasteringDisplay>,
}

impl Light {
    /// Whether something is known of the level.
    pub fn has_level(&self) -> bool {
        self.max_cll != 0 || self.max_fall != 0
    }
}

/// The colour volume of a mastering display (SMPTE ST 2086).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasteringDisplay {
    /// Chromaticities x, y of red, green, blue and white in units of 0.00002.
    pub chromaticities: [[u16; 2]; 4],
    /// Largest and smallest luminance in units of 0.0001 nits.
    pub luminance: [u32; 2],
}

impl MasteringDisplay {
    /// Refuses what no display can be.
    pub fn check(&self) -> Result<()> {
        // An x or y of 1.
        const WHOLE: u16 = 50_000;
        if let Some(value) = self.chromaticities.as_flattened().iter().find(|value| **value > WHOLE) {
            bail!(OutOfRange, "a chromaticity of {value} x 0.00002 is above 1, which is {WHOLE}");
        }
        let [max, min] = self.luminance;
        if max <= min {
            bail!(
                OutOfRange,
                "a display from {min} to {max} x 0.0001 nits: the largest is above the smallest"
            );
        }
        Ok(())
    }
}

/// A copy of an ICC profile that an image may have, of exactly its stated size, and that the colour management reads.
pub fn check_icc(profile: &[u8]) -> Result<Arc<[u8]>> {
    let stated = icc::check(profile)?;
    if stated != profile.len() {
        bail!(Icc, "the ICC profile has {} bytes, its header states {stated}", profile.len());
    }
    manage::check(profile)?;
    block(profile)
}

/// A copy of the ICC profile of a file, where bytes may follow it.
pub fn embedded_icc(bytes: &[u8]) -> Result<Arc<[u8]>> {
    let stated = icc::check(bytes)?;
    block(&bytes[..stated])
}
