//! The dense efforts: steps and dead zones tuned to what the eye sees, quantisation that adapts to the image, Huffman
//! tables of its own; on the way up, levels weighed against their bits and progressive scans.
//!
//! The image is analysed in strips on as many threads as there are. What remains of it waits for its Huffman tables: as
//! tokens where it is coded in one scan, else as coefficients without the zeros, which all scans read.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    RESTART_INTERVAL,
    band::Source,
    baseline,
    geometry::{Geometry, Sampling},
    kernels::Kernels,
    look,
    markers::{self, Header},
    raw::{Chroma, RawStrip, STRIP_ROWS},
    scan::{Coded, Job},
    scripts::{self, Search},
    sequential::Sequential,
    sparse::Plane,
    tables::Block,
    tokens::{self, Order},
    trellis::{Decider, Levels},
    tune,
    zone::{Field, Zone},
};
use crate::{
    bail,
    error::{Result, try_resize},
    pack::plan::Plan,
    pixels::Scratch,
    sink::Sink,
};

/// What an effort does beside adaptive quantisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    pub levels: Weighing,
    pub scans: Scans,
}

/// Whether levels are weighed against their bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weighing {
    /// Dead zones alone.
    None,
    /// Ones are weighed one by one.
    Ones,
    /// The best path through all levels.
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scans {
    /// One scan: a baseline file.
    Baseline,
    /// The best scans that this finds.
    Progressive(Search),
}

/// The lowest of these efforts.
pub const LOWEST: u8 = 4;

/// Efforts 4 to 10. Each step costs time and saves bytes at equal quality, but for the last: wider searches have been
/// tried and find nothing. docs/jpeg_effort.md has the figures.
pub static EFFORTS: [Effort; 7] = [
    Effort { levels: Weighing::None, scans: Scans::Baseline },
    Effort { levels: Weighing::Ones, scans: Scans::Baseline },
    Effort { levels: Weighing::Ones, scans: Scans::Progressive(scripts::BRIEF) },
    Effort { levels: Weighing::All, scans: Scans::Progressive(scripts::BRIEF) },
    Effort { levels: Weighing::All, scans: Scans::Progressive(scripts::NARROW) },
    Effort { levels: Weighing::All, scans: Scans::Progressive(scripts::WIDE) },
    Effort { levels: Weighing::All, scans: Scans::Progressive(scripts::WIDE) },
];

/// Whether an effort keeps all coefficients until the end.
pub fn keeps(effort: u8) -> bool {
    effort >= LOWEST && EFFORTS[usize::from(effort.min(10) - LOWEST)].scans != Scans::Baseline
}

/// Of a baseline file, one part in this many of the raw pixels may wait as tokens for its Huffman tables, and this many
/// bytes in any case.
const TOKENS: usize = 20;
const TOKENS_LEAST: usize = 1 << 17;

/// Strips in flight for each thread.
const STRIPS_PER_THREAD: usize = 4;

/// The steps that bring the score of thoroughly weighed levels to that of the others.
const THOROUGH: f32 = 1.01;

/// Encodes the plan's rows.
pub fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let source = Source::new(plan.rows)?;
    let geometry = Geometry {
        width: plan.rows.width() as usize,
        height: plan.rows.height() as usize,
        sampling: baseline::sampling(plan.options, &source),
    };
    let effort = EFFORTS[usize::from(plan.options.effort.clamp(LOWEST, 10) - LOWEST)];
    encode_with(Kernels::best(), plan, &source, geometry, effort, sink)
}

