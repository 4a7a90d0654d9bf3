//! Gain maps: how an image of one dynamic range becomes one of another (ISO 21496-1).

use std::sync::Arc;

use super::pixelmap::Pixels;
use crate::{bail, error::Result};

/// What the samples of a gain map mean. Three values belong to red, green, blue; a gray map uses equal ones.
///
/// `gain = min + (max - min) * sample^(1 / gamma)` with samples of 0 to 1, and
/// `alternate = (base + base_offset) * 2^(gain * weight) - alternate_offset` in linear light, where 1.0 is diffuse
/// white. The weight grows from 0 to 1 as the display's headroom grows from the base image's to the alternate one's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainMapParams {
    /// Headroom of the main image: log2 of its peak over diffuse white. 0 for SDR.
    pub base_headroom: f32,
    /// Headroom of the image with the map applied in full.
    pub alternate_headroom: f32,
    /// Gain of the lowest sample, log2.
    pub min: [f32; 3],
    /// Gain of the highest sample, log2.
    pub max: [f32; 3],
    /// Exponent with which samples were coded.
    pub gamma: [f32; 3],
    /// Added to the main image before the gain.
    pub base_offset: [f32; 3],
    /// Subtracted after it.
    pub alternate_offset: [f32; 3],
    /// Whether the gain is applied in the main image's primaries, not in those of the alternate one.
    pub base_color: bool,
}

impl Default for GainMapParams {
    /// A map that changes nothing, up to one stop of headroom.
    fn default() -> Self {
        Self {
            base_headroom: 0.0,
            alternate_headroom: 1.0,
            min: [0.0; 3],
            max: [1.0; 3],
            gamma: [1.0; 3],
            base_offset: [1.0 / 64.0; 3],
            alternate_offset: [1.0 / 64.0; 3],
            base_color: true,
        }
    }
}

/// No image needs a gain of more stops than this; fractions of 32 bits carry it well.
const MAX_STOPS: f32 = 64.0;

impl GainMapParams {
    /// Whether the three channels have the same values, as in the metadata of a gray map.
    pub fn is_uniform(&self) -> bool {
        [self.min, self.max, self.gamma, self.base_offset, self.alternate_offset]
            .iter()
            .all(|[r, g, b]| r == g && g == b)
    }

    /// Refuses values that no reader could apply.
    pub fn check(&self) -> Result<()> {
        let headrooms = [self.base_headroom, self.alternate_headroom];
        if !headrooms.iter().all(|v| (0.0..=MAX_STOPS).contains(v)) || headrooms[0] == headrooms[1] {
            bail!(
                OutOfRange,
                "a gain map from headroom {} to {}: both are 0 to {MAX_STOPS} and they differ",
                headrooms[0],
                headrooms[1]
            );
        }
        for c in 0..3 {
            let (min, max, gamma) = (self.min[c], self.max[c], self.gamma[c]);
            if !(min.abs() <= MAX_STOPS && max.abs() <= MAX_STOPS && min <= max) {
                bail!(
                    OutOfRange,
                    "a gain from {min} to {max} (log2): both are within {MAX_STOPS} and in this order"
                );
            }
            if !(gamma > 0.0 && gamma <= MAX_STOPS) {
                bail!(OutOfRange, "a gain map's gamma of {gamma} is not above 0 and at most {MAX_STOPS}");
            }
            for offset in [self.base_offset[c], self.alternate_offset[c]] {
                if offset.is_nan() || offset.abs() > MAX_STOPS {
                    bail!(OutOfRange, "a gain map's offset of {offset} is not within {MAX_STOPS}");
                }
            }
        }
        Ok(())
    }
}

/// A gain map: its pixels, gray or RGB, and what they mean.
#[derive(Clone, Debug)]
pub struct GainMap {
    /// The samples, at the main image's size or a part of it.
    pub pixels: Arc<Pixels>,
    /// Their meaning.
    pub params: GainMapParams,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_applied_are_refused() {
        assert!(GainMapParams::default().check().is_ok());
        let with = |change: fn(&mut GainMapParams)| {
            let mut params = GainMapParams::default();
            change(&mut params);
            params.check().is_ok()
        };
        assert!(with(|p| p.min = [-2.0, 0.0, 1.0]));
        assert!(!with(|p| p.min[2] = 1.5));
        assert!(!with(|p| p.gamma[1] = 0.0));
        assert!(!with(|p| p.gamma[0] = f32::NAN));
        assert!(!with(|p| p.max[0] = f32::INFINITY));
        assert!(!with(|p| p.base_offset[0] = f32::NAN));
        assert!(!with(|p| p.alternate_headroom = 0.0));
        assert!(!with(|p| p.alternate_headroom = -1.0));
    }
}
