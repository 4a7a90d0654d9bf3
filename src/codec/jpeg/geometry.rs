//! How an image is cut into MCUs.

/// Chroma subsampling of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sampling {
    Gray,
    S444,
    S422,
    S420,
}

impl Sampling {
    /// Luma samples per chroma sample, across and down.
    pub fn factors(self) -> (usize, usize) {
        match self {
            Sampling::Gray | Sampling::S444 => (1, 1),
            Sampling::S422 => (2, 1),
            Sampling::S420 => (2, 2),
        }
    }

    /// Component of each block of an MCU.
    pub fn components(self) -> &'static [u8] {
        match self {
            Sampling::Gray => &[0],
            Sampling::S444 => &[0, 1, 2],
            Sampling::S422 => &[0, 0, 1, 2],
            Sampling::S420 => &[0, 0, 0, 0, 1, 2],
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    pub width: usize,
    pub height: usize,
    pub sampling: Sampling,
}

/// From this many pixels on an image is cut into strips with restart markers, so that threads can share it. The cut
/// depends on the image alone: the bytes are the same for any number of threads.
const STRIPS_FROM: usize = 1 << 20;
/// About as many pixels in a strip: a few bytes each for its marker and its first DC coefficients.
const STRIP: usize = 1 << 18;

impl Geometry {
    /// Luma size of an MCU.
    pub fn mcu(&self) -> (usize, usize) {
        let (h, v) = self.sampling.factors();
        (8 * h, 8 * v)
    }

    pub fn mcus_across(&self) -> usize {
        self.width.div_ceil(self.mcu().0)
    }

    pub fn mcu_rows(&self) -> usize {
        self.height.div_ceil(self.mcu().1)
    }

    /// Blocks of component `c` that hold pixels, across and down.
    pub fn real_blocks(&self, c: usize) -> (usize, usize) {
        let (h, v) = if c == 0 { (1, 1) } else { self.sampling.factors() };
        (self.width.div_ceil(8 * h), self.height.div_ceil(8 * v))
    }

    /// Cuts the image. A restart interval that the caller asked for is kept, wherever in a row it falls.
    pub fn cut(&self, restart_interval: usize) -> Cut {
        let (across, rows) = (self.mcus_across(), self.mcu_rows());
        let wanted = (STRIP / (self.width * self.mcu().1)).max(1);
        if restart_interval > 0 {
            // A strip starts where a row and an interval start together.
            let period = restart_interval / gcd(restart_interval, across);
            let rows_per_strip = period * wanted.div_ceil(period);
            return Cut { rows_per_strip: rows_per_strip.min(rows), restart_interval };
        }
        if self.width * self.height < STRIPS_FROM {
            return Cut { rows_per_strip: rows, restart_interval: 0 };
        }
        let rows_per_strip = wanted.min(usize::from(u16::MAX) / across);
        Cut {
            rows_per_strip,
            restart_interval: if rows_per_strip < rows { rows_per_strip * across } else { 0 },
        }
    }
}

/// How the image is cut into strips that are coded apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// MCU rows of a strip.
    pub rows_per_strip: usize,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
}

fn gcd(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
