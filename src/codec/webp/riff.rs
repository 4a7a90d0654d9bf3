//! WebP's container (RFC 9649): turns the simple file that libwebp writes into an extended one when a profile or
//! metadata go with the image, while the bytes pass through to the sink.

use crate::{
    bail,
    codec::animation::Rect,
    error::{Result, try_extend, try_vec},
    sink::Sink,
};

/// What goes beside the image. Each is written as a chunk of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// ICC profile.
    pub icc: Option<&'a [u8]>,
    /// EXIF, from its TIFF header on.
    pub exif: Option<&'a [u8]>,
    /// XMP packet.
    pub xmp: Option<&'a [u8]>,
}

// Bits of the VP8X chunk's first byte.
const ICC: u8 = 0x20;
const ALPHA: u8 = 0x10;
const EXIF: u8 = 0x08;
const XMP: u8 = 0x04;
const ANIMATION: u8 = 0x02;

/// The RIFF header and a VP8X chunk, which is the most that has to be seen before bytes can be passed on. A still
/// image without VP8X is longer than what is read of it: 25 bytes tell whether lossless data has alpha.
const HEAD: usize = 30;

/// Takes the bytes of a simple file in order and passes the finished file on.
pub struct Container<'a> {
    sink: &'a mut dyn Sink,
    size: (u32, u32),
    extras: Extras<'a>,
    /// The first bytes, until there are enough of them.
    head: Vec<u8>,
    passing: bool,
}

impl Sink for Container<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Container::write(self, bytes)
    }
}

impl<'a> Container<'a> {
    /// A container for an image of this width and height.
    pub fn new(sink: &'a mut dyn Sink, size: (u32, u32), extras: Extras<'a>) -> Self {
        Self { sink, size, extras, head: Vec::new(), passing: false }
    }

    /// Takes the next bytes of libwebp's file.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        if !self.passing {
            let (now, later) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
            try_extend(&mut self.head, now, "a WebP header")?;
            if self.head.len() < HEAD {
                return Ok(());
            }
            self.pass_head()?;
            bytes = later;
        }
        self.sink.write(bytes)
    }

    /// Writes what stands behind the image.
    pub fn finish(mut self) -> Result<()> {
        if !self.passing {
            self.pass_head()?;
        }
        for (name, chunk) in [(b"EXIF", self.extras.exif), (b"XMP ", self.extras.xmp)] {
            if let Some(bytes) = chunk {
                write_chunk(self.sink, name, bytes)?;
            }
        }
        Ok(())
    }

    fn pass_head(&mut self) -> Result<()> {
        self.passing = true;
        let head = std::mem::take(&mut self.head);
        let Extras { icc, exif, xmp } = self.extras;
        let parts = [icc, exif, xmp].into_iter().flatten();
        let added: u64 = parts.map(|bytes| 8 + bytes.len().next_multiple_of(2) as u64).sum();
        let [_, _, _, _, a, b, c, d, ..] = head[..] else {
            bail!(Bug, "libwebp wrote a file of {} bytes", head.len());
        };
        let inside = u64::from(u32::from_le_bytes([a, b, c, d]));
        if added == 0 {
            self.sink.reserve(inside as usize);
            return self.sink.write(&head);
        }
        if head.len() < 25 {
            bail!(Bug, "libwebp wrote a file of {} bytes", head.len());
        }
        let extended = &head[12..16] == b"VP8X";
        let total = inside + added + if extended { 0 } else { 18 };
        // The size field holds an even number below 2^32 - 10.
        let Some(total) = u32::try_from(total).ok().filter(|&total| total < u32::MAX - 10) else {
            bail!(TooLarge, "a WebP file of {total} bytes: at most 4294967286 are possible");
        };
        let mut flags = match &head[12..16] {
            b"VP8X" => head[20],
            // The bit `alpha_is_used` of the lossless header.
            b"VP8L" if head[24] & 0x10 != 0 => ALPHA,
            _ => 0,
        };
        for (bit, chunk) in [(ICC, icc), (EXIF, exif), (XMP, xmp)] {
            flags |= if chunk.is_some() { bit } else { 0 };
        }
        let vp8x = vp8x(flags, self.size);

        self.sink.reserve(total as usize);
        self.sink.write(b"RIFF")?;
        self.sink.write(&total.to_le_bytes())?;
        self.sink.write(b"WEBP")?;
        write_chunk(self.sink, b"VP8X", &vp8x)?;
        if let Some(icc) = icc {
            write_chunk(self.sink, b"ICCP", icc)?;
        }
        self.sink.write(&head[if extended { HEAD } else { 12 }..])
    }
}

