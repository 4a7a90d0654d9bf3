//! Frames of animations, put together on a canvas as GIF and APNG describe it.

use crate::{
    error::{Error, Result, try_vec},
    model::frame::{Disposal, Rect},
};

/// An RGBA image that frames are drawn on; starts transparent.
#[derive(Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
    saved: Vec<[u8; 4]>,
    last: Option<(Rect, Disposal)>,
}

impl Canvas {
    /// A transparent canvas.
    pub fn new(width: u32, height: u32) -> Result<Self> {
        let (width, height) = (width as usize, height as usize);
        let pixels = try_vec(width.saturating_mul(height), "the canvas of an animation")?;
        Ok(Self { width, height, pixels, saved: Vec::new(), last: None })
    }

    /// Begins the next frame: disposes of the one before. `area` may pass the canvas.
    pub fn begin(&mut self, area: Rect, disposal: Disposal) -> Result<()> {
        match self.last.take() {
            Some((area, Disposal::Clear)) => self.rows(area).for_each(|row| row.fill([0; 4])),
            Some((_, Disposal::Restore)) => std::mem::swap(&mut self.pixels, &mut self.saved),
            _ => {}
        }
        if disposal == Disposal::Restore {
            self.saved.clear();
            self.saved
                .try_reserve_exact(self.pixels.len())
                .map_err(|_| Error::out_of_memory(self.pixels.len() * 4, "a canvas"))?;
            self.saved.extend_from_slice(&self.pixels);
        }
        self.last = Some((area, disposal));
        Ok(())
    }

    /// Draws straight RGBA on a part of the frame that was begun, `stride` bytes from row to row. What lies outside is cut
    /// off. `over`: alpha blends.
    pub fn draw(&mut self, area: Rect, rgba: &[u8], stride: usize, over: bool) {
        for (source, target) in rgba.chunks(stride.max(4)).zip(self.rows(area)) {
            let source = source.as_chunks::<4>().0;
            if over {
                for (target, &source) in target.iter_mut().zip(source) {
                    *target = blend(source, *target);
                }
            } else {
                let count = target.len().min(source.len());
                target[..count].copy_from_slice(&source[..count]);
            }
        }
    }

    /// The rows of a part, cut at the canvas.
    fn rows(&mut self, area: Rect) -> impl Iterator<Item = &mut [[u8; 4]]> {
        let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|v| v as usize);
        let left = x.min(self.width);
        let right = x.saturating_add(width).min(self.width);
        let count = height.min(self.height.saturating_sub(y));
        let rows = self.pixels.chunks_exact_mut(self.width);
        rows.skip(y).take(count).map(move |row| &mut row[left..right])
    }

    /// Whether every pixel is opaque.
    pub fn is_opaque(&self) -> bool {
        self.pixels.iter().all(|pixel| pixel[3] == 255)
    }

    /// The pixels, straight RGBA in reading order.
    pub fn pixels(&self) -> &[[u8; 4]] {
        &self.pixels
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
        let rect = |x: u32, y, width, height| Rect { x, y, width, height };
        let draw = |canvas: &mut Canvas, area: Rect, pixels: &[[u8; 4]], disposal| {
            canvas.begin(area, disposal).unwrap();
            canvas.draw(area, pixels.as_flattened(), area.width as usize * 4, true);
        };
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
        draw(&mut canvas, rect(0, 0, 3, 2), &[red; 6], Disposal::Keep);
        // Cut off at the right; the canvas comes back afterwards.
        draw(&mut canvas, rect(2, 0, 5, 1), &[green; 5], Disposal::Restore);
        assert_eq!(show(&canvas), "rrgrrr");
        draw(&mut canvas, rect(0, 1, 1, 9), &[green; 9], Disposal::Clear);
        assert_eq!(show(&canvas), "rrrgrr");
        assert!(canvas.is_opaque());
        draw(&mut canvas, rect(9, 9, 1, 1), &[green], Disposal::Keep);
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
