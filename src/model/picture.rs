//! Pictures: a main image with what belongs to it.

use std::sync::Arc;

use super::{
    gain_map::{GainMap, GainMapParams},
    metadata::Metadata,
    pixelmap::{PixelMap, Pixels},
};
use crate::{
    bail,
    error::Result,
    handle::{Kind, Object},
    pixels::{Orientation, upright},
};

/// What an auxiliary image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum AuxiliaryKind {
    /// How the main image of one dynamic range becomes one of another.
    GainMap,
    /// Distance from the camera.
    Depth,
    /// The image before its background was blurred.
    Unrefocus,
    /// Linear light.
    Linear,
    /// A part of the image, as stickers and watermarks keep it.
    Fragment,
}

impl AuxiliaryKind {
    /// All kinds, in order.
    pub const ALL: [Self; 5] = [Self::GainMap, Self::Depth, Self::Unrefocus, Self::Linear, Self::Fragment];

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::GainMap => "gain map",
            Self::Depth => "depth map",
            Self::Unrefocus => "unrefocus map",
            Self::Linear => "linear map",
            Self::Fragment => "fragment map",
        }
    }

    /// The word for it in a directory of items: Google's where it has one.
    pub fn semantic(self) -> &'static str {
        match self {
            Self::GainMap => "GainMap",
            Self::Depth => "Depth",
            Self::Unrefocus => "Original",
            Self::Linear => "Linear",
            Self::Fragment => "Fragment",
        }
    }

    /// The kind of such a word.
    pub fn from_semantic(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.semantic() == word)
    }
}

/// A main image with what belongs to it, as one pack sees it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The main image.
    pub main: Arc<Pixels>,
    /// The gain map with its meaning.
    pub gain_map: Option<GainMap>,
    /// The main image in high dynamic range, from which a gain map is to be made; only where there is none.
    pub hdr: Option<Arc<Pixels>>,
    /// All other auxiliary images, at most one of a kind.
    pub auxiliaries: Vec<Auxiliary>,
    /// EXIF, XMP, IPTC, density.
    pub metadata: Metadata,
}

/// An auxiliary image other than a gain map.
#[derive(Clone, Debug)]
pub struct Auxiliary {
    /// What it is for; never [`AuxiliaryKind::GainMap`].
    pub kind: AuxiliaryKind,
    /// Its pixels, of a size of their own.
    pub pixels: Arc<Pixels>,
}

impl Picture {
    /// A picture of nothing but its main image.
    pub fn new(main: Arc<Pixels>) -> Self {
        Self { main, gain_map: None, hdr: None, auxiliaries: Vec::new(), metadata: Metadata::default() }
    }

    /// All of its images, the main one first.
    pub fn images(&self) -> impl Iterator<Item = &Arc<Pixels>> {
        let gain_map = self.gain_map.iter().map(|map| &map.pixels);
        let auxiliaries = self.auxiliaries.iter().map(|auxiliary| &auxiliary.pixels);
        [&self.main].into_iter().chain(gain_map).chain(auxiliaries)
    }

    /// The picture with all images as they are seen.
    pub fn upright(&self, orientation: Orientation) -> Result<Self> {
        let mut picture = self.clone();
        let gain_map = picture.gain_map.iter_mut().map(|map| &mut map.pixels);
        let auxiliaries = picture.auxiliaries.iter_mut().map(|auxiliary| &mut auxiliary.pixels);
        for image in [&mut picture.main].into_iter().chain(gain_map).chain(auxiliaries) {
            *image = Arc::new(upright(Pixels::clone(image), orientation)?);
        }
        Ok(picture)
    }
}

/// A picture as the caller holds it: its images are pixel maps that may be written meanwhile.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The main image; none where metadata is all there is.
    pub main: Option<Arc<PixelMap>>,
    /// Auxiliary images by kind.
    pub auxiliaries: [Option<Arc<PixelMap>>; AuxiliaryKind::ALL.len()],
    /// The gain map's meaning.
    pub params: Option<GainMapParams>,
    /// The main image in high dynamic range.
    pub hdr: Option<Arc<PixelMap>>,
    /// EXIF, XMP, IPTC, density.
    pub metadata: Metadata,
}

impl Object for Parts {
    const KIND: Kind = Kind::Snapshot;
}

impl Parts {
    /// A picture of nothing but its main image.
    pub fn new(main: Option<Arc<PixelMap>>) -> Self {
        let metadata = Metadata::default();
        Self { main, auxiliaries: Default::default(), params: None, hdr: None, metadata }
    }

    /// The parts of a picture, whose images become pixel maps.
    pub fn from_picture(picture: Picture) -> Result<Self> {
        let map = |pixels: Arc<Pixels>| PixelMap::new(Arc::unwrap_or_clone(pixels)).map(Arc::new);
        let mut parts = Self::new(Some(map(picture.main)?));
        parts.metadata = picture.metadata;
        if let Some(gain_map) = picture.gain_map {
            parts.params = Some(gain_map.params);
            parts.auxiliaries[AuxiliaryKind::GainMap as usize] = Some(map(gain_map.pixels)?);
        }
        for auxiliary in picture.auxiliaries {
            parts.auxiliaries[auxiliary.kind as usize] = Some(map(auxiliary.pixels)?);
        }
        Ok(parts)
    }

    /// The picture as it is now.
    pub fn picture(&self) -> Result<Picture> {
        let Some(main) = &self.main else {
            bail!(OutOfRange, "this picture is of metadata alone: it has no pixels to encode");
        };
        let mut picture = Picture::new(main.snapshot()?);
        picture.metadata = self.metadata.clone();
        if let Some(hdr) = &self.hdr {
            picture.hdr = Some(hdr.snapshot()?);
            if self.auxiliaries[AuxiliaryKind::GainMap as usize].is_some() {
                bail!(
                    OutOfRange,
                    "the picture has both an HDR rendition and a gain map: one of them makes the other"
                );
            }
        }
        for (kind, map) in AuxiliaryKind::ALL.into_iter().zip(&self.auxiliaries) {
            let Some(map) = map else { continue };
            let pixels = map.snapshot()?;
            match (kind, self.params) {
                (AuxiliaryKind::GainMap, Some(params)) => {
                    picture.gain_map = Some(GainMap { pixels, params });
                }
                (AuxiliaryKind::GainMap, None) => {
                    bail!(OutOfRange, "the picture's gain map has no parameters");
                }
                _ => picture.auxiliaries.push(Auxiliary { kind, pixels }),
            }
        }
        Ok(picture)
    }
}
