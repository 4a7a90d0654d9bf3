//! Frames of animations, put together on a canvas as APNG and GIF describe it.

use crate::error::{Result, try_vec};

/// A part of the canvas.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

/// What happens to a frame's part when the next frame comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It stays.
    Keep,
    /// It becomes transparent.
    Clear,
    /// What was there before comes back.
    Restore,
}

/// An RGBA image that frames are drawn on; starts transparent.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
    saved: Vec<[u8; 4]>,
    last: Option<(Rect, Disposal)>,
}

impl Canvas {
    pub fn new(width: u32, height: u32) -> Result<Self> {
        let (width, height) = (width as usize, height as usize);
        let pixels = try_vec(width * height, "the canvas of an animation")?;
        Ok(Self { width, height, pixels, saved: Vec::new(), last: None })
    }

    /// Draws the next frame: straight RGBA, `stride` pixels from row to row. What lies outside is cut off.
    /// `over`: alpha blends.
    pub fn draw(
        &mut self,
        rect: Rect,
        rgba: &[u8],
        stride: usize,
        over: bool,
        disposal: Disposal,
    ) -> Result<()> {
        self.dispose();
        if disposal == Disposal::Restore {
            self.saved.clear();
            self.saved
                .try_reserve_exact(self.pixels.len())
                .map_err(|_| crate::error::Error::out_of_memory(self.pixels.len() * 4, "a canvas"))?;
            self.saved.extend_from_slice(&self.pixels);
        }
        let frame = rgba.as_chunks::<4>().0;
        for (source, target) in frame.chunks(stride.max(1)).zip(self.rows(rect)) {
            for (target, &source) in target.iter_mut().zip(source) {
                *target = if over { blend(source, *target) } else { source };
            }
        }
        self.last = Some((rect, disposal));
        Ok(())
    }

    fn dispose(&mut self) {
        match self.last.take() {
            Some((rect, Disposal::Clear)) => self.rows(rect).for_each(|row| row.fill([0; 4])),
            Some((_, Disposal::Restore)) => std::mem::swap(&mut self.pixels, &mut self.saved),
            _ => {}
        }
    }

    /// The rows of a part, cut at the canvas.
    fn rows(&mut self, rect: Rect) -> impl Iterator<Item = &mut [[u8; 4]]> {
        let left = rect.x.min(self.width);
        let right = rect.x.saturating_add(rect.width).min(self.width);
        let count = rect.height.min(self.height.saturating_sub(rect.y));
        let rows = self.pixels.chunks_exact_mut(self.width);
        rows.skip(rect.y).take(count).map(move |row| &mut row[left..right])
    }

    /// Whether every pixel is opaque.
    pub fn is_opaque(&self) -> bool {
        self.pixels.iter().all(|pixel| pixel[3] == 255)
    }

    /// The pixels, straight RGBA, rows tight.
    pub fn into_bytes(self) -> Vec<u8> {
        self.pixels.into_flattened()
    }
}

/// One straight colour over another (APNG specification, "blend_op").
fn blend(source: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    match (source[3], below[3]) {
        (255, _) | (_, 0) => source,
        (0, _) => below,
        (a, b) => {
            let (a, b) = (u32::from(a), u32::from(b));
            // Both weights, and their sum, as multiples of 1 / 255².
            let (over, under) = (a * 255, (255 - a) * b);
            let sum = over + under;
            let mix = |i: usize| {
                ((u32::from(source[i]) * over + u32::from(below[i]) * under + sum / 2) / sum) as u8
            };
            [mix(0), mix(1), mix(2), ((sum + 127) / 255) as u8]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_what_they_say() {
        let (red, green) = ([255, 0, 0, 255], [0, 255, 0, 255]);
        let rect = |x, y, width, height| Rect { x, y, width, height };
        let show = |canvas: &Canvas| -> String {
            let letter = |pixel: &[u8; 4]| match pixel {
                [255, 0, 0, 255] => 'r',
                [0, 255, 0, 255] => 'g',
                [0, 0, 0, 0] => '.',
                _ => '?',
            };
            canvas.pixels.iter().map(letter).collect()
        };
        let mut canvas = Canvas::new(3, 2).unwrap();
        canvas.draw(rect(0, 0, 3, 2), &[red; 6].concat(), 3, false, Disposal::Keep).unwrap();
        // Cut off at the right; the canvas comes back afterwards.
        canvas.draw(rect(2, 0, 5, 1), &[green; 5].concat(), 5, true, Disposal::Restore).unwrap();
        assert_eq!(show(&canvas), "rrgrrr");
        canvas.draw(rect(0, 1, 1, 9), &[green; 9].concat(), 1, true, Disposal::Clear).unwrap();
        assert_eq!(show(&canvas), "rrrgrr");
        assert!(canvas.is_opaque());
        canvas.draw(rect(9, 9, 1, 1), &green, 1, true, Disposal::Keep).unwrap();
        assert_eq!(show(&canvas), "rrr.rr");
        assert!(!canvas.is_opaque());
    }

    #[test]
    fn half_over_half_is_three_quarters() {
        assert_eq!(blend([200, 0, 0, 128], [100, 0, 0, 255]), [150, 0, 0, 255]);
        let [_, _, _, alpha] = blend([9, 9, 9, 128], [9, 9, 9, 128]);
        assert_eq!(alpha, 192);
        assert_eq!(blend([9, 9, 9, 1], [9, 9, 9, 1])[..3], [9, 9, 9]);
    }
}
