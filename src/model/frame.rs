//! Frames of animations: where they are, how long they are shown, and what becomes of them.

/// A part of the canvas, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What happens to a frame's part of the canvas when the next frame comes; GIF's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Disposal {
    /// Nothing is said; it stays.
    Unspecified = 0,
    /// It stays.
    Keep = 1,
    /// It becomes transparent.
    Clear = 2,
    /// What was there before comes back.
    Restore = 3,
}

/// Time on screen as a fraction of a second, exact for every source: GIF counts 1/100 s, WebP 1/1000 s, APNG says any
/// fraction. The encoders' clock turns it into a format's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Numerator.
    pub num: u32,
    /// Denominator, not 0.
    pub den: u32,
}

impl Rect {
    /// All of a canvas.
    pub fn all(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}

impl Disposal {
    /// From GIF's number.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Unspecified,
            1 => Self::Keep,
            2 => Self::Clear,
            3 => Self::Restore,
            _ => return None,
        })
    }
}

impl Delay {
    /// Hundredths of a second.
    pub fn centis(num: u32) -> Self {
        Self { num, den: 100 }
    }

    /// Thousandths of a second.
    pub fn millis(num: u32) -> Self {
        Self { num, den: 1000 }
    }

    /// The nearest whole number of thousandths of a second.
    pub fn to_millis(self) -> u32 {
        let den = u64::from(self.den.max(1));
        ((u64::from(self.num) * 1000 + den / 2) / den).min(u32::MAX.into()) as u32
    }
}
