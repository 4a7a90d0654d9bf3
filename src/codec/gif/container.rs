//! The blocks of a GIF file (CompuServe, "Graphics Interchange Format, version 89a").

use super::frame::Image;
use crate::{codec::metadata::text, error::Result, model::metadata::Metadata, sink::Sink};

/// Bits of a table's size: it has 2 to the power of this many colours, 2 to 256.
fn table_bits(colors: usize) -> u32 {
    colors.next_power_of_two().trailing_zeros().clamp(1, 8)
}

fn table(sink: &mut dyn Sink, colors: &[[u8; 3]]) -> Result<()> {
    let mut bytes = [[0; 3]; 256];
    bytes[..colors.len()].copy_from_slice(colors);
    sink.write(bytes[..1 << table_bits(colors.len())].as_flattened())
}

fn le(value: usize) -> [u8; 2] {
    (value as u16).to_le_bytes()
}

/// Signature, size, and the colours that frames without their own use.
pub fn header(sink: &mut dyn Sink, width: u32, height: u32, global: &[[u8; 3]]) -> Result<()> {
    let ([w0, w1], [h0, h1]) = (le(width as usize), le(height as usize));
    // 8 bits per component, a table or none; background colour 0, no aspect ratio.
    let flags = 0x70 | if global.is_empty() { 0 } else { 0x80 | (table_bits(global.len()) - 1) as u8 };
    sink.write(b"GIF89a")?;
    sink.write(&[w0, w1, h0, h1, flags, 0, 0])?;
    if global.is_empty() { Ok(()) } else { table(sink, global) }
}

/// How often an animation is shown: Netscape's extension, 0 is for ever.
pub fn loops(sink: &mut dyn Sink, count: u16) -> Result<()> {
    let [low, high] = count.to_le_bytes();
    sink.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01")?;
    sink.write(&[low, high, 0])
}

/// The ICC profile, as ICC.1:2001-04, annex B.4, has it.
pub fn profile(sink: &mut dyn Sink, icc: &[u8]) -> Result<()> {
    sink.write(b"\x21\xff\x0bICCRGBG1012")?;
    for piece in icc.chunks(255) {
        sink.write(&[piece.len() as u8])?;
        sink.write(piece)?;
    }
    sink.write(&[0])
}

/// An XMP packet, as XMP, part 3, 1.1.2, has it: the text itself, and 258 bytes through which a reader that takes text
/// for sub-blocks finds the end, wherever it lands.
pub fn xmp(sink: &mut dyn Sink, packet: &[u8]) -> Result<()> {
    sink.write(b"\x21\xff\x0bXMP DataXMP")?;
    sink.write(packet)?;
    let mut trailer = [0; 258];
    trailer[0] = 1;
    for (byte, value) in trailer[1..].iter_mut().zip((0..=255).rev()) {
        *byte = value;
    }
    sink.write(&trailer)
}

/// Comments, in sub-blocks of up to 255 bytes.
pub fn comments(sink: &mut dyn Sink, metadata: &Metadata) -> Result<()> {
    for text in &metadata.texts {
        let Some(comment) = text::comment(text)? else { continue };
        sink.write(&[0x21, 0xfe])?;
        for part in comment.chunks(255) {
            sink.write(&[part.len() as u8])?;
            sink.write(part)?;
        }
        sink.write(&[0])?;
    }
    Ok(())
}

/// What is said about the frame that follows. `delay` in 1/100 s.
pub fn control(sink: &mut dyn Sink, disposal: u8, delay: u16, transparent: Option<u8>) -> Result<()> {
    let [low, high] = delay.to_le_bytes();
    let flags = disposal << 2 | u8::from(transparent.is_some());
    sink.write(&[0x21, 0xf9, 4, flags, low, high, transparent.unwrap_or(0), 0])
}

/// An image at its place: left, top, width, height.
pub fn image(sink: &mut dyn Sink, image: &Image, at: [usize; 4]) -> Result<()> {
    let mut descriptor = [0x2c, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (place, value) in descriptor[1..9].chunks_exact_mut(2).zip(at) {
        place.copy_from_slice(&le(value));
    }
    let local = !image.palette.is_empty();
    if local {
        descriptor[9] = 0x80 | (table_bits(image.palette.len()) - 1) as u8;
    }
    sink.write(&descriptor)?;
    if local {
        table(sink, &image.palette)?;
    }
    sink.write(&image.data)
}

/// The end.
pub fn trailer(sink: &mut dyn Sink) -> Result<()> {
    sink.write(&[0x3b])
}
