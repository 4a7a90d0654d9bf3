//! What kind of PNG an image becomes, and how its rows turn into PNG samples.

use super::reduce::Palette;
use crate::pixels::Layout;

/// Colour types of the PNG specification, section 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorType {
    Gray = 0,
    Rgb = 2,
    Indexed = 3,
    GrayAlpha = 4,
    Rgba = 6,
}

impl ColorType {
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Gray | Self::GrayAlpha)
    }

    pub fn channels(self) -> usize {
        match self {
            Self::Gray | Self::Indexed => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// Where the components of a pixel are, counted in samples; gray has them all in one place.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// Samples per pixel.
    pub count: usize,
    /// Positions of red, green and blue.
    pub color: [usize; 3],
    /// Position of alpha.
    pub alpha: Option<usize>,
    /// Two bytes a sample.
    pub deep: bool,
}

impl Channels {
    /// The components of a layout; `None` for luma and chroma planes.
    pub fn of(layout: Layout) -> Option<Self> {
        let (count, color, alpha, deep) = match layout {
            Layout::Gray8 => (1, [0; 3], None, false),
            Layout::GrayA8 => (2, [0; 3], Some(1), false),
            Layout::Rgb8 => (3, [0, 1, 2], None, false),
            Layout::Bgr8 => (3, [2, 1, 0], None, false),
            Layout::Rgbx8 => (4, [0, 1, 2], None, false),
            Layout::Bgrx8 => (4, [2, 1, 0], None, false),
            Layout::Xrgb8 => (4, [1, 2, 3], None, false),
            Layout::Rgba8 => (4, [0, 1, 2], Some(3), false),
            Layout::Bgra8 => (4, [2, 1, 0], Some(3), false),
            Layout::Gray16 => (1, [0; 3], None, true),
            Layout::GrayA16 => (2, [0; 3], Some(1), true),
            Layout::Rgb16 => (3, [0, 1, 2], None, true),
            Layout::Rgba16 => (4, [0, 1, 2], Some(3), true),
            _ => return None,
        };
        Some(Self { count, color, alpha, deep })
    }

    pub fn gray(&self) -> bool {
        self.color == [0; 3]
    }

    pub fn bytes(&self) -> usize {
        self.count * if self.deep { 2 } else { 1 }
    }
}

/// The PNG to write.
#[derive(Debug)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    pub color: ColorType,
    /// Bits per sample.
    pub depth: u8,
    pub palette: Option<Palette>,
    source: Channels,
}

impl Shape {
    pub fn new(
        width: u32,
        height: u32,
        color: ColorType,
        depth: u8,
        palette: Option<Palette>,
        source: Channels,
    ) -> Self {
        Self { width, height, color, depth, palette, source }
    }

    /// Bytes of a row without its filter type.
    pub fn row_bytes(&self) -> usize {
        (self.width as usize * self.color.channels() * usize::from(self.depth)).div_ceil(8)
    }

    /// Bytes of a row of the source.
    pub fn source_bytes(&self) -> usize {
        self.width as usize * self.source.bytes()
    }

    /// Distance in bytes to the pixel on the left, as filters see it.
    pub fn bpp(&self) -> usize {
        (self.color.channels() * usize::from(self.depth)).div_ceil(8)
    }

    /// Data of the IHDR chunk.
    pub fn header(&self) -> [u8; 13] {
        let mut header = [0; 13];
        header[..4].copy_from_slice(&self.width.to_be_bytes());
        header[4..8].copy_from_slice(&self.height.to_be_bytes());
        header[8] = self.depth;
        header[9] = self.color as u8;
        header
    }

    /// Whether rows are PNG samples as they are.
    pub fn direct(&self) -> bool {
        let s = &self.source;
        let plain = match self.color {
            ColorType::Gray => s.count == 1 && self.depth == 8,
            ColorType::GrayAlpha => s.count == 2 && s.gray(),
            ColorType::Rgb => s.count == 3 && s.color == [0, 1, 2],
            ColorType::Rgba => s.count == 4 && s.color == [0, 1, 2] && s.alpha == Some(3),
            ColorType::Indexed => false,
        };
        plain && !s.deep
    }

