//! Progressive scans of stored coefficients, spectral selection and successive approximation (ITU-T T.81 G.1.2), with
//! the best Huffman tables for each scan. Every scan is walked twice, to count and to write.

use super::{
    bits::BitWriter,
    huffman::{self, Code, LENGTH, value_bits},
    sparse::{BlockRow, Plane, View},
    tables::HuffSpec,
};
use crate::{error::Result, pack::control::Control};

/// One scan of a progressive script: components as a bit mask, the band of zigzag positions, the bit position that
/// the earlier scan stopped at (0: none) and that this one stops at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scan {
    pub components: u8,
    pub first: u8,
    pub last: u8,
    pub high: u8,
    pub low: u8,
}

/// A coded scan: the tables to define before it (by class: DC luma, DC chroma, AC luma, AC chroma) and its bytes.
pub struct Coded {
    pub tables: [Option<HuffSpec>; 4],
    pub bytes: Vec<u8>,
}

/// Where symbols go: first to be counted, then to be written.
trait Sink {
    /// A Huffman symbol of a class, followed by `len` (at most 15) plain bits.
    fn symbol(&mut self, class: usize, symbol: u8, bits: u32, len: u32);
    /// Up to 32 plain bits.
    fn plain(&mut self, bits: u32, len: u32);
    /// Comes between blocks.
    fn breathe(&mut self) -> Result<()>;
    /// A restart marker, the `number`th of the scan.
    fn restart(&mut self, number: usize) -> Result<()>;
}

struct Counter {
    counts: [[u32; 256]; 4],
}

impl Sink for Counter {
    #[inline(always)]
    fn symbol(&mut self, class: usize, symbol: u8, _bits: u32, _len: u32) {
        self.counts[class][usize::from(symbol)] += 1;
    }
    #[inline(always)]
    fn plain(&mut self, _bits: u32, _len: u32) {}
    #[inline(always)]
    fn breathe(&mut self) -> Result<()> {
        Ok(())
    }
    fn restart(&mut self, _number: usize) -> Result<()> {
        Ok(())
    }
}

struct Pen {
    codes: [[Code; 256]; 4],
    writer: BitWriter,
    blocks: usize,
    out: Vec<u8>,
}

impl Sink for Pen {
    #[inline(always)]
    fn symbol(&mut self, class: usize, symbol: u8, bits: u32, len: u32) {
        let code = self.codes[class][usize::from(symbol)];
        let (buffer, cursor) = self.writer.parts();
        cursor.append(buffer, u64::from(code >> 5) << len | u64::from(bits), (code & LENGTH) + len);
    }
    #[inline(always)]
    fn plain(&mut self, bits: u32, len: u32) {
        if len > 0 {
            let (buffer, cursor) = self.writer.parts();
            cursor.append(buffer, u64::from(bits), len);
        }
    }
    #[inline(always)]
    fn breathe(&mut self) -> Result<()> {
        self.blocks += 1;
        if self.blocks == BitWriter::BLOCKS {
            self.blocks = 0;
            self.writer.drain(&mut self.out)?;
        }
        Ok(())
    }
    fn restart(&mut self, number: usize) -> Result<()> {
        self.writer.restart(number, &mut self.out)
    }
}

/// What to code and how to cut it.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub planes: &'a [Plane],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: usize,
    /// Asked between rows whether to go on.
    pub control: &'a Control,
}

/// Codes one scan.
#[inline(always)]
pub fn code(job: Job, scan: Scan) -> Result<Coded> {
    let mut counter = Counter { counts: [[0; 256]; 4] };
    walk(job, scan, 1, &mut counter)?;
    let tables =
        counter.counts.map(|counts| counts.iter().any(|&n| n > 0).then(|| huffman::optimal(&counts)));
    let codes = tables
        .each_ref()
        .map(|table| table.as_ref().map_or([0; 256], |spec| huffman::codes(&spec.counts, &spec.symbols)));
    let mut pen = Pen { codes, writer: BitWriter::default(), blocks: 0, out: Vec::new() };
    walk(job, scan, 1, &mut pen)?;
    pen.writer.finish(&mut pen.out)?;
    Ok(Coded { tables, bytes: pen.out })
}

/// Bits that a scan would take, its tables' definitions included; judged by one block row in `every`.
#[inline(always)]
pub fn measure(job: Job, scan: Scan, every: usize) -> Result<u64> {
    let mut sizer = Sizer { counter: Counter { counts: [[0; 256]; 4] }, plain: 0 };
    walk(job, scan, every, &mut sizer)?;
    let used = |counts: &&[u32; 256]| counts.iter().any(|&n| n > 0);
    let tables = sizer.counter.counts.iter().filter(used);
    let symbols = tables.clone().flatten().filter(|&&n| n > 0).count();
    let data = sizer.plain + tables.clone().map(huffman::optimal_bits).sum::<u64>();
    Ok(data * every as u64 + 8 * (10 + 21 * tables.count() + symbols) as u64)
}

