//! TIFF through the `image` crate. Inks and CIE L*a*b*, which the crate does not know or converts without a profile, are
//! decoded as if they were RGB, which leaves samples as they are, and are converted here.

use std::io::{BufRead, Cursor, Seek, SeekFrom};

use image::{ImageDecoder, codecs::tiff::TiffDecoder};

use super::{Decoder, Header, Job, Reader, Watched, cmyk, common, damaged};
use crate::{
    codec::metadata::tiff::icc,
    error::{Result, try_vec},
    model::{pixel_format::PixelFormat, pixelmap::Pixels},
    pixels::{Orientation, manage},
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/tiff",
    sniff: |head| [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].into_iter().any(|magic| head.starts_with(magic)),
    probe,
    decode,
    animation: None,
};

/// How samples that are not RGB or gray are to be understood.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Samples {
    /// Cyan, magenta, yellow, black; the highest code is all of it.
    Inks,
    /// CIE L*a*b* with a* and b* in two's complement (TIFF 6.0, section 23).
    Lab,
    /// The same, offset by half the range (ICC.1:2022, annex A).
    IccLab,
}

/// What the first directory says of samples that the crate does not take as they are.
struct Special {
    samples: Samples,
    deep: bool,
    size: (u32, u32),
    orientation: Orientation,
    /// Where the number that names the colour space is, and "RGB" in the file's byte order.
    place: usize,
    rgb: [u8; 2],
}

fn probe(reader: &mut Reader<'_>) -> Result<Header> {
    if let Some(found) = special(reader) {
        return Ok(Header { size: found.size, frames: 1, orientation: found.orientation });
    }
    common::header(TiffDecoder::new(common::start(reader)?), "TIFF")
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let Some(found) = special(&mut Cursor::new(job.bytes)) else {
        let mut pixels = common::pixels(job, TiffDecoder::new(job.reader()), "TIFF")?;
        // The crate does not find a profile that is larger than the pixels.
        if let Some(icc) = icc(job.bytes)
            && pixels.color.icc.is_none()
            && pixels.note.is_none()
        {
            pixels.set_embedded_profile(icc)?;
        }
        return Ok(pixels);
    };
    let (components, bytes) = (if found.samples == Samples::Inks { 4 } else { 3 }, 1 + u64::from(found.deep));
    let count = found.size.0 as usize * found.size.1 as usize;
    // Samples in, samples out, and strips inside of the crate.
    let _share = job.take(bytes * (2 * components + 3))?;
    let _copy = job.limits.memory().take(job.bytes.len() as u64, "a copy of a TIFF file")?;
    let mut file = try_vec(job.bytes.len(), "a copy of a TIFF file")?;
    file.copy_from_slice(job.bytes);
    file[found.place..found.place + 2].copy_from_slice(&found.rgb);
    let mut decoder =
        TiffDecoder::new(Watched::new(&file, job.control)).map_err(|e| common::explain("TIFF", e))?;
    let size = count as u64 * components * bytes;
    if decoder.dimensions() != found.size || decoder.total_bytes() != size {
        return Err(damaged("TIFF", format!("{} bytes where {size} were announced", decoder.total_bytes())));
    }
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(size.saturating_mul(4).saturating_add(64 << 20));
    decoder.set_limits(limits).map_err(|e| common::explain("TIFF", e))?;
    let mut samples = try_vec(size as usize, "decoded pixels")?;
    decoder.read_image(&mut samples).map_err(|e| common::explain("TIFF", e))?;
    let format = if found.deep { PixelFormat::Rgb161616 } else { PixelFormat::Rgb888 };
    let (width, height) = found.size;
    if found.samples == Samples::Inks {
        let (rgb, how) = cmyk::to_srgb(&samples, width, found.deep, icc(job.bytes))?;
        let mut pixels = Pixels::from_vec(width, height, format, rgb)?;
        pixels.note_conversion(format!("inks (CMYK) were converted to sRGB {how}"));
        return Ok(pixels);
    }
    let mut rgb = try_vec(samples.len(), "decoded pixels")?;
    let lab = |i: usize| lab(&samples, i, found.samples, found.deep);
    let cicp = if found.deep {
        let pixels = rgb.as_chunks_mut::<6>().0;
        manage::lab_to_rgb(count, lab, |i, rgb| {
            for (to, v) in pixels[i].as_chunks_mut::<2>().0.iter_mut().zip(rgb) {
                *to = ((v * 65535.0).round() as u16).to_ne_bytes();
            }
        })?
    } else {
        let pixels = rgb.as_chunks_mut::<3>().0;
        manage::lab_to_rgb(count, lab, |i, rgb| pixels[i] = rgb.map(|v| (v * 255.0).round() as u8))?
    };
    let mut pixels = Pixels::from_vec(width, height, format, rgb)?;
    pixels.color.cicp = cicp;
    let name = if cicp.is_srgb() { "sRGB" } else { "Display P3" };
    pixels.note_conversion(format!("CIE L*a*b* was converted to {name}"));
    Ok(pixels)
}

