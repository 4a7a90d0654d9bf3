//! DEFLATE (RFC 1951), written for images: chunks that know the bytes before
//! them, so that several threads make one stream, in little memory.

mod bits;
mod block;
mod chain;
mod fast;
mod huffman;
mod literals;
mod optimal;
mod runs;
mod tree;
mod window;

use super::simd::Simd;
use crate::error::Result;

pub use bits::Bits;
use block::{Histogram, Sequence, n_log_n};
pub use optimal::Limits;

/// A buffer could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Asks whether to go on. Long searches ask every [`CHECK`] positions: in content of many long candidates a position
/// takes microseconds.
pub type Check<'a> = dyn Fn() -> Result<()> + Sync + 'a;
/// Positions between two questions.
const CHECK: usize = 1024;

/// How the bytes form pixels: searching at their starts alone finds nearly as much in less time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Bytes per pixel.
    pub bpp: usize,
    /// Bytes of a row with its filter type. Chunks start and end with rows.
    pub stride: usize,
}

impl Grid {
    /// No structure.
    pub const BYTES: Self = Self { bpp: 1, stride: 1 };
}

/// How hard to look for repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// None: Huffman codes only.
    Literals,
    /// Runs of one byte.
    Runs,
    /// One probe per position, with strides over data that does not repeat: a pixel more for so many bytes
    /// (as a power of two) without a match.
    Fast { skip: u32 },
    /// Hash chains: candidates per position, and the length that ends a search.
    Chain { depth: u32, nice: usize, lazy: bool, exact: bool, skip: u32 },
    /// All matches, and the cheapest way through them.
    Optimal(Limits),
}

/// What a quick look at some data tells.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// About how many bits it would take.
    pub bits: f32,
    /// The share of it that repeats.
    pub repeats: f32,
    /// Matches per byte.
    pub matches: f32,
}

/// Compresses chunks; keeps its tables between them.
pub struct Compressor<'a> {
    simd: Simd,
    check: &'a Check<'a>,
    fast: Option<fast::Fast>,
    chain: Option<chain::Chain>,
    optimal: Option<optimal::Optimal>,
    sequences: Vec<Sequence>,
}

impl<'a> Compressor<'a> {
    pub fn new(simd: Simd, check: &'a Check<'a>) -> Self {
        Self { simd, check, fast: None, chain: None, optimal: None, sequences: Vec::new() }
    }

    /// Looks at `data` on its own.
    pub fn estimate(&mut self, search: Search, data: &[u8], grid: Grid) -> Result<Estimate> {
        self.parse(search, data, 0, grid)?;
        let mut histogram = Histogram::default();
        histogram.count(data, &self.sequences);
        let matched: usize = self.sequences.iter().map(|s| usize::from(s.length)).sum();
        let (size, count) = (data.len() as f32, self.sequences.len() as f32);
        Ok(Estimate { bits: histogram.entropy(), repeats: matched as f32 / size, matches: count / size })
    }

    /// Appends the compressed form of `data[start..]`. The bytes before
    /// `start` are history that matches may refer to (at most 32 KiB of it).
    /// The chunk ends on a byte boundary; `last` ends the stream.
    pub fn chunk(
        &mut self,
        search: Search,
        data: &[u8],
        start: usize,
        grid: Grid,
        last: bool,
        bits: &mut Bits,
    ) -> Result<()> {
        self.parse(search, data, start, grid)?;
        self.blocks(search, &data[start..], last, bits)?;
        if last {
            bits.align();
        } else if bits.partial() > 0 {
            // An empty stored block brings the stream to a byte boundary.
            bits.reserve(16)?;
            bits.put(0, 3);
            bits.align();
            bits.bytes(&[0, 0, 0xff, 0xff]);
        }
        Ok(())
    }

