//! The front of the encoder: what the input looks like, and the tile of samples that the transform reads.

/// Luma samples across a tile.
pub const TILE: usize = 128;

/// Level-shifted samples of up to 128 x 16 pixels. Rows are `TILE` apart in every plane.
#[repr(C, align(64))]
pub struct Tile {
    pub y: [i16; 16 * TILE],
    pub cb: [i16; 16 * TILE],
    pub cr: [i16; 16 * TILE],
    /// Pixels of two rows at the image's right edge.
    pub edge: [[u8; 4 * TILE]; 2],
}

impl Tile {
    pub fn new() -> Box<Tile> {
        let plane = [0; 16 * TILE];
        Box::new(Tile { y: plane, cb: plane, cr: plane, edge: [[0; 4 * TILE]; 2] })
    }
}

pub type Row = [i16; TILE];

/// Samples in the input itself, which the transform can read without a detour through a tile.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for the vector code of x86"))]
pub struct Plain<'a> {
    /// Eight rows.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    pub part: Part,
}

/// Which of the bytes are the samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    All,
    /// Of each pair the first.
    First,
    /// Of each pair the second.
    Second,
}

/// Where red, green and blue lie inside a packed pixel of three or four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PixelOrder {
    pub bytes: usize,
    pub red: usize,
    pub green: usize,
    pub blue: usize,
    /// Shuffles of 16 bytes that make pairs of 16-bit samples of four pixels: red and green of a lane's first and
    /// last four pixels, blue and green likewise. The last four begin at byte 4 when a pixel has three bytes.
    pub shuffles: [[[u8; 16]; 2]; 2],
}

impl PixelOrder {
    pub fn new(bytes: usize, red: usize, green: usize, blue: usize) -> PixelOrder {
        let shuffles = [red, blue].map(|channel| {
            [0, if bytes == 3 { 4 } else { 0 }].map(|start| {
                let mut indices = [0x80u8; 16];
                for pixel in 0..4 {
                    indices[4 * pixel] = (start + pixel * bytes + channel) as u8;
                    indices[4 * pixel + 2] = (start + pixel * bytes + green) as u8;
                }
                indices
            })
        });
        PixelOrder { bytes, red, green, blue, shuffles }
    }
}

/// RGB to YCbCr in 16 fraction bits (BT.601 full range, the JFIF matrix), rounded as libjpeg does. Green's share of
/// luma is split so that every factor fits 16 signed bits. Red and green are multiplied in one vector, blue and green
/// in the next; the chroma factors are negated because a plus one half would not fit: the result is `!(sum >> 16)`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for the vector code of x86"))]
pub mod matrix {
    pub const Y_RG: (i16, i16) = (19595, 22086);
    pub const Y_BG: (i16, i16) = (7471, 16384);
    pub const CB_RG: (i16, i16) = (11059, 21709);
    pub const CB_BG: (i16, i16) = (i16::MIN, 0);
    pub const CR_RG: (i16, i16) = (i16::MIN, 27439);
    pub const CR_BG: (i16, i16) = (5329, 0);
    /// One half less the level shift of 128.
    pub const Y_BIAS: i32 = 32768 - (128 << 16);
    /// Minus one half less one unit (libjpeg's bias), minus one for the complement.
    pub const C_BIAS: i32 = -32768;
}

/// Where the blocks of one block row go: MCU by MCU, `across` of each.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Place of the first block.
    pub base: usize,
    /// Blocks of this component side by side in one MCU.
    pub across: usize,
    /// Blocks of all components in one MCU.
    pub per_mcu: usize,
}

impl Place {
    #[inline(always)]
    pub fn of(self, block: usize) -> usize {
        // `across` is 1 or 2.
        let (mcu, within) = (block >> (self.across - 1), block & (self.across - 1));
        self.base + mcu * self.per_mcu + within
    }

    /// The highest place of `blocks` blocks.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for the vector code of x86"))]
    pub fn last(self, blocks: usize) -> usize {
        self.of(blocks.saturating_sub(1))
    }
}

/// Converts one tile row of packed pixels without touching the size of chroma.
pub fn rgb_row(row: &[u8], order: &PixelOrder, y: &mut Row, cb: &mut Row, cr: &mut Row) {
    // Channels apart first: the arithmetic then becomes vector code.
    let (mut r, mut g, mut b) = ([0i32; TILE], [0i32; TILE], [0i32; TILE]);
    for (x, pixel) in row.chunks_exact(order.bytes).take(TILE).enumerate() {
        (r[x], g[x], b[x]) = (pixel[order.red].into(), pixel[order.green].into(), pixel[order.blue].into());
    }
    for x in 0..TILE {
        let (r, g, b) = (r[x], g[x], b[x]);
        y[x] = ((matrix::Y_BIAS + 19595 * r + 38470 * g + 7471 * b) >> 16) as i16;
        cb[x] = ((32767 - 11059 * r - 21709 * g + (b << 15)) >> 16) as i16;
        cr[x] = ((32767 + (r << 15) - 27439 * g - 5329 * b) >> 16) as i16;
    }
}

/// Averages pixel pairs in place, rounding down and up in turn as libjpeg does.
pub fn fold_row(row: &mut Row) {
    for x in 0..TILE / 2 {
        row[x] = (row[2 * x] + row[2 * x + 1] + (x & 1) as i16) >> 1;
    }
}

/// Averages 2 x 2 pixels of two rows into the first, with a rounding of 1 and 2 in turn as libjpeg does.
pub fn fold_rows(row: &mut Row, below: &Row) {
    for x in 0..TILE / 2 {
        let (upper, lower) = (row[2 * x] + row[2 * x + 1], below[2 * x] + below[2 * x + 1]);
        row[x] = (upper + lower + 1 + (x & 1) as i16) >> 2;
    }
}

/// Level-shifts plain samples; their number is a multiple of 32.
#[inline(always)]
pub fn widen(from: &[u8], to: &mut Row) {
    for (to, from) in to.as_chunks_mut::<32>().0.iter_mut().zip(from.as_chunks::<32>().0) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = i16::from(from) - 128;
        }
    }
}

/// Level-shifts interleaved pairs of samples into two rows; the number of pairs is a multiple of 32.
#[inline(always)]
pub fn split(from: &[u8], first: &mut Row, second: &mut Row) {
    let rows = first.as_chunks_mut::<32>().0.iter_mut().zip(second.as_chunks_mut::<32>().0);
    for ((first, second), from) in rows.zip(from.as_chunks::<64>().0) {
        for (i, &pair) in from.as_chunks::<2>().0.iter().enumerate() {
            let pair = u16::from_le_bytes(pair);
            first[i] = (pair & 255) as i16 - 128;
            second[i] = (pair >> 8) as i16 - 128;
        }
    }
}
