//! The dense efforts: steps and dead zones tuned to what the eye sees, quantisation that adapts to the image, Huffman
//! tables of its own; on the way up, levels weighed against their bits and progressive scans.
//!
//! The image is analysed in strips on as many threads as there are. What remains of it, its coefficients without the
//! zeros, is coded scan by scan.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    RESTART_INTERVAL,
    band::Source,
    baseline,
    geometry::Geometry,
    kernels::Kernels,
    look,
    markers::{self, Header},
    raw::{RawStrip, STRIP_ROWS},
    scan::{Coded, Job, Scan},
    scripts::{self, SHORT, Search},
    sparse::Plane,
    tables::Block,
    trellis::{Decider, Levels},
    tune,
    zone::{Field, Zone},
};
use crate::{
    bail,
    error::{Error, Result, try_resize},
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
    Progressive(&'static [Scan]),
    Best(Search),
}

/// The lowest of these efforts.
pub const LOWEST: u8 = 4;

/// Efforts 4 to 10. Each step costs time and saves bytes at equal quality; docs/jpeg_effort.md has the figures.
pub static EFFORTS: [Effort; 7] = [
    Effort { levels: Weighing::None, scans: Scans::Baseline },
    Effort { levels: Weighing::Ones, scans: Scans::Baseline },
    Effort { levels: Weighing::Ones, scans: Scans::Progressive(&SHORT) },
    Effort { levels: Weighing::All, scans: Scans::Progressive(&SHORT) },
    Effort { levels: Weighing::All, scans: Scans::Best(scripts::NARROW) },
    Effort { levels: Weighing::All, scans: Scans::Best(scripts::MIDDLE) },
    Effort { levels: Weighing::All, scans: Scans::Best(scripts::WIDE) },
];

/// Strips in flight for each thread.
const STRIPS_PER_THREAD: usize = 4;

/// The finer steps that bring the score of thoroughly weighed levels back to that of the others.
const THOROUGH: f32 = 0.97;

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
    let icc = plan.rows.color().icc.as_deref();
    if let Some(icc) = icc
        && icc.len() > markers::ICC_LIMIT
    {
        bail!(Icc, "an ICC profile of {} bytes: JPEG carries at most {}", icc.len(), markers::ICC_LIMIT);
    }
    let view = View { kernels, plan, source, geometry };
    let mut scale =
        tune::scale(plan.options.quality, look::flatness(kernels, source, &geometry)?, geometry.sampling);
    if effort.levels == Weighing::All {
        scale *= THOROUGH;
    }
    let press = Press::new(view, tune::tuning(scale, geometry.sampling), effort);
    let planes = press.planes()?;

    let restart_interval = plan.options.get(&RESTART_INTERVAL) as u16;
    let progressive = effort.scans != Scans::Baseline;
    let job = Job { planes: &planes, progressive, restart_interval: restart_interval.into() };
    let everything = (1 << planes.len()) - 1;
    let scans = match effort.scans {
        Scans::Baseline => vec![Scan::sequential(everything)],
        Scans::Progressive(script) => scripts::fitted(script, everything),
        Scans::Best(search) => scripts::best(kernels, job, plan.pool, search)?,
    };
    let coded: Vec<_> = scans.iter().map(|_| Mutex::new(None)).collect();
    plan.pool.for_each(scans.len(), &|i| {
        *coded[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(kernels.code(job, scans[i])?);
        press.done(1)
    })?;

    let steps = press.steps();
    let quantization = [(0, steps[0]), (1, steps[1]), (2, steps[2])];
    let header = Header {
        geometry,
        density: baseline::density(plan.metadata),
        icc,
        quantization: &quantization[..planes.len()],
        table_of: [0, 1, 2],
        restart_interval,
        progressive,
    };
    let mut head = Vec::new();
    head.try_reserve(1024 + icc.map_or(0, |icc| icc.len() + icc.len() / 1024))
        .map_err(|_| Error::out_of_memory(icc.map_or(0, <[u8]>::len), "the JPEG header"))?;
    header.write(&mut head);
    header.write_restart(&mut head);
    for (scan, coded) in scans.iter().zip(coded) {
        let coded = coded.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Coded { tables, bytes } = coded.ok_or_else(|| crate::err!(Bug, "a scan was not coded"))?;
        for (class, table) in (0u8..).zip(&tables) {
            if let Some(table) = table {
                markers::write_huffman(&mut head, class >> 1, class & 1, table);
            }
        }
        let own: Vec<_> =
            (0..3).filter(|c| scan.components >> c & 1 == 1).map(|c| (c, c.min(1), c.min(1))).collect();
        markers::write_scan(&mut head, &own, (scan.first, scan.last), (scan.high, scan.low));
        sink.write(&head)?;
        sink.write(&bytes)?;
        head.clear();
    }
    sink.write(&markers::END)
}

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
    sharpen: bool,
    weighing: Weighing,
    /// Their steps, dead zones and gains.
    zones: [Zone; 3],
    decider: Decider,
    strips: usize,
    /// Parts of the work: strips and scans.
    parts_done: AtomicU64,
    parts: u64,
}

