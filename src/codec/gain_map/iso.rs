//! The binary form of ISO 21496-1, annex C.2: big-endian fractions.

use crate::model::gain_map::GainMapParams;

/// The name of the APP2 segment in JPEG, with its NUL.
pub const NAME: &[u8] = b"urn:iso:std:iso:ts:21496:-1\0";
/// Minimum and writer's version: all that the main image of a JPEG says.
pub const VERSION: [u8; 4] = [0; 4];

const MULTICHANNEL: u8 = 0x80;
const BASE_COLOR: u8 = 0x40;

/// The metadata with its version: 61 bytes if the channels are alike, else 141.
pub fn write(params: &GainMapParams) -> Vec<u8> {
    let channels = if params.is_uniform() { 1 } else { 3 };
    let mut out = Vec::with_capacity(141);
    out.extend_from_slice(&VERSION);
    let multi = if channels == 3 { MULTICHANNEL } else { 0 };
    out.push(multi | if params.base_color { BASE_COLOR } else { 0 });
    for headroom in [params.base_headroom, params.alternate_headroom] {
        fraction(&mut out, headroom);
    }
    for c in 0..channels {
        let of = [params.min, params.max, params.gamma, params.base_offset, params.alternate_offset];
        of.iter().for_each(|values| fraction(&mut out, values[c]));
    }
    out
}

/// A fraction over a power of two: exact for the floats that are kept here but for their last bits.
fn fraction(out: &mut Vec<u8>, value: f32) {
    let value = f64::from(value);
    let mut denominator = 1u32;
    while denominator < 1 << 24 && (value * f64::from(denominator)).fract() != 0.0 {
        denominator *= 2;
    }
    // Values are within 64: the numerator fits.
    out.extend_from_slice(&((value * f64::from(denominator)).round() as i32).to_be_bytes());
    out.extend_from_slice(&denominator.to_be_bytes());
}

/// Reads the metadata; none if it is cut short, of a version to come, or cannot be applied.
pub fn read(bytes: &[u8]) -> Option<GainMapParams> {
    let mut words = Words(bytes);
    if words.u16()? != 0 {
        return None;
    }
    words.u16()?;
    let flags = words.take::<1>()?[0];
    let channels = if flags & MULTICHANNEL == 0 { 1 } else { 3 };
    let [base_headroom, alternate_headroom] = [words.unsigned()?, words.unsigned()?];
    let mut params = GainMapParams {
        base_headroom,
        alternate_headroom,
        base_color: flags & BASE_COLOR != 0,
        ..GainMapParams::default()
    };
    for c in 0..channels {
        let to = if channels == 1 { 0..3 } else { c..c + 1 };
        params.min[to.clone()].fill(words.signed()?);
        params.max[to.clone()].fill(words.signed()?);
        params.gamma[to.clone()].fill(words.unsigned()?);
        params.base_offset[to.clone()].fill(words.signed()?);
        params.alternate_offset[to].fill(words.signed()?);
    }
    params.check().is_ok().then_some(params)
}

struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn signed(&mut self) -> Option<f32> {
        let numerator = i32::from_be_bytes(self.take()?);
        self.over(f64::from(numerator))
    }

    fn unsigned(&mut self) -> Option<f32> {
        let numerator = u32::from_be_bytes(self.take()?);
        self.over(f64::from(numerator))
    }

    fn over(&mut self, numerator: f64) -> Option<f32> {
        let denominator = u32::from_be_bytes(self.take()?);
        (denominator != 0).then(|| (numerator / f64::from(denominator)) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uneven() -> GainMapParams {
        GainMapParams {
            base_headroom: 0.0,
            alternate_headroom: 2.690_31,
            min: [-0.25, 0.1, 0.0],
            max: [2.7, 3.25, 1.0],
            gamma: [1.0, 0.45, 2.2],
            base_offset: [1.0 / 64.0, 0.0, 0.001],
            alternate_offset: [-0.015, 0.0, 0.0],
            base_color: false,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for params in [GainMapParams::default(), uneven()] {
            let bytes = write(&params);
            assert_eq!(bytes.len(), if params.is_uniform() { 61 } else { 141 });
            assert_eq!(bytes[..4], VERSION);
            assert_eq!(bytes[4] & 0x3f, 0, "reserved bits");
            let read = read(&bytes).unwrap();
            for (a, b) in [
                (read.min, params.min),
                (read.max, params.max),
                (read.gamma, params.gamma),
                (read.base_offset, params.base_offset),
                (read.alternate_offset, params.alternate_offset),
            ] {
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
            }
            assert!((read.alternate_headroom - params.alternate_headroom).abs() < 1e-6);
            assert_eq!(read.base_color, params.base_color);
        }
    }

    #[test]
    fn damage_is_no_gain_map() {
        let whole = write(&uneven());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_none(), "{length} bytes");
        }
        let with = |at: usize, bytes: &[u8]| {
            let mut damaged = whole.clone();
            damaged[at..at + bytes.len()].copy_from_slice(bytes);
            read(&damaged).is_none()
        };
        assert!(with(0, &[0, 1]), "a minimum version of 1");
        assert!(!with(2, &[0, 1]), "a writer's version of 1");
        assert!(with(9, &[0; 4]), "a denominator of 0");
        assert!(with(13, &[0; 4]), "equal headrooms");
        assert!(with(37, &[0; 4]), "gamma 0");
    }
}
