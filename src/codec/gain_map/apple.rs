//! Apple's gain maps from before ISO 21496-1: an auxiliary image of linear gains, and a headroom in the maker's notes or
//! in XMP. They become maps of the standard: sample by sample, nothing is computed of the image.
//!
//! Formulas: Apple, "Applying Apple HDR effect to your photos". Light is `sdr * (1 + (headroom - 1) * gain)` with gains
//! in the transfer function of ITU-R BT.709.

use crate::{
    error::{Result, try_vec},
    model::{
        gain_map::{GainMap, GainMapParams},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
};

/// What the auxiliary image is called in HEIF.
pub const NAME: &[u8] = b"urn:com:apple:photo:2020:aux:hdrgainmap";

/// The property that every packet of such a map has, in JPEG too.
pub const PROPERTY: &[u8] = b":HDRGainMapVersion";

/// Headrooms of more stops than this are damage; the formulas reach 3.
const MAX_STOPS: f32 = 8.0;

/// The headroom in stops as the notes of an iPhone tell it; none if they do not.
pub fn stops_of_notes(notes: &[u8]) -> Option<f32> {
    // Offsets count from the start of the notes, whose directory is big-endian.
    let rest = notes.strip_prefix(b"Apple iOS\0")?.get(2..)?.strip_prefix(b"MM")?;
    let count = u16::from_be_bytes(*rest.first_chunk()?);
    let value = |wanted: u16| {
        let mut entries = rest.get(2..)?.chunks_exact(12).take(count.into());
        let entry = entries.find(|entry| entry[..2] == wanted.to_be_bytes())?;
        // One signed rational.
        if entry[2..8] != [0, 10, 0, 0, 0, 1] {
            return None;
        }
        let at = u32::from_be_bytes(*entry[8..].first_chunk()?) as usize;
        let number = |at: usize| Some(i32::from_be_bytes(*notes.get(at..)?.first_chunk()?));
        let (numerator, denominator) = (number(at)?, number(at.checked_add(4)?)?);
        (denominator != 0).then(|| f64::from(numerator) / f64::from(denominator))
    };
    let (headroom, gain) = (value(33)?, value(48)?);
    let stops = match (headroom < 1.0, gain <= 0.01) {
        (true, true) => -20.0 * gain + 1.8,
        (true, false) => -0.101 * gain + 1.601,
        (false, true) => -70.0 * gain + 3.0,
        (false, false) => -0.303 * gain + 2.303,
    };
    sane(stops as f32)
}

/// The same of an XMP packet, which names the ratio itself.
pub fn stops_of_xmp(packet: &[u8]) -> Option<f32> {
    const PROPERTY: &[u8] = b":HDRGainMapHeadroom";
    let at = packet.windows(PROPERTY.len()).position(|bytes| bytes == PROPERTY)? + PROPERTY.len();
    // An attribute or an element.
    let value = &packet[at..packet.len().min(at + 64)];
    let value = value.trim_ascii_start().strip_prefix(b"=").or_else(|| value.strip_prefix(b">"))?;
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let end =
        value.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))?;
    let headroom: f32 = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    sane(headroom.log2())
}

fn sane(stops: f32) -> Option<f32> {
    (stops > 0.0 && stops <= MAX_STOPS).then_some(stops)
}

