//! Turning images upright.

use crate::{
    bail,
    error::{Result, try_vec},
    model::pixelmap::Pixels,
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

    /// The size of an upright image that is stored with this one.
    pub fn size(self, width: u32, height: u32) -> (u32, u32) {
        if self.turns() { (height, width) } else { (width, height) }
    }
}

/// Side of the squares in which columns are read: both sides of a square fit the cache.
const TILE: usize = 32;

/// The image as it is seen. Takes formats of one plane.
pub fn upright(pixels: Pixels, orientation: Orientation) -> Result<Pixels> {
    if orientation == Orientation::Upright {
        return Ok(pixels);
    }
    let info = pixels.info();
    if info.planes.len() != 1 {
        bail!(Unsupported, "{} pixels cannot be turned", info.name);
    }
    let bytes = match info.planes[0].bytes {
        1 => turn::<1>(&pixels, orientation)?,
        2 => turn::<2>(&pixels, orientation)?,
        3 => turn::<3>(&pixels, orientation)?,
        4 => turn::<4>(&pixels, orientation)?,
        6 => turn::<6>(&pixels, orientation)?,
        8 => turn::<8>(&pixels, orientation)?,
        16 => turn::<16>(&pixels, orientation)?,
        other => bail!(Bug, "a pixel of {other} bytes"),
    };
    let (width, height) = orientation.size(pixels.width(), pixels.height());
    let mut turned = Pixels::from_vec(width, height, info.format, bytes)?;
    (turned.alpha, turned.color, turned.light) = (pixels.alpha, pixels.color.clone(), pixels.light);
    Ok(turned)
}

/// All pixels of `N` bytes in their new order, rows tight.
fn turn<const N: usize>(pixels: &Pixels, orientation: Orientation) -> Result<Vec<u8>> {
    use Orientation::*;
    let (w, h) = (pixels.width() as usize, pixels.height() as usize);
    let mut bytes = try_vec(w * h * N, "upright pixels")?;
    let (target, _) = bytes.as_chunks_mut::<N>();
    let row = |y: usize| pixels.row(0, y as u32).as_chunks::<N>().0;
    if !orientation.turns() {
        for (y, target) in target.chunks_exact_mut(w).enumerate() {
            let source = row(if orientation == MirrorX { y } else { h - 1 - y });
            target.copy_from_slice(source);
            if orientation != MirrorY {
                target.reverse();
            }
        }
        return Ok(bytes);
    }
    // Target row `ty` is stored column `sx`; along it, stored rows run down or up.
    let (from_right, up) = match orientation {
        Right => (false, true),
        Left => (true, false),
        Transverse => (true, true),
        _ => (false, false),
    };
    for top in (0..w).step_by(TILE) {
        for left in (0..h).step_by(TILE) {
            for tx in left..(left + TILE).min(h) {
                let source = row(if up { h - 1 - tx } else { tx });
                for ty in top..(top + TILE).min(w) {
                    target[ty * h + tx] = source[if from_right { w - 1 - ty } else { ty }];
                }
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pixel_format::{FORMATS, PixelFormat};

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
        for info in FORMATS.iter().filter(|info| info.planes.len() == 1) {
            let bytes: Vec<u8> = (0..67 * 35 * 16).map(|i| (i * 7 % 251) as u8).collect();
            let stored = Pixels::copy_from(67, 35, info.format, &bytes, 0).unwrap();
            let mut turned = stored.clone();
            for _ in 0..4 {
                turned = upright(turned, Orientation::Right).unwrap();
            }
            assert_eq!(turned.plane(0).0, stored.plane(0).0, "{}", info.name);
        }
        let planar = Pixels::zeroed(4, 4, PixelFormat::Nv12).unwrap();
        assert!(upright(planar, Orientation::Half).is_err());
    }
}
