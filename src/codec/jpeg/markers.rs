//! The segments of a JPEG file around the coded data (T.81 annex B, JFIF 1.01, the ICC's APP2 embedding).

use super::geometry::{Geometry, Sampling};
use super::tables::{HuffSpec, ZIGZAG};

/// Pixel density as JFIF carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Density {
    /// 0: the two numbers are an aspect ratio; 1: per inch; 2: per centimetre.
    pub unit: u8,
    pub x: u16,
    pub y: u16,
}

pub struct Header<'a> {
    pub geometry: Geometry,
    pub density: Density,
    /// Whole segments that follow JFIF's: EXIF, XMP, IPTC.
    pub metadata: &'a [u8],
    pub icc: Option<&'a [u8]>,
    /// Table and number of each quantisation table, natural order.
    pub quantization: &'a [(u8, [u16; 64])],
    /// Quantisation table of each component.
    pub table_of: [u8; 3],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    pub progressive: bool,
}

/// Most bytes of a profile that one APP2 segment carries: 65535 less the length, the name and the two counters.
const ICC_CHUNK: usize = 65535 - 2 - 14;

/// The most bytes of a profile that fit: 255 chunks.
pub const ICC_LIMIT: usize = 255 * ICC_CHUNK;

fn segment(out: &mut Vec<u8>, marker: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0xff, marker, 0, 0]);
    let start = out.len() - 2;
    body(out);
    let length = (out.len() - start) as u16;
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
}

impl Header<'_> {
    /// Everything from SOI to SOF. Sizes are within 65535 and the profile within [`ICC_LIMIT`].
    pub fn write(&self, out: &mut Vec<u8>) {
        let Density { unit, x, y } = self.density;
        out.extend_from_slice(&[0xff, 0xd8]);
        segment(out, 0xe0, |out| {
            out.extend_from_slice(b"JFIF\0\x01\x01");
            out.push(unit);
            out.extend_from_slice(&x.to_be_bytes());
            out.extend_from_slice(&y.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        });
        out.extend_from_slice(self.metadata);
        let chunks = self.icc.unwrap_or_default().chunks(ICC_CHUNK);
        let count = chunks.len() as u8;
        for (number, chunk) in (1..=u8::MAX).zip(chunks) {
            segment(out, 0xe2, |out| {
                out.extend_from_slice(b"ICC_PROFILE\0");
                out.extend_from_slice(&[number, count]);
                out.extend_from_slice(chunk);
            });
        }
        for (number, steps) in self.quantization {
            segment(out, 0xdb, |out| {
                out.push(*number);
                out.extend(ZIGZAG.iter().map(|&i| steps[usize::from(i)] as u8));
            });
        }
        segment(out, if self.progressive { 0xc2 } else { 0xc0 }, |out| {
            out.push(8);
            out.extend_from_slice(&(self.geometry.height as u16).to_be_bytes());
            out.extend_from_slice(&(self.geometry.width as u16).to_be_bytes());
            let (h, v) = self.geometry.sampling.factors();
            let count = components(self.geometry.sampling);
            out.push(count);
            for c in 0..count {
                let factors = if c == 0 { (h << 4 | v) as u8 } else { 0x11 };
                out.extend_from_slice(&[c + 1, factors, self.table_of[usize::from(c)]]);
            }
        });
    }

    /// The DRI segment, when there are restart markers.
    pub fn write_restart(&self, out: &mut Vec<u8>) {
        if self.restart_interval > 0 {
            segment(out, 0xdd, |out| out.extend_from_slice(&self.restart_interval.to_be_bytes()));
        }
    }
}

pub fn components(sampling: Sampling) -> u8 {
    if sampling == Sampling::Gray { 1 } else { 3 }
}

/// A DHT segment; class 0 is DC, 1 is AC.
pub fn write_huffman(out: &mut Vec<u8>, class: u8, number: u8, spec: &HuffSpec) {
    segment(out, 0xc4, |out| {
        out.push(class << 4 | number);
        out.extend_from_slice(&spec.counts);
        out.extend_from_slice(&spec.symbols);
    });
}

/// A SOS segment for components (index, DC table, AC table), a band of coefficients and a bit position.
pub fn write_scan(out: &mut Vec<u8>, components: &[(u8, u8, u8)], band: (u8, u8), bits: (u8, u8)) {
    segment(out, 0xda, |out| {
        out.push(components.len() as u8);
        for &(component, dc, ac) in components {
            out.extend_from_slice(&[component + 1, dc << 4 | ac]);
        }
        out.extend_from_slice(&[band.0, band.1, bits.0 << 4 | bits.1]);
    });
}

pub const END: [u8; 2] = [0xff, 0xd9];
