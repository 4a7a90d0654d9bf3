//! The pixel stream: rows are filtered and compressed in chunks of a size that only the image decides, so that the
//! bytes do not depend on the number of threads. A chunk knows the 32 KiB before it.

use std::sync::Mutex;

use super::{
    chunk::buffer,
    deflate::{Bits, Check, Compressor, Estimate, Grid, OutOfMemory, Search},
    filter::Filter,
    select::{Filterer, Strategy},
    shape::Shape,
    simd::Simd,
};
use crate::{
    err,
    error::{Error, Result, try_vec},
    pack::{control::Control, pool::Pool},
    pixels::{Plane, Rows, Scratch},
};

/// How far back a match can reach.
const WINDOW: usize = 32 << 10;
/// Bounds of [`chunk_bytes`].
const CHUNK: std::ops::RangeInclusive<u64> = 128 << 10..=512 << 10;
/// Chunks in flight per thread, so that an easy one does not leave its thread idle for long.
const AHEAD: usize = 4;
/// Chunks in flight at most.
pub const IN_FLIGHT: usize = 32;

/// Shares of repeated bytes that a quick look finds: below them content counts as bare and noisy, above as flat.
const BARE: f32 = 0.03;
const NOISY: f32 = 0.25;
const FLAT: f32 = 0.75;
/// With fewer matches than one in so many bytes, longer ones are what a quick search finds as well.
const SPARSE: f32 = 1.0 / 64.0;
/// Unfiltered rows are worth this much of what a quick look says: a longer search finds more in them.
const UNFILTERED: f32 = 0.9;

/// Filtered bytes of a chunk when the image has `all`: few enough chunks for their codes and samples to pay, enough of
/// them for several threads.
pub fn chunk_bytes(all: u64) -> u64 {
    (all / 20).clamp(*CHUNK.start(), *CHUNK.end())
}

/// What an effort asks for.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Filters to choose from, chunk by chunk.
    pub strategies: &'static [Strategy],
    /// The choice looks at one of so many of a chunk's rows.
    pub sample: usize,
    /// How the choice is judged.
    pub judge: Search,
    /// How to look for repetitions where nearly everything repeats, as on screens,
    pub flat: Search,
    /// where many short strings do, as in drawings,
    pub mixed: Search,
    /// where little does, as in photographs,
    pub noisy: Search,
    /// and where next to nothing does.
    pub bare: Search,
    /// The share of the bits that a search has to save against one for runs, or that one is made; 0 does not ask.
    pub worth: f32,
}

impl Effort {
    fn search(&self, content: &Estimate) -> Search {
        if content.repeats >= FLAT {
            self.flat
        } else if content.repeats >= NOISY && content.matches >= SPARSE {
            self.mixed
        } else if content.repeats >= BARE {
            self.noisy
        } else {
            self.bare
        }
    }
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        err!(OutOfMemory, "could not allocate the working memory of the PNG encoder")
    }
}

/// Where rows come from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// An image.
    Rows(&'a Rows),
    /// The samples of one frame of an animation, row after row.
    Samples(&'a [u8]),
}

/// Everything that is the same for all chunks.
pub struct Job<'a> {
    pub source: Source<'a>,
    pub shape: &'a Shape,
    pub effort: Effort,
    pub simd: Simd,
    pub control: &'a Control,
    /// Rows of a chunk.
    pub step: u32,
    /// Chunks in flight at most.
    pub in_flight: usize,
}

/// One chunk in the works: its filtered bytes behind the end of the previous chunk's, then its output.
#[derive(Default)]
struct Slot {
    /// `history` bytes of the chunk before, then this chunk's.
    data: Vec<u8>,
    history: usize,
    /// How to compress it.
    search: Option<Search>,
    output: Bits,
    adler: u32,
}

/// The last bytes of the chunks so far, at the end of `bytes`.
struct History {
    bytes: Vec<u8>,
    known: usize,
}

impl History {
    /// Gives a chunk what came before it, and takes its end for the next.
    fn pass(&mut self, slot: &mut Slot) {
        let before = WINDOW - self.known..WINDOW;
        slot.data[before.clone()].copy_from_slice(&self.bytes[before]);
        slot.history = self.known;
        let end = slot.data.len();
        self.known = (self.known + end - WINDOW).min(WINDOW);
        self.bytes[WINDOW - self.known..].copy_from_slice(&slot.data[end - self.known..]);
    }
}

/// Memory of a thread.
struct Worker<'a> {
    filterer: Filterer,
    scratch: Scratch,
    /// The row above and the row itself as PNG samples; the first is zeros when rows are PNG samples already.
    packed: [Vec<u8>; 2],
    compressor: Compressor<'a>,
}

