//! The input: rows of pixels in any layout that the encoder reads without a detour, and their way into a tile.

use super::front::{Part, PixelOrder, Plain, Row, TILE, Tile, fold_row, fold_rows};
use super::geometry::{Geometry, Sampling};
use super::kernels::Kernels;
use crate::{
    bail,
    error::Result,
    model::pixel_format::PixelFormat,
    pixels::{self, Rows, Scratch, YuvPacking},
};

/// The rows of an image as this encoder reads them.
pub struct Source<'a> {
    rows: &'a Rows,
    layout: Layout,
    unblended: Option<Unblended>,
}

/// Pixels with alpha before they are blended: where it is opaque in a whole band, as in most photographs, blending
/// would change nothing and the band is read as it is.
struct Unblended {
    order: PixelOrder,
    /// The bits of alpha in a pixel, in memory order.
    alpha: u32,
}

impl Unblended {
    fn of(rows: &Rows) -> Option<Unblended> {
        let pixels = rows.pixels();
        let (now, before) = (rows.color(), &pixels.color);
        let same_color = now.icc == before.icc
            && (now.cicp.primaries, now.cicp.transfer) == (before.cicp.primaries, before.cicp.transfer);
        if !same_color || rows.layout() != pixels::Layout::Rgb8 {
            return None;
        }
        let (red, green, blue, alpha) = match pixels.info().format {
            PixelFormat::Rgba8888 => (0, 1, 2, 3),
            PixelFormat::Bgra8888 => (2, 1, 0, 3),
            PixelFormat::Argb8888 => (1, 2, 3, 0),
            _ => return None,
        };
        let mut bits = [0; 4];
        bits[alpha] = 0xff;
        let order = PixelOrder::new(4, red, green, blue);
        Some(Unblended { order, alpha: u32::from_ne_bytes(bits) })
    }

    fn is_opaque(&self, plane: &Plane, rows: usize, width: usize) -> bool {
        (0..rows).all(|y| {
            let pixels = plane.row(y, 0, 4 * width).as_chunks::<4>().0;
            pixels.iter().fold(u32::MAX, |all, &pixel| all & u32::from_ne_bytes(pixel)) & self.alpha
                == self.alpha
        })
    }
}

impl<'a> Source<'a> {
    /// Refuses layouts that have to be converted first.
    pub fn new(rows: &'a Rows) -> Result<Source<'a>> {
        let order = |bytes, red, green, blue| Layout::Packed(PixelOrder::new(bytes, red, green, blue));
        let layout = match rows.layout() {
            pixels::Layout::Gray8 => Layout::Gray,
            pixels::Layout::Rgb8 => order(3, 0, 1, 2),
            pixels::Layout::Bgr8 => order(3, 2, 1, 0),
            pixels::Layout::Rgbx8 => order(4, 0, 1, 2),
            pixels::Layout::Bgrx8 => order(4, 2, 1, 0),
            pixels::Layout::Xrgb8 => order(4, 1, 2, 3),
            pixels::Layout::Yuv(yuv) if yuv.bits == 8 => match (yuv.packing, yuv.sampling.shifts()) {
                (YuvPacking::Planar, (x, y)) => Layout::Planar(1 << x, 1 << y),
                (YuvPacking::CbCr, (1, 1)) => Layout::SemiPlanar(false),
                (YuvPacking::CrCb, (1, 1)) => Layout::SemiPlanar(true),
                _ => bail!(Bug, "JPEG was given rows of {yuv:?}"),
            },
            other => bail!(Bug, "JPEG was given rows of {other:?}"),
        };
        Ok(Source { rows, layout, unblended: Unblended::of(rows) })
    }

    /// The input's own subsampling, if it has one.
    pub fn sampling(&self) -> Option<Sampling> {
        match self.layout {
            Layout::Gray => Some(Sampling::Gray),
            Layout::Packed(_) => None,
            Layout::Planar(1, _) => Some(Sampling::S444),
            Layout::Planar(_, 1) => Some(Sampling::S422),
            Layout::Planar(..) | Layout::SemiPlanar(_) => Some(Sampling::S420),
        }
    }

    /// The rows of one MCU row.
    pub fn band<'b>(
        &'b self,
        geometry: &Geometry,
        mcu_row: usize,
        scratch: &'b mut Scratch,
    ) -> Result<Band<'b>> {
        let first = mcu_row * geometry.mcu().1;
        let last = (first + geometry.mcu().1).min(geometry.height);
        if let Some(unblended) = &self.unblended {
            let (bytes, stride) = self.rows.pixels().plane(0);
            let plane = Plane { data: &bytes[first * stride..], stride };
            if unblended.is_opaque(&plane, last - first, geometry.width) {
                let planes = [plane, Plane::default(), Plane::default()];
                return Ok(Band { layout: Layout::Packed(unblended.order), planes, rows: last - first });
            }
        }
        let planes = self.rows.band(first as u32..last as u32, scratch)?.planes;
        let planes = planes.map(|plane| Plane { data: plane.bytes, stride: plane.stride });
        Ok(Band { layout: self.layout, planes, rows: last - first })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// One plane of luma.
    Gray,
    /// One plane of packed RGB in some order.
    Packed(PixelOrder),
    /// Planes Y, Cb, Cr; luma samples per chroma sample across and down.
    Planar(usize, usize),
    /// Plane Y, and a plane of chroma pairs at half size both ways; `true` when Cr comes first.
    SemiPlanar(bool),
}

