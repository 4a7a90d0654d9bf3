//! Room 2, the things: values the caller gave us.

pub mod color;
pub mod foreign;
pub mod frame;
pub mod gain_map;
pub mod metadata;
pub mod options;
pub mod picture;
pub mod pixel_format;
pub mod pixelmap;
pub mod report;
pub mod sequence;
pub mod source;
pub mod tensor;
