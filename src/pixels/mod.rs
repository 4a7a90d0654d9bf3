//! Room 4, the darkroom: rows in the layout that an encoder wants.

mod rows;

pub use rows::{Band, Layout, Plane, Rows, Sampling, Scratch, YuvLayout, YuvPacking};
