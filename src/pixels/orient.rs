//! Turning images upright.

use super::{
    convert::TILE as TILE_COLUMNS,
    planes::{CodeTile, Shape},
    sample::Sample,
    yuv::{Codes, ToRgb},
};
use crate::{
    bail,
    error::{Result, try_vec},
    model::{pixel_format::PixelFormat, pixelmap::Pixels},
};

/// How stored pixels have to be turned to stand upright; the numbers are EXIF's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Orientation {
    /// They stand upright.
    #[default]
    Upright = 1,
    /// Left and right change places.
    MirrorX = 2,
    /// Half a turn.
    Half = 3,
    /// Top and bottom change places.
    MirrorY = 4,
    /// Rows become columns.
    Transpose = 5,
    /// A quarter turn clockwise.
    Right = 6,
    /// Rows become columns, after half a turn.
    Transverse = 7,
    /// A quarter turn counterclockwise.
    Left = 8,
}

impl Orientation {
    /// The orientation of a number of EXIF's.
    pub fn from_exif(number: u16) -> Option<Self> {
        use Orientation::*;
        let all = [Upright, MirrorX, Half, MirrorY, Transpose, Right, Transverse, Left];
        all.into_iter().find(|&orientation| orientation as u16 == number)
    }

    /// Whether width and height change places.
    pub fn turns(self) -> bool {
        self as u8 >= 5
    }

    /// Whether stored columns are read from the right, and stored rows from below.
    fn flips(self) -> (bool, bool) {
        use Orientation::*;
        (
            matches!(self, MirrorX | Half | Transverse | Left),
            matches!(self, MirrorY | Half | Transverse | Right),
        )
    }

    /// The size of an upright image that is stored with this one.
    pub fn size(self, width: u32, height: u32) -> (u32, u32) {
        if self.turns() { (height, width) } else { (width, height) }
    }
}

/// Side of the squares in which columns are read: both sides of a square fit the cache.
const TILE: usize = 32;

/// The image as it is seen.
///
/// Chroma samples go with the pixels that share them. Where turning would split one, as in half of the turns of 4:2:2
/// and in odd sizes that are mirrored, every pixel gets a chroma sample of its own first. There is no such format of 10
/// bits: those become red, green and blue of 16 bits.
pub fn upright(pixels: Pixels, orientation: Orientation) -> Result<Pixels> {
    if orientation == Orientation::Upright {
        return Ok(pixels);
    }
    let pixels = match splits_chroma(&pixels, orientation) {
        false => pixels,
        true if pixels.info().bits == 8 => full_chroma(&pixels)?,
        true => deep_rgb(&pixels)?,
    };
    let info = pixels.info();
    let mut bytes = try_vec(pixels.tight_bytes() as usize, "upright pixels")?;
    let mut rest = &mut bytes[..];
    for (index, plane) in info.planes.iter().enumerate() {
        let (width, height) = (plane.columns(pixels.width()) as usize, plane.rows(pixels.height()) as usize);
        let (target, more) = rest.split_at_mut(width * height * usize::from(plane.bytes));
        rest = more;
        let turn = match plane.bytes {
            1 => turn::<1>,
            2 => turn::<2>,
            3 => turn::<3>,
            4 => turn::<4>,
            6 => turn::<6>,
            8 => turn::<8>,
            16 => turn::<16>,
            other => bail!(Bug, "a pixel of {other} bytes"),
        };
        turn(&pixels, index, (width, height), orientation, target);
    }
    let (width, height) = orientation.size(pixels.width(), pixels.height());
    let mut turned = Pixels::from_vec(width, height, info.format, bytes)?;
    turned.describe_as(&pixels);
    Ok(turned)
}