struct Sizer {
    counter: Counter,
    plain: u64,
}

impl Sink for Sizer {
    #[inline(always)]
    fn symbol(&mut self, class: usize, symbol: u8, bits: u32, len: u32) {
        self.counter.symbol(class, symbol, bits, len);
        self.plain += u64::from(len);
    }
    #[inline(always)]
    fn plain(&mut self, _bits: u32, len: u32) {
        self.plain += u64::from(len);
    }
    #[inline(always)]
    fn breathe(&mut self) -> Result<()> {
        Ok(())
    }
    fn restart(&mut self, _number: usize) -> Result<()> {
        Ok(())
    }
}

#[inline(always)]
fn walk(job: Job, scan: Scan, every: usize, sink: &mut impl Sink) -> Result<()> {
    let low = u32::from(scan.low);
    let mut dc = [0; 4];
    if scan.first == 0 {
        each_block(job, scan.components, every, |c, view, restart| {
            if let Some(number) = restart {
                sink.restart(number)?;
                dc = [0; 4];
            }
            let value = i32::from(view.values[0]) >> low;
            match scan.high {
                0 => dc_symbol(sink, usize::from(c > 0), value, &mut dc[c]),
                _ => sink.plain((value & 1) as u32, 1),
            }
            sink.breathe()
        })
    } else {
        let class = 2 + usize::from(scan.components != 1);
        let (first, last) = (u32::from(scan.first), u32::from(scan.last));
        let band = Band { mask: (u64::MAX >> (63 - last)) & (u64::MAX << first), first, last, low };
        let mut run = EndRun { class, blocks: 0, bits: [0; MOST_BITS / 8], len: 0 };
        each_block(job, scan.components, every, |_, view, restart| {
            if let Some(number) = restart {
                run.flush(sink);
                sink.restart(number)?;
            }
            match scan.high {
                0 => band_first(sink, &mut run, view, band),
                _ => band_refine(sink, &mut run, view, band),
            }
            sink.breathe()
        })?;
        run.flush(sink);
        Ok(())
    }
}