/// Flags and the size of the canvas.
fn vp8x(flags: u8, (width, height): (u32, u32)) -> [u8; 10] {
    let mut vp8x = [flags, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    vp8x[4..7].copy_from_slice(&(width - 1).to_le_bytes()[..3]);
    vp8x[7..10].copy_from_slice(&(height - 1).to_le_bytes()[..3]);
    vp8x
}

/// Where the duration is in what [`frame`] makes.
pub const DURATION: usize = 8 + 12;

/// The chunk of an animation's frame, and whether it has alpha. `over`: it is drawn over what is there, not in its place.
pub fn frame(place: Rect, millis: u32, over: bool, file: &[u8]) -> Result<(Vec<u8>, bool)> {
    let Some(mut image) = file.get(12..) else { bail!(Bug, "libwebp wrote a file of {} bytes", file.len()) };
    // An extended file's header says nothing that the frame's does not.
    if image.starts_with(b"VP8X") {
        image = image.get(18..).unwrap_or_default();
    }
    let alpha = image.starts_with(b"ALPH")
        || image.starts_with(b"VP8L") && image.get(12).is_some_and(|bits| bits & 0x10 != 0);
    let Ok(size) = u32::try_from(16 + image.len()) else {
        bail!(TooLarge, "a WebP frame of {} bytes", image.len());
    };
    let mut chunk = try_vec(24 + image.len(), "a frame of a WebP")?;
    chunk[..4].copy_from_slice(b"ANMF");
    chunk[4..8].copy_from_slice(&size.to_le_bytes());
    let fields = [place.x / 2, place.y / 2, place.width - 1, place.height - 1, millis];
    for (bytes, value) in chunk[8..23].chunks_exact_mut(3).zip(fields) {
        bytes.copy_from_slice(&value.to_le_bytes()[..3]);
    }
    chunk[23] = if over { 0 } else { 2 };
    chunk[24..].copy_from_slice(image);
    Ok((chunk, alpha))
}

/// The file of an animation of these frames.
pub fn animation(
    sink: &mut dyn Sink,
    size: (u32, u32),
    extras: &Extras<'_>,
    loops: u16,
    alpha: bool,
    frames: &[Vec<u8>],
) -> Result<()> {
    let Extras { icc, exif, xmp } = *extras;
    let mut flags = ANIMATION | if alpha { ALPHA } else { 0 };
    let mut total = 4 + 18 + 14 + frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
    for (bit, chunk) in [(ICC, icc), (EXIF, exif), (XMP, xmp)] {
        if let Some(bytes) = chunk {
            flags |= bit;
            total += 8 + bytes.len().next_multiple_of(2) as u64;
        }
    }
    let Some(total) = u32::try_from(total).ok().filter(|&total| total < u32::MAX - 10) else {
        bail!(TooLarge, "a WebP file of {total} bytes: at most 4294967286 are possible");
    };
    sink.reserve(total as usize + 8);
    sink.write(b"RIFF")?;
    sink.write(&total.to_le_bytes())?;
    sink.write(b"WEBP")?;
    write_chunk(sink, b"VP8X", &vp8x(flags, size))?;
    if let Some(icc) = icc {
        write_chunk(sink, b"ICCP", icc)?;
    }
    // A transparent background, for the few players that draw one.
    let [low, high] = loops.to_le_bytes();
    write_chunk(sink, b"ANIM", &[0, 0, 0, 0, low, high])?;
    for frame in frames {
        sink.write(frame)?;
    }
    for (name, chunk) in [(b"EXIF", exif), (b"XMP ", xmp)] {
        if let Some(bytes) = chunk {
            write_chunk(sink, name, bytes)?;
        }
    }
    Ok(())
}

/// A name, a size, the bytes, and a zero where their number is odd.
fn write_chunk(sink: &mut dyn Sink, name: &[u8; 4], bytes: &[u8]) -> Result<()> {
    let Ok(size) = u32::try_from(bytes.len()) else {
        bail!(TooLarge, "a WebP chunk of {} bytes", bytes.len());
    };
    sink.write(name)?;
    sink.write(&size.to_le_bytes())?;
    sink.write(bytes)?;
    if size % 2 == 1 { sink.write(&[0]) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::memory::Buffer;

    /// A chunk's place and size by name.
    fn find(file: &[u8], name: &[u8; 4]) -> Option<(usize, usize)> {
        let mut at = 12;
        while at + 8 <= file.len() {
            let size = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
            if &file[at..at + 4] == name {
                return Some((at + 8, size));
            }
            at += 8 + size.next_multiple_of(2);
        }
        None
    }

    #[test]
    fn chunks_go_around_the_image_whatever_the_pieces() {
        let mut simple = Vec::new();
        let payload: Vec<u8> = (0..40).collect();
        simple.extend_from_slice(b"RIFF\x34\0\0\0WEBPVP8 \x28\0\0\0");
        simple.extend_from_slice(&payload);
        for piece in [1, 7, 12, 29, 30, 31, 100] {
            let mut file = Buffer::default();
            let extras = Extras { icc: Some(b"profile"), exif: Some(b"exif data"), xmp: Some(b"xmp!") };
            let mut container = Container::new(&mut file, (300, 200), extras);
            for bytes in simple.chunks(piece) {
                container.write(bytes).unwrap();
            }
            container.finish().unwrap();
            let file = file.as_slice();
            assert_eq!(u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize, file.len() - 8);
            let (at, size) = find(file, b"VP8X").unwrap();
            assert_eq!(file[at..at + size], [0x2c, 0, 0, 0, 43, 1, 0, 199, 0, 0]);
            for (name, bytes) in
                [(b"ICCP", &b"profile"[..]), (b"VP8 ", &payload), (b"EXIF", b"exif data"), (b"XMP ", b"xmp!")]
            {
                let (at, size) = find(file, name).unwrap();
                assert_eq!(&file[at..at + size], bytes);
            }
            let mut plain = Buffer::default();
            let mut container = Container::new(&mut plain, (300, 200), Extras::default());
            simple.chunks(piece).for_each(|bytes| container.write(bytes).unwrap());
            container.finish().unwrap();
            assert_eq!(plain.as_slice(), simple);
        }
    }
}
