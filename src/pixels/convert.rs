//! Conversion of rows, a tile of a row at a time so that what lies in between stays in the processor's cache.
//!
//! Source bytes -> pixels (red, green, blue, alpha) -> alpha undone -> blended -> target bytes.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    layout::{Layout, Sampling, YuvLayout, YuvPacking},
    load::load,
    planes::{CodeTile, Remap, Shape, store_chroma, store_luma},
    rows::Scratch,
    sample::{Integer, Rgba, Sample},
    simd::{map, map2, update},
    store::store,
    yuv::{Codes, FromRgb, ToRgb, gray_weights},
};
use crate::{
    error::{Result, try_resize},
    model::{
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
};

/// Columns converted at a time; even.
pub const TILE: usize = 512;

/// What components are converted in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Depth {
    Eight,
    Sixteen,
    Float,
}

/// How to get from a pixel map to a layout.
#[derive(Debug)]
pub struct Recipe {
    layout: Layout,
    depth: Depth,
    shape: Option<Shape>,
    to_rgb: Option<ToRgb>,
    undo: bool,
    blend: Option<Blend>,
    gray: [u32; 3],
    remap: Option<Remap>,
    from_rgb: Option<FromRgb>,
}

#[derive(Debug)]
struct Blend {
    background: [f32; 3],
    premultiplied: bool,
    /// Whether a pixel was not opaque.
    seen: AtomicBool,
}

impl Recipe {
    /// A recipe. The background is in the colour space of the result.
    pub fn new(pixels: &Pixels, layout: Layout, background: [f32; 3]) -> Result<Self> {
        let info = pixels.info();
        let shape = Shape::of(info.format);
        let premultiplied = pixels.has_alpha() && pixels.alpha == AlphaType::Premultiplied;
        let undo = premultiplied && layout.has_alpha();
        let blend = (pixels.has_alpha() && !layout.has_alpha()).then_some(Blend {
            background,
            premultiplied: premultiplied && !undo,
            seen: AtomicBool::new(false),
        });
        let depth = match info.format {
            PixelFormat::RgbaF16 | PixelFormat::RgbaF32 => Depth::Float,
            // Where 8 bits lose nothing.
            _ if info.bits <= 8 && layout.bits() == 8 => Depth::Eight,
            _ if info.bits > 8 && layout.bits() > 8 => Depth::Sixteen,
            _ if undo || blend.is_some() => Depth::Sixteen,
            _ if layout.bits() > 8 && (shape.is_some() || layout.is_gray()) => Depth::Sixteen,
            _ => Depth::Eight,
        };
        let cicp = pixels.color.cicp;
        let source = match shape {
            Some(shape) => Some(Codes::new(cicp.matrix, cicp.full_range, shape.bits)?),
            None => None,
        };
        let scale = match depth {
            Depth::Eight => u8::SCALE,
            Depth::Sixteen => u16::SCALE,
            Depth::Float => f32::SCALE,
        };
        let target = match layout {
            Layout::Yuv(yuv) => Some(Codes::new(yuv.matrix, yuv.full_range, yuv.bits)?),
            // Luma of the same matrix, full range, is gray.
            Layout::Gray8 => Some(Codes::new(if shape.is_some() { cicp.matrix } else { 6 }, true, 8)?),
            _ => None,
        };
        let remap = match (&source, &target) {
            (Some(source), Some(target)) => Some(Remap::new(source, target)),
            _ => None,
        };
        let from_rgb = target.filter(|_| remap.is_none()).map(|codes| match depth {
            Depth::Eight => FromRgb::new(&codes, u8::SCALE, u8::SUM),
            _ => FromRgb::new(&codes, u16::SCALE, u16::SUM),
        });
        Ok(Self {
            layout,
            depth,
            shape,
            to_rgb: source.map(|codes| ToRgb::new(&codes, scale)),
            undo,
            blend,
            gray: gray_weights(if shape.is_some() { cicp.matrix } else { 6 })?,
            remap,
            from_rgb,
        })
    }

