//! GIF through the `gif` crate; frames are drawn over each other on our canvas.

use std::io::{BufRead as _, Cursor, Read as _, Seek, SeekFrom};

use ::gif::{ColorOutput, DisposalMethod, MemoryLimit};

use super::{
    Decoder, Header, Job, Reader,
    canvas::{Canvas, Disposal, Rect},
    damaged,
};
use crate::{
    error::{Result, try_resize},
    model::{
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pixels::Orientation,
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/gif",
    sniff: |head| head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
    probe,
    decode,
};

/// Counts the frames by stepping over their data (GIF89a, section 15 on): a GIF does not say how many it has.
fn probe(reader: &mut Reader<'_>) -> Result<Header> {
    seek(reader, SeekFrom::Start(6))?;
    let Some([w0, w1, h0, h1, flags, _, _]) = read(reader)? else {
        return Err(damaged("GIF", "it ends before its size"));
    };
    skip_palette(reader, flags)?;
    let mut frames = 0;
    // Data that ends early has the frames that came before; decoding tells whether the last is whole.
    while let Some([kind]) = read(reader)? {
        match kind {
            b'!' => {
                seek(reader, SeekFrom::Current(1))?;
                skip_blocks(reader)?;
            }
            b',' => {
                let Some([.., flags]) = read::<9>(reader)? else { break };
                skip_palette(reader, flags)?;
                seek(reader, SeekFrom::Current(1))?;
                frames += 1;
                skip_blocks(reader)?;
            }
            _ => break,
        }
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]));
    Ok(Header { size: (side(w0, w1), side(h0, h1)), frames, orientation: Orientation::Upright })
}

/// The next bytes, or `None` at the end.
fn read<const N: usize>(reader: &mut Reader<'_>) -> Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(damaged("GIF", error)),
    }
}

fn seek(reader: &mut Reader<'_>, to: SeekFrom) -> Result<()> {
    reader.seek(to).map(drop).map_err(|e| damaged("GIF", e))
}

fn skip_palette(reader: &mut Reader<'_>, flags: u8) -> Result<()> {
    if flags & 0x80 != 0 {
        reader.consume(3 << ((flags & 7) + 1));
    }
    Ok(())
}

fn skip_blocks(reader: &mut Reader<'_>) -> Result<()> {
    while let Some([size]) = read(reader)?
        && size != 0
    {
        reader.consume(size.into());
    }
    Ok(())
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let _share = job.take(12)?;
    let mut options = ::gif::DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // Our own buffers are checked above; this bounds the crate's.
    options.set_memory_limit(MemoryLimit::Bytes(const { std::num::NonZeroU64::new(64 << 20).unwrap() }));
    let mut gif = options.read_info(Cursor::new(job.bytes)).map_err(|e| damaged("GIF", e))?;
    let (width, height) = job.header.size;
    let mut canvas = Canvas::new(width, height)?;
    let mut rgba = Vec::new();
    for index in 0..=job.frame {
        let frame = gif.next_frame_info().map_err(|e| damaged("GIF", e))?;
        let Some(frame) = frame else {
            return Err(damaged("GIF", format!("it ends before frame {index}")));
        };
        let rect = Rect {
            x: frame.left.into(),
            y: frame.top.into(),
            width: frame.width.into(),
            height: frame.height.into(),
        };
        // A frame may be larger than the canvas: up to 65535 a side.
        job.limits.check_pixels(frame.width.into(), frame.height.into())?;
        let disposal = match frame.dispose {
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
        };
        let size = gif.buffer_size();
        try_resize(&mut rgba, size, "a frame")?;
        gif.read_into_buffer(&mut rgba[..size]).map_err(|e| damaged("GIF", e))?;
        canvas.draw(rect, &rgba[..size], rect.width, true, disposal)?;
    }
    let alpha = if canvas.is_opaque() { AlphaType::Opaque } else { AlphaType::Unpremultiplied };
    let mut pixels = Pixels::from_vec(width, height, PixelFormat::Rgba8888, canvas.into_bytes())?;
    pixels.alpha = alpha;
    Ok(pixels)
}
