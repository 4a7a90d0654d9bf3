//! The metadata of gain maps as containers carry it: the binary form of ISO 21496-1 and Adobe's XMP.

pub mod iso;
pub mod xmp;
