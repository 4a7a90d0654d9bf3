//! What HEVC's sequence parameter set says of the size of coded images (ITU-T H.265, 7.3.2.2): an encoder may round it up.

use super::parsing::Reader;

/// The type of the unit.
const SPS: u8 = 33;

/// Bits of a unit, without the bytes that keep start codes out of it.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
    /// Zeros in a row before the next byte.
    zeros: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        if self.at.is_multiple_of(8) {
            let byte = *self.bytes.get(self.at / 8)?;
            if self.zeros == 2 && byte == 3 {
                (self.at, self.zeros) = (self.at + 8, 0);
            }
            let byte = *self.bytes.get(self.at / 8)?;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        }
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |number, _| Some(number << 1 | self.bit()?))
    }

    /// An Exp-Golomb code (9.2).
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
        }
        let rest = self.bits(Some(zeros).filter(|zeros| *zeros < 32)?)?;
        ((1u32 << zeros) - 1).checked_add(rest)
    }
}

/// Width and height of the images that a decoder with this configuration (the body of an `hvcC` box) gives out.
pub(super) fn size(configuration: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader(configuration);
    reader.take(22).ok()?;
    for _ in 0..reader.u8().ok()? {
        let kind = reader.u8().ok()? & 0x3f;
        for _ in 0..reader.u16().ok()? {
            let size = reader.u16().ok()?;
            let unit = reader.take(size.into()).ok()?;
            if kind == SPS {
                return size_of(unit);
            }
        }
    }
    None
}

fn size_of(unit: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits { bytes: unit, at: 0, zeros: 0 };
    // The unit's header, the number of the video parameter set.
    bits.bits(16 + 4)?;
    let layers = bits.bits(3)?;
    // A flag, the profile, the level.
    bits.bits(1)?;
    (0..3).try_for_each(|_| bits.bits(32).map(drop))?;
    let has: Vec<[u32; 2]> = (0..layers).map(|_| Some([bits.bit()?, bits.bit()?])).collect::<Option<_>>()?;
    if layers > 0 {
        bits.bits(2 * (8 - layers))?;
    }
    for [profile, level] in has {
        (0..88 * profile + 8 * level).try_for_each(|_| bits.bit().map(drop))?;
    }
    bits.golomb()?;
    let chroma = bits.golomb()?;
    if chroma == 3 {
        bits.bit()?;
    }
    let (width, height) = (bits.golomb()?, bits.golomb()?);
    if bits.bit()? == 0 {
        return Some((width, height));
    }
    // What is cut off on each side, in samples of chroma.
    let unit = [(1, 1), (2, 2), (2, 1), (1, 1)].get(chroma as usize)?;
    let mut cut = |unit: u32| bits.golomb()?.checked_add(bits.golomb()?)?.checked_mul(unit);
    let (columns, rows) = (cut(unit.0)?, cut(unit.1)?);
    Some((width.checked_sub(columns)?, height.checked_sub(rows)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// Of what x265 codes for 65 x 67 pixels, and for 30 x 38.
    #[test]
    fn x265_codes_even_sides_of_at_least_64() {
        let larger = bytes(
            "0101600000009000000000001ef000fcfdf8f800000f03600001001840010c01ffff016000000300900000030000\
             03001eba0240610001002c42010101600000030090000003000003001ea0288147113e5ba4e4a4b9b80868302000\
             00030320000003002162000100074401c072b02240",
        );
        assert_eq!(size(&larger), Some((66, 68)));
        let smaller = bytes(
            "0101600000009000000000001ef000fcfdf8f800000f03600001001840010c01ffff016000000300900000030000\
             03001eba0240610001002942010101600000030090000003000003001ea020810596e96e92e6e021a0c08000000c\
             80000003008462000100064401c073c189",
        );
        assert_eq!(size(&smaller), Some((64, 64)));
        // What is cut short says nothing, and is no reason to panic.
        for end in 0..larger.len() - 1 {
            let _ = size(&larger[..end]);
        }
        assert_eq!(size(&larger[..70]), None);
    }
}