/// The standard's map of gray samples.
pub fn gain_map(pixels: &Pixels, stops: f32) -> Result<GainMap> {
    let (width, height) = (pixels.width(), pixels.height());
    let mut table = [0; 256];
    for (sample, to) in table.iter_mut().enumerate() {
        let signal = sample as f32 / 255.0;
        let gain = if signal < 0.081 { signal / 4.5 } else { ((signal + 0.099) / 1.099).powf(1.0 / 0.45) };
        *to = ((1.0 + (stops.exp2() - 1.0) * gain).log2() / stops * 255.0 + 0.5) as u8;
    }
    // The upper byte of 16 bits, the first channel of several.
    let group = usize::from(pixels.info().planes[0].bytes);
    let first = if pixels.info().bits > 8 && cfg!(target_endian = "little") { 1 } else { 0 };
    let mut bytes: Vec<u8> = try_vec(width as usize * height as usize, "a gain map")?;
    for (y, row) in bytes.chunks_exact_mut(width as usize).enumerate() {
        for (to, from) in row.iter_mut().zip(pixels.row(0, y as u32).chunks_exact(group)) {
            *to = table[usize::from(from[first])];
        }
    }
    let pixels = Pixels::from_vec(width, height, PixelFormat::Gray8, bytes)?.into();
    let params = GainMapParams {
        alternate_headroom: stops,
        max: [stops; 3],
        base_offset: [0.0; 3],
        alternate_offset: [0.0; 3],
        ..GainMapParams::default()
    };
    params.check()?;
    Ok(GainMap { pixels, params })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Notes with a headroom (33) and a gain (48), behind something else.
    pub(crate) fn notes(headroom: (i32, i32), gain: (i32, i32)) -> Vec<u8> {
        let mut notes = b"Apple iOS\0\0\x01MM\0\x03\0\x01\0\x09\0\0\0\x01\0\0\0\x0e".to_vec();
        for (tag, at) in [(33u8, 56u8), (48, 64)] {
            notes.extend_from_slice(&[0, tag, 0, 10, 0, 0, 0, 1, 0, 0, 0, at]);
        }
        notes.extend_from_slice(&[0; 4]);
        for number in [headroom.0, headroom.1, gain.0, gain.1] {
            notes.extend_from_slice(&number.to_be_bytes());
        }
        notes
    }

    #[test]
    fn headrooms_are_those_of_the_formulas() {
        for (headroom, gain, stops) in [
            ((1, 2), (0, 1), 1.8),
            ((1, 2), (1, 1000), 1.78),
            ((99, 100), (1, 1), 1.5),
            ((1, 1), (0, 1), 3.0),
            ((3, 2), (1, 100), 2.3),
            ((1, 1), (1, 1), 2.0),
        ] {
            let told = stops_of_notes(&notes(headroom, gain)).unwrap();
            assert!((told - stops).abs() < 1e-5, "{headroom:?}, {gain:?}: {told}");
        }
        assert_eq!(stops_of_notes(&notes((1, 1), (100, 1))), None, "darker than the image");
        assert_eq!(stops_of_notes(&notes((1, 0), (1, 1))), None);
        let whole = notes((1, 1), (1, 1));
        for length in 0..whole.len() {
            assert_eq!(stops_of_notes(&whole[..length]), None, "{length} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] = 0xff;
            let _ = stops_of_notes(&damaged);
        }
        assert_eq!(stops_of_xmp(b"<x HDRGainMap:HDRGainMapHeadroom=\"4\"/>"), Some(2.0));
        assert_eq!(stops_of_xmp(b"<HDRGainMap:HDRGainMapHeadroom>8.0</HDRGainMap"), Some(3.0));
        for none in [
            "",
            ":HDRGainMapHeadroom",
            ":HDRGainMapHeadroom=\"",
            ":HDRGainMapHeadroom=\"x\"",
            ":HDRGainMapHeadroom=\"1\"",
        ] {
            assert_eq!(stops_of_xmp(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_map_brings_the_same_light() {
        let samples: Vec<u8> = (0..=255).collect();
        let pixels = Pixels::from_vec(256, 1, PixelFormat::Gray8, samples).unwrap();
        for stops in [1.0f32, 2.0, 3.0] {
            let map = gain_map(&pixels, stops).unwrap();
            for (sample, converted) in map.pixels.row(0, 0).iter().enumerate() {
                let signal = sample as f32 / 255.0;
                let linear =
                    if signal < 0.081 { signal / 4.5 } else { ((signal + 0.099) / 1.099).powf(1.0 / 0.45) };
                let theirs = 1.0 + (stops.exp2() - 1.0) * linear;
                let ours = (map.params.max[0] * f32::from(*converted) / 255.0).exp2();
                // Half a step of the map.
                assert!((ours / theirs).log2().abs() <= stops / 500.0, "{sample}: {ours}, {theirs}");
            }
            assert_eq!((map.pixels.row(0, 0)[0], map.pixels.row(0, 0)[255]), (0, 255));
        }
    }
}
