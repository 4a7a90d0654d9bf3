//! The loops of `loops.rs` once for every instruction set; all make the same bytes.
#![allow(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "island: calls functions compiled for processor features"
)]

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};

use super::{
    lanes::Lanes,
    loops,
    tables::{
        BELOW, Boost, Columns, DARK, Decoder, Developer, Factors, GAIN_MASK, LogTable, Ruler, SIGNAL_STEPS,
    },
};
use crate::pixels::convert::TILE;

/// Red, green and blue of a tile, in planes.
pub type Planes = [[f32; TILE]; 3];

/// Factors of luma and of the first and second chroma sample, and a constant, for red, green and blue.
pub type YuvFactors = [[f32; 4]; 3];

/// Packed pixels of red, green, blue and alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    /// 10 bits each from the lowest on, and 2 of alpha.
    Ten,
    /// 16 bits each.
    Sixteen,
    /// Half floats.
    Half,
}

/// The loops for one instruction set. A value exists only where the processor has it.
#[derive(Clone, Copy)]
pub struct Kernels {
    ten: unsafe fn(&[u8], &Decoder, &mut Planes, usize),
    p010: unsafe fn(&[u8], &[u8], &YuvFactors, &Decoder, &mut Planes, usize),
    halves: unsafe fn(&[u8], &Decoder, &mut Planes, usize),
    signals: unsafe fn(&Decoder, &mut Planes, usize),
    develop: unsafe fn(&Planes, &Developer, &mut [u8], &mut [u32], usize),
    tones: unsafe fn(&Planes, &Developer, &mut [u32], usize),
    expose: unsafe fn(&Planes, &Developer, &Factors, &[f32; TILE], &mut [u8], usize),
    gains: unsafe fn(&[f32], &[f32], &Ruler, &mut [u32], usize),
    eight: unsafe fn(&[u8], &Decoder, &mut Planes, usize),
    boost: unsafe fn(&mut [f32], &[f32], &Boost, usize),
    boost_all: unsafe fn(&mut Planes, &[f32], &Boost, usize),
    enlarge: unsafe fn(&[f32], &Columns, usize, &mut [f32], usize),
    pack: unsafe fn(Pack, &Planes, &[f32], &mut [u8], usize),
    curve: unsafe fn(&mut [f32], &LogTable, usize),
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kernels")
    }
}

