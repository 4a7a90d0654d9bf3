//! What a file says about an image beside its pixels and their colours.

use std::sync::Arc;

use crate::{
    codec::metadata::exif::{Dir, Exif, tag},
    error::{Result, try_vec},
    pixels::Orientation,
};

/// Blocks of metadata, each as the bytes that every container wraps in its own way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// EXIF from its TIFF header on.
    pub exif: Option<Arc<[u8]>>,
    /// An XMP packet.
    pub xmp: Option<Arc<[u8]>>,
    /// IPTC as Photoshop's image resources hold it: "8BIM" blocks.
    pub iptc: Option<Arc<[u8]>>,
    /// Comments and other texts, in the order of the file.
    pub texts: Vec<Text>,
    /// Resolution.
    pub density: Option<Density>,
    /// Whether there was provenance data (C2PA), which is never written: its signatures are of the old file.
    pub provenance: bool,
    /// How the file itself is to say that its pixels are stored; upright in formats that cannot. For encoders alone.
    pub stored: Orientation,
}

impl Metadata {
    /// How EXIF says that the pixels are stored.
    pub fn orientation(&self) -> Orientation {
        let number =
            self.exif.as_deref().and_then(|block| Exif::new(block).ok()?.number(Dir::Main, tag::ORIENTATION));
        let number = number.and_then(|number| u16::try_from(number).ok());
        number.and_then(Orientation::from_exif).unwrap_or_default()
    }
}

/// A comment, or another text with a keyword, as the chunk of PNG that holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// `tEXt`, `zTXt` or `iTXt`.
    pub name: [u8; 4],
    /// What is in it.
    pub body: Arc<[u8]>,
}

/// Pixels per inch, horizontally and vertically; both above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Density {
    /// Horizontally.
    pub x: f64,
    /// Vertically.
    pub y: f64,
}

/// Centimetres of an inch.
const INCH: f64 = 2.54;

impl Density {
    /// Pixels per inch; none unless both can be a density.
    pub fn per_inch(x: f64, y: f64) -> Option<Self> {
        let sane = |v: f64| v.is_finite() && v > 0.0 && v < 1e9;
        (sane(x) && sane(y)).then_some(Self { x, y })
    }

    /// Pixels per centimetre.
    pub fn per_centimetre(x: f64, y: f64) -> Option<Self> {
        Self::per_inch(x * INCH, y * INCH)
    }

    /// Pixels per metre, rounded: PNG's unit.
    pub fn to_metre(self) -> [u32; 2] {
        [self.x, self.y].map(|v| (v * 100.0 / INCH).round().clamp(1.0, f64::from(i32::MAX)) as u32)
    }

    /// Whole dots per inch. A density that was rounded to whole pixels per metre becomes what it was before.
    pub fn to_inch(self) -> [u16; 2] {
        [self.x, self.y].map(|v| v.round().clamp(1.0, f64::from(u16::MAX)) as u16)
    }
}

/// A shared copy of a block.
pub fn block(bytes: &[u8]) -> Result<Arc<[u8]>> {
    // There is no way to make a shared slice but one that ends the process where memory is short, beyond what the
    // reserve has (`host/reserve.rs`). So as much is asked for first, with room for its counts.
    let trial = try_vec::<u8>(bytes.len().saturating_add(64), "metadata")?;
    drop(std::hint::black_box(trial));
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_densities_survive_every_unit() {
        for dpi in [1u16, 72, 96, 150, 300, 600, 65535] {
            let density = Density::per_inch(dpi.into(), dpi.into()).unwrap();
            let metre = density.to_metre().map(f64::from);
            let back = Density::per_centimetre(metre[0] / 100.0, metre[1] / 100.0).unwrap();
            assert_eq!(back.to_inch(), [dpi; 2]);
        }
        assert_eq!(Density::per_inch(300.0, 300.0).unwrap().to_metre(), [11811; 2]);
        assert!(Density::per_inch(0.0, 72.0).is_none());
        assert!(Density::per_inch(f64::NAN, 72.0).is_none());
        assert_eq!(Density::per_inch(1e8, 0.01).unwrap().to_inch(), [u16::MAX, 1]);
    }
}
