//! The dense efforts: coefficients against libjpeg's reader, pixels against a decoder of another family, bytes
//! against other threads and kernels.
#![allow(unsafe_code, reason = "island: calls libjpeg's C interface")]

use std::{mem, slice, sync::Arc};

use mozjpeg_sys::*;

use super::{
    band::Source,
    baseline,
    dense::{self, EFFORTS, Effort, LOWEST, Scans, Weighing},
    geometry::{Geometry, Sampling},
    kernels::Kernels,
    look::Look,
    markers::{self, Density, Header},
    scan::{Job, Scan},
    scripts::{self, LONG, SHORT, Search},
    sequential::Sequential,
    sparse::Plane,
    tables::Block,
    tokens, tune,
};
use crate::{
    error::Result,
    model::{
        color::Cicp,
        options::{Options, Subsampling},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pack::{control::Control, plan::Plan, pool::Pool},
    pixels::{self, Rows},
    sink::Sink,
};

const SAMPLINGS: [Sampling; 4] = [Sampling::S420, Sampling::S422, Sampling::S444, Sampling::Gray];

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

/// Planes of random coefficients: empty stretches for long runs of ended bands, sparse and crowded blocks.
fn random_planes(geometry: &Geometry, random: &mut Random) -> Vec<Plane> {
    let mut planes = Plane::all(geometry);
    for plane in &mut planes {
        while plane.down < geometry.mcu_rows() * plane.v {
            let mut blocks = vec![Block::ZERO; plane.across];
            for block in &mut blocks {
                block.0[0] = random.below(2000) as i16 - 1000;
                let count = [0, 0, 0, 1, 3, 20, 63][random.below(7) as usize];
                let largest = [1, 2, 5, 1000][random.below(4) as usize];
                for _ in 0..count {
                    let value = 1 + random.below(largest) as i16;
                    block.0[1 + random.below(63) as usize] =
                        if random.below(2) == 0 { value } else { -value };
                }
            }
            let mut masks = vec![0; blocks.len()];
            Kernels::best().masks(&blocks, &mut masks);
            plane.push_row(&blocks, &masks).unwrap();
        }
    }
    planes
}

fn file(kernels: &'static Kernels, geometry: Geometry, job: Job, scans: &[Scan]) -> Vec<u8> {
    let quantization = [(0, [3; 64]), (1, [4; 64]), (2, [5; 64])];
    let header = Header {
        geometry,
        density: Density { unit: 0, x: 1, y: 1 },
        metadata: &[],
        icc: None,
        quantization: &quantization[..job.planes.len()],
        table_of: [0, 1, 2],
        restart_interval: job.restart_interval as u16,
        progressive: true,
    };
    let mut out = Vec::new();
    header.write(&mut out);
    header.write_restart(&mut out);
    for &scan in scans {
        let coded = kernels.code(job, scan).unwrap();
        for (class, table) in coded.tables.iter().enumerate() {
            if let Some(table) = table {
                markers::write_huffman(&mut out, class as u8 >> 1, class as u8 & 1, table);
            }
        }
        let own: Vec<_> =
            (0..3).filter(|c| scan.components >> c & 1 == 1).map(|c| (c, c.min(1), c.min(1))).collect();
        markers::write_scan(&mut out, &own, (scan.first, scan.last), (scan.high, scan.low));
        let measured = kernels.measure(job, scan, 1).unwrap() as usize / 8;
        if job.restart_interval == 0 {
            // Without the stuffed zeros.
            let tables: usize = coded.tables.iter().flatten().map(|table| 21 + table.symbols.len()).sum();
            let stuffed = coded.bytes.windows(2).filter(|pair| *pair == [0xff, 0]).count();
            assert!(
                (coded.bytes.len() - stuffed + tables + 10).abs_diff(measured) <= 16,
                "measured {measured}"
            );
        }
        out.extend_from_slice(&coded.bytes);
    }
    out.extend_from_slice(&markers::END);
    out
}

/// The coefficients that libjpeg reads, for each component row by row as they lie in its arrays (real blocks only).
fn coefficients(file: &[u8]) -> Vec<Vec<[i16; 64]>> {
    // SAFETY: plain C structs, alive until the decompressor is destroyed; libjpeg's arrays have the blocks it names.
    unsafe {
        let mut errors: jpeg_error_mgr = mem::zeroed();
        let mut d: jpeg_decompress_struct = mem::zeroed();
        d.common.err = jpeg_std_error(&mut errors);
        jpeg_create_decompress(&mut d);
        jpeg_mem_src(&mut d, file.as_ptr(), file.len() as _);
        jpeg_read_header(&mut d, 1);
        let arrays = jpeg_read_coefficients(&mut d);
        let mut all = Vec::new();
        for c in 0..d.num_components as usize {
            let component = &*d.comp_info.add(c);
            let mut blocks = Vec::new();
            for y in 0..component.height_in_blocks {
                let access = (*d.common.mem).access_virt_barray.unwrap();
                let rows = access(&mut d.common, *arrays.add(c), y, 1, 0);
                let row = slice::from_raw_parts(*rows, component.width_in_blocks as usize);
                blocks.extend_from_slice(row);
            }
            all.push(blocks);
        }
        assert_eq!((*d.common.err).num_warnings, 0, "libjpeg finds nothing to complain about");
        jpeg_finish_decompress(&mut d);
        jpeg_destroy_decompress(&mut d);
        all
    }
}

/// The blocks of a row, padding included, natural order.
fn all_blocks(plane: &Plane, y: usize) -> Vec<[i16; 64]> {
    let mut row = plane.row(y);
    let mut block = || {
        let view = row.next();
        let mut block = [0; 64];
        let positions = (0..64).filter(|k| view.mask >> k & 1 == 1);
        for (k, &value) in positions.zip(view.values) {
            block[usize::from(super::tables::ZIGZAG[k])] = value;
        }
        block
    };
    (0..plane.across).map(|_| block()).collect()
}

/// The real blocks of planes, natural order.
fn real_blocks(planes: &[Plane]) -> Vec<Vec<[i16; 64]>> {
    let all = |plane: &Plane| {
        let rows = (0..plane.real_down).map(|y| all_blocks(plane, y));
        rows.flat_map(|row| row.into_iter().take(plane.real_across)).collect()
    };
    planes.iter().map(all).collect()
}

#[test]
fn every_script_carries_the_coefficients() {
    let mut random = Random(7);
    let wide = Search { splits: &[2, 8], bits: 3, sample: usize::MAX };
    for sampling in SAMPLINGS {
        for (width, height) in [(1, 1), (9, 40), (250, 70)] {
            let geometry = Geometry { width, height, sampling };
            let planes = random_planes(&geometry, &mut random);
            let wanted = real_blocks(&planes);
            let all = (1u8 << planes.len()) - 1;
            for restart_interval in [0, 1, 50] {
                let control = &Control::default();
                let job = Job { planes: &planes, restart_interval, control };
                let found = scripts::best(Kernels::best(), job, &Pool::new(2), wide).unwrap();
                let scripts = [scripts::fitted(&SHORT, all), scripts::fitted(&LONG, all), found];
                for (i, script) in scripts.iter().enumerate() {
                    let mut files =
                        Kernels::available().iter().map(|kernels| file(kernels, geometry, job, script));
                    let first = files.next().unwrap();
                    assert!(files.all(|other| other == first), "kernels agree");
                    let what =
                        format!("{width} x {height} {sampling:?}, script {i}, restart {restart_interval}");
                    assert!(coefficients(&first) == wanted, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_run_of_more_ended_bands_than_a_symbol_can_say() {
    let geometry = Geometry { width: 8 * 300, height: 8 * 240, sampling: Sampling::Gray };
    let mut planes = Plane::all(&geometry);
    let mut blocks = vec![Block::ZERO; 300];
    for y in 0..240 {
        // Coefficients that only have correction bits in later scans; one late block that says something new.
        blocks.iter_mut().for_each(|block| block.0[9] = if y % 100 == 3 { 5 } else { 0 });
        blocks[299].0[63] = i16::from(y == 239);
        let mut masks = vec![0; 300];
        Kernels::best().masks(&blocks, &mut masks);
        planes[0].push_row(&blocks, &masks).unwrap();
    }
    let job = Job { planes: &planes, restart_interval: 0, control: &Control::default() };
    let bytes = file(Kernels::best(), geometry, job, &scripts::fitted(&LONG, 1));
    assert!(coefficients(&bytes) == real_blocks(&planes));
}

/// A baseline file of planes, cut into strips of `rows` MCU rows of which `limit` bytes may wait for their tables.
fn baseline_file(
    kernels: &'static Kernels,
    geometry: Geometry,
    planes: &[Plane],
    restart_interval: usize,
    (rows, limit): (usize, usize),
) -> Vec<u8> {
    let quantization = [(0, [3; 64]), (1, [4; 64]), (2, [5; 64])];
    let header = Header {
        geometry,
        metadata: &[],
        density: Density { unit: 0, x: 1, y: 1 },
        icc: None,
        quantization: &quantization[..planes.len()],
        table_of: [0, 1, 2],
        restart_interval: restart_interval as u16,
        progressive: false,
    };
    let mut head = Vec::new();
    header.write(&mut head);
    header.write_restart(&mut head);
    let components = &[(0, 0, 0), (1, 1, 1), (2, 1, 1)][..planes.len()];
    let order = tokens::Order::new(geometry, restart_interval);
    let control = Control::default();
    let mut file = Sequential::new(kernels, &control, order, head, components, limit);
    let mut out = Vec::new();
    for first in (0..geometry.mcu_rows()).step_by(rows) {
        let count = rows.min(geometry.mcu_rows() - first);
        let mut strip = tokens::Strip::default();
        for (c, plane) in planes.iter().enumerate() {
            for y in first * plane.v..(first + count) * plane.v {
                let blocks: Vec<_> = all_blocks(plane, y).into_iter().map(Block).collect();
                let mut masks = vec![0; blocks.len()];
                kernels.masks(&blocks, &mut masks);
                let mut row = vec![0; tokens::room(blocks.len())];
                let len = kernels.pack_tokens(&blocks, &masks, strip.usage(c), &mut row);
                strip.push_row(c, &blocks, &row[..len]).unwrap();
            }
        }
        strip.finish(count).unwrap();
        file.push(strip, first + count == geometry.mcu_rows(), &mut Collect(&mut out)).unwrap();
    }
    out.extend_from_slice(&markers::END);
    out
}

#[test]
fn tokens_carry_the_coefficients() {
    let mut random = Random(11);
    for sampling in SAMPLINGS {
        for (width, height) in [(1, 1), (9, 40), (250, 130)] {
            let geometry = Geometry { width, height, sampling };
            let planes = random_planes(&geometry, &mut random);
            let wanted = real_blocks(&planes);
            for restart_interval in [0, 1, 50] {
                // All wait; the first strip's symbols make the tables; tables in the middle of the image.
                for cut in [(100, usize::MAX), (1, 0), (2, 9000)] {
                    let mut files = Kernels::available()
                        .iter()
                        .map(|kernels| baseline_file(kernels, geometry, &planes, restart_interval, cut));
                    let first = files.next().unwrap();
                    assert!(files.all(|other| other == first), "kernels agree");
                    let what =
                        format!("{width} x {height} {sampling:?}, {cut:?}, restart {restart_interval}");
                    assert!(coefficients(&first) == wanted, "{what}");
                }
            }
        }
    }
}

/// Smooth shading, edges and texture.
fn picture(width: usize, height: usize) -> Vec<u8> {
    let mut random = Random(3);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let noise = if (x / 40 + y / 30) % 3 == 0 { random.below(40) as f64 } else { 0.0 };
            let disc =
                (x as f64 - width as f64 / 2.0).hypot(y as f64 - height as f64 / 2.0) < height as f64 / 3.0;
            for c in 0..3 {
                let shade =
                    90.0 + 60.0 * ((x * (c + 2)) as f64 * 0.013).sin() + 30.0 * (y as f64 * 0.02).cos();
                let own = if disc { [60.0, -20.0, 30.0][c] } else { 0.0 };
                pixels.push((shade + own + noise).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

struct Collect<'a>(&'a mut Vec<u8>);

impl Sink for Collect<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn pack_with(
    kernels: &'static Kernels,
    map: &Arc<Pixels>,
    layout: pixels::Layout,
    threads: usize,
    options: &Options,
) -> Vec<u8> {
    let rows = Rows::new(map.clone(), layout, options).unwrap();
    let (pool, control) = (Pool::new(threads), Control::default());
    let plan = Plan {
        rows: &rows,
        options,
        pool: &pool,
        control: &control,
        gain_map: None,
        auxiliaries: &[],
        metadata: &Default::default(),
        notes: &Default::default(),
    };
    let source = Source::new(&rows).unwrap();
    let sampling = baseline::sampling(options, &source);
    let geometry = Geometry { width: rows.width() as usize, height: rows.height() as usize, sampling };
    let mut out = Vec::new();
    let effort = EFFORTS[usize::from(options.effort - LOWEST)];
    dense::encode_with(kernels, &plan, &source, geometry, effort, &mut Collect(&mut out)).unwrap();
    out
}

fn rgb(width: usize, height: usize, pixels: &[u8]) -> Arc<Pixels> {
    Arc::new(Pixels::copy_from(width as u32, height as u32, PixelFormat::Rgb888, pixels, 0).unwrap())
}

fn options(effort: i32, quality: i32, subsampling: Subsampling) -> Options {
    let mut options = Options::new("image/jpeg", quality).unwrap();
    options.set_effort(effort).unwrap();
    options.subsampling = subsampling;
    options
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / (sum.max(1)) as f64).log10()
}

#[test]
fn another_decoder_sees_the_picture() {
    for (width, height) in [(1, 1), (17, 9), (200, 151)] {
        let pixels = picture(width, height);
        let map = rgb(width, height, &pixels);
        for effort in i32::from(LOWEST)..=10 {
            for (subsampling, floor) in [
                (Subsampling::Yuv420, [24.0, 28.0, 33.0]),
                (Subsampling::Yuv422, [24.0, 28.0, 33.0]),
                (Subsampling::Yuv444, [24.0, 28.0, 37.0]),
            ] {
                for (quality, floor) in [30, 80, 98].into_iter().zip(floor) {
                    let options = options(effort, quality, subsampling);
                    let file = pack_with(Kernels::best(), &map, pixels::Layout::Rgb8, 1, &options);
                    let decoded = image::load_from_memory(&file).unwrap().into_rgb8();
                    assert_eq!(decoded.dimensions(), (width as u32, height as u32));
                    let psnr = psnr(decoded.as_raw(), &pixels);
                    assert!(
                        psnr > floor,
                        "{width} x {height}, {subsampling:?} {quality}, effort {effort}: {psnr}"
                    );
                }
            }
        }
    }
}

/// Planes of JFIF's YUV, and the colours that they stand for with the chroma samples repeated.
fn planes(pixels: &[u8], width: usize, height: usize, format: PixelFormat) -> (Vec<u8>, Vec<u8>) {
    use PixelFormat::{I422, I444, Nv12, Nv21, YcbcrP010};
    let (h, v) = match format {
        I444 => (1, 1),
        I422 => (2, 1),
        _ => (2, 2),
    };
    let ycc = |x: usize, y: usize| {
        let [r, g, b] = [0, 1, 2].map(|c| f64::from(pixels[3 * (y * width + x) + c]));
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        [luma, (b - luma) / 1.772 + 128.0, (r - luma) / 1.402 + 128.0]
    };
    let luma: Vec<f64> = (0..width * height).map(|i| ycc(i % width, i / width)[0].round()).collect();
    let (columns, rows) = (width.div_ceil(h), height.div_ceil(v));
    let chroma = |c: usize| -> Vec<f64> {
        let mean = |i: usize| {
            let own = |x: usize, y: usize| ycc(x.min(width - 1), y.min(height - 1))[c];
            let (x, y) = (i % columns * h, i / columns * v);
            let sum: f64 = (0..h * v).map(|j| own(x + j % h, y + j / h)).sum();
            (sum / (h * v) as f64).round().clamp(0.0, 255.0)
        };
        (0..columns * rows).map(mean).collect()
    };
    let (cb, cr) = (chroma(1), chroma(2));
    let mut seen = Vec::new();
    for (i, &y) in luma.iter().enumerate() {
        let at = i / width / v * columns + i % width / h;
        let (blue, red) = (cb[at] - 128.0, cr[at] - 128.0);
        let colour = [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue];
        seen.extend(colour.map(|value| value.round().clamp(0.0, 255.0) as u8));
    }
    let pairs = |a: &[f64], b: &[f64]| a.iter().zip(b).flat_map(|(&a, &b)| [a, b]).collect::<Vec<_>>();
    let samples = match format {
        Nv12 | YcbcrP010 => [luma, pairs(&cb, &cr)].concat(),
        Nv21 => [luma, pairs(&cr, &cb)].concat(),
        _ => [luma, cb, cr].concat(),
    };
    let bytes = match format {
        // Ten bits in the upper ones of two bytes; full range ends at 1023.
        YcbcrP010 => {
            samples.iter().flat_map(|&s| (((s * 1023.0 / 255.0).round() as u16) << 6).to_le_bytes()).collect()
        }
        _ => samples.iter().map(|&s| s as u8).collect(),
    };
    (bytes, seen)
}

#[test]
fn planes_are_seen_as_they_are() {
    use PixelFormat::{I420, I422, I444, Nv12, Nv21, YcbcrP010};
    // A width of whole tiles, which are read where they are; odd sides; one pixel.
    for (width, height) in [(256, 48), (151, 37), (1, 1)] {
        let pixels = picture(width, height);
        for format in [Nv12, Nv21, I420, I422, I444, YcbcrP010] {
            let (bytes, seen) = planes(&pixels, width, height, format);
            let mut map = Pixels::copy_from(width as u32, height as u32, format, &bytes, 0).unwrap();
            map.color.cicp = Cicp::SRGB_YCC;
            let map = Arc::new(map);
            for effort in i32::from(LOWEST)..=10 {
                // As they are, and with their chroma resampled.
                for (subsampling, floor) in [(Subsampling::Auto, 37.0), (Subsampling::Yuv444, 37.0)] {
                    let options = options(effort, 97, subsampling);
                    let layout = super::layout(&map, &options).unwrap();
                    assert!(matches!(layout, pixels::Layout::Yuv(_)), "{format:?} needs no RGB");
                    let file = pack_with(Kernels::best(), &map, layout, 1, &options);
                    let decoded = image::load_from_memory(&file).unwrap().into_rgb8();
                    let psnr = psnr(decoded.as_raw(), &seen);
                    assert!(
                        psnr > floor,
                        "{format:?} {width} x {height}, effort {effort}, {subsampling:?}: {psnr}"
                    );
                }
            }
        }
    }
}

#[test]
fn gray_stays_gray() {
    let (width, height) = (150, 100);
    let pixels = picture(width, height);
    let luma: Vec<u8> = pixels.chunks_exact(3).map(|pixel| pixel[1]).collect();
    let gray = Arc::new(Pixels::copy_from(150, 100, PixelFormat::Gray8, &luma, 0).unwrap());
    for effort in i32::from(LOWEST)..=10 {
        let options = options(effort, 85, Subsampling::Auto);
        let file = pack_with(Kernels::best(), &gray, pixels::Layout::Gray8, 2, &options);
        let decoded = image::load_from_memory(&file).unwrap();
        assert_eq!(decoded.color(), image::ColorType::L8);
        let psnr = psnr(decoded.as_bytes(), &luma);
        assert!(psnr > 32.0, "effort {effort}: {psnr}");
    }
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_kernels() {
    let (width, height) = (133, 300);
    let pixels = picture(width, height);
    let map = rgb(width, height, &pixels);
    for effort in i32::from(LOWEST)..=10 {
        for subsampling in [Subsampling::Yuv420, Subsampling::Yuv422, Subsampling::Yuv444] {
            let options = options(effort, 75, subsampling);
            let pack = |kernels, threads| pack_with(kernels, &map, pixels::Layout::Rgb8, threads, &options);
            let one = pack(Kernels::best(), 1);
            for threads in [2, 5] {
                assert!(pack(Kernels::best(), threads) == one, "effort {effort}, {threads} threads");
            }
            for kernels in Kernels::available() {
                assert!(pack(kernels, 1) == one, "effort {effort} on {}", kernels.name);
            }
        }
    }
}

#[test]
fn scans_change_bytes_but_not_pixels() {
    let (width, height) = (321, 200);
    let pixels = picture(width, height);
    let map = rgb(width, height, &pixels);
    let options = options(5, 80, Subsampling::Yuv420);
    let rows = Rows::new(map, pixels::Layout::Rgb8, &options).unwrap();
    let (pool, control) = (Pool::new(1), Control::default());
    let plan = Plan {
        rows: &rows,
        options: &options,
        pool: &pool,
        control: &control,
        gain_map: None,
        auxiliaries: &[],
        metadata: &Default::default(),
        notes: &Default::default(),
    };
    let source = Source::new(&rows).unwrap();
    let geometry = Geometry { width, height, sampling: Sampling::S420 };
    for levels in [Weighing::None, Weighing::Ones, Weighing::All] {
        let mut decoded = Vec::new();
        for scans in [Scans::Baseline, Scans::Progressive(scripts::BRIEF), Scans::Progressive(scripts::WIDE)]
        {
            let mut file = Vec::new();
            let effort = Effort { levels, scans };
            dense::encode_with(Kernels::best(), &plan, &source, geometry, effort, &mut Collect(&mut file))
                .unwrap();
            decoded.push(coefficients(&file));
        }
        assert!(decoded[1..].iter().all(|other| *other == decoded[0]), "{levels:?}");
    }
}

#[test]
fn steps_grow_as_quality_falls() {
    for sampling in SAMPLINGS {
        for flat in [0.0, 0.3, 1.0] {
            let look = Look { flat, edges: flat };
            let steps = |quality| tune::tuning(tune::scale(quality, look, sampling), sampling).steps;
            assert_eq!(steps(100), [[1; 64]; 3]);
            for quality in 0..100 {
                let (coarse, fine) = (steps(quality), steps(quality + 1));
                let sum =
                    |steps: [[u16; 64]; 3]| steps.as_flattened().iter().map(|&s| u32::from(s)).sum::<u32>();
                assert!(sum(coarse) >= sum(fine), "{sampling:?} quality {quality}, flat {flat}");
            }
        }
    }
}

#[test]
fn a_stopped_encode_is_an_error() {
    let map = rgb(64, 64, &picture(64, 64));
    let options = options(5, 80, Subsampling::Yuv420);
    let rows = Rows::new(map, pixels::Layout::Rgb8, &options).unwrap();
    let (pool, control) = (Pool::new(1), Control::default());
    control.cancel();
    let plan = Plan {
        rows: &rows,
        options: &options,
        pool: &pool,
        control: &control,
        gain_map: None,
        auxiliaries: &[],
        metadata: &Default::default(),
        notes: &Default::default(),
    };
    let error = dense::encode(&plan, &mut Collect(&mut Vec::new())).unwrap_err();
    assert_eq!(error.kind, crate::error::ErrorKind::Cancelled);
}
