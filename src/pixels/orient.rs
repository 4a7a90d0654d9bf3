//! Turning images upright.

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
/// bits: there, in odd sizes, chroma is off by one column or row.
pub fn upright(pixels: Pixels, orientation: Orientation) -> Result<Pixels> {
    if orientation == Orientation::Upright {
        return Ok(pixels);
    }
    let pixels = if splits_chroma(&pixels, orientation) { full_chroma(&pixels)? } else { pixels };
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
    let Some(chroma) = pixels.info().planes.get(1).filter(|_| pixels.info().bits == 8) else { return false };
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
