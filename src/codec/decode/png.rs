//! PNG and APNG through the `png` crate. Samples of 16 bits stay 16 bits.

use std::io::{BufRead, Read as _, Seek, SeekFrom};

use ::png::{BitDepth, BlendOp, ColorType, DisposeOp, Transformations};

use super::{
    Decoder, Header, Job, Reader, Watched, damaged, exif,
    frames::{self, Animation, Frame},
};
use crate::{
    bail,
    error::{Result, try_vec},
    limits::Share,
    model::{
        color::{Cicp, MasteringDisplay},
        frame::{Delay, Disposal, Rect},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pixels::Canvas,
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/png",
    sniff: |head| head.starts_with(b"\x89PNG\r\n\x1a\n"),
    probe,
    decode,
    animation: Some(Animation { scan, frames: |job| Ok(Box::new(Frames::new(job)?)) }),
};

/// Most bytes of chunks beside the pixels, unpacked: a profile of a few kilobytes can hold gigabytes of zeros.
const CHUNKS: usize = 8 << 20;

fn open<R: BufRead + Seek>(reader: R, transform: Transformations) -> Result<::png::Reader<R>> {
    let mut decoder = ::png::Decoder::new(reader);
    decoder.set_transformations(transform);
    decoder.set_ignore_text_chunk(true);
    let width = decoder.read_header_info().map_err(error)?.width as usize;
    // The crate counts its rows too: up to 8 bytes a pixel before and after expansion.
    decoder.set_limits(::png::Limits { bytes: CHUNKS.saturating_add(width.saturating_mul(16)) });
    decoder.read_info().map_err(error)
}

fn error(error: ::png::DecodingError) -> crate::error::Error {
    damaged("PNG", error)
}

fn probe(reader: &mut Reader<'_>) -> Result<Header> {
    reader.seek(SeekFrom::Start(0)).map_err(|e| damaged("PNG", e))?;
    let png = open(reader, Transformations::IDENTITY)?;
    let info = png.info();
    let frames = info.animation_control.map_or(1, |control| control.num_frames as usize);
    let orientation = info.exif_metadata.as_deref().map(exif::orientation).unwrap_or_default();
    Ok(Header { size: (info.width, info.height), frames, orientation })
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let png = open(job.reader(), Transformations::EXPAND)?;
    let first = png.info().frame_control;
    // The first image of a file is a frame of its animation only if a frame header comes before it.
    let whole = |control: ::png::FrameControl| {
        (control.width, control.height, control.x_offset, control.y_offset)
            == (job.header.size.0, job.header.size.1, 0, 0)
    };
    let mut pixels = match (png.info().animation_control, first) {
        (None, _) => still(job, png)?,
        (Some(_), Some(control)) if job.frame == 0 && whole(control) => still(job, png)?,
        _ => animated(job)?,
    };
    let png = open(job.reader(), Transformations::IDENTITY)?;
    describe(&mut pixels, png.info())?;
    Ok(pixels)
}

/// The whole image in its own depth and components.
fn still(job: &Job<'_>, mut png: ::png::Reader<Watched<'_>>) -> Result<Pixels> {
    use BitDepth::{Eight, Sixteen};
    let (width, height) = job.header.size;
    let (format, group) = match png.output_color_type() {
        (ColorType::Grayscale, Eight) => (PixelFormat::Gray8, 1),
        (ColorType::GrayscaleAlpha, Eight) => (PixelFormat::GrayAlpha88, 2),
        (ColorType::Rgb, Eight) => (PixelFormat::Rgb888, 3),
        (ColorType::Rgba, Eight) => (PixelFormat::Rgba8888, 4),
        (ColorType::Grayscale, Sixteen) => (PixelFormat::Gray16, 2),
        (ColorType::GrayscaleAlpha, Sixteen) => (PixelFormat::Rgba16161616, 4),
        (ColorType::Rgb, Sixteen) => (PixelFormat::Rgb161616, 6),
        (ColorType::Rgba, Sixteen) => (PixelFormat::Rgba16161616, 8),
        other => bail!(Bug, "the png crate answers {other:?}"),
    };
    // Before memory is asked for: DEFLATE codes at most 258 bytes in 2 bits (RFC 1951, 3.2.5).
    let bits = png.info().bits_per_pixel() as u64 * u64::from(width) * u64::from(height);
    if bits / 8 / (258 * 4) > job.bytes.len() as u64 {
        let size = job.bytes.len();
        return Err(damaged("PNG", format!("{size} bytes cannot hold {width} x {height} pixels")));
    }
    let gray_alpha = format == PixelFormat::Rgba16161616 && group == 4;
    let _share = job.take(if gray_alpha { 4 + 8 } else { group })?;
    let size = width as usize * height as usize * group as usize;
    let mut bytes = try_vec(size, "decoded pixels")?;
    png.next_frame(&mut bytes).map_err(error)?;
    job.control.check()?;
    if format.info().bits == 16 {
        for sample in bytes.as_chunks_mut::<2>().0 {
            *sample = u16::from_be_bytes(*sample).to_ne_bytes();
        }
    }
    if gray_alpha {
        let mut wide = try_vec(size * 2, "decoded pixels")?;
        for (&[g, y, a, b], wide) in bytes.as_chunks::<4>().0.iter().zip(wide.as_chunks_mut::<8>().0) {
            *wide = [g, y, g, y, g, y, a, b];
        }
        bytes = wide;
    }
    Pixels::from_vec(width, height, format, bytes)
}

/// Frame `job.frame` of an animation, drawn over those before it; 8 bits.
fn animated(job: &Job<'_>) -> Result<Pixels> {
    let mut frames = Frames::new(job)?;
    frames::up_to(job, &mut frames, |index| damaged("PNG", format!("it ends before frame {index}")))?;
    frames::into_pixels(frames.canvas, job)
}

struct Frames<'a> {
    png: ::png::Reader<Watched<'a>>,
    bytes: &'a [u8],
    /// Up to where checksums of frames have been looked at.
    checked: usize,
    canvas: Canvas,
    rgba: Vec<u8>,
    width: u32,
    /// Frames that are to come.
    left: usize,
    _share: Share,
}