/// One set of the loops: whole vectors of `$lanes`, and the rest one by one.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $($feature:literal)?) => {
        mod $module {
            use super::*;

            const N: usize = <$lanes as Lanes>::COUNT;

            $(#[target_feature(enable = $feature)])?
            pub unsafe fn ten(row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
                loops::ten::<$lanes>(row, decoder, to, 0..n / N * N);
                loops::ten::<f32>(row, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn p010(
                luma: &[u8],
                chroma: &[u8],
                factors: &YuvFactors,
                decoder: &Decoder,
                to: &mut Planes,
                n: usize,
            ) {
                loops::p010::<$lanes>(luma, chroma, factors, decoder, to, 0..n / N * N);
                loops::p010::<f32>(luma, chroma, factors, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn halves(row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
                loops::halves::<$lanes>(row, decoder, to, 0..n / N * N);
                loops::halves::<f32>(row, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn signals(decoder: &Decoder, planes: &mut Planes, n: usize) {
                loops::signals::<$lanes>(decoder, planes, 0..n / N * N);
                loops::signals::<f32>(decoder, planes, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn develop(
                light: &Planes,
                developer: &Developer,
                codes: &mut [u8],
                gains: &mut [u32],
                n: usize,
            ) {
                loops::develop::<$lanes>(light, developer, codes, gains, 0..n / N * N);
                loops::develop::<f32>(light, developer, codes, gains, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn tones(light: &Planes, developer: &Developer, gains: &mut [u32], n: usize) {
                loops::tones::<$lanes>(light, developer, gains, 0..n / N * N);
                loops::tones::<f32>(light, developer, gains, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn expose(
                light: &Planes,
                developer: &Developer,
                factors: &Factors,
                found: &[f32; TILE],
                codes: &mut [u8],
                n: usize,
            ) {
                loops::expose::<$lanes>(light, developer, factors, found, codes, 0..n / N * N);
                loops::expose::<f32>(light, developer, factors, found, codes, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn gains(over: &[f32], under: &[f32], ruler: &Ruler, to: &mut [u32], n: usize) {
                loops::gains::<$lanes>(over, under, ruler, to, 0..n / N * N);
                loops::gains::<f32>(over, under, ruler, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn boost(light: &mut [f32], samples: &[f32], boost: &Boost, n: usize) {
                loops::boost::<$lanes>(light, samples, boost, 0..n / N * N);
                loops::boost::<f32>(light, samples, boost, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn curve(values: &mut [f32], table: &LogTable, n: usize) {
                loops::curve::<$lanes>(values, table, 0..n / N * N);
                loops::curve::<f32>(values, table, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn eight(row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
                loops::eight::<$lanes>(row, decoder, to, 0..n / N * N);
                loops::eight::<f32>(row, decoder, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn boost_all(light: &mut Planes, samples: &[f32], boost: &Boost, n: usize) {
                loops::boost_all::<$lanes>(light, samples, boost, 0..n / N * N);
                loops::boost_all::<f32>(light, samples, boost, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn enlarge(row: &[f32], columns: &Columns, first: usize, to: &mut [f32], n: usize) {
                loops::enlarge::<$lanes>(row, columns, first, to, 0..n / N * N);
                loops::enlarge::<f32>(row, columns, first, to, n / N * N..n);
            }
            $(#[target_feature(enable = $feature)])?
            pub unsafe fn pack(kind: Pack, planes: &Planes, alpha: &[f32], to: &mut [u8], n: usize) {
                loops::pack::<$lanes>(kind, planes, alpha, to, 0..n / N * N);
                loops::pack::<f32>(kind, planes, alpha, to, n / N * N..n);
            }
            pub const KERNELS: Kernels = Kernels {
                ten, p010, halves, signals, develop, tones, expose, gains, eight, boost, boost_all, enlarge, pack, curve,
            };
        }
    };
}

kernels!(portable, f32,);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, __m256, "avx2");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, __m512, "avx512f,avx2");

impl Kernels {
    /// The loops that every processor runs.
    #[cfg(test)]
    pub const PORTABLE: Self = portable::KERNELS;

    /// Those for AVX2, where it is.
    #[cfg(test)]
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Some(avx2::KERNELS);
        }
        None
    }

    /// The fastest loops for this processor.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return if is_x86_feature_detected!("avx512f") { avx512::KERNELS } else { avx2::KERNELS };
        }
        portable::KERNELS
    }

    /// Light of `n` pixels of 10 bits a component.
    pub fn ten(&self, row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
        assert!(n <= TILE && row.len() >= 4 * n && decoder.codes.len() == 1024);
        // SAFETY: the row has `n` pixels, the table an entry for every code; the processor has what is needed.
        unsafe { (self.ten)(row, decoder, to, n) }
    }

    /// Light of `n` pixels of P010: their luma, and pairs of chroma for two of them each.
    pub fn p010(
        &self,
        luma: &[u8],
        chroma: &[u8],
        factors: &YuvFactors,
        decoder: &Decoder,
        to: &mut Planes,
        n: usize,
    ) {
        assert!(n <= TILE && luma.len() >= 2 * n && chroma.len() >= 4 * n.div_ceil(2));
        assert!(decoder.signals.len() == SIGNAL_STEPS);
        // SAFETY: there are `n` samples and half as many pairs, and an entry for every step.
        unsafe { (self.p010)(luma, chroma, factors, decoder, to, n) }
    }

    /// Light of `n` pixels of four linear half floats.
    pub fn halves(&self, row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
        assert!(n <= TILE && row.len() >= 8 * n);
        // SAFETY: the row has `n` pixels; the processor has what is needed.
        unsafe { (self.halves)(row, decoder, to, n) }
    }

    /// Light in place of `n` signals.
    pub fn signals(&self, decoder: &Decoder, planes: &mut Planes, n: usize) {
        assert!(n <= TILE && (decoder.is_linear() || decoder.signals.len() == SIGNAL_STEPS));
        // SAFETY: a tile is at least that long, and there is an entry for every step.
        unsafe { (self.signals)(decoder, planes, n) }
    }

    /// Codes (red, green, blue and 255) and samples of the gain map of `n` pixels.
    pub fn develop(
        &self,
        light: &Planes,
        developer: &Developer,
        codes: &mut [u8],
        gains: &mut [u32],
        n: usize,
    ) {
        assert!(n <= TILE && codes.len() >= 4 * n && gains.len() >= n);
        assert!(developer.oetf.len() == ((1f32.to_bits() - DARK.to_bits()) >> BELOW) as usize + 4);
        // SAFETY: all slices are at least that long, and the tables have an entry for every value in their range.
        unsafe { (self.develop)(light, developer, codes, gains, n) }
    }

    /// Samples of the gain map of `n` pixels alone.
    pub fn tones(&self, light: &Planes, developer: &Developer, gains: &mut [u32], n: usize) {
        assert!(n <= TILE && gains.len() >= n);
        // SAFETY: the slice is at least that long, and the table has an entry for every value in its range.
        unsafe { (self.tones)(light, developer, gains, n) }
    }

    /// Codes as [`Kernels::develop`] makes them, of light that makes up for the gains, in 16ths of steps, that decoders
    /// find.
    pub fn expose(
        &self,
        light: &Planes,
        developer: &Developer,
        factors: &Factors,
        found: &[f32; TILE],
        codes: &mut [u8],
        n: usize,
    ) {
        assert!(n <= TILE && codes.len() >= 4 * n);
        assert!(developer.oetf.len() == ((1f32.to_bits() - DARK.to_bits()) >> BELOW) as usize + 4);
        assert!(factors.room.len() == GAIN_MASK as usize + 1);
        assert!(factors.factors.len() == 2 * factors.limit as usize + 1);
        // SAFETY: all slices are at least that long, and the tables have an entry for every value in their range.
        unsafe { (self.expose)(light, developer, factors, found, codes, n) }
    }

    /// How much brighter `n` values are than others, as the ruler counts.
    pub fn gains(&self, over: &[f32], under: &[f32], ruler: &Ruler, to: &mut [u32], n: usize) {
        assert!(over.len() >= n && under.len() >= n && to.len() >= n);
        // SAFETY: all slices are at least that long; the processor has what is needed.
        unsafe { (self.gains)(over, under, ruler, to, n) }
    }

    /// Applies the samples of a gain map, 0 to 1, to light.
    pub fn boost(&self, light: &mut [f32], samples: &[f32], boost: &Boost, n: usize) {
        assert!(light.len() >= n && samples.len() >= n && boost.factors.len() == SIGNAL_STEPS);
        // SAFETY: both slices are at least that long, and there is a factor for every step.
        unsafe { (self.boost)(light, samples, boost, n) }
    }

    /// Light of `n` pixels of 8 bits a component, four bytes each.
    pub fn eight(&self, row: &[u8], decoder: &Decoder, to: &mut Planes, n: usize) {
        assert!(n <= TILE && row.len() >= 4 * n && decoder.bytes.len() == 256);
        // SAFETY: the row has `n` pixels, the table an entry for every byte; the processor has what is needed.
        unsafe { (self.eight)(row, decoder, to, n) }
    }

    /// As [`boost`](Self::boost), alike for red, green and blue.
    pub fn boost_all(&self, light: &mut Planes, samples: &[f32], boost: &Boost, n: usize) {
        assert!(n <= TILE && samples.len() >= n && boost.factors.len() == SIGNAL_STEPS);
        // SAFETY: a tile and the samples are at least that long, and there is a factor for every step.
        unsafe { (self.boost_all)(light, samples, boost, n) }
    }

    /// `n` values of a row between those of a smaller one, whose last is there twice, from column `first` on.
    pub fn enlarge(&self, row: &[f32], columns: &Columns, first: usize, to: &mut [f32], n: usize) {
        let count = columns.places().len().min(columns.parts().len());
        assert!(n <= count && first <= count - n && to.len() >= n && row.len() > columns.of());
        // SAFETY: there are as many columns, whose places and what is behind each are in the row.
        unsafe { (self.enlarge)(row, columns, first, to, n) }
    }

    /// `n` pixels in a packed format: values of 0 to 1 as whole numbers, or half floats.
    pub fn pack(&self, kind: Pack, planes: &Planes, alpha: &[f32], to: &mut [u8], n: usize) {
        let bytes = if kind == Pack::Ten { 4 } else { 8 };
        assert!(n <= TILE && alpha.len() >= n && to.len() >= bytes * n);
        // SAFETY: a tile and alpha are at least that long, and the row has room for `n` pixels.
        unsafe { (self.pack)(kind, planes, alpha, to, n) }
    }

    /// A function of `n` values in their place, between the entries of [`LogTable::edges`].
    pub fn curve(&self, values: &mut [f32], table: &LogTable, n: usize) {
        let count = ((table.last.to_bits() - table.first.to_bits()) >> BELOW) as usize + 2;
        assert!(values.len() >= n && table.entries.len() == count);
        // SAFETY: the slice is at least that long; every value in the table's range has an entry and one behind it.
        unsafe { (self.curve)(values, table, n) }
    }
}