/// Encodes with chosen kernels.
pub fn encode_with(
    kernels: &'static Kernels,
    plan: &Plan<'_>,
    source: &Source,
    geometry: Geometry,
    effort: Effort,
    sink: &mut dyn Sink,
) -> Result<()> {
    let icc = plan.rows.icc();
    if let Some(icc) = icc
        && icc.len() > markers::ICC_LIMIT
    {
        bail!(Icc, "an ICC profile of {} bytes: JPEG carries at most {}", icc.len(), markers::ICC_LIMIT);
    }
    let view = View { kernels, plan, source, geometry };
    let mut worker = Box::<Worker>::default();
    let look = look::at(kernels, source, &geometry, &mut worker.raw)?;
    let mut scale = tune::scale(plan.options.quality, look, geometry.sampling);
    if effort.levels == Weighing::All {
        scale *= THOROUGH;
    }
    let press = Press::new(view, tune::tuning(scale, geometry.sampling), effort, worker);

    let components = if geometry.sampling == Sampling::Gray { 1 } else { 3 };
    let restart_interval = plan.options.get(&RESTART_INTERVAL) as u16;
    let steps = press.steps();
    let quantization = [(0, steps[0]), (1, steps[1]), (2, steps[2])];
    let segments = baseline::metadata_segments(plan.metadata)?;
    let header = Header {
        geometry,
        density: baseline::density(plan.metadata),
        metadata: &segments,
        icc,
        quantization: &quantization[..components],
        table_of: [0, 1, 2],
        restart_interval,
        progressive: effort.scans != Scans::Baseline,
    };
    let mut head = baseline::head_room(icc, &segments)?;
    header.write(&mut head);
    header.write_restart(&mut head);
    match effort.scans {
        Scans::Baseline => {
            press.write_baseline(head, restart_interval.into(), &COMPONENTS[..components], sink)?
        }
        Scans::Progressive(search) => {
            press.write_progressive(head, restart_interval.into(), search, sink)?;
        }
    }
    sink.write(&markers::END)
}

/// Each component with its Huffman tables.
const COMPONENTS: [(u8, u8, u8); 3] = [(0, 0, 0), (1, 1, 1), (2, 1, 1)];

/// An image to look at.
#[derive(Clone, Copy)]
struct View<'a> {
    kernels: &'static Kernels,
    plan: &'a Plan<'a>,
    source: &'a Source<'a>,
    geometry: Geometry,
}

/// One image at work.
struct Press<'a> {
    view: View<'a>,
    chroma: Chroma,
    weighing: Weighing,
    /// With dead zones where levels are not weighed.
    zones: [Zone; 3],
    decider: Decider,
    strips: usize,
    /// Workers between two strips.
    #[allow(clippy::vec_box, reason = "a worker is large: pointers are what is lent and given back")]
    idle: Mutex<Vec<Box<Worker>>>,
    /// Parts of the work: strips and scans.
    parts_done: AtomicU64,
    parts: u64,
}

/// One thread's buffers.
#[derive(Default)]
struct Worker {
    raw: RawStrip,
    quantised: [Quantised; 3],
    scratch: Scratch,
}

/// One component of a strip on its way from coefficients to levels.
#[derive(Default)]
struct Quantised {
    field: Field,
    blocks: Vec<Block>,
    masks: Vec<u64>,
    across: usize,
    /// Rows of blocks, those of which the activity is known, and those that are done.
    down: usize,
    measured: usize,
    done: usize,
}

impl Quantised {
    fn begin(&mut self, across: usize, down: usize) -> Result<()> {
        (self.across, self.down, self.measured, self.done) = (across, down, 0, 0);
        self.field.reserve(across, down)?;
        try_resize(&mut self.blocks, across, "JPEG blocks")?;
        try_resize(&mut self.masks, across, "JPEG blocks")
    }
}

