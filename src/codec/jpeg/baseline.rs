//! The fast efforts: one pass with the standard Huffman tables, libjpeg's steps or tuned ones; or a count first and
//! tables that fit.
//!
//! Strips of MCU rows are coded apart and joined by restart markers, on as many threads as there are.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    RESTART_INTERVAL,
    band::Source,
    entropy::Counts,
    geometry::{Geometry, Sampling},
    huffman::{self, STANDARD, Tables},
    kernels::Kernels,
    look::{self, Look},
    markers::{self, Density, Header},
    raw::RawStrip,
    strip::{Counter, Shared, Worker, Writer},
    tables::{CHROMA_STEPS, HuffSpec, LUMA_STEPS, Quantizer, scaled, standard_huffman},
    tune,
};
use crate::{
    bail,
    error::{Error, Result},
    model::{
        metadata::Metadata,
        options::{Options, Subsampling},
    },
    pack::plan::Plan,
    pixels::Scratch,
    sink::Sink,
};

/// Strips in flight for each thread: what is coded waits in memory until it is its turn to be written.
const STRIPS_PER_THREAD: usize = 8;
/// Of a large image, one MCU row in this many is counted for its Huffman tables.
const COUNT_EVERY: usize = 4;

/// Flat images gain less from the tuned steps here than in the dense efforts, which sharpen their chroma.
const FLAT: f32 = 0.6;

/// The density that the file states.
pub fn density(metadata: &Metadata) -> Density {
    match metadata.density.map(|density| density.to_inch()) {
        Some([x, y]) => Density { unit: 1, x, y },
        None => Density { unit: 0, x: 1, y: 1 },
    }
}

/// The segments of EXIF, XMP and IPTC.
pub fn metadata_segments(metadata: &Metadata) -> Result<Vec<u8>> {
    let mut segments = Vec::new();
    super::super::metadata::jpeg::write_first(metadata, &mut segments)?;
    super::super::metadata::jpeg::write_iptc(metadata, &mut segments)?;
    super::super::metadata::jpeg::write_comments(metadata, &mut segments)?;
    Ok(segments)
}

/// Room for everything before the first scan.
pub fn head_room(icc: Option<&[u8]>, segments: &[u8]) -> Result<Vec<u8>> {
    let size = 1024 + segments.len() + icc.map_or(0, |icc| icc.len() + icc.len() / 1024);
    let mut head = Vec::new();
    head.try_reserve(size).map_err(|_| Error::out_of_memory(size, "the JPEG header"))?;
    Ok(head)
}

/// The subsampling of the file: what was asked for, or the input's own, or by quality: from 90 on the colour error of
/// 4:2:0 is larger than that of the quantisation, and dearer to reduce by yet higher quality.
pub fn sampling(options: &Options, source: &Source) -> Sampling {
    match (source.sampling(), options.subsampling) {
        (Some(Sampling::Gray), _) => Sampling::Gray,
        (_, Subsampling::Yuv420) => Sampling::S420,
        (_, Subsampling::Yuv422) => Sampling::S422,
        (_, Subsampling::Yuv444) => Sampling::S444,
        (Some(own), Subsampling::Auto) => own,
        (None, Subsampling::Auto) if options.quality >= 90 => Sampling::S444,
        (None, Subsampling::Auto) => Sampling::S420,
    }
}

/// Encodes the plan's rows.
pub fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let source = Source::new(plan.rows)?;
    let geometry = Geometry {
        width: plan.rows.width() as usize,
        height: plan.rows.height() as usize,
        sampling: sampling(plan.options, &source),
    };
    let icc = plan.rows.icc();
    encode_with(Kernels::best(), plan, &source, geometry, icc, Recipe::of(plan.options.effort), sink)
}

/// What an effort does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// Steps and dead zones of [`tune`] instead of T.81's example tables.
    pub tuned: bool,
    /// Huffman tables for the image.
    pub optimize: bool,
}

impl Recipe {
    pub fn of(effort: u8) -> Recipe {
        Recipe { tuned: effort >= 2, optimize: effort >= 3 }
    }
}