impl<'a> Job<'a> {
    /// A job with its chunk size.
    pub fn new(
        source: Source<'a>,
        shape: &'a Shape,
        effort: Effort,
        simd: Simd,
        control: &'a Control,
    ) -> Self {
        let row = shape.row_bytes() + 1;
        let chunk = chunk_bytes((row as u64).saturating_mul(shape.height.into()));
        let step = (chunk / row as u64).clamp(1, shape.height.into()) as u32;
        Self { source, shape, effort, simd, control, step, in_flight: IN_FLIGHT }
    }

    /// Writes the zlib stream: wave after wave of chunks is filtered, gets to know what comes before, is
    /// compressed, and is written in order, the parts of each in one call.
    pub fn run(&self, pool: &Pool, write: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        let row = self.shape.row_bytes() + 1;
        let count = self.shape.height.div_ceil(self.step) as usize;
        let wave = if pool.threads() > 1 { count.min(pool.threads() * AHEAD).min(self.in_flight) } else { 1 };
        let mut slots: Vec<Mutex<Slot>> = Vec::new();
        slots.try_reserve(wave).map_err(|_| OutOfMemory)?;
        for _ in 0..wave {
            let data = try_vec(WINDOW + row * self.step as usize, "a chunk of filtered rows")?;
            slots.push(Mutex::new(Slot { data, ..Slot::default() }));
        }
        let check: &Check<'_> = &|| self.control.check();
        let workers: Mutex<Vec<Worker<'_>>> = Mutex::new(Vec::new());
        // A worker's memory is lent to whoever runs.
        let with_worker = |work: &mut dyn FnMut(&mut Worker<'_>) -> Result<()>| -> Result<()> {
            let idle = lock(&workers).pop();
            let mut worker = match idle {
                Some(worker) => worker,
                None => self.worker(check)?,
            };
            let result = work(&mut worker);
            lock(&workers).push(worker);
            result
        };

        let mut history = History { bytes: try_vec(WINDOW, "the window")?, known: 0 };
        let mut adler = 1;
        for first in (0..count).step_by(wave) {
            let these = wave.min(count - first);
            let rows_of = |index: usize| {
                let start = (first + index) as u32 * self.step;
                start..(start.saturating_add(self.step)).min(self.shape.height)
            };
            pool.for_each(these, &|index| {
                self.checkpoint((first + index) as u64, count as u64)?;
                with_worker(&mut |worker| self.filter(rows_of(index), worker, &mut lock(&slots[index])))
            })?;
            for slot in &slots[..these] {
                history.pass(&mut lock(slot));
            }
            pool.for_each(these, &|index| {
                self.checkpoint((first + index) as u64, count as u64)?;
                let last = first + index + 1 == count;
                with_worker(&mut |worker| self.compress(last, worker, &mut lock(&slots[index])))
            })?;
            for (index, slot) in slots[..these].iter().enumerate() {
                let slot = &*lock(slot);
                adler = adler_join(adler, slot.adler, slot.data.len() - WINDOW);
                let start: &[u8] = if first + index == 0 { &ZLIB_HEADER } else { &[] };
                let end = adler.to_be_bytes();
                let end: &[u8] = if first + index + 1 == count { &end } else { &[] };
                write(&[start, slot.output.written(), end])?;
            }
        }
        Ok(())
    }

    /// Whether to go on. Progress of animations is counted in frames, by others.
    fn checkpoint(&self, done: u64, total: u64) -> Result<()> {
        match self.source {
            Source::Rows(_) => self.control.checkpoint(done, total),
            Source::Samples(_) => self.control.check(),
        }
    }

    fn grid(&self) -> Grid {
        Grid { bpp: self.shape.bpp(), stride: self.shape.row_bytes() + 1 }
    }

    fn worker<'b>(&self, check: &'b Check<'b>) -> Result<Worker<'b>> {
        let bytes = self.shape.row_bytes();
        Ok(Worker {
            filterer: Filterer::new(bytes)?,
            scratch: Scratch::default(),
            packed: [buffer(bytes)?, buffer(if self.shape.direct() { 0 } else { bytes })?],
            compressor: Compressor::new(self.simd, check),
        })
    }