/// L*, a*, b* of pixel `i`.
fn lab(samples: &[u8], i: usize, kind: Samples, deep: bool) -> [f64; 3] {
    // Codes of a unit of a* and b*.
    let (codes, unit) = if deep {
        let at = &samples[6 * i..6 * i + 6];
        ([0, 2, 4].map(|c| u16::from_ne_bytes([at[c], at[c + 1]])), 256.0)
    } else {
        ([0, 1, 2].map(|c| samples[3 * i + c].into()), 1.0)
    };
    let color = |code: u16| match (kind, deep) {
        (Samples::Lab, true) => f64::from(code as i16) / unit,
        (Samples::Lab, false) => f64::from(code as u8 as i8),
        _ => f64::from(code) / unit - 128.0,
    };
    // ICC's 16 bits end at ff00 (annex A: 100.0 is that code, or the highest one in files of newer programs).
    let top = if deep { 65535.0 } else { 255.0 };
    [f64::from(codes[0]) * 100.0 / top, color(codes[1]), color(codes[2])]
}

/// Looks at the first directory; none for samples that the crate decodes, and for damage, of which it will tell.
fn special<R: BufRead + Seek>(reader: &mut R) -> Option<Special> {
    let mut head = [0; 8];
    reader.seek(SeekFrom::Start(0)).ok()?;
    reader.read_exact(&mut head).ok()?;
    let big = match &head[..4] {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let short = |b: [u8; 2]| if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
    let long = |b: [u8; 4]| if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) };
    let first = u64::from(long([head[4], head[5], head[6], head[7]]));
    reader.seek(SeekFrom::Start(first)).ok()?;
    let mut count = [0; 2];
    reader.read_exact(&mut count).ok()?;
    let (mut photometric, mut size, mut bits, mut samples, mut orientation) = (None, [0; 2], None, 1, 1);
    for number in 0..u64::from(short(count)) {
        let mut entry = [0; 12];
        reader.read_exact(&mut entry).ok()?;
        let [t0, t1, k0, k1, n0, n1, n2, n3, v0, v1, v2, v3] = entry;
        let value = match short([k0, k1]) {
            3 => short([v0, v1]).into(),
            _ => long([v0, v1, v2, v3]),
        };
        match short([t0, t1]) {
            256 => size[0] = value,
            257 => size[1] = value,
            // More than two numbers of 16 bits stand elsewhere.
            258 if long([n0, n1, n2, n3]) > 2 => bits = Some((u64::from(long([v0, v1, v2, v3])), value)),
            258 => bits = Some((0, value)),
            262 => photometric = Some((value, (first + 2 + 12 * number + 8) as usize)),
            274 => orientation = value as u16,
            277 => samples = value,
            _ => {}
        }
    }
    let (at, mut depth) = bits?;
    if at != 0 {
        reader.seek(SeekFrom::Start(at)).ok()?;
        let mut bytes = [0; 2];
        reader.read_exact(&mut bytes).ok()?;
        depth = short(bytes).into();
    }
    let (photometric, place) = photometric?;
    let samples = match (photometric, samples) {
        (5, 4) => Samples::Inks,
        (8, 3) => Samples::Lab,
        (9, 3) => Samples::IccLab,
        _ => return None,
    };
    let deep = match depth {
        8 => false,
        16 => true,
        _ => return None,
    };
    let rgb = if big { 2u16.to_be_bytes() } else { 2u16.to_le_bytes() };
    let orientation = Orientation::from_exif(orientation).unwrap_or_default();
    Some(Special { samples, deep, size: (size[0], size[1]), orientation, place, rgb })
}
