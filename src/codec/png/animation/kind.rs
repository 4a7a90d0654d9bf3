//! The kind of pixel that all frames of an APNG share.

use super::super::{
    reduce::Palette,
    shape::{Channels, ColorType},
};
use crate::pixels::Layout;

/// Red and green of colours that may stand for transparency, since pictures hardly ever have them.
const KEY: [u8; 2] = [1, 254];

/// The narrowest kind that has held all frames so far.
pub enum Kind {
    /// Up to 256 colours. The table grows at its end, so that indices stay what they are. Transparent black is always
    /// in it; `clear` says whether a frame has really shown it.
    Indexed { palette: Palette, clear: bool },
    /// Opaque colours, of which one stands for transparency.
    Rgb { key: [u8; 3] },
    /// Everything.
    Rgba,
}

impl Kind {
    /// What an animation starts as.
    pub fn first(palette: bool) -> Self {
        if palette {
            let mut palette = Palette::new();
            palette.insert(0);
            return Self::Indexed { palette, clear: false };
        }
        Self::Rgb { key: [KEY[0], KEY[1], 0] }
    }

    /// Takes a canvas in, if it can be shown. A table that did not hold all of it is of no more use than before.
    pub fn admit(&mut self, canvas: &[[u8; 4]]) -> bool {
        match self {
            Self::Indexed { palette, clear } => {
                let fresh = palette.colors.len() == 1;
                let mut last = None;
                for &pixel in canvas {
                    if last != Some(pixel) {
                        last = Some(pixel);
                        if !palette.insert(u32::from_be_bytes(pixel)) {
                            return false;
                        }
                        *clear |= pixel == [0; 4];
                    }
                }
                // Neighbours in the table are neighbours in colour as far as one can still choose.
                if fresh {
                    palette.sort();
                }
                true
            }
            Self::Rgb { key: [r, g, b] } => {
                let key = [*r, *g, *b, 255];
                canvas.iter().all(|&pixel| pixel[3] == 255 && pixel != key)
            }
            Self::Rgba => true,
        }
    }

    /// The next wider kind, which holds this canvas and everything before.
    pub fn wider(&self, canvas: &[[u8; 4]]) -> Self {
        let before: &[u32] = match self {
            Self::Indexed { palette, clear: false } => &palette.colors,
            _ => return Self::Rgba,
        };
        let mut taken = [false; 256];
        let before = before.iter().filter(|&&color| color != 0).map(|color| color.to_be_bytes());
        for [r, g, b, a] in canvas.iter().copied().chain(before) {
            if a < 255 {
                return Self::Rgba;
            }
            if [r, g] == KEY {
                taken[usize::from(b)] = true;
            }
        }
        match taken.iter().position(|&taken| !taken) {
            Some(free) => Self::Rgb { key: [KEY[0], KEY[1], free as u8] },
            None => Self::Rgba,
        }
    }

    pub fn color(&self) -> ColorType {
        match self {
            Self::Indexed { .. } => ColorType::Indexed,
            Self::Rgb { .. } => ColorType::Rgb,
            Self::Rgba => ColorType::Rgba,
        }
    }

    /// Bytes of a pixel.
    pub fn channels(&self) -> usize {
        self.color().channels()
    }

    /// How the samples look to the encoder; indices are as good as gray to it.
    pub fn source(&self) -> Option<(ColorType, Channels)> {
        let (color, layout) = match self {
            Self::Indexed { .. } => (ColorType::Gray, Layout::Gray8),
            Self::Rgb { .. } => (ColorType::Rgb, Layout::Rgb8),
            Self::Rgba => (ColorType::Rgba, Layout::Rgba8),
        };
        Some((color, Channels::of(layout)?))
    }

    /// Data of PLTE and tRNS; empty where there is none.
    pub fn tables(&self) -> [Vec<u8>; 2] {
        match self {
            Self::Indexed { palette, .. } => [palette.plte(), palette.trns()],
            &Self::Rgb { key: [r, g, b] } => [Vec::new(), vec![0, r, 0, g, 0, b]],
            Self::Rgba => [Vec::new(), Vec::new()],
        }
    }

    /// Writes colours, R, G, B, A from the highest byte on, as samples; 0 is transparent.
    pub fn put(&self, colors: impl Iterator<Item = u32>, out: &mut [u8]) {
        match self {
            Self::Indexed { palette, .. } => {
                let mut index = palette.indexer();
                for (out, color) in out.iter_mut().zip(colors) {
                    *out = index.of(color);
                }
            }
            Self::Rgb { key } => {
                for (out, color) in out.as_chunks_mut().0.iter_mut().zip(colors) {
                    let [r, g, b, _] = color.to_be_bytes();
                    *out = if color == 0 { *key } else { [r, g, b] };
                }
            }
            Self::Rgba => {
                for (out, color) in out.as_chunks_mut().0.iter_mut().zip(colors) {
                    *out = color.to_be_bytes();
                }
            }
        }
    }

    /// The colour that a sample stands for.
    pub fn color_of(&self, sample: &[u8]) -> u32 {
        match (self, sample) {
            (Self::Indexed { palette, .. }, &[index, ..]) => {
                palette.colors.get(usize::from(index)).copied().unwrap_or(0)
            }
            (Self::Rgb { key }, &[r, g, b, ..]) => {
                if [r, g, b] == *key {
                    0
                } else {
                    u32::from_be_bytes([r, g, b, 255])
                }
            }
            (Self::Rgba, &[r, g, b, a]) => u32::from_be_bytes([r, g, b, a]),
            _ => 0,
        }
    }
}