/// One thread's buffers.
#[derive(Default)]
struct Worker {
    raw: RawStrip,
    fields: [Field; 3],
    blocks: Vec<Block>,
    masks: Vec<u64>,
    scratch: Scratch,
}

impl<'a> Press<'a> {
    fn new(view: View<'a>, tuning: tune::Tuning, effort: Effort) -> Press<'a> {
        let strips = view.geometry.mcu_rows().div_ceil(STRIP_ROWS);
        let scans = match effort.scans {
            Scans::Baseline => 1,
            Scans::Progressive(script) => script.len(),
            Scans::Best(_) => 32,
        };
        Press {
            view,
            sharpen: view.geometry.sampling.factors().0 == 2 && view.source.sampling().is_none(),
            weighing: effort.levels,
            zones: core::array::from_fn(|c| Zone::new(&tuning.steps[c], &tuning.dead[c], tuning.gain[c])),
            decider: Decider::new(&tuning.steps),
            strips,
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

    /// The quantised image.
    fn planes(&self) -> Result<Vec<Plane>> {
        let pool = self.view.plan.pool;
        let group = if pool.threads() == 1 { 1 } else { STRIPS_PER_THREAD * pool.threads() };
        let idle = Mutex::new(Vec::new());
        let mut planes = Plane::all(&self.view.geometry);
        for first in (0..self.strips).step_by(group) {
            let count = group.min(self.strips - first);
            let made: Vec<_> = (0..count).map(|_| Mutex::new(Vec::new())).collect();
            pool.for_each(count, &|i| {
                let worker = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut worker: Box<Worker> = worker.unwrap_or_default();
                let strip = self.strip(first + i, &mut worker)?;
                *made[i].lock().unwrap_or_else(PoisonError::into_inner) = strip;
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                self.done(1)
            })?;
            for strip in made {
                let strip = strip.into_inner().unwrap_or_else(PoisonError::into_inner);
                planes.iter_mut().zip(&strip).try_for_each(|(plane, below)| plane.append(below))?;
            }
        }
        Ok(planes)
    }

    fn strip(&self, strip: usize, worker: &mut Worker) -> Result<Vec<Plane>> {
        let View { kernels, source, geometry, .. } = self.view;
        let first = strip * STRIP_ROWS;
        let rows = STRIP_ROWS.min(geometry.mcu_rows() - first);
        let Worker { raw, fields, blocks, masks, scratch } = worker;
        raw.reserve(&geometry, STRIP_ROWS, self.sharpen)?;
        for row in 0..rows {
            let band = source.band(&geometry, first + row, scratch)?;
            raw.load(kernels, &geometry, row, &band, self.sharpen);
        }
        if self.sharpen {
            raw.sharpen(kernels, &geometry, rows);
        }
        let mut planes = Plane::all(&geometry);
        for (c, plane) in planes.iter_mut().enumerate() {
            let (raw, field, zone) = (&raw.planes[c], &mut fields[c], &self.zones[c]);
            let down = rows * plane.v;
            field.measure(kernels, zone, raw, down)?;
            blocks.clear();
            blocks
                .try_reserve(raw.across)
                .map_err(|_| Error::out_of_memory(128 * raw.across, "JPEG blocks"))?;
            blocks.resize(raw.across, Block::ZERO);
            try_resize(masks, raw.across, "JPEG blocks")?;
            let plain = Zone::plain(zone.steps());
            for y in 0..down {
                let zone = if self.weighing == Weighing::None { zone } else { &plain };
                kernels.quantize(zone, raw.row(y), field.row(y), blocks);
                kernels.masks(blocks, masks);
                if self.weighing != Weighing::None {
                    let thorough = self.weighing == Weighing::All;
                    kernels.decide(
                        &self.decider,
                        c,
                        raw.row(y),
                        field.row(y),
                        thorough,
                        Levels { blocks, masks },
                    );
                }
                plane.push_row(blocks, masks, first * plane.v + y < plane.real_down)?;
            }
        }
        Ok(planes)
    }
}
