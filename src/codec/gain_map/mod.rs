//! The metadata of gain maps as containers carry it: the binary form of ISO 21496-1, Adobe's XMP, and
//! Apple's own from before them.

pub mod apple;
pub mod iso;
pub mod xmp;