impl<'a> Frames<'a> {
    fn new(job: &Job<'a>) -> Result<Self> {
        // Canvas, its copy, and a frame.
        let share = job.take(12)?;
        let transform = Transformations::EXPAND | Transformations::ALPHA | Transformations::STRIP_16;
        let png = open(job.reader(), transform)?;
        let (width, height) = job.header.size;
        let canvas = Canvas::new(width, height)?;
        // The crate wants room for the largest frame, whatever the size of this one.
        let rgba = try_vec(width as usize * height as usize * 4, "a frame")?;
        Ok(Self {
            png,
            bytes: job.bytes,
            checked: 8,
            canvas,
            rgba,
            width,
            left: job.header.frames,
            _share: share,
        })
    }

    /// Compares the next frame's checksums. The crate lets them pass: by their names, these chunks are ancillary.
    fn check(&mut self) -> Result<()> {
        let mut begun = false;
        while let Some(rest) = self.bytes.get(self.checked..)
            && let Some(&[a, b, c, d, ref kind @ ..]) = rest.first_chunk::<8>()
        {
            let end = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_add(8);
            let (Some(body), Some(sum)) = (rest.get(4..end), rest.get(end..).and_then(<[u8]>::first_chunk))
            else {
                break;
            };
            if kind == b"fcTL" && std::mem::replace(&mut begun, true) {
                break;
            }
            if matches!(kind, b"fcTL" | b"fdAT") && crc32fast::hash(body) != u32::from_be_bytes(*sum) {
                return Err(damaged(
                    "PNG",
                    format!("a frame's checksum is wrong at byte {}", self.checked + end),
                ));
            }
            self.checked += end + 4;
        }
        Ok(())
    }
}

