//! GIF through the `gif` crate; frames are drawn over each other on our canvas.

use std::io::{BufRead as _, Read as _, Seek, SeekFrom};

use ::gif::{ColorOutput, DisposalMethod, MemoryLimit};

use super::{
    Decoder, Header, Job, Reader, Watched, damaged,
    frames::{self, Animation, Frame},
};
use crate::{
    error::{Result, try_resize},
    limits::{Limits, Share},
    model::{
        frame::{Delay, Disposal, Rect},
        pixelmap::Pixels,
    },
    pixels::{Canvas, Orientation},
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/gif",
    sniff: |head| head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
    probe,
    decode,
    animation: Some(Animation { scan, frames: |job| Ok(Box::new(Frames::new(job)?)) }),
};

/// Counts the frames by stepping over their data (GIF89a, section 15 on): a GIF does not say how many it has.
fn probe(reader: &mut Reader<'_>) -> Result<Header> {
    let mut frames = 0;
    let (size, _) = walk(reader, &mut |_| frames += 1)?;
    Ok(Header { size, frames, orientation: Orientation::Upright })
}

fn scan(reader: &mut Reader<'_>, each: &mut dyn FnMut(Frame)) -> Result<u16> {
    walk(reader, each).map(|(_, loops)| loops)
}

/// Tells every frame; answers the size and how often the animation is shown.
fn walk(reader: &mut Reader<'_>, each: &mut dyn FnMut(Frame)) -> Result<((u32, u32), u16)> {
    seek(reader, SeekFrom::Start(6))?;
    let Some([w0, w1, h0, h1, flags, _, _]) = read(reader)? else {
        return Err(damaged("GIF", "it ends before its size"));
    };
    skip_palette(reader, flags)?;
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]));
    let mut loops = 1;
    // What the graphic control extension said of the next frame.
    let (mut delay, mut disposal) = (0, Disposal::Unspecified);
    // Data that ends early has the frames that came before; decoding tells whether the last is whole.
    while let Some([kind]) = read(reader)? {
        match kind {
            b'!' => {
                let Some([label]) = read(reader)? else { break };
                let mut blocks = [0; 16];
                let filled = read_blocks(reader, &mut blocks)?;
                match (label, &blocks[..filled]) {
                    (0xf9, &[flags, low, high, _]) => {
                        delay = side(low, high);
                        disposal = Disposal::from_number(u32::from(flags >> 2 & 7)).unwrap_or(Disposal::Keep);
                    }
                    (0xff, [name @ .., 1, low, high]) if name == b"NETSCAPE2.0" || name == b"ANIMEXTS1.0" => {
                        loops = u16::from_le_bytes([*low, *high]);
                    }
                    _ => {}
                }
            }
            b',' => {
                let Some([x0, x1, y0, y1, w0, w1, h0, h1, flags]) = read(reader)? else { break };
                skip_palette(reader, flags)?;
                seek(reader, SeekFrom::Current(1))?;
                let area =
                    Rect { x: side(x0, x1), y: side(y0, y1), width: side(w0, w1), height: side(h0, h1) };
                each(Frame { area, delay: Delay::centis(delay), disposal });
                (delay, disposal) = (0, Disposal::Unspecified);
                read_blocks(reader, &mut [])?;
            }
            _ => break,
        }
    }
    Ok(((side(w0, w1), side(h0, h1)), loops))
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

/// Steps over sub-blocks; the first bytes of what they hold go into `target`. Answers how many there were in all, up
/// to its length.
fn read_blocks(reader: &mut Reader<'_>, target: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while let Some([size]) = read(reader)?
        && size != 0
    {
        let wanted = usize::from(size).min(target.len() - filled);
        if reader.read_exact(&mut target[filled..filled + wanted]).is_err() {
            return Ok(filled);
        }
        filled += wanted;
        reader.consume(usize::from(size) - wanted);
    }
    Ok(filled)
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let mut frames = Frames::new(job)?;
    frames::up_to(job, &mut frames, |index| damaged("GIF", format!("it ends before frame {index}")))?;
    frames::into_pixels(frames.canvas, job)
}

struct Frames<'a> {
    gif: ::gif::Decoder<Watched<'a>>,
    canvas: Canvas,
    rgba: Vec<u8>,
    limits: &'a Limits,
    _share: Share,
}

impl<'a> Frames<'a> {
    fn new(job: &Job<'a>) -> Result<Self> {
        let share = job.take(12)?;
        let mut options = ::gif::DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        // Our own buffers are checked below; this bounds the crate's.
        options.set_memory_limit(MemoryLimit::Bytes(const { std::num::NonZeroU64::new(64 << 20).unwrap() }));
        let gif = options.read_info(job.reader()).map_err(|e| damaged("GIF", e))?;
        let canvas = Canvas::new(job.header.size.0, job.header.size.1)?;
        Ok(Self { gif, canvas, rgba: Vec::new(), limits: job.limits, _share: share })
    }
}

impl frames::Frames for Frames<'_> {
    fn advance(&mut self) -> Result<Option<Frame>> {
        let Some(frame) = self.gif.next_frame_info().map_err(|e| damaged("GIF", e))? else { return Ok(None) };
        let area = Rect {
            x: frame.left.into(),
            y: frame.top.into(),
            width: frame.width.into(),
            height: frame.height.into(),
        };
        let disposal = match frame.dispose {
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
            DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Any => Disposal::Unspecified,
        };
        let delay = Delay::centis(frame.delay.into());
        // A frame may be larger than the canvas: up to 65535 a side.
        self.limits.check_pixels(area.width, area.height)?;
        let size = self.gif.buffer_size();
        try_resize(&mut self.rgba, size, "a frame")?;
        self.gif.read_into_buffer(&mut self.rgba[..size]).map_err(|e| damaged("GIF", e))?;
        self.canvas.begin(area, disposal)?;
        self.canvas.draw(area, &self.rgba[..size], area.width as usize * 4, true);
        Ok(Some(Frame { area, delay, disposal }))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        self.canvas.pixels()
    }
}