/// Encodes with chosen kernels.
pub fn encode_with(
    kernels: &'static Kernels,
    plan: &Plan<'_>,
    source: &Source,
    geometry: Geometry,
    icc: Option<&[u8]>,
    recipe: Recipe,
    sink: &mut dyn Sink,
) -> Result<()> {
    if let Some(icc) = icc
        && icc.len() > markers::ICC_LIMIT
    {
        bail!(Icc, "an ICC profile of {} bytes: JPEG carries at most {}", icc.len(), markers::ICC_LIMIT);
    }
    let quality = plan.options.quality;
    let quantizers = if recipe.tuned {
        let flat = FLAT * look::at(kernels, source, &geometry, &mut RawStrip::default())?.flat;
        let look = Look { flat, edges: 0.0 };
        let tuning = tune::tuning(tune::scale(quality, look, geometry.sampling), geometry.sampling);
        core::array::from_fn(|c| Quantizer::with_dead_zone(&tuning.steps[c], &tuning.dead[c]))
    } else {
        let [luma, chroma] =
            [&LUMA_STEPS, &CHROMA_STEPS].map(|steps| Quantizer::new(&scaled(steps, quality)));
        [luma, chroma.clone(), chroma]
    };
    let cut = geometry.cut(plan.options.get(&RESTART_INTERVAL) as usize);
    let shared = Shared {
        kernels,
        geometry,
        quantizers: quantizers.each_ref(),
        restart_interval: cut.restart_interval,
    };
    let strips = geometry.mcu_rows().div_ceil(cut.rows_per_strip);
    let press = Press {
        plan,
        source,
        shared,
        rows_per_strip: cut.rows_per_strip,
        strips,
        rows_done: AtomicU64::new(0),
        rows_total: geometry.mcu_rows() as u64,
    };

    let classes = if geometry.sampling == Sampling::Gray { 1 } else { 2 };
    let specs = if recipe.optimize { press.optimal_tables(classes)? } else { standard_huffman() };
    let fitting = recipe.optimize.then(|| specs.each_ref().map(|[dc, ac]| Box::new(Tables::new(dc, ac))));
    let tables =
        fitting.as_ref().map_or_else(|| STANDARD.each_ref(), |tables| tables.each_ref().map(|t| &**t));

    // Libjpeg's two tables, or one for each component.
    let (count, table_of) = match (geometry.sampling, recipe.tuned) {
        (Sampling::Gray, _) => (1, [0; 3]),
        (_, false) => (2, [0, 1, 1]),
        (_, true) => (3, [0, 1, 2]),
    };
    let quantization: [_; 3] = core::array::from_fn(|c| (c as u8, quantizers[c].steps));
    let segments = metadata_segments(plan.metadata)?;
    let header = Header {
        geometry,
        density: density(plan.metadata),
        metadata: &segments,
        icc,
        quantization: &quantization[..count],
        table_of,
        restart_interval: cut.restart_interval as u16,
        progressive: false,
    };
    let mut head = head_room(icc, &segments)?;
    header.write(&mut head);
    for (number, spec) in (0u8..).zip(&specs[..classes]) {
        markers::write_huffman(&mut head, 0, number, &spec[0]);
        markers::write_huffman(&mut head, 1, number, &spec[1]);
    }
    header.write_restart(&mut head);
    let components = [(0, 0, 0), (1, 1, 1), (2, 1, 1)];
    markers::write_scan(&mut head, &components[..2 * classes - 1], (0, 63), (0, 0));
    sink.write(&head)?;
    press.write(tables, sink)?;
    sink.write(&markers::END)
}

/// One image at work.
struct Press<'a> {
    plan: &'a Plan<'a>,
    source: &'a Source<'a>,
    shared: Shared<'a>,
    rows_per_strip: usize,
    strips: usize,
    rows_done: AtomicU64,
    rows_total: u64,
}

impl Press<'_> {
    /// The MCU rows of a strip.
    fn rows(&self, strip: usize) -> std::ops::Range<usize> {
        let first = strip * self.rows_per_strip;
        first..(first + self.rows_per_strip).min(self.shared.geometry.mcu_rows())
    }

    /// Codes all strips, in groups that fit into memory, and writes them in their order.
    fn write(&self, tables: [&Tables; 2], sink: &mut dyn Sink) -> Result<()> {
        let pool = self.plan.pool;
        let group = if pool.threads() == 1 { 1 } else { STRIPS_PER_THREAD * pool.threads() };
        let idle = Mutex::new(Vec::new());
        for first in (0..self.strips).step_by(group) {
            let count = group.min(self.strips - first);
            let coded: Vec<_> = (0..count).map(|_| Mutex::new(Vec::new())).collect();
            pool.for_each(count, &|i| {
                let (mut worker, mut writer, mut scratch) = take(&idle).unwrap_or_else(|| {
                    let writer = Writer::new(tables);
                    (Worker::new(self.shared), writer, Scratch::default())
                });
                for row in self.rows(first + i) {
                    let band = self.source.band(&self.shared.geometry, row, &mut scratch)?;
                    worker.row(&band, row, &mut writer)?;
                    self.row_done()?;
                }
                writer.finish()?;
                *coded[i].lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut writer.out);
                idle.lock().unwrap_or_else(PoisonError::into_inner).push((worker, writer, scratch));
                Ok(())
            })?;
            for bytes in coded {
                sink.write(&bytes.into_inner().unwrap_or_else(PoisonError::into_inner))?;
            }
        }
        Ok(())
    }

    fn row_done(&self) -> Result<()> {
        let done = self.rows_done.fetch_add(1, Relaxed) + 1;
        self.plan.control.checkpoint(done, self.rows_total)
    }

    /// Huffman tables for the symbols of this image: of all of it when it is small, of a sample of its rows when it
    /// is large (every symbol then has a code).
    fn optimal_tables(&self, classes: usize) -> Result<[[HuffSpec; 2]; 2]> {
        let sampled = self.strips > 1;
        let every = if sampled { COUNT_EVERY } else { 1 };
        let sum = Mutex::new([Counts::ZERO, Counts::ZERO]);
        self.plan.pool.for_each(self.strips, &|strip| {
            let (mut worker, mut counter) = (Worker::new(self.shared), Counter::new());
            let mut scratch = Scratch::default();
            for row in self.rows(strip).filter(|row| row % every == 0) {
                let band = self.source.band(&self.shared.geometry, row, &mut scratch)?;
                worker.row(&band, row, &mut counter)?;
                self.plan.control.checkpoint(0, 1)?;
            }
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            for (all, one) in sum.iter_mut().zip(&*counter.counts) {
                all.merge(one);
            }
            Ok(())
        })?;
        let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut specs = standard_huffman();
        for (spec, counts) in specs.iter_mut().zip(&mut sum).take(classes) {
            if sampled {
                counts.complete();
            }
            *spec = [huffman::optimal(&counts.dc), huffman::optimal(&counts.ac)];
        }
        Ok(specs)
    }
}

fn take<T>(idle: &Mutex<Vec<T>>) -> Option<T> {
    idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
}
