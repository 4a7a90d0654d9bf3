//! Run-time dispatch: one table of functions per instruction set, all with the same results, bit for bit.
#![allow(unsafe_code)] // Calls of functions that need CPU features, behind their detection.

use super::bits::BitWriter;
use super::dct;
use super::entropy::{self, Order};
use super::front::{self, PixelOrder, Place, Plain, Row};
use super::raw;
use super::scan::{self, Coded, Job, Scan};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::simd;
use super::tables::{Block, Quantizer};
use super::tokens::{self, Usage};
use super::trellis::{Decider, Levels};
use super::zone::Zone;
use crate::error::Result;

/// The hot functions for one instruction set.
///
/// The pointers are private and a table is only handed out when the CPU has its features, which makes the methods
/// safe.
pub struct Kernels {
    #[cfg_attr(not(test), expect(dead_code, reason = "names the failing kernels in tests"))]
    pub name: &'static str,
    rgb_row: RgbRow,
    rgb_row_folded: RgbRow,
    rgb_pair: RgbPair,
    widen: unsafe fn(&[u8], &mut Row),
    split: unsafe fn(&[u8], &mut Row, &mut Row),
    forward: unsafe fn(&[i16], usize, Option<&Quantizer>, &mut [Block], Place),
    forward_plain: Option<ForwardPlain>,
    encode: unsafe fn(&mut BitWriter, &[Block], &Order, &mut [i16; 3]),
    masks: unsafe fn(&[Block], &mut [u64]),
    sharpen: unsafe fn([&[i16]; 3], usize, &mut [i16]),
    activity: unsafe fn(&Zone, &[Block], &mut [u8]),
    quantize: unsafe fn(&Zone, &[Block], &[u8], &mut [Block]),
    decide: unsafe fn(&Decider, usize, &[Block], &[u8], Levels),
    pack_tokens: unsafe fn(&[Block], &[u64], &mut Usage, &mut [u8]) -> usize,
    write_tokens: unsafe fn(&mut tokens::Writer, &tokens::Strip, usize) -> Result<()>,
    code: unsafe fn(Job, Scan) -> Result<Coded>,
    measure: unsafe fn(Job, Scan, usize) -> Result<u64>,
}

type ForwardPlain = unsafe fn(Plain, usize, &Quantizer, &mut [Block], Place);
type RgbRow = unsafe fn(&[u8], &PixelOrder, &mut Row, &mut Row, &mut Row);
type RgbPair = unsafe fn([&[u8]; 2], &PixelOrder, [&mut Row; 2], &mut Row, &mut Row);

const PORTABLE: Kernels = Kernels {
    name: "portable",
    rgb_row: front::rgb_row,
    rgb_row_folded: |row, order, y, cb, cr| {
        front::rgb_row(row, order, y, cb, cr);
        front::fold_row(cb);
        front::fold_row(cr);
    },
    rgb_pair: |[upper, lower], order, [y0, y1], cb, cr| {
        let (mut cb1, mut cr1) = ([0; front::TILE], [0; front::TILE]);
        front::rgb_row(upper, order, y0, cb, cr);
        front::rgb_row(lower, order, y1, &mut cb1, &mut cr1);
        front::fold_rows(cb, &cb1);
        front::fold_rows(cr, &cr1);
    },
    widen: front::widen,
    split: front::split,
    forward: dct::forward,
    forward_plain: None,
    encode: entropy::encode,
    masks: entropy::masks,
    sharpen: raw::sharpen_row,
    activity: Zone::activity,
    quantize: Zone::quantize,
    decide: Decider::row,
    pack_tokens: tokens::pack,
    write_tokens: tokens::Writer::add,
    code: scan::code,
    measure: scan::measure,
};

