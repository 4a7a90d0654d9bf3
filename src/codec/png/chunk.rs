//! The container: signature, chunks, and everything that describes the image
//! without being its pixels.

use crate::{
    bail,
    error::{Result, try_vec},
    model::{
        color::{Cicp, Light, MasteringDisplay},
        metadata::Text,
    },
    sink::Sink,
};

/// A chunk's length field has 31 bits.
const MAX_CHUNK: usize = 0x7fff_ffff;

/// The signature that opens every file.
pub const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

/// A piece of metadata, written in the order that the specification asks for.
#[derive(Clone, Debug)]
pub enum Ancillary<'a> {
    /// Coding-independent code points.
    Cicp(Cicp),
    /// Mastering display.
    MasteringDisplay(MasteringDisplay),
    /// Content light level.
    LightLevel(Light),
    /// An ICC profile; it is compressed here.
    Icc(&'a [u8]),
    /// sRGB with the perceptual intent, and the gAMA chunk that goes with it.
    Srgb,
    /// Pixels per metre.
    Density([u32; 2]),
    /// An EXIF block starting with its TIFF header.
    Exif(&'a [u8]),
    /// An XMP packet.
    Xmp(&'a [u8]),
    /// A comment, or another text.
    Text(&'a Text),
}

/// Writes chunks to a sink.
pub struct Chunks<'a> {
    sink: &'a mut dyn Sink,
}

impl<'a> Chunks<'a> {
    /// Starts a file.
    pub fn new(sink: &'a mut dyn Sink) -> Result<Self> {
        sink.write(&SIGNATURE)?;
        Ok(Self { sink })
    }

    /// Writes one chunk whose data comes in parts.
    pub fn write(&mut self, kind: &[u8; 4], parts: &[&[u8]]) -> Result<()> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if size > MAX_CHUNK {
            bail!(TooLarge, "a PNG chunk of {size} bytes; the format has at most {MAX_CHUNK}");
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(kind);
        let mut head = [0; 8];
        head[..4].copy_from_slice(&(size as u32).to_be_bytes());
        head[4..].copy_from_slice(kind);
        self.sink.write(&head)?;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            crc.update(part);
            self.sink.write(part)?;
        }
        self.sink.write(&crc.finalize().to_be_bytes())
    }

    /// Passes on chunks of another file as they are.
    pub fn copy(&mut self, chunks: &[u8]) -> Result<()> {
        self.sink.write(chunks)
    }

    /// Writes one piece of metadata as its chunk or chunks.
    pub fn ancillary(&mut self, piece: &Ancillary<'_>) -> Result<()> {
        match piece {
            Ancillary::Cicp(cicp) => {
                // PNG's samples are RGB or gray whatever the source had: the matrix is always 0.
                self.write(b"cICP", &[&[cicp.primaries, cicp.transfer, 0, u8::from(cicp.full_range)]])
            }
            Ancillary::MasteringDisplay(MasteringDisplay { chromaticities, luminance }) => {
                let mut data = [0; 24];
                for (at, value) in chromaticities.as_flattened().iter().enumerate() {
                    data[2 * at..][..2].copy_from_slice(&value.to_be_bytes());
                }
                data[16..20].copy_from_slice(&luminance[0].to_be_bytes());
                data[20..].copy_from_slice(&luminance[1].to_be_bytes());
                self.write(b"mDCV", &[&data])
            }
            Ancillary::LightLevel(light) => {
                // In units of 0.0001 nits.
                let max = (u32::from(light.max_cll) * 10_000).to_be_bytes();
                let average = (u32::from(light.max_fall) * 10_000).to_be_bytes();
                self.write(b"cLLI", &[&max, &average])
            }
            Ancillary::Icc(profile) => self.icc(profile),
            Ancillary::Srgb => {
                self.write(b"sRGB", &[&[0]])?;
                self.write(b"gAMA", &[&45_455u32.to_be_bytes()])
            }
            Ancillary::Density([x, y]) => self.write(b"pHYs", &[&x.to_be_bytes(), &y.to_be_bytes(), &[1]]),
            Ancillary::Exif(exif) => self.write(b"eXIf", &[exif]),
            // Keyword, compression flag and method, language tag, translated keyword, text.
            Ancillary::Xmp(xmp) => self.write(b"iTXt", &[b"XML:com.adobe.xmp\0", &[0, 0, 0, 0], xmp]),
            Ancillary::Text(text) => self.write(&text.name, &[&text.body]),
        }
    }

    fn icc(&mut self, profile: &[u8]) -> Result<()> {
        let packed = super::stream::zlib(profile)?;
        // Name, end of name, compression method 0.
        self.write(b"iCCP", &[b"ICC profile\0\0", &packed])
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<()> {
        self.write(b"IEND", &[])
    }
}

/// Room for a copy of some rows.
pub fn buffer(bytes: usize) -> Result<Vec<u8>> {
    try_vec(bytes, "PNG rows")
}