/// Visits the blocks in the order of a scan: whole MCUs for several components, only real blocks for one. Tells with
/// the first block behind a restart marker the marker's number.
#[inline(always)]
fn each_block<'a>(
    job: Job<'a>,
    components: u8,
    every: usize,
    mut visit: impl FnMut(usize, View<'a>, Option<usize>) -> Result<()>,
) -> Result<()> {
    let planes = job.planes;
    let marker = |mcu: usize| {
        let due = job.restart_interval > 0 && mcu > 0 && mcu.is_multiple_of(job.restart_interval);
        due.then(|| mcu / job.restart_interval - 1)
    };
    if components.count_ones() == 1 {
        let c = components.trailing_zeros() as usize;
        let plane = &planes[c];
        for y in (0..plane.real_down).step_by(every) {
            job.control.checkpoint(0, 1)?;
            let mut blocks = plane.row(y);
            for x in 0..plane.real_across {
                visit(c, blocks.next(), marker(y * plane.real_across + x))?;
            }
        }
        return Ok(());
    }
    let (across, down) = (planes[0].across / planes[0].h, planes[0].down / planes[0].v);
    for row in (0..down).step_by(every) {
        job.control.checkpoint(0, 1)?;
        let mut blocks = [[BlockRow::default(); 2]; 3];
        for (plane, rows) in planes.iter().zip(&mut blocks) {
            for (v, blocks) in rows[..plane.v].iter_mut().enumerate() {
                *blocks = plane.row(row * plane.v + v);
            }
        }
        for column in 0..across {
            let mut restart = marker(row * across + column);
            for (c, plane) in planes.iter().enumerate().filter(|(c, _)| components >> c & 1 == 1) {
                for blocks in &mut blocks[c][..plane.v] {
                    for _ in 0..plane.h {
                        visit(c, blocks.next(), restart.take())?;
                    }
                }
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn size(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

#[inline(always)]
fn dc_symbol(sink: &mut impl Sink, class: usize, value: i32, prediction: &mut i32) {
    let difference = value - *prediction;
    *prediction = value;
    let size = size(difference);
    sink.symbol(class, size as u8, value_bits(difference, size), size);
}

/// Correction bits that may wait behind a run of ended bands before it is written (libjpeg's decoder sets no limit;
/// this bounds the buffer).
const MOST_BITS: usize = 1024;

/// Bands that have ended, counted until one has something to say, with the correction bits of their coefficients.
struct EndRun {
    class: usize,
    blocks: u32,
    bits: [u8; MOST_BITS / 8],
    len: usize,
}

impl EndRun {
    #[inline(always)]
    fn flush(&mut self, sink: &mut impl Sink) {
        if self.blocks > 0 {
            let log = self.blocks.ilog2();
            sink.symbol(self.class, (log << 4) as u8, self.blocks & ((1 << log) - 1), log);
            self.blocks = 0;
            for (i, &byte) in self.bits[..self.len.div_ceil(8)].iter().enumerate() {
                let len = (self.len - 8 * i).min(8) as u32;
                sink.plain(u32::from(byte) >> (8 - len), len);
            }
            self.bits[..self.len.div_ceil(8)].fill(0);
            self.len = 0;
        }
    }

    /// One more band ends here, with `bits` (`len` of them) left to say.
    #[inline(always)]
    fn end(&mut self, sink: &mut impl Sink, bits: u64, len: u32) {
        self.blocks += 1;
        for i in (0..len).rev() {
            self.bits[self.len / 8] |= ((bits >> i & 1) as u8) << (7 - self.len % 8);
            self.len += 1;
        }
        if self.blocks == 0x7fff || self.len + 64 > MOST_BITS {
            self.flush(sink);
        }
    }
}

/// Part of a block that a scan codes.
#[derive(Clone, Copy)]
struct Band {
    mask: u64,
    first: u32,
    last: u32,
    low: u32,
}

/// Values of the band's nonzero coefficients with their positions, in order.
#[inline(always)]
fn band_values<'a>(view: View<'a>, band: Band) -> impl Iterator<Item = (u32, i32)> + 'a {
    let skip = (view.mask & !(u64::MAX << band.first)).count_ones() as usize;
    let mut rest = view.mask & band.mask;
    view.values[skip..skip + rest.count_ones() as usize].iter().map(move |&value| {
        let position = rest.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        (position, i32::from(value))
    })
}

#[inline(always)]
fn band_first(sink: &mut impl Sink, run: &mut EndRun, view: View, band: Band) {
    let mut next = band.first;
    for (position, value) in band_values(view, band) {
        let magnitude = value.abs() >> band.low;
        if magnitude == 0 {
            continue;
        }
        run.flush(sink);
        let mut zeros = position - next;
        next = position + 1;
        while zeros > 15 {
            sink.symbol(run.class, 0xf0, 0, 0);
            zeros -= 16;
        }
        let size = size(magnitude);
        let signed = if value < 0 { -magnitude } else { magnitude };
        sink.symbol(run.class, (zeros << 4 | size) as u8, value_bits(signed, size), size);
    }
    if next <= band.last {
        run.end(sink, 0, 0);
    }
}

#[inline(always)]
fn band_refine(sink: &mut impl Sink, run: &mut EndRun, view: View, band: Band) {
    if view.mask & band.mask == 0 {
        return run.end(sink, 0, 0);
    }
    // The position of the last coefficient that becomes nonzero here: runs of 16 zeros beyond it need no symbol.
    let news = band_values(view, band).filter(|(_, value)| value.abs() >> band.low == 1);
    let newest = news.last().map_or(0, |(position, _)| position);
    let (mut next, mut zeros) = (band.first, 0);
    let (mut bits, mut len) = (0u64, 0);
    for (position, value) in band_values(view, band) {
        let magnitude = value.abs() >> band.low;
        if magnitude == 0 {
            continue;
        }
        zeros += position - next;
        next = position + 1;
        while zeros > 15 && position <= newest {
            run.flush(sink);
            sink.symbol(run.class, 0xf0, 0, 0);
            plain_bits(sink, &mut bits, &mut len);
            zeros -= 16;
        }
        if magnitude > 1 {
            bits = bits << 1 | (magnitude & 1) as u64;
            len += 1;
            continue;
        }
        run.flush(sink);
        sink.symbol(run.class, (zeros << 4 | 1) as u8, u32::from(value >= 0), 1);
        plain_bits(sink, &mut bits, &mut len);
        zeros = 0;
    }
    zeros += band.last + 1 - next;
    if zeros > 0 || len > 0 {
        run.end(sink, bits, len);
    }
}

#[inline(always)]
fn plain_bits(sink: &mut impl Sink, bits: &mut u64, len: &mut u32) {
    if *len > 32 {
        sink.plain((*bits >> 32) as u32 & (u32::MAX >> (64 - *len)), *len - 32);
        *len = 32;
    }
    sink.plain(*bits as u32 & (((1u64 << *len) - 1) as u32), *len);
    (*bits, *len) = (0, 0);
}
