//! Numbers of any layout as interleaved pixels, red first.

use super::{Element, Geometry, Tensor};
use crate::{
    error::{Result, try_vec},
    pixels::half,
};

impl Tensor {
    /// The image whose first number is byte `start` of `from`, at 8 bits.
    pub(super) fn gather(&self, from: &[u8], start: usize) -> Result<Vec<u8>> {
        let mut to = try_vec(self.gathered_bytes() as usize, "the image of a tensor")?;
        let unit = |v: f32| ((v * self.scale + self.bias) * 255.0 + 0.5) as u8; // saturates; a NaN is 0
        match self.geometry.element {
            Element::U8 | Element::U16 => self.walk(from, start, &mut to, |[v]: [u8; 1]| v),
            Element::F16 => self.walk(from, start, &mut to, |v| unit(half(u16::from_ne_bytes(v)))),
            Element::Bf16 => self.walk(from, start, &mut to, |v| unit(brain(u16::from_ne_bytes(v)))),
            Element::F32 => self.walk(from, start, &mut to, |v| unit(f32::from_ne_bytes(v))),
        }
        Ok(to)
    }

    /// As [`gather`](Self::gather), at 16 bits.
    pub(super) fn gather_wide(&self, from: &[u8], start: usize) -> Result<Vec<u8>> {
        let mut to = try_vec(self.gathered_bytes() as usize, "the image of a tensor")?;
        let (wide, _) = to.as_chunks_mut::<2>();
        let unit = |v: f32| (((v * self.scale + self.bias) * 65535.0 + 0.5) as u16).to_ne_bytes();
        match self.geometry.element {
            Element::U8 | Element::U16 => self.walk(from, start, wide, |v: [u8; 2]| v),
            Element::F16 => self.walk(from, start, wide, |v| unit(half(u16::from_ne_bytes(v)))),
            Element::Bf16 => self.walk(from, start, wide, |v| unit(brain(u16::from_ne_bytes(v)))),
            Element::F32 => self.walk(from, start, wide, |v| unit(f32::from_ne_bytes(v))),
        }
        Ok(to)
    }

    /// Stores every component of an image, interleaved, red first, as `convert` makes it of its bytes.
    fn walk<const N: usize, T: Copy>(
        &self,
        bytes: &[u8],
        start: usize,
        to: &mut [T],
        convert: impl Fn([u8; N]) -> T,
    ) {
        let Geometry { rows, columns, components, .. } = self.geometry;
        let (start, count) = (start as i64, components.size);
        let contiguous = columns.stride == N as i64;
        let read = |at: i64| bytes[at as usize..].first_chunk::<N>().map(|v| convert(*v));
        for (y, row) in to.chunks_exact_mut(columns.size * count).enumerate() {
            let row_start = start + rows.stride * y as i64;
            let plane = |c: usize| row_start + components.stride * source(c, count, self.bgr) as i64;
            let line = |c: usize| bytes[plane(c) as usize..].as_chunks::<N>().0;
            let interleaved = columns.stride == (N * count) as i64 && components.stride == N as i64;
            match (contiguous, count) {
                _ if interleaved && !self.bgr => {
                    row.iter_mut().zip(line(0)).for_each(|(to, v)| *to = convert(*v));
                }
                (true, 1) => row.iter_mut().zip(line(0)).for_each(|(to, v)| *to = convert(*v)),
                (true, 3) => {
                    let pixels = row.as_chunks_mut::<3>().0.iter_mut();
                    for (((to, r), g), b) in pixels.zip(line(0)).zip(line(1)).zip(line(2)) {
                        *to = [convert(*r), convert(*g), convert(*b)];
                    }
                }
                _ => {
                    for c in 0..count {
                        let first = plane(c);
                        for (x, to) in row.iter_mut().skip(c).step_by(count).enumerate() {
                            if let Some(value) = read(first + columns.stride * x as i64) {
                                *to = value;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which component of the tensor is component `c` of red, green, blue, alpha.
fn source(c: usize, count: usize, bgr: bool) -> usize {
    if bgr && count > 1 && c < 3 { 2 - c } else { c }
}

/// A bfloat16 number.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
