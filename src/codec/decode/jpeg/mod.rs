//! JPEG: markers here, pixels through libjpeg, CMYK to RGB in `cmyk` beside it.

mod moz;

use std::io::{BufRead, Seek, SeekFrom};

use super::{Decoder, Header, Job, cmyk, damaged, exif};
use crate::{
    error::{Result, try_extend, try_vec},
    model::{pixel_format::PixelFormat, pixelmap::Pixels},
    pixels::Orientation,
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/jpeg",
    sniff: |head| head.starts_with(&[0xff, 0xd8, 0xff]),
    probe: |reader| {
        let found = markers(reader, false)?;
        Ok(Header {
            size: found.size,
            frames: 1,
            orientation: found.orientation.unwrap_or(Orientation::Upright),
        })
    },
    decode,
    animation: None,
};

/// What the markers before the first scan say.
struct Markers {
    size: (u32, u32),
    components: u8,
    /// More than one scan: all coefficients are held until the last.
    progressive: bool,
    /// An Adobe marker, which means that CMYK is stored inverted.
    adobe: bool,
    /// What the first EXIF says.
    orientation: Option<Orientation>,
    /// The parts of the profile, each with its number, in the order of these.
    icc: Vec<(u8, Vec<u8>)>,
}

const ICC_NAME: &[u8] = b"ICC_PROFILE\0";

impl Markers {
    /// The profile, put together from its parts.
    fn profile(&self) -> Result<Option<Vec<u8>>> {
        let mut profile = Vec::new();
        for (_, segment) in &self.icc {
            let part = segment.get(ICC_NAME.len() + 2..).unwrap_or_default();
            try_extend(&mut profile, part, "an ICC profile")?;
        }
        Ok(Some(profile).filter(|profile| !profile.is_empty()))
    }
}

/// Walks the segments (ITU-T T.81, annex B) up to the first scan. Their contents are skipped but where needed.
fn markers<R: BufRead + Seek>(reader: &mut R, want_icc: bool) -> Result<Markers> {
    let mut found = Markers {
        size: (0, 0),
        components: 0,
        progressive: false,
        adobe: false,
        orientation: None,
        icc: Vec::new(),
    };
    seek(reader, SeekFrom::Start(2))?;
    loop {
        let marker = next_marker(reader)?;
        // Markers without a segment.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        if marker == 0xd9 {
            return Err(damaged("JPEG", "it ends before its first scan"));
        }
        let [a, b] = read(reader)?;
        let Some(length) = usize::from(u16::from_be_bytes([a, b])).checked_sub(2) else {
            return Err(damaged("JPEG", format!("marker ff {marker:02x} has no length")));
        };
        match marker {
            // Start of scan.
            0xda if found.components == 0 => {
                return Err(damaged("JPEG", "a scan comes before the frame's size"));
            }
            0xda => {
                let [components] = read(reader)?;
                found.progressive |= components < found.components;
                return Ok(found);
            }
            // Start of frame: all but the tables DHT, JPG and DAC.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let segment = segment(reader, length)?;
                let &[_, h1, h0, w1, w0, components, ..] = &segment[..] else {
                    return Err(damaged("JPEG", format!("a frame header of {length} bytes")));
                };
                found.size = (u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into());
                found.components = components;
                found.progressive = marker & 3 == 2;
            }
            0xe1 => {
                let segment = segment(reader, length)?;
                if let (Some(tiff), None) = (segment.strip_prefix(b"Exif\0\0"), found.orientation) {
                    found.orientation = Some(exif::orientation(tiff));
                }
            }
            0xe2 if want_icc => {
                let segment = segment(reader, length)?;
                // Number and count of the part come before it (ICC.1:2022, B.4). Of a number that comes again, the first
                // counts.
                if let Some([number, ..]) = segment.strip_prefix(ICC_NAME)
                    && let Err(at) = found.icc.binary_search_by_key(number, |part| part.0)
                {
                    found.icc.insert(at, (*number, segment));
                }
            }
            0xee => found.adobe |= segment(reader, length)?.starts_with(b"Adobe"),
            _ => seek(reader, SeekFrom::Current(length as i64))?,
        }
    }
}

fn next_marker<R: BufRead>(reader: &mut R) -> Result<u8> {
    // Some writers leave bytes between segments; libjpeg skips them too.
    loop {
        let [mut byte] = read(reader)?;
        if byte != 0xff {
            continue;
        }
        while byte == 0xff {
            [byte] = read(reader)?;
        }
        if byte != 0 {
            return Ok(byte);
        }
    }
}

fn read<const N: usize>(reader: &mut impl BufRead) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(|_| damaged("JPEG", "it ends before its first scan"))?;
    Ok(bytes)
}

fn segment(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>> {
    let mut bytes = try_vec(length, "a JPEG segment")?;
    reader.read_exact(&mut bytes).map_err(|_| damaged("JPEG", "it ends inside a segment"))?;
    Ok(bytes)
}

fn seek(reader: &mut impl Seek, to: SeekFrom) -> Result<()> {
    reader.seek(to).map(drop).map_err(|e| damaged("JPEG", e))
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let found = markers(&mut std::io::Cursor::new(job.bytes), true)?;
    let output = match found.components {
        1 => 1,
        4 => 4 + 3,
        _ => 3,
    };
    let _share = job.take(output + if found.progressive { 2 * u64::from(found.components) } else { 0 })?;
    let (width, height) = found.size;
    let mut how = "";
    let mut profile = found.profile()?;
    let (format, bytes) = match found.components {
        1 => (PixelFormat::Gray8, moz::decode(job, found.size, moz::Output::Gray)?),
        4 => {
            let inks = moz::decode(job, found.size, moz::Output::Cmyk)?;
            let inks = cmyk::full_is_high(inks, found.adobe);
            let rgb;
            (rgb, how) = cmyk::to_srgb(&inks, width, false, profile.take().as_deref())?;
            (PixelFormat::Rgb888, rgb)
        }
        _ => (PixelFormat::Rgb888, moz::decode(job, found.size, moz::Output::Rgb)?),
    };
    let mut pixels = Pixels::from_vec(width, height, format, bytes)?;
    if found.components == 4 {
        pixels.note_conversion(format!("inks (CMYK) were converted to sRGB {how}"));
    }
    if let Some(profile) = profile {
        pixels.set_embedded_profile(&profile)?;
    }
    Ok(pixels)
}