    /// Whether a pixel so far was not opaque and was blended on the background.
    pub fn has_blended(&self) -> bool {
        self.blend.as_ref().is_some_and(|blend| blend.seen.load(Relaxed))
    }

    /// Whether the rows can be lent as they are.
    pub fn is_direct(&self, pixels: &Pixels) -> bool {
        if self.undo || self.blend.is_some() {
            return false;
        }
        let same_codes = self.remap.is_some_and(|remap| remap.is_same());
        match (pixels.info().format, self.layout) {
            // The pixels' own alpha counts, unless it has no meaning or nobody looks at it.
            (PixelFormat::Rgba8888, Layout::Rgba8)
            | (PixelFormat::Bgra8888, Layout::Bgra8)
            | (PixelFormat::GrayAlpha88, Layout::GrayA8)
            | (PixelFormat::Rgba16161616, Layout::Rgba16) => pixels.has_alpha(),
            (PixelFormat::Rgba8888 | PixelFormat::Rgbx8888, Layout::Rgbx8)
            | (PixelFormat::Bgra8888 | PixelFormat::Bgrx8888, Layout::Bgrx8)
            | (PixelFormat::Argb8888, Layout::Xrgb8)
            | (PixelFormat::Rgb888, Layout::Rgb8)
            | (PixelFormat::Bgr888, Layout::Bgr8)
            | (PixelFormat::Gray8, Layout::Gray8)
            | (PixelFormat::Gray16, Layout::Gray16)
            | (PixelFormat::Rgb161616, Layout::Rgb16) => true,
            (_, Layout::Gray8) => same_codes && self.shape.is_some_and(|shape| shape.bits == 8),
            (_, Layout::Yuv(yuv)) => same_codes && self.shape == Some(shape_of(&yuv)) && yuv.bits == 8,
            _ => false,
        }
    }

    /// Whether the luma plane can be lent as it is although chroma has to be converted.
    pub fn is_luma_direct(&self) -> bool {
        matches!(self.layout, Layout::Yuv(_))
            && self.remap.is_some_and(|remap| remap.is_same())
            && self.shape.is_some_and(|shape| shape.bits == 8)
    }

    /// Converts rows into the scratch's planes; answers their strides.
    pub fn run(&self, pixels: &Pixels, rows: Range<u32>, scratch: &mut Scratch) -> Result<[usize; 3]> {
        let strides = self.strides(pixels.width() as usize);
        let counts = self.plane_rows(rows.end - rows.start);
        for ((plane, stride), count) in scratch.planes.iter_mut().zip(strides).zip(counts) {
            // Sides are below 2^31 and a pixel takes 8 bytes at most; the product may not fit.
            let bytes = stride.saturating_mul(count);
            if plane.len() < bytes {
                try_resize(plane, bytes, "converted rows")?;
            }
        }
        let planes = scratch.planes.each_mut().map(Vec::as_mut_slice);
        match (self.layout, self.depth) {
            (Layout::Yuv(_) | Layout::Gray8, _) if self.remap.is_some() => {
                self.remap_rows(pixels, rows, planes, strides);
            }
            (Layout::Yuv(yuv), Depth::Eight) => {
                self.yuv_rows::<u8>(pixels, rows, planes, strides, &yuv, Self::fill::<u8>);
            }
            (Layout::Yuv(yuv), Depth::Sixteen) => {
                self.yuv_rows::<u16>(pixels, rows, planes, strides, &yuv, Self::fill::<u16>);
            }
            (Layout::Yuv(yuv), Depth::Float) => {
                self.yuv_rows::<u16>(pixels, rows, planes, strides, &yuv, Self::fill_narrowed);
            }
            (_, Depth::Eight) => self.packed_rows::<u8>(pixels, rows, planes, strides),
            (_, Depth::Sixteen) => self.packed_rows::<u16>(pixels, rows, planes, strides),
            (_, Depth::Float) => self.packed_rows::<f32>(pixels, rows, planes, strides),
        }
        Ok(strides)
    }