#[cfg(target_arch = "x86_64")]
static AVX2: Kernels = Kernels {
    name: "avx2",
    rgb_row: simd::avx2::rgb_row,
    rgb_row_folded: simd::avx2::rgb_row_folded,
    rgb_pair: simd::avx2::rgb_pair,
    widen: simd::avx2::widen,
    split: simd::avx2::split,
    forward: simd::avx2::forward,
    forward_plain: Some(simd::avx2::forward_plain),
    encode: simd::avx2::encode,
    masks: simd::avx2::masks,
    sharpen: simd::avx2::sharpen,
    activity: simd::avx2::activity,
    quantize: simd::avx2::quantize,
    decide: simd::avx2::decide,
    pack_tokens: simd::avx2::pack_tokens,
    write_tokens: simd::avx2::write_tokens,
    code: simd::avx2::code,
    measure: simd::avx2::measure,
};

#[cfg(target_arch = "x86_64")]
static AVX512: Kernels = Kernels {
    name: "avx512",
    rgb_row: simd::avx512::rgb_row,
    rgb_row_folded: simd::avx512::rgb_row_folded,
    rgb_pair: simd::avx512::rgb_pair,
    widen: simd::avx512::widen,
    split: simd::avx512::split,
    forward: simd::avx512::forward,
    forward_plain: Some(simd::avx512::forward_plain),
    encode: simd::avx512::encode,
    masks: simd::avx2::masks,
    sharpen: simd::avx2::sharpen,
    activity: simd::avx2::activity,
    quantize: simd::avx2::quantize,
    decide: simd::avx2::decide,
    pack_tokens: simd::avx2::pack_tokens,
    write_tokens: simd::avx2::write_tokens,
    code: simd::avx2::code,
    measure: simd::avx2::measure,
};

#[cfg(target_arch = "aarch64")]
static NEON: Kernels = Kernels {
    name: "neon",
    rgb_row: simd::neon::rgb_row,
    rgb_row_folded: simd::neon::rgb_row_folded,
    rgb_pair: simd::neon::rgb_pair,
    forward: simd::neon::forward,
    encode: simd::neon::encode,
    masks: simd::neon::masks,
    ..PORTABLE
};