impl frames::Frames for Frames<'_> {
    fn advance(&mut self) -> Result<Option<Frame>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.check()?;
        // The first image is not part of the animation if no frame header has come before it.
        let hidden = self.png.info().frame_control.is_none();
        let mut found = self.png.next_frame(&mut self.rgba).map_err(error)?;
        if hidden {
            found = self.png.next_frame(&mut self.rgba).map_err(error)?;
        }
        let Some(control) = self.png.info().frame_control else {
            return Err(damaged("PNG", "a frame has no frame header"));
        };
        // Interlaced frames are spread over rows of the whole width.
        let stride = if self.png.info().interlaced { self.width } else { control.width } as usize;
        if found.color_type == ColorType::GrayscaleAlpha {
            // Backwards, so that nothing is written before it is read.
            let rgba = &mut self.rgba;
            for i in (0..stride * control.height as usize).rev() {
                let (g, a) = (rgba[2 * i], rgba[2 * i + 1]);
                rgba[4 * i..4 * i + 4].copy_from_slice(&[g, g, g, a]);
            }
        }
        let area =
            Rect { x: control.x_offset, y: control.y_offset, width: control.width, height: control.height };
        let disposal = match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        self.canvas.begin(area, disposal)?;
        self.canvas.draw(area, &self.rgba, stride * 4, control.blend_op == BlendOp::Over);
        Ok(Some(Frame { area, delay: delay(control.delay_num, control.delay_den), disposal }))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        self.canvas.pixels()
    }
}

/// A denominator of 0 means hundredths (PNG, third edition, 11.3.6.2).
fn delay(num: u16, den: u16) -> Delay {
    Delay { num: num.into(), den: if den == 0 { 100 } else { den.into() } }
}

/// Steps from chunk to chunk: acTL says how often, fcTL what a frame is.
fn scan(reader: &mut Reader<'_>, each: &mut dyn FnMut(Frame)) -> Result<u16> {
    let (mut at, mut loops) = (8, 1);
    loop {
        reader.seek(SeekFrom::Start(at)).map_err(|e| damaged("PNG", e))?;
        let mut head = [0; 8];
        if reader.read_exact(&mut head).is_err() {
            return Ok(loops);
        }
        let [a, b, c, d, kind @ ..] = head;
        let size = u32::from_be_bytes([a, b, c, d]);
        let mut body = [0; 26];
        let wanted = body.len().min(size as usize);
        match &kind {
            b"acTL" | b"fcTL" if reader.read_exact(&mut body[..wanted]).is_err() => return Ok(loops),
            b"acTL" => {
                let plays = u32::from_be_bytes([body[4], body[5], body[6], body[7]]);
                loops = plays.min(u16::MAX.into()) as u16;
            }
            b"fcTL" => {
                let long =
                    |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
                let short = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
                let area = Rect { x: long(12), y: long(16), width: long(4), height: long(8) };
                let disposal = match body[24] {
                    1 => Disposal::Clear,
                    2 => Disposal::Restore,
                    _ => Disposal::Keep,
                };
                each(Frame { area, delay: delay(short(20), short(22)), disposal });
            }
            b"IEND" => return Ok(loops),
            _ => {}
        }
        at += 12 + u64::from(size);
    }
}

/// What the colours mean. Code points go before a profile (PNG, third edition, 4.3).
fn describe(pixels: &mut Pixels, info: &::png::Info<'_>) -> Result<()> {
    let code_points = info.coding_independent_code_points.filter(|points| points.matrix_coefficients == 0);
    if let Some(points) = code_points {
        pixels.color.cicp = Cicp {
            primaries: points.color_primaries,
            transfer: points.transfer_function,
            matrix: 0,
            full_range: points.is_video_full_range_image,
        };
    } else if let Some(icc) = &info.icc_profile {
        pixels.set_embedded_profile(icc)?;
    }
    if let Some(level) = info.content_light_level {
        // In units of 0.0001 nits.
        let nits = |level: u32| (level / 10_000).min(u16::MAX.into()) as u16;
        pixels.light.max_cll = nits(level.max_content_light_level);
        pixels.light.max_fall = nits(level.max_frame_average_light_level);
    }
    if let Some(volume) = info.mastering_display_color_volume {
        // The crate counts in 0.00001.
        let points = volume.chromaticities;
        let chromaticities = [points.red, points.green, points.blue, points.white]
            .map(|(x, y)| [x, y].map(|value| (value.into_scaled() / 2) as u16));
        let display =
            MasteringDisplay { chromaticities, luminance: [volume.max_luminance, volume.min_luminance] };
        pixels.light.mastering = display.check().is_ok().then_some(display);
    }
    Ok(())
}