    fn strides(&self, width: usize) -> [usize; 3] {
        let Layout::Yuv(yuv) = self.layout else {
            return [width * self.layout.pixel_bytes(), 0, 0];
        };
        let sample = usize::from(yuv.bits.div_ceil(8));
        let chroma = width.div_ceil(1 << yuv.sampling.shifts().0) * sample;
        let luma = if self.is_luma_direct() { 0 } else { width * sample };
        match yuv.packing {
            YuvPacking::Planar => [luma, chroma, chroma],
            _ => [luma, 2 * chroma, 0],
        }
    }

    fn plane_rows(&self, rows: u32) -> [usize; 3] {
        let shift = if let Layout::Yuv(yuv) = self.layout { yuv.sampling.shifts().1 } else { 0 };
        let chroma = rows.div_ceil(1 << shift) as usize;
        [rows as usize, chroma, chroma]
    }

    /// Straight or blended pixels from the even column `x` of row `y` on.
    fn fill<S: Sample>(&self, pixels: &Pixels, y: u32, x: usize, codes: &mut CodeTile, to: &mut [Rgba<S>]) {
        let info = pixels.info();
        if let (Some(shape), Some(to_rgb)) = (self.shape, &self.to_rgb) {
            codes.read(shape, pixels, y, x, to.len());
            codes.to_rgb(shape, to_rgb, to);
        } else {
            let row = &pixels.row(0, y)[x * usize::from(info.planes[0].bytes)..];
            load(info.format, !pixels.has_alpha(), row, to);
        }
        if self.undo {
            update(to, S::unpremultiply);
        }
        if let Some(Blend { background: [r, g, b], premultiplied, seen }) = &self.blend {
            let background = [*r, *g, *b, 1.0].map(S::from_float);
            if !seen.load(Relaxed) && to.iter().any(|pixel| pixel[3] != background[3]) {
                seen.store(true, Relaxed);
            }
            if *premultiplied {
                update(to, |pixel| S::blend_premultiplied(pixel, background));
            } else {
                update(to, |pixel| S::blend(pixel, background));
            }
        }
    }

    /// The same by way of floats.
    fn fill_narrowed(&self, pixels: &Pixels, y: u32, x: usize, codes: &mut CodeTile, to: &mut [Rgba<u16>]) {
        let mut tile = [Rgba::<f32>::default(); TILE];
        let tile = &mut tile[..to.len()];
        self.fill(pixels, y, x, codes, tile);
        map(tile, to, |pixel| pixel.map(f32::to_16));
    }

    fn packed_rows<S: Sample>(
        &self,
        pixels: &Pixels,
        rows: Range<u32>,
        [plane, ..]: [&mut [u8]; 3],
        [stride, ..]: [usize; 3],
    ) {
        let (mut codes, mut tile) = (CodeTile::new(), [Rgba::<S>::default(); TILE]);
        let pixel_bytes = self.layout.pixel_bytes();
        for (y, row) in rows.zip(plane.chunks_exact_mut(stride)) {
            for (index, out) in row.chunks_mut(TILE * pixel_bytes).enumerate() {
                let tile = &mut tile[..out.len() / pixel_bytes];
                self.fill(pixels, y, index * TILE, &mut codes, tile);
                store(tile, self.layout, self.gray, out);
            }
        }
    }