    fn parse(&mut self, search: Search, data: &[u8], start: usize, grid: Grid) -> Result<()> {
        self.sequences.clear();
        let check = self.check;
        // A sequence covers three bytes at least, and a final one may be empty.
        let most = (data.len() - start) / 3 + 2;
        self.sequences.try_reserve(most).map_err(|_| OutOfMemory)?;
        match search {
            Search::Literals => self.sequences.push(Sequence {
                literals: (data.len() - start) as u32,
                length: 0,
                distance: 0,
            }),
            Search::Runs => self.simd.run(runs::Parse { data, start, out: &mut self.sequences }),
            Search::Fast { skip } => {
                let fast = match &mut self.fast {
                    Some(fast) => fast,
                    none => none.insert(fast::Fast::new()?),
                };
                self.simd.run(fast::Parse { fast, data, start, grid, skip, out: &mut self.sequences });
            }
            Search::Optimal(limits) => {
                let optimal = match &mut self.optimal {
                    Some(optimal) => optimal,
                    none => none.insert(optimal::Optimal::new()?),
                };
                let out = &mut self.sequences;
                self.simd.run((optimal, optimal::Parse { data, start, limits, check, out }))?;
            }
            Search::Chain { depth, nice, lazy, exact, skip } => {
                let chain = match &mut self.chain {
                    Some(chain) => chain,
                    none => none.insert(chain::Chain::new()?),
                };
                self.simd.run((
                    chain,
                    chain::Parse {
                        data,
                        start,
                        grid: if exact { Grid::BYTES } else { grid },
                        depth,
                        nice,
                        lazy,
                        skip,
                        check,
                        out: &mut self.sequences,
                    },
                ))?;
            }
        }
        Ok(())
    }

    /// Cuts the chunk's sequences into blocks where new codes pay for their
    /// header, and writes them.
    fn blocks(&self, search: Search, data: &[u8], last: bool, bits: &mut Bits) -> Result<()> {
        // Bytes of input that a step of the search for cuts covers.
        let width = match search {
            Search::Literals | Search::Runs | Search::Fast { .. } => usize::MAX,
            Search::Chain { lazy: false, .. } => 48 << 10,
            _ => 12 << 10,
        };
        let sequences = &self.sequences[..];
        let (mut from, mut from_byte) = (0, 0);
        let (mut to, mut to_byte) = (0, 0);
        let mut current = Histogram::default();
        let mut current_cost = 0.0;
        while to < sequences.len() {
            let (first, first_byte) = (to, to_byte);
            while to < sequences.len() && to_byte - first_byte < width {
                to_byte += sequences[to].literals as usize + usize::from(sequences[to].length);
                to += 1;
            }
            let mut step = Histogram::default();
            step.count(&data[first_byte..to_byte], &sequences[first..to]);
            let step_cost = step.entropy();
            let mut joint = current.clone();
            joint.add(&step);
            let joint_cost = joint.entropy();
            // A header costs about 40 bits and 3.5 for every symbol in use.
            let header = 40.0 + 3.5 * step.distinct() as f32;
            if from < first && current_cost + step_cost + header < joint_cost {
                block::write(
                    self.simd,
                    bits,
                    &data[from_byte..first_byte],
                    &sequences[from..first],
                    &mut current,
                    false,
                )?;
                (from, from_byte) = (first, first_byte);
                current = step;
                current_cost = step_cost;
            } else {
                current = joint;
                current_cost = joint_cost;
            }
        }
        Ok(block::write(self.simd, bits, &data[from_byte..], &sequences[from..], &mut current, last)?)
    }
}

/// About how many bits these bytes would take with codes only.
pub fn plain_bits(bytes: &[u8]) -> f32 {
    let mut counts = [0; block::LITERAL_SYMBOLS];
    literals::count(bytes, &mut counts);
    n_log_n(bytes.len() as u32) - counts.iter().map(|&n| n_log_n(n)).sum::<f32>()
}

/// `len` zeros.
fn zeroed<T: Clone + Default>(len: usize) -> std::result::Result<Vec<T>, OutOfMemory> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    vec.resize(len, T::default());
    Ok(vec)
}

/// A table of zeros; in one piece on the heap, never on the stack.
fn table<const N: usize>() -> std::result::Result<Box<[u16; N]>, OutOfMemory> {
    zeroed(N)?.into_boxed_slice().try_into().map_err(|_| OutOfMemory)
}

#[cfg(test)]
mod tests;
