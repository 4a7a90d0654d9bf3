//! Sources as pictures: the main image with what belongs to it.

use std::sync::Arc;

use super::{auxiliaries, decode_all, gain_map};
use crate::{
    codec::metadata,
    error::{ErrorKind, Result},
    host,
    limits::Limits,
    log,
    model::{metadata::Metadata, picture::Picture, source::ImageSource},
    pack::control::Control,
    pixels::Orientation,
};

/// Decodes the first frame, upright, with its gain map, auxiliary images and metadata, whose orientation becomes
/// "upright"; damaged EXIF stays as it is.
pub fn picture(source: &ImageSource, limits: &Limits) -> Result<Picture> {
    host::shield(|| {
        let control = Control::default(); // nobody can stop this
        let (pixels, found) = decode_all(source, limits, &control)?;
        let mut metadata = found.metadata;
        if metadata.orientation() != Orientation::Upright {
            metadata.set_orientation(Orientation::Upright)?;
        }
        let gain_map = match gain_map(source, limits, &control) {
            Err(error) if error.kind == ErrorKind::BadData => {
                log::write(log::WARNING, || format!("no gain map: {error}"));
                None
            }
            other => other?,
        };
        let auxiliaries = match auxiliaries(source, limits, &control) {
            Err(error) if error.kind == ErrorKind::BadData => {
                log::write(log::WARNING, || format!("no auxiliary images: {error}"));
                Vec::new()
            }
            other => other?,
        };
        Ok(Picture { metadata, gain_map, auxiliaries, ..Picture::new(Arc::new(pixels)) })
    })
}

/// The metadata of a file as it stands there; no pixel is decoded.
pub fn properties(source: &ImageSource) -> Result<Metadata> {
    host::shield(|| Ok(metadata::find(source.info().mime, &source.bytes()?)?.metadata))
}
