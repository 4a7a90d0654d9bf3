//! Room 4, the darkroom: rows in the layout that an encoder wants.

mod canvas;
mod color;
mod convert;
pub mod hdr;
pub(crate) mod icc;
mod layout;
mod load;
pub(crate) mod manage;
mod orient;
mod planes;
mod rows;
mod sample;
mod simd;
mod space;
mod store;
mod table;
mod yuv;

pub use canvas::Canvas;
pub(crate) use color::{code_points, icc_beside};
pub use layout::{Layout, Sampling, YuvLayout, YuvPacking};
pub(crate) use load::half;
pub use orient::{Orientation, upright};
pub use rows::{Band, Plane, Rows, Scratch};
#[cfg(feature = "heif")]
pub(crate) use yuv::{Codes, FromRgb};
