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

/// Content light level in nits; 0 is unknown (CTA-861.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LightLevel {
    /// Brightest pixel.
    pub max_cll: u16,
    /// Brightest frame average.
    pub max_fall: u16,
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