#[derive(Clone, Copy, Default)]
pub struct Plane<'a> {
    pub data: &'a [u8],
    pub stride: usize,
}

impl<'a> Plane<'a> {
    fn row(&self, y: usize, from: usize, to: usize) -> &'a [u8] {
        &self.data[y * self.stride + from..y * self.stride + to]
    }
}

/// The rows of one MCU row, top row first.
#[derive(Clone, Copy)]
pub struct Band<'a> {
    pub layout: Layout,
    pub planes: [Plane<'a>; 3],
    /// Luma rows.
    pub rows: usize,
}

/// `need` bytes from the start of `row`. Where it is too short its last unit is repeated as far as anyone looks: for
/// an MCU and its neighbour. What lies behind that is of an earlier row.
#[inline(always)]
fn padded<'a>(row: &'a [u8], need: usize, unit: usize, scratch: &'a mut [u8; 4 * TILE]) -> &'a [u8] {
    if row.len() >= need {
        return &row[..need];
    }
    let (real, more) = scratch.split_at_mut(row.len());
    real.copy_from_slice(row);
    let more = &mut more[..(need - row.len()).min(PADDING * unit)];
    match *row {
        [.., a, b, c, d] if unit == 4 => more.as_chunks_mut().0.fill([a, b, c, d]),
        [.., a, b, c] if unit == 3 => more.as_chunks_mut().0.fill([a, b, c]),
        [.., a, b] if unit == 2 => more.as_chunks_mut().0.fill([a, b]),
        [.., a] => more.fill(a),
        [] => {}
    }
    &scratch[..need]
}

/// The most columns from the last one to the end of its MCU, and an MCU.
const PADDING: usize = 15 + 16;

fn line(plane: &mut [i16; 16 * TILE], row: usize) -> &mut Row {
    plane[row * TILE..].first_chunk_mut().expect("the tile has 16 rows")
}

