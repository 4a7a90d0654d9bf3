//! From pixels to the bytes of a packed layout.

use super::{
    convert::TILE,
    layout::Layout,
    load::swapped,
    sample::{Rgba, Sample},
    simd::{map, pack_3},
};

/// Bytes of a row from at most a tile of pixels. `weights` are those of gray.
pub fn store<S: Sample>(from: &[Rgba<S>], layout: Layout, weights: [u32; 3], row: &mut [u8]) {
    match layout {
        Layout::Gray8 => each::<1, S>(from, row, |p| [S::gray(p, weights).to_8()]),
        Layout::GrayA8 => each::<2, S>(from, row, |p| [S::gray(p, weights).to_8(), p[3].to_8()]),
        Layout::Gray16 => each::<2, S>(from, row, |p| S::gray(p, weights).to_16().to_ne_bytes()),
        Layout::GrayA16 => each::<4, S>(from, row, |p| {
            let [v, a] = [S::gray(p, weights), p[3]].map(|c| c.to_16().to_ne_bytes());
            [v[0], v[1], a[0], a[1]]
        }),
        Layout::Rgb16 => each::<6, S>(from, row, |[r, g, b, _]| {
            let [r, g, b] = [r, g, b].map(|c| c.to_16().to_ne_bytes());
            [r[0], r[1], g[0], g[1], b[0], b[1]]
        }),
        Layout::Rgba16 => {
            map(from.as_flattened(), row.as_chunks_mut::<2>().0, |c| c.to_16().to_ne_bytes());
        }
        Layout::Rgbx8 | Layout::Rgba8 => each::<4, S>(from, row, S::to_bytes),
        Layout::Bgrx8 | Layout::Bgra8 => each::<4, S>(from, row, |p| swapped(S::to_bytes(p))),
        Layout::Xrgb8 => {
            each::<4, S>(from, row, |p| u32::from_le_bytes(S::to_bytes(p)).rotate_left(8).to_le_bytes());
        }
        Layout::Rgb8 | Layout::Bgr8 => {
            let mut bytes = [[0; 4]; TILE];
            let bytes = S::as_bytes(from).unwrap_or_else(|| {
                map(from, &mut bytes, S::to_bytes);
                &bytes[..from.len()]
            });
            pack_3(bytes, row.as_chunks_mut::<3>().0, layout == Layout::Bgr8);
        }
        // Planes are not packed: see `planes`.
        Layout::Yuv(_) => {}
    }
}

fn each<const N: usize, S: Sample>(from: &[Rgba<S>], row: &mut [u8], f: impl Fn(Rgba<S>) -> [u8; N]) {
    map(from, row.as_chunks_mut::<N>().0, f);
}