    /// Filters a chunk's rows into its slot with the best of the effort's strategies.
    fn filter(&self, rows: std::ops::Range<u32>, worker: &mut Worker<'_>, slot: &mut Slot) -> Result<()> {
        let row_bytes = self.shape.row_bytes();
        let size = (row_bytes + 1) * rows.len();
        slot.data.resize(WINDOW + size, 0);
        let strategies = self.effort.strategies;
        let Worker { filterer, scratch, packed, compressor } = worker;
        // The row above comes along, for the filters that look at it.
        let from = rows.start.saturating_sub(1);
        let plane = match self.source {
            Source::Rows(source) => source.band(from..rows.end, scratch)?.planes[0],
            Source::Samples(bytes) => Plane { bytes: &bytes[from as usize * row_bytes..], stride: row_bytes },
        };
        let mut fill = |strategy, part: std::ops::Range<usize>, out: &mut [u8]| -> Result<()> {
            for (k, out) in part.clone().zip(out.chunks_exact_mut(row_bytes + 1)) {
                self.control.check()?;
                let at = k + usize::from(rows.start > 0);
                let [above, row] = packed;
                let (above, row): (&[u8], &[u8]) = if self.shape.direct() {
                    let row = plane.row(at, row_bytes);
                    (if at > 0 { plane.row(at - 1, row_bytes) } else { &above[..] }, row)
                } else {
                    let source = self.shape.source_bytes();
                    if k == part.start {
                        above.fill(0);
                        if at > 0 {
                            self.shape.pack(plane.row(at - 1, source), above);
                        }
                    } else {
                        std::mem::swap(above, row);
                    }
                    self.shape.pack(plane.row(at, source), row);
                    (above, row)
                };
                filterer.row(self.simd, strategy, self.shape.bpp(), above, row, out);
            }
            Ok(())
        };
        let mut best = (f32::INFINITY, Strategy::Fixed(Filter::None), Search::Literals);
        // The sample is a run of rows from the middle.
        let sampled = rows.len().div_ceil(self.effort.sample);
        let sample = (rows.len() - sampled) / 2..(rows.len() - sampled) / 2 + sampled;
        for &strategy in strategies {
            let out = &mut slot.data[WINDOW..][..sample.len() * (row_bytes + 1)];
            fill(strategy, sample.clone(), out)?;
            let estimate = compressor.estimate(self.effort.judge, out, self.grid())?;
            let unfiltered = strategy == Strategy::Fixed(Filter::None);
            let bits = estimate.bits * if unfiltered { UNFILTERED } else { 1.0 };
            if bits < best.0 {
                best = (bits, strategy, self.effort.search(&estimate));
                if self.effort.worth > 0.0 {
                    let runs = compressor.estimate(Search::Runs, out, self.grid())?;
                    if runs.bits * (1.0 - self.effort.worth) <= estimate.bits {
                        best.2 = Search::Runs;
                    }
                }
            }
        }
        slot.search = Some(best.2);
        fill(best.1, 0..rows.len(), &mut slot.data[WINDOW..])
    }

    fn compress(&self, last: bool, worker: &mut Worker<'_>, slot: &mut Slot) -> Result<()> {
        slot.output.clear();
        slot.adler = adler(&slot.data[WINDOW..]);
        let data = &slot.data[WINDOW - slot.history..];
        worker.compressor.chunk(
            slot.search.unwrap_or(Search::Literals),
            data,
            slot.history,
            self.grid(),
            last,
            &mut slot.output,
        )?;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic in another thread ends the whole pack; the data is not looked at again.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Deflate, 32 KiB window, no dictionary, default level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];

/// A zlib stream of `bytes`, for metadata.
pub fn zlib(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut bits = Bits::default();
    bits.reserve(2)?;
    bits.bytes(&ZLIB_HEADER);
    let search = Search::Chain { depth: 64, nice: 128, lazy: true, exact: true, skip: 30 };
    Compressor::new(Simd::detect(), &|| Ok(())).chunk(search, bytes, 0, Grid::BYTES, true, &mut bits)?;
    bits.reserve(4)?;
    bits.bytes(&adler(bytes).to_be_bytes());
    let mut out = try_vec(bits.written().len(), "a compressed ICC profile")?;
    out.copy_from_slice(bits.written());
    Ok(out)
}

fn adler(bytes: &[u8]) -> u32 {
    simd_adler32::adler32(&bytes)
}

/// The checksum of two strings joined, from theirs and the second's length (as zlib's adler32_combine).
fn adler_join(first: u32, second: u32, second_len: usize) -> u32 {
    const BASE: u64 = 65521;
    let (a1, b1) = (u64::from(first & 0xffff), u64::from(first >> 16));
    let (a2, b2) = (u64::from(second & 0xffff), u64::from(second >> 16));
    let n = second_len as u64 % BASE;
    // Each sum starts at 1, so one is counted twice in `a` and n times in `b`.
    let a = (a1 + a2 + BASE - 1) % BASE;
    let b = (b1 + b2 + n * (a1 + BASE - 1)) % BASE;
    ((b as u32) << 16) | a as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_checksums_are_the_whole_ones() {
        let data: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        for cut in [0, 1, 65520, 65521, 65522, 131_042, 199_999, 200_000] {
            let (a, b) = data.split_at(cut);
            assert_eq!(adler_join(adler(a), adler(b), b.len()), adler(&data), "cut at {cut}");
        }
    }
}