    /// Turns one row of the source into PNG samples.
    pub fn pack(&self, row: &[u8], out: &mut [u8]) {
        let s = &self.source;
        let [r, g, b] = s.color;
        if let Some(palette) = &self.palette {
            let mut index = palette.indexer();
            return self.pack_bits(row, out, |pixel| index.of(s.color_of(pixel)));
        }
        if self.depth < 8 {
            // Only values that the small depth shows exactly come here: 255 becomes the largest.
            let shift = 8 - self.depth;
            return self.pack_bits(row, out, |pixel| pixel[r] >> shift);
        }
        let a = s.alpha.unwrap_or(0);
        if s.deep {
            return match self.color {
                ColorType::Rgba => deep(row, out, s.count, &[r, g, b, a]),
                ColorType::Rgb => deep(row, out, s.count, &[r, g, b]),
                ColorType::GrayAlpha => deep(row, out, s.count, &[r, a]),
                _ => deep(row, out, s.count, &[r]),
            };
        }
        match (self.color, s.count, s.color) {
            (ColorType::Rgb, 4, [0, 1, 2]) => swizzle::<4, 3>(row, out, [0, 1, 2]),
            (ColorType::Rgb, 4, [2, 1, 0]) => swizzle::<4, 3>(row, out, [2, 1, 0]),
            (ColorType::Rgb, 4, _) => swizzle::<4, 3>(row, out, [r, g, b]),
            (ColorType::Rgb, ..) => swizzle::<3, 3>(row, out, [2, 1, 0]),
            (ColorType::Rgba, ..) => swizzle::<4, 4>(row, out, [2, 1, 0, 3]),
            (ColorType::GrayAlpha, ..) => swizzle::<4, 2>(row, out, [r, a]),
            (_, 4, _) => swizzle::<4, 1>(row, out, [r]),
            (_, 3, _) => swizzle::<3, 1>(row, out, [r]),
            _ => swizzle::<2, 1>(row, out, [r]),
        }
    }

    /// Samples of 1, 2, 4 or 8 bits, the first in the highest bits.
    fn pack_bits(&self, row: &[u8], out: &mut [u8], mut value: impl FnMut(&[u8]) -> u8) {
        let per_byte = usize::from(8 / self.depth);
        let pixels = row.chunks_exact(self.source.count);
        if per_byte == 1 {
            for (o, pixel) in out.iter_mut().zip(pixels) {
                *o = value(pixel);
            }
            return;
        }
        let mut pixels = pixels;
        for o in out {
            *o = 0;
            for (k, pixel) in pixels.by_ref().take(per_byte).enumerate() {
                *o |= value(pixel) << (8 - usize::from(self.depth) * (k + 1));
            }
        }
    }
}

impl Channels {
    /// An 8-bit pixel as R, G, B, A in one number.
    #[inline(always)]
    pub fn color_of(&self, pixel: &[u8]) -> u32 {
        let [r, g, b] = self.color;
        u32::from_be_bytes([pixel[r], pixel[g], pixel[b], self.alpha.map_or(255, |a| pixel[a])])
    }
}

#[inline(always)]
fn swizzle<const FROM: usize, const TO: usize>(row: &[u8], out: &mut [u8], map: [usize; TO]) {
    let (pixels, _) = row.as_chunks::<FROM>();
    let (samples, _) = out.as_chunks_mut::<TO>();
    for (o, pixel) in samples.iter_mut().zip(pixels) {
        *o = map.map(|from| pixel[from]);
    }
}

/// 16-bit samples from the machine's byte order to PNG's, picking components.
#[inline(always)]
fn deep(row: &[u8], out: &mut [u8], count: usize, map: &[usize]) {
    let (samples, _) = row.as_chunks::<2>();
    let (to, _) = out.as_chunks_mut::<2>();
    for (o, pixel) in to.chunks_exact_mut(map.len()).zip(samples.chunks_exact(count)) {
        for (o, &from) in o.iter_mut().zip(map) {
            *o = u16::from_ne_bytes(pixel[from]).to_be_bytes();
        }
    }
}
