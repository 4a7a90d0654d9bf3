//! What differs between a canvas and what a decoder can have there.

use crate::codec::animation::Rect;

/// What happens to a frame's rectangle before the next frame; APNG's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispose {
    Keep = 0,
    Clear = 1,
    Restore = 2,
}

/// What a frame has to draw if the last frame is disposed of in one way.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub dispose: Dispose,
    /// Everything that differs.
    pub rect: Rect,
    /// How many pixels differ.
    pub pixels: u64,
    /// Whether all of them can be drawn over what is there.
    pub over: bool,
}

impl Change {
    /// Of a first frame.
    pub fn everything(width: u32, height: u32) -> Self {
        let pixels = u64::from(width) * u64::from(height);
        Self { dispose: Dispose::Keep, rect: Rect { x: 0, y: 0, width, height }, pixels, over: false }
    }

    /// A frame has one pixel at least.
    pub fn nothing() -> Self {
        Self { pixels: 0, ..Self::everything(1, 1) }
    }
}

/// What a decoder can have on its canvas when the next frame comes.
pub struct Bases<'a> {
    /// What the last frame shows.
    pub current: &'a [[u8; 4]],
    /// What was there before it.
    pub before: &'a [[u8; 4]],
    /// What the last frame covers.
    pub last: Rect,
    /// Of the canvas.
    pub width: usize,
}

impl Bases<'_> {
    /// Row `y` after this way of disposal.
    pub fn row(&self, dispose: Dispose, y: usize, out: &mut [[u8; 4]]) {
        let at = y * self.width;
        out.copy_from_slice(&self.current[at..][..self.width]);
        let Rect { x, y: top, width, height } = self.last;
        let (x, top, width, height) = (x as usize, top as usize, width as usize, height as usize);
        if (top..top + height).contains(&y) {
            let out = &mut out[x..][..width];
            match dispose {
                Dispose::Keep => {}
                Dispose::Clear => out.fill([0; 4]),
                Dispose::Restore => out.copy_from_slice(&self.before[at + x..][..width]),
            }
        }
    }

    /// How `canvas` differs after this way of disposal; `base` has room for a row. None if it does not.
    pub fn change(&self, dispose: Dispose, canvas: &[[u8; 4]], base: &mut [[u8; 4]]) -> Option<Change> {
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        let (mut pixels, mut over) = (0, true);
        for (y, row) in canvas.chunks_exact(self.width).enumerate() {
            self.row(dispose, y, base);
            if row == base {
                continue;
            }
            let differing = || row.iter().zip(&*base).enumerate().filter(|(_, (new, old))| new != old);
            for (x, (new, _)) in differing() {
                left = left.min(x);
                right = right.max(x);
                pixels += 1;
                // Over nothing at all, Pillow makes what is half transparent more so.
                over &= new[3] == 255;
            }
            top = top.min(y);
            bottom = y;
        }
        (pixels > 0).then(|| {
            let rect = Rect {
                x: left as u32,
                y: top as u32,
                width: (right + 1 - left) as u32,
                height: (bottom + 1 - top) as u32,
            };
            Change { dispose, rect, pixels, over }
        })
    }
}
