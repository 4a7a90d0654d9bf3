//! PNG and APNG through the `png` crate. Samples of 16 bits stay 16 bits.

use std::io::{BufRead, Cursor, Seek};

use ::png::{BitDepth, BlendOp, ColorType, DisposeOp, Transformations};

use super::{
    Decoder, Header, Job, Reader,
    canvas::{Canvas, Disposal, Rect},
    damaged, exif,
};
use crate::{
    bail,
    error::{Result, try_vec},
    log,
    model::{
        color::{Cicp, LightLevel, check_icc},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
};

pub static DECODER: Decoder =
    Decoder { mime: c"image/png", sniff: |head| head.starts_with(b"\x89PNG\r\n\x1a\n"), probe, decode };

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
    use std::io::SeekFrom;
    reader.seek(SeekFrom::Start(0)).map_err(|e| damaged("PNG", e))?;
    let png = open(reader, Transformations::IDENTITY)?;
    let info = png.info();
    let frames = info.animation_control.map_or(1, |control| control.num_frames as usize);
    let orientation = info.exif_metadata.as_deref().map(exif::orientation).unwrap_or_default();
    Ok(Header { size: (info.width, info.height), frames, orientation })
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let png = open(Cursor::new(job.bytes), Transformations::EXPAND)?;
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
    let png = open(Cursor::new(job.bytes), Transformations::IDENTITY)?;
    describe(&mut pixels, png.info());
    Ok(pixels)
}

/// The whole image in its own depth and components.
fn still(job: &Job<'_>, mut png: ::png::Reader<Cursor<&[u8]>>) -> Result<Pixels> {
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
    // Canvas, its copy, and a frame.
    let _share = job.take(12)?;
    let transform = Transformations::EXPAND | Transformations::ALPHA | Transformations::STRIP_16;
    let mut png = open(Cursor::new(job.bytes), transform)?;
    let mut canvas = Canvas::new(job.header.size.0, job.header.size.1)?;
    // The crate wants room for the largest frame, whatever the size of this one.
    let mut rgba: Vec<u8> = try_vec(job.header.size.0 as usize * job.header.size.1 as usize * 4, "a frame")?;
    let mut frame = 0;
    while frame <= job.frame {
        // The first image is not part of the animation if no frame header has come before it.
        let hidden = png.info().frame_control.is_none();
        let found = png.next_frame(&mut rgba).map_err(error)?;
        if hidden {
            continue;
        }
        let Some(control) = png.info().frame_control else {
            return Err(damaged("PNG", format!("frame {frame} has no frame header")));
        };
        // Interlaced frames are spread over rows of the whole width.
        let stride = if png.info().interlaced { job.header.size.0 } else { control.width } as usize;
        if found.color_type == ColorType::GrayscaleAlpha {
            // Backwards, so that nothing is written before it is read.
            for i in (0..stride * control.height as usize).rev() {
                let (g, a) = (rgba[2 * i], rgba[2 * i + 1]);
                rgba[4 * i..4 * i + 4].copy_from_slice(&[g, g, g, a]);
            }
        }
        let rect = Rect {
            x: control.x_offset as usize,
            y: control.y_offset as usize,
            width: control.width as usize,
            height: control.height as usize,
        };
        let disposal = match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        canvas.draw(rect, &rgba, stride, control.blend_op == BlendOp::Over, disposal)?;
        frame += 1;
    }
    let alpha = if canvas.is_opaque() { AlphaType::Opaque } else { AlphaType::Unpremultiplied };
    let (width, height) = job.header.size;
    let mut pixels = Pixels::from_vec(width, height, PixelFormat::Rgba8888, canvas.into_bytes())?;
    pixels.alpha = alpha;
    Ok(pixels)
}

/// What the colours mean. Code points go before a profile (PNG, third edition, 4.3).
fn describe(pixels: &mut Pixels, info: &::png::Info<'_>) {
    let code_points = info.coding_independent_code_points.filter(|points| points.matrix_coefficients == 0);
    if let Some(points) = code_points {
        pixels.color.cicp = Cicp {
            primaries: points.color_primaries,
            transfer: points.transfer_function,
            matrix: 0,
            full_range: points.is_video_full_range_image,
        };
    } else if let Some(icc) = &info.icc_profile {
        let checked = check_icc(icc);
        pixels.color.icc =
            checked.inspect_err(|error| log::write(log::WARNING, || format!("PNG: {error}"))).ok();
    }
    if let Some(level) = info.content_light_level {
        // In units of 0.0001 nits.
        let nits = |level: u32| (level / 10_000).min(u16::MAX.into()) as u16;
        pixels.light = LightLevel {
            max_cll: nits(level.max_content_light_level),
            max_fall: nits(level.max_frame_average_light_level),
        };
    }
}