    fn yuv_rows<S: Integer>(
        &self,
        pixels: &Pixels,
        rows: Range<u32>,
        [luma, first, second]: [&mut [u8]; 3],
        strides: [usize; 3],
        layout: &YuvLayout,
        fill: impl Fn(&Self, &Pixels, u32, usize, &mut CodeTile, &mut [Rgba<S>]),
    ) {
        let Some(from_rgb) = self.from_rgb else { return };
        let (shift_x, shift_y) = layout.sampling.shifts();
        let width = pixels.width() as usize;
        let mut codes = CodeTile::new();
        let mut tiles = [[Rgba::<S>::default(); TILE]; 2];
        for y in rows.clone().step_by(1 << shift_y) {
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                for (below, tile) in tiles[..1 << shift_y].iter_mut().enumerate() {
                    let y = y + below as u32;
                    if y >= pixels.height() {
                        // The image's last row stands for the one that is missing.
                        continue;
                    }
                    fill(self, pixels, y, x, &mut codes, &mut tile[..n]);
                    if y < rows.end {
                        map(&tile[..n], &mut codes.y, |pixel| S::luma(pixel, &from_rgb));
                        let start = (y - rows.start) as usize * strides[0];
                        store_luma(&codes.y[..n], layout.bits, x, &mut luma[start..][..strides[0]]);
                    }
                    // And the last column for the one beside it.
                    if n % 2 == 1 {
                        tile[n] = tile[n - 1];
                    }
                }
                let below = usize::from(shift_y == 1 && y + 1 < pixels.height());
                let (above, below) = (&tiles[0], &tiles[below]);
                let columns = (n + (1 << shift_x) - 1) >> shift_x;
                let (cb, cr) = (&mut codes.cb[..columns], &mut codes.cr[..columns]);
                if layout.sampling == Sampling::Yuv444 {
                    map2(above, above, cb, cr, |p, _| from_rgb.chroma(S::sum([p, p, p, p])));
                } else {
                    let (above, below) = (above.as_chunks::<2>().0, below.as_chunks::<2>().0);
                    map2(above, below, cb, cr, |[p, q], [r, s]| from_rgb.chroma(S::sum([p, q, r, s])));
                }
                let row = ((y - rows.start) >> shift_y) as usize;
                let rows = chroma_rows(row, first, second, strides);
                store_chroma(&codes.cb[..columns], &codes.cr[..columns], layout, x >> shift_x, rows);
            }
        }
    }

    fn remap_rows(
        &self,
        pixels: &Pixels,
        rows: Range<u32>,
        [luma, first, second]: [&mut [u8]; 3],
        strides: [usize; 3],
    ) {
        let (Some(remap), Some(shape)) = (self.remap, self.shape) else { return };
        let width = pixels.width() as usize;
        let mut tile = CodeTile::new();
        let (mut a, mut b) = ([0; TILE], [0; TILE]);
        if strides[0] != 0 {
            for (y, row) in rows.clone().zip(luma.chunks_exact_mut(strides[0])) {
                for x in (0..width).step_by(TILE) {
                    let codes = &mut a[..TILE.min(width - x)];
                    remap.luma(shape, pixels, y, x, &mut tile, codes);
                    store_luma(codes, self.layout.bits(), x, row);
                }
            }
        }
        let Layout::Yuv(layout) = self.layout else { return };
        let (shift_x, shift_y) = layout.sampling.shifts();
        let columns = width.div_ceil(1 << shift_x);
        for (row, y) in (rows.start >> shift_y..rows.end.div_ceil(1 << shift_y)).enumerate() {
            // Half a tile: its columns may have two of the source each.
            for x in (0..columns).step_by(TILE / 2) {
                let n = (TILE / 2).min(columns - x);
                let (cb, cr) = (&mut a[..n], &mut b[..n]);
                remap.chroma(shape, pixels, layout.sampling, (y, x), &mut tile, cb, cr);
                store_chroma(cb, cr, &layout, x, chroma_rows(row, first, second, strides));
            }
        }
    }
}

/// The row of each chroma plane.
fn chroma_rows<'a>(
    row: usize,
    first: &'a mut [u8],
    second: &'a mut [u8],
    [_, a, b]: [usize; 3],
) -> [&'a mut [u8]; 2] {
    [&mut first[row * a..][..a], &mut second[row * b..][..b]]
}

/// The shape of a layout's planes.
fn shape_of(yuv: &YuvLayout) -> Shape {
    Shape { sampling: yuv.sampling, packing: yuv.packing, bits: yuv.bits }
}