impl Kernels {
    /// The fastest kernels for this CPU.
    pub fn best() -> &'static Kernels {
        Self::available().last().unwrap_or(&&PORTABLE)
    }

    /// All kernels that this CPU can run, slowest first.
    pub fn available() -> &'static [&'static Kernels] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
                && is_x86_feature_detected!("avx512vnni");
            static ALL: [&Kernels; 3] = [&PORTABLE, &AVX2, &AVX512];
            &ALL[..1 + usize::from(avx2) + usize::from(avx512)]
        }
        #[cfg(target_arch = "aarch64")]
        {
            static ALL: [&Kernels; 2] = [&PORTABLE, &NEON];
            &ALL
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            static ALL: [&Kernels; 1] = [&PORTABLE];
            &ALL
        }
    }

    /// Converts one tile row; `folded` halves chroma across.
    pub fn rgb_row(
        &self,
        row: &[u8],
        order: &PixelOrder,
        folded: bool,
        y: &mut Row,
        cb: &mut Row,
        cr: &mut Row,
    ) {
        let convert = if folded { self.rgb_row_folded } else { self.rgb_row };
        // SAFETY: this table was handed out for a CPU with its features.
        unsafe { convert(row, order, y, cb, cr) }
    }

    /// Converts two tile rows and halves chroma across and down.
    pub fn rgb_pair(
        &self,
        rows: [&[u8]; 2],
        order: &PixelOrder,
        y: [&mut Row; 2],
        cb: &mut Row,
        cr: &mut Row,
    ) {
        // SAFETY: as above.
        unsafe { (self.rgb_pair)(rows, order, y, cb, cr) }
    }

    /// Level-shifts plain samples, a multiple of 32.
    pub fn widen(&self, from: &[u8], to: &mut Row) {
        // SAFETY: as above.
        unsafe { (self.widen)(from, to) }
    }

    /// Level-shifts interleaved samples, a multiple of 32 pairs, into two rows.
    pub fn split(&self, from: &[u8], first: &mut Row, second: &mut Row) {
        // SAFETY: as above.
        unsafe { (self.split)(from, first, second) }
    }

    /// Transforms (and quantises) blocks side by side in a tile. The number of blocks may be rounded up to a
    /// multiple of 4, for which `out` has room.
    pub fn forward(
        &self,
        samples: &[i16],
        blocks: usize,
        q: Option<&Quantizer>,
        out: &mut [Block],
        place: Place,
    ) {
        // SAFETY: as above.
        unsafe { (self.forward)(samples, blocks, q, out, place) }
    }

    /// The same for samples in the input, with the blocks rounded up to a multiple of 4. Says whether it has been
    /// done: there may be no such kernel.
    pub fn forward_plain(
        &self,
        samples: Plain,
        blocks: usize,
        q: &Quantizer,
        out: &mut [Block],
        place: Place,
    ) -> bool {
        // SAFETY: as above.
        self.forward_plain.is_some_and(|f| unsafe {
            f(samples, blocks, q, out, place);
            true
        })
    }

    /// Codes whole MCUs, at most `BitWriter::BLOCKS` blocks between two drains.
    pub fn encode(&self, writer: &mut BitWriter, blocks: &[Block], order: &Order, dc: &mut [i16; 3]) {
        // SAFETY: as above.
        unsafe { (self.encode)(writer, blocks, order, dc) }
    }

    /// Masks of the nonzero coefficients of each block, in zigzag order.
    pub fn masks(&self, blocks: &[Block], masks: &mut [u64]) {
        // SAFETY: as above.
        unsafe { (self.masks)(blocks, masks) }
    }
    /// Sharpens a row of chroma, see [`raw::sharpen_row`].
    pub fn sharpen(&self, rows: [&[i16]; 3], x: usize, out: &mut [i16]) {
        // SAFETY: as above.
        unsafe { (self.sharpen)(rows, x, out) }
    }

    /// The activity of blocks, see [`Zone::activity`].
    pub fn activity(&self, zone: &Zone, blocks: &[Block], out: &mut [u8]) {
        // SAFETY: as above.
        unsafe { (self.activity)(zone, blocks, out) }
    }

    /// Quantises with dead zones, see [`Zone::quantize`].
    pub fn quantize(&self, zone: &Zone, raw: &[Block], activity: &[u8], out: &mut [Block]) {
        // SAFETY: as above.
        unsafe { (self.quantize)(zone, raw, activity, out) }
    }

    /// Weighs levels against bits, see [`Decider::row`].
    pub fn decide(&self, decider: &Decider, c: usize, raw: &[Block], activity: &[u8], row: Levels) {
        // SAFETY: as above.
        unsafe { (self.decide)(decider, c, raw, activity, row) }
    }

    /// Packs a row of blocks into tokens, see [`tokens::pack`].
    pub fn pack_tokens(&self, blocks: &[Block], masks: &[u64], usage: &mut Usage, out: &mut [u8]) -> usize {
        // SAFETY: as above.
        unsafe { (self.pack_tokens)(blocks, masks, usage, out) }
    }

    /// Codes an MCU row of a strip of tokens.
    pub fn write_tokens(&self, writer: &mut tokens::Writer, strip: &tokens::Strip, row: usize) -> Result<()> {
        // SAFETY: as above.
        unsafe { (self.write_tokens)(writer, strip, row) }
    }

    /// Codes a scan of stored coefficients.
    pub fn code(&self, job: Job, scan: Scan) -> Result<Coded> {
        // SAFETY: as above.
        unsafe { (self.code)(job, scan) }
    }

    /// Bits that a scan would take, judged by one block row in `every`.
    pub fn measure(&self, job: Job, scan: Scan, every: usize) -> Result<u64> {
        // SAFETY: as above.
        unsafe { (self.measure)(job, scan, every) }
    }
}