impl Band<'_> {
    /// The samples of component `c` from row `y` of its plane and luma column `x` on, where the input has them just as
    /// the file wants them for a whole tile.
    pub fn plain(&self, geometry: &Geometry, c: usize, x: usize, y: usize) -> Option<Plain<'_>> {
        let given = match self.layout {
            Layout::Packed(_) => return None,
            Layout::Gray => (1, 1),
            Layout::Planar(h, v) => (h, v),
            Layout::SemiPlanar(_) => (2, 2),
        };
        let whole = x + TILE <= geometry.width && self.rows == geometry.mcu().1;
        if !whole || c > 0 && given != geometry.sampling.factors() {
            return None;
        }
        let (plane, part, bytes) = match (c, self.layout) {
            (0, _) => (0, Part::All, 1),
            (_, Layout::SemiPlanar(swapped)) if (c == 1) != swapped => (1, Part::First, 2),
            (_, Layout::SemiPlanar(_)) => (1, Part::Second, 2),
            _ => (c, Part::All, 1),
        };
        let Plane { data, stride } = self.planes[plane];
        let h = if c == 0 { 1 } else { given.0 };
        let data = &data[y * stride + x / h * bytes..][..7 * stride + TILE / h * bytes];
        Some(Plain { data, stride, part })
    }

    /// Fills `tile` with the samples from luma column `x` on; the image's edges are repeated into what lies outside.
    pub fn load(&self, kernels: &Kernels, geometry: &Geometry, x: usize, tile: &mut Tile) {
        if !matches!(self.layout, Layout::Packed(_)) {
            self.load_luma(kernels, geometry, x, tile);
        }
        self.load_rest(kernels, geometry, x, tile);
    }

    /// Fills the luma of `tile`. The layout is not packed.
    pub fn load_luma(&self, kernels: &Kernels, geometry: &Geometry, x: usize, tile: &mut Tile) {
        for row in 0..self.rows {
            let from = self.planes[0].row(row, x, geometry.width);
            kernels.widen(padded(from, TILE, 1, &mut tile.edge[0]), line(&mut tile.y, row));
        }
    }

    /// Fills what [`Band::load_luma`] leaves.
    pub fn load_rest(&self, kernels: &Kernels, geometry: &Geometry, x: usize, tile: &mut Tile) {
        let rows = self.rows;
        let v = geometry.sampling.factors().1;
        match self.layout {
            Layout::Packed(order) => self.load_packed(kernels, geometry, &order, x, tile),
            _ => {
                if geometry.sampling != Sampling::Gray {
                    self.load_chroma(kernels, geometry, x, tile);
                }
            }
        }
        let repeat = |plane: &mut [i16; 16 * TILE], real: usize, all: usize| {
            for row in real..all {
                plane.copy_within((real - 1) * TILE..real * TILE, row * TILE);
            }
        };
        repeat(&mut tile.y, rows, 8 * v);
        if geometry.sampling != Sampling::Gray {
            repeat(&mut tile.cb, rows.div_ceil(v), 8);
            repeat(&mut tile.cr, rows.div_ceil(v), 8);
        }
    }

    fn load_packed(
        &self,
        kernels: &Kernels,
        geometry: &Geometry,
        order: &PixelOrder,
        x: usize,
        tile: &mut Tile,
    ) {
        let [edge0, edge1] = &mut tile.edge;
        let bytes = order.bytes;
        let pixels = |row: usize| self.planes[0].row(row, x * bytes, geometry.width * bytes);
        if geometry.sampling == Sampling::S420 {
            for upper in (0..self.rows).step_by(2) {
                let lower = (upper + 1).min(self.rows - 1);
                let rows = [
                    padded(pixels(upper), TILE * bytes, bytes, edge0),
                    padded(pixels(lower), TILE * bytes, bytes, edge1),
                ];
                let (y0, y1) = tile.y[upper * TILE..].split_at_mut(TILE);
                let y = [y0.first_chunk_mut().expect("a row"), y1.first_chunk_mut().expect("a row")];
                kernels.rgb_pair(
                    rows,
                    order,
                    y,
                    line(&mut tile.cb, upper / 2),
                    line(&mut tile.cr, upper / 2),
                );
            }
        } else {
            for row in 0..self.rows {
                let from = padded(pixels(row), TILE * bytes, bytes, edge0);
                let (y, cb, cr) = (line(&mut tile.y, row), line(&mut tile.cb, row), line(&mut tile.cr, row));
                kernels.rgb_row(from, order, geometry.sampling == Sampling::S422, y, cb, cr);
            }
        }
    }

    fn load_chroma(&self, kernels: &Kernels, geometry: &Geometry, x: usize, tile: &mut Tile) {
        let wanted = geometry.sampling.factors();
        let given = match self.layout {
            Layout::Planar(h, v) => (h, v),
            _ => (2, 2),
        };
        let Tile { cb, cr, edge: [edge, _], .. } = tile;
        if given == wanted {
            for row in 0..self.rows.div_ceil(wanted.1) {
                self.chroma_row(kernels, geometry, given, row, x, [line(cb, row), line(cr, row)], edge);
            }
            return;
        }
        // Another subsampling than the input's: repeat its samples to full size, average down to the wanted one.
        let mut full = |row: usize, cb: &mut Row, cr: &mut Row| {
            self.chroma_row(kernels, geometry, given, row / given.1, x, [&mut *cb, &mut *cr], edge);
            if given.0 == 2 {
                for i in (0..TILE).rev() {
                    (cb[i], cr[i]) = (cb[i / 2], cr[i / 2]);
                }
            }
        };
        let (mut cb1, mut cr1) = ([0; TILE], [0; TILE]);
        for row in 0..self.rows.div_ceil(wanted.1) {
            let (cb, cr) = (line(cb, row), line(cr, row));
            full(row * wanted.1, cb, cr);
            match wanted {
                (2, 2) => {
                    full((2 * row + 1).min(self.rows - 1), &mut cb1, &mut cr1);
                    fold_rows(cb, &cb1);
                    fold_rows(cr, &cr1);
                }
                (2, _) => {
                    fold_row(cb);
                    fold_row(cr);
                }
                _ => {}
            }
        }
    }

    /// One row of chroma samples as the input has them, from luma column `x` on.
    #[allow(clippy::too_many_arguments)]
    fn chroma_row(
        &self,
        kernels: &Kernels,
        geometry: &Geometry,
        (h, _): (usize, usize),
        row: usize,
        x: usize,
        [cb, cr]: [&mut Row; 2],
        edge: &mut [u8; 4 * TILE],
    ) {
        let (from, to) = (x / h, geometry.width.div_ceil(h));
        match self.layout {
            Layout::SemiPlanar(swapped) => {
                let pairs = padded(self.planes[1].row(row, 2 * from, 2 * to), 2 * (TILE / h), 2, edge);
                let (first, second) = if swapped { (cr, cb) } else { (cb, cr) };
                kernels.split(pairs, first, second);
            }
            _ => {
                let need = TILE / h;
                kernels.widen(padded(self.planes[1].row(row, from, to), need, 1, edge), cb);
                kernels.widen(padded(self.planes[2].row(row, from, to), need, 1, edge), cr);
            }
        }
    }
}
