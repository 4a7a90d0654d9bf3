//! Sources as pictures: the main image with what belongs to it.

use std::sync::Arc;

use super::decode_all;
use crate::{
    codec::metadata,
    error::Result,
    host,
    limits::Limits,
    model::{metadata::Metadata, picture::Picture, source::ImageSource},
    pixels::Orientation,
};

/// Decodes the first frame, upright, with its metadata. EXIF says so of its orientation; damaged EXIF stays as it is.
pub fn picture(source: &ImageSource, limits: &Limits) -> Result<Picture> {
    host::shield(|| {
        let (pixels, found) = decode_all(source, true, limits)?;
        let mut metadata = found.metadata;
        if metadata.orientation() != Orientation::Upright {
            metadata.set_orientation(Orientation::Upright)?;
        }
        Ok(Picture { metadata, ..Picture::new(Arc::new(pixels)) })
    })
}

/// The metadata of a file as it stands there; no pixel is decoded.
pub fn properties(source: &ImageSource) -> Result<Metadata> {
    host::shield(|| Ok(metadata::find(source.info().mime, &source.bytes()?)?.metadata))
}