/// Whether pixels that share a chroma sample do not share one afterwards.
fn splits_chroma(pixels: &Pixels, orientation: Orientation) -> bool {
    let Some(chroma) = pixels.info().planes.get(1) else { return false };
    let (flip_x, flip_y) = orientation.flips();
    (orientation.turns() && chroma.shift_x != chroma.shift_y)
        || (flip_x && chroma.shift_x != 0 && pixels.width() % 2 == 1)
        || (flip_y && chroma.shift_y != 0 && pixels.height() % 2 == 1)
}

/// 8-bit planes with each chroma sample repeated for all of its pixels.
fn full_chroma(pixels: &Pixels) -> Result<Pixels> {
    let (width, plane) = (pixels.width() as usize, pixels.info().planes[1]);
    // Where U and V are: a plane, and a place in its samples.
    let [cb, cr] = match pixels.info().format {
        PixelFormat::Nv12 => [(1, 0), (1, 1)],
        PixelFormat::Nv21 => [(1, 1), (1, 0)],
        _ => [(1, 0), (2, 0)],
    };
    let mut bytes = try_vec(3 * width * pixels.height() as usize, "chroma")?;
    let (luma, chroma) = bytes.split_at_mut(width * pixels.height() as usize);
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        row.copy_from_slice(pixels.row(0, y as u32));
    }
    for ((from, place), plane_of) in [cb, cr].into_iter().zip(chroma.chunks_exact_mut(luma.len())) {
        for (y, row) in plane_of.chunks_exact_mut(width).enumerate() {
            let samples = pixels.row(from, (y >> plane.shift_y) as u32);
            for (x, to) in row.iter_mut().enumerate() {
                *to = samples[(x >> plane.shift_x) * usize::from(plane.bytes) + place];
            }
        }
    }
    let mut full = Pixels::from_vec(pixels.width(), pixels.height(), PixelFormat::I444, bytes)?;
    full.describe_as(pixels);
    Ok(full)
}

/// Planes of 10 bits as red, green and blue of 16, full range.
fn deep_rgb(pixels: &Pixels) -> Result<Pixels> {
    let Some(shape) = Shape::of(pixels.info().format) else { bail!(Bug, "no planes of luma and chroma") };
    let cicp = pixels.color.cicp;
    let codes = Codes::new(cicp.matrix, cicp.full_range, shape.bits)?;
    let to_rgb = ToRgb::new(&codes, <u16 as Sample>::SCALE);
    let width = pixels.width() as usize;
    let mut bytes = try_vec::<u8>(6 * width * pixels.height() as usize, "deep pixels")?;
    let (mut tile, mut rgba) = (CodeTile::new(), [[0u16; 4]; TILE_COLUMNS]);
    for (y, row) in (0..pixels.height()).zip(bytes.chunks_exact_mut(6 * width)) {
        for (index, to) in row.chunks_mut(6 * TILE_COLUMNS).enumerate() {
            let n = to.len() / 6;
            tile.read(shape, pixels, y, index * TILE_COLUMNS, n);
            tile.to_rgb(shape, &to_rgb, &mut rgba[..n]);
            for (to, [r, g, b, _]) in to.as_chunks_mut::<6>().0.iter_mut().zip(rgba) {
                let [r, g, b] = [r, g, b].map(u16::to_ne_bytes);
                *to = [r[0], r[1], g[0], g[1], b[0], b[1]];
            }
        }
    }
    let mut deep = Pixels::from_vec(pixels.width(), pixels.height(), PixelFormat::Rgb161616, bytes)?;
    deep.describe_as(pixels);
    (deep.color.cicp.matrix, deep.color.cicp.full_range) = (0, true);
    Ok(deep)
}