impl<'a> Press<'a> {
    fn new(view: View<'a>, tuning: tune::Tuning, effort: Effort, worker: Box<Worker>) -> Press<'a> {
        let strips = view.geometry.mcu_rows().div_ceil(STRIP_ROWS);
        let scans = match effort.scans {
            Scans::Baseline => 1,
            Scans::Progressive(_) => 32,
        };
        Press {
            view,
            chroma: match view.geometry.sampling.factors().0 == 2 && view.source.sampling().is_none() {
                true => Chroma::Sharpened,
                false => Chroma::Transformed,
            },
            weighing: effort.levels,
            zones: core::array::from_fn(|c| match effort.levels {
                Weighing::None => Zone::new(&tuning.steps[c], &tuning.dead[c], tuning.gain[c]),
                _ => Zone::plain(&tuning.steps[c]),
            }),
            decider: Decider::new(&tuning.steps, effort.levels == Weighing::All),
            strips,
            idle: Mutex::new(vec![worker]),
            parts_done: AtomicU64::new(0),
            parts: (strips + scans) as u64,
        }
    }

    fn steps(&self) -> [[u16; 64]; 3] {
        self.zones.each_ref().map(|zone| *zone.steps())
    }

    fn done(&self, parts: u64) -> Result<()> {
        let done = self.parts_done.fetch_add(parts, Relaxed) + parts;
        self.view.plan.control.checkpoint(done.min(self.parts), self.parts)
    }

    /// Writes the one scan of a baseline file, its tables first.
    fn write_baseline(
        &self,
        head: Vec<u8>,
        restart_interval: usize,
        components: &[(u8, u8, u8)],
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let View { kernels, plan, geometry, .. } = self.view;
        let order = Order::new(geometry, restart_interval);
        let limit = (3 * geometry.width * geometry.height / TOKENS).max(TOKENS_LEAST);
        let mut file = Sequential::new(kernels, plan.control, order, head, components, limit);
        self.strips::<Tokens>(&mut |strip, number| file.push(strip.strip, number + 1 == self.strips, sink))
    }

    /// Writes the scans of a progressive file, each with its tables.
    fn write_progressive(
        &self,
        mut head: Vec<u8>,
        restart_interval: usize,
        search: Search,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let View { kernels, plan, .. } = self.view;
        let planes = self.planes()?;
        let job = Job { planes: &planes, restart_interval, control: plan.control };
        let scans = scripts::best(kernels, job, plan.pool, search)?;
        let coded: Vec<_> = scans.iter().map(|_| Mutex::new(None)).collect();
        plan.pool.for_each(scans.len(), &|i| {
            *coded[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(kernels.code(job, scans[i])?);
            self.done(1)
        })?;
        for (scan, coded) in scans.iter().zip(coded) {
            let coded = coded.into_inner().unwrap_or_else(PoisonError::into_inner);
            let Coded { tables, bytes } = coded.ok_or_else(|| crate::err!(Bug, "a scan was not coded"))?;
            for (class, table) in (0u8..).zip(&tables) {
                if let Some(table) = table {
                    markers::write_huffman(&mut head, class >> 1, class & 1, table);
                }
            }
            let own: Vec<_> =
                COMPONENTS.into_iter().filter(|(c, ..)| scan.components >> c & 1 == 1).collect();
            markers::write_scan(&mut head, &own, (scan.first, scan.last), (scan.high, scan.low));
            sink.write(&head)?;
            sink.write(&bytes)?;
            head.clear();
        }
        Ok(())
    }

    /// The quantised image.
    fn planes(&self) -> Result<Vec<Plane>> {
        let mut planes = Plane::all(&self.view.geometry);
        self.strips::<Vec<Plane>>(&mut |mut strip, _| {
            planes.iter_mut().zip(&mut strip).try_for_each(|(plane, below)| plane.append(below))
        })?;
        Ok(planes)
    }

    /// Quantises all strips and hands them out in their order.
    fn strips<S: Store>(&self, take: &mut dyn FnMut(S, usize) -> Result<()>) -> Result<()> {
        let pool = self.view.plan.pool;
        let group = if pool.threads() == 1 { 1 } else { STRIPS_PER_THREAD * pool.threads() };
        for first in (0..self.strips).step_by(group) {
            let count = group.min(self.strips - first);
            let made: Vec<_> = (0..count).map(|_| Mutex::new(None)).collect();
            pool.for_each(count, &|i| {
                let worker = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut worker = worker.unwrap_or_default();
                let strip = self.strip(first + i, &mut worker)?;
                *made[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(strip);
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                self.done(1)
            })?;
            for (i, strip) in made.into_iter().enumerate() {
                let strip = strip.into_inner().unwrap_or_else(PoisonError::into_inner);
                take(strip.ok_or_else(|| crate::err!(Bug, "a strip was not made"))?, first + i)?;
            }
        }
        Ok(())
    }

    fn strip<S: Store>(&self, strip: usize, worker: &mut Worker) -> Result<S> {
        let View { kernels, source, geometry, .. } = self.view;
        let first = strip * STRIP_ROWS;
        let rows = STRIP_ROWS.min(geometry.mcu_rows() - first);
        let (_, v) = geometry.sampling.factors();
        let Worker { raw, quantised, scratch } = worker;
        let components = if geometry.sampling == Sampling::Gray { 1 } else { 3 };
        raw.begin(&geometry, self.chroma, self.zones[0].steps())?;
        for (c, quantised) in quantised[..components].iter_mut().enumerate() {
            quantised.begin(raw.planes[c].across, if c == 0 { rows * v } else { rows })?;
        }
        let mut store = S::new(&geometry);
        for row in 0..rows {
            self.done(0)?;
            let band = source.band(&geometry, first + row, scratch)?;
            raw.load(kernels, &geometry, row, &band, self.chroma);
            self.quantise(0, raw, &mut quantised[0], first, &mut store)?;
            for chroma_row in row.saturating_sub(1)..=row {
                if self.chroma == Chroma::Sharpened && (chroma_row < row || row + 1 == rows) {
                    raw.sharpen(kernels, &geometry, chroma_row, rows);
                }
                for c in 1..components {
                    self.quantise(c, raw, &mut quantised[c], first, &mut store)?;
                }
            }
        }
        store.finish(rows)?;
        Ok(store)
    }

    /// Quantises the rows of component `c` whose neighbours are there.
    fn quantise(
        &self,
        c: usize,
        raw: &RawStrip,
        state: &mut Quantised,
        first: usize,
        store: &mut impl Store,
    ) -> Result<()> {
        let View { kernels, geometry, .. } = self.view;
        let (raw, zone) = (&raw.planes[c], &self.zones[c]);
        let Quantised { field, blocks, masks, across, down, measured, done } = state;
        for y in *measured..raw.down {
            field.measure(kernels, zone, y, raw.row(y));
        }
        *measured = raw.down;
        let ready = if raw.down == *down { *down } else { raw.down.saturating_sub(1) };
        let (real_across, real_down) = geometry.real_blocks(c);
        let v = if c == 0 { geometry.sampling.factors().1 } else { 1 };
        for y in *done..ready {
            if first * v + y < real_down {
                kernels.quantize(zone, raw.row(y), field.row(y), blocks);
                kernels.masks(blocks, masks);
                if self.weighing != Weighing::None {
                    let levels = Levels { blocks, masks };
                    kernels.decide(&self.decider, c, raw.row(y), field.row(y), levels);
                }
                // Blocks without pixels repeat the DC coefficient before them, which costs the fewest bits.
                for x in real_across..*across {
                    (blocks[x], masks[x]) = (blocks[x - 1].dc_only(), 1);
                }
            } else {
                // In the order of the file they follow the second block of their MCU's first row.
                for x in 0..*across {
                    (blocks[x], masks[x]) = (blocks[x | 1].dc_only(), 1);
                }
            }
            store.push_row(kernels, c, blocks, masks)?;
        }
        *done = ready;
        Ok(())
    }
}

/// What becomes of a strip's blocks.
trait Store: Sized + Send {
    fn new(geometry: &Geometry) -> Self;
    /// Takes the next row of blocks of component `c`.
    fn push_row(&mut self, kernels: &Kernels, c: usize, blocks: &[Block], masks: &[u64]) -> Result<()>;
    /// All `rows` MCU rows have been taken.
    fn finish(&mut self, rows: usize) -> Result<()>;
}

/// For a baseline file.
struct Tokens {
    strip: tokens::Strip,
    /// Of one row.
    row: Vec<u8>,
}

impl Store for Tokens {
    fn new(_geometry: &Geometry) -> Self {
        Tokens { strip: tokens::Strip::default(), row: Vec::new() }
    }
    fn push_row(&mut self, kernels: &Kernels, c: usize, blocks: &[Block], masks: &[u64]) -> Result<()> {
        let room = tokens::room(blocks.len());
        if self.row.len() < room {
            try_resize(&mut self.row, room, "JPEG coefficients")?;
        }
        let count = kernels.pack_tokens(blocks, masks, self.strip.usage(c), &mut self.row);
        self.strip.push_row(c, blocks, &self.row[..count])
    }
    fn finish(&mut self, rows: usize) -> Result<()> {
        self.row = Vec::new();
        self.strip.finish(rows)
    }
}

/// For a progressive file.
impl Store for Vec<Plane> {
    fn new(geometry: &Geometry) -> Self {
        Plane::all(geometry)
    }
    fn push_row(&mut self, _kernels: &Kernels, c: usize, blocks: &[Block], masks: &[u64]) -> Result<()> {
        self[c].push_row(blocks, masks)
    }
    fn finish(&mut self, _rows: usize) -> Result<()> {
        Ok(())
    }
}
