//! From pixels to the bytes of a packed layout.

use super::{
    layout::Layout,
    sample::{Rgba, Sample},
    simd::map,
};

/// Bytes of a row from pixels. `weights` are those of gray.
pub fn store<S: Sample>(from: &[Rgba<S>], layout: Layout, weights: [u32; 3], row: &mut [u8]) {
    match layout {
        Layout::Gray8 => each::<1, S>(from, row, |p| [S::gray(p, weights).to_8()]),
        Layout::GrayA8 => each::<2, S>(from, row, |p| [S::gray(p, weights).to_8(), p[3].to_8()]),
        Layout::Rgb8 => each::<3, S>(from, row, |[r, g, b, _]| [r.to_8(), g.to_8(), b.to_8()]),
        Layout::Bgr8 => each::<3, S>(from, row, |[r, g, b, _]| [b.to_8(), g.to_8(), r.to_8()]),
        Layout::Rgbx8 | Layout::Rgba8 => each::<4, S>(from, row, |p| p.map(S::to_8)),
        Layout::Bgrx8 | Layout::Bgra8 => {
            each::<4, S>(from, row, |[r, g, b, a]| [b.to_8(), g.to_8(), r.to_8(), a.to_8()]);
        }
        Layout::Xrgb8 => each::<4, S>(from, row, |[r, g, b, a]| [a.to_8(), r.to_8(), g.to_8(), b.to_8()]),
        Layout::Gray16 => each::<2, S>(from, row, |p| S::gray(p, weights).to_16().to_ne_bytes()),
        Layout::GrayA16 => each::<4, S>(from, row, |p| {
            let [v, a] = [S::gray(p, weights), p[3]].map(|c| c.to_16().to_ne_bytes());
            [v[0], v[1], a[0], a[1]]
        }),
        Layout::Rgb16 => each::<6, S>(from, row, |[r, g, b, _]| {
            let [r, g, b] = [r, g, b].map(|c| c.to_16().to_ne_bytes());
            [r[0], r[1], g[0], g[1], b[0], b[1]]
        }),
        Layout::Rgba16 => each::<8, S>(from, row, |p| {
            let [r, g, b, a] = p.map(|c| c.to_16().to_ne_bytes());
            [r[0], r[1], g[0], g[1], b[0], b[1], a[0], a[1]]
        }),
        // Planes are not packed: see `planes`.
        Layout::Yuv(_) => {}
    }
}

fn each<const N: usize, S: Sample>(from: &[Rgba<S>], row: &mut [u8], f: impl Fn(Rgba<S>) -> [u8; N]) {
    map(from, row.as_chunks_mut::<N>().0, f);
}