/// A plane with samples of `N` bytes in their new order, rows tight.
fn turn<const N: usize>(
    pixels: &Pixels,
    plane: usize,
    (w, h): (usize, usize),
    orientation: Orientation,
    target: &mut [u8],
) {
    let (target, _) = target.as_chunks_mut::<N>();
    let row = |y: usize| pixels.row(plane, y as u32).as_chunks::<N>().0;
    // Target row `ty` is stored row or column `ty`, or the one as far from the other side.
    let (flip_x, flip_y) = orientation.flips();
    if !orientation.turns() {
        for (y, target) in target.chunks_exact_mut(w).enumerate() {
            target.copy_from_slice(row(if flip_y { h - 1 - y } else { y }));
            if flip_x {
                target.reverse();
            }
        }
        return;
    }
    for top in (0..w).step_by(TILE) {
        for left in (0..h).step_by(TILE) {
            for tx in left..(left + TILE).min(h) {
                let source = row(if flip_y { h - 1 - tx } else { tx });
                for ty in top..(top + TILE).min(w) {
                    target[ty * h + tx] = source[if flip_x { w - 1 - ty } else { ty }];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pixel_format::FORMATS;

    #[test]
    fn the_eight_orientations_of_a_letter() {
        // Stored:  1 2 3
        //          4 5 6
        let expected: [(u16, &[u8]); 8] = [
            (1, &[1, 2, 3, 4, 5, 6]),
            (2, &[3, 2, 1, 6, 5, 4]),
            (3, &[6, 5, 4, 3, 2, 1]),
            (4, &[4, 5, 6, 1, 2, 3]),
            (5, &[1, 4, 2, 5, 3, 6]),
            (6, &[4, 1, 5, 2, 6, 3]),
            (7, &[6, 3, 5, 2, 4, 1]),
            (8, &[3, 6, 2, 5, 1, 4]),
        ];
        for (number, bytes) in expected {
            let stored = Pixels::from_vec(3, 2, PixelFormat::Gray8, vec![1, 2, 3, 4, 5, 6]).unwrap();
            let turned = upright(stored, Orientation::from_exif(number).unwrap()).unwrap();
            assert_eq!((turned.width(), turned.height()), if number < 5 { (3, 2) } else { (2, 3) });
            assert_eq!(turned.plane(0).0, bytes, "orientation {number}");
        }
        assert!(Orientation::from_exif(0).is_none() && Orientation::from_exif(9).is_none());
    }

    #[test]
    fn four_quarter_turns_of_any_format_change_nothing() {
        for info in FORMATS.iter().filter(|info| info.format != PixelFormat::I422) {
            // Sizes of planes are even, so that no chroma sample is split.
            let (width, height) = if info.planes.len() == 1 { (67, 35) } else { (66, 36) };
            let bytes: Vec<u8> = (0..67 * 36 * 16).map(|i| (i * 7 % 251) as u8).collect();
            let stored = Pixels::copy_from(width, height, info.format, &bytes, 0).unwrap();
            let mut turned = stored.clone();
            for _ in 0..4 {
                turned = upright(turned, Orientation::Right).unwrap();
            }
            assert_eq!(turned.info().name, info.name);
            for plane in 0..info.planes.len() {
                assert_eq!(turned.plane(plane).0, stored.plane(plane).0, "{}", info.name);
            }
        }
    }

    #[test]
    fn ten_bits_keep_their_colour_where_turning_splits_chroma() {
        for format in [PixelFormat::YcbcrP010, PixelFormat::YcrcbP010] {
            // Chroma that differs from column to column and from row to row; not a code of luma too bright or dark.
            let (w, h) = (7u32, 5u32);
            let word = |v: u32| ((v as u16) << 6).to_ne_bytes();
            let luma = (0..w * h).flat_map(|i| word(400 + 5 * i));
            let chroma =
                (0..4 * 3).flat_map(|i| [word(480 + 8 * (i % 4)), word(500 + 12 * (i / 4))].concat());
            let bytes: Vec<u8> = luma.chain(chroma).collect();
            let mut stored = Pixels::copy_from(w, h, format, &bytes, 0).unwrap();
            stored.color.cicp =
                crate::model::color::Cicp { primaries: 9, transfer: 16, matrix: 9, full_range: false };
            let plain = deep_rgb(&stored).unwrap();
            let at = |pixels: &Pixels, x: u32, y: u32| {
                let row = pixels.row(0, y);
                [0, 1, 2].map(|c| {
                    u16::from_ne_bytes([row[6 * x as usize + 2 * c], row[6 * x as usize + 2 * c + 1]])
                })
            };
            // H.273, 8.3, counted in floats.
            let (cb, cr) = ((480.0 - 512.0) / 896.0, (500.0 - 512.0) / 896.0);
            let (cb, cr) = if format == PixelFormat::YcbcrP010 { (cb, cr) } else { (cr, cb) };
            let red = ((400.0 - 64.0) / 876.0 + 1.4746 * cr) * 65535.0;
            let blue = ((400.0 - 64.0) / 876.0 + 1.8814 * cb) * 65535.0;
            let [r, _, b] = at(&plain, 0, 0);
            assert!(
                (f64::from(r) - red).abs() < 12.0 && (f64::from(b) - blue).abs() < 12.0,
                "{r} {b}: {red} {blue}"
            );
            for number in 2..=8 {
                let orientation = Orientation::from_exif(number).unwrap();
                let turned = upright(stored.clone(), orientation).unwrap();
                if number == 5 {
                    // Nothing is split.
                    assert_eq!(turned.info().format, format);
                    continue;
                }
                let cicp = turned.color.cicp;
                assert_eq!((cicp.primaries, cicp.transfer, cicp.matrix, cicp.full_range), (9, 16, 0, true));
                let (flip_x, flip_y) = orientation.flips();
                for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
                    let seen = (if flip_x { w - 1 - x } else { x }, if flip_y { h - 1 - y } else { y });
                    let (tx, ty) = if orientation.turns() { (seen.1, seen.0) } else { seen };
                    assert_eq!(at(&turned, tx, ty), at(&plain, x, y), "{number}: {x} {y}");
                }
            }
        }
    }

    /// Luma and chroma of one pixel, wherever the format keeps them.
    fn sample(pixels: &Pixels, x: u32, y: u32) -> [u8; 3] {
        let chroma = pixels.info().planes[1];
        let (cx, cy) = ((x >> chroma.shift_x) as usize, y >> chroma.shift_y);
        let luma = pixels.row(0, y)[x as usize];
        match pixels.info().format {
            PixelFormat::Nv12 => [luma, pixels.row(1, cy)[2 * cx], pixels.row(1, cy)[2 * cx + 1]],
            PixelFormat::Nv21 => [luma, pixels.row(1, cy)[2 * cx + 1], pixels.row(1, cy)[2 * cx]],
            _ => [luma, pixels.row(1, cy)[cx], pixels.row(2, cy)[cx]],
        }
    }

    #[test]
    fn every_pixel_of_planes_keeps_its_luma_and_chroma() {
        use PixelFormat::*;
        for (format, (w, h)) in
            [Nv12, Nv21, I420, I422, I444].into_iter().flat_map(|f| [(f, (6, 4)), (f, (7, 5)), (f, (1, 3))])
        {
            let bytes: Vec<u8> = (0..200).map(|i| (i * 37 % 251) as u8).collect();
            let stored = Pixels::copy_from(w, h, format, &bytes, 0).unwrap();
            for number in 1..=8 {
                let orientation = Orientation::from_exif(number).unwrap();
                let turned = upright(stored.clone(), orientation).unwrap();
                let (flip_x, flip_y) = orientation.flips();
                for y in 0..h {
                    for x in 0..w {
                        let at = (if flip_x { w - 1 - x } else { x }, if flip_y { h - 1 - y } else { y });
                        let (tx, ty) = if orientation.turns() { (at.1, at.0) } else { at };
                        let (is, was) = (sample(&turned, tx, ty), sample(&stored, x, y));
                        assert_eq!(is, was, "{format:?} {w} x {h}, orientation {number}, {x} {y}");
                    }
                }
            }
        }
    }
}
