//! The encoder against libjpeg, byte for byte, on every set of kernels; and against a decoder of another family.
#![allow(unsafe_code, reason = "island: calls libjpeg's C interface")]

use std::{mem, ptr, slice, sync::Arc};

use mozjpeg_sys::*;

use super::{
    band::{Band, Layout, Plane, Source},
    baseline::{self, Recipe},
    front::PixelOrder,
    geometry::{Geometry, Sampling},
    huffman::Tables,
    kernels::Kernels,
    markers::{self, Density, Header},
    strip::{Shared, Worker, Writer},
    tables::{CHROMA_STEPS, LUMA_STEPS, Quantizer, scaled, standard_huffman},
};
use crate::{
    error::Result,
    model::{options::Options, pixel_format::PixelFormat, pixelmap::Pixels},
    pack::{control::Control, plan::Plan, pool::Pool},
    pixels::{self, Rows},
    sink::Sink,
};

const SAMPLINGS: [Sampling; 4] = [Sampling::S420, Sampling::S422, Sampling::S444, Sampling::Gray];
fn rgb() -> PixelOrder {
    PixelOrder::new(3, 0, 1, 2)
}

#[derive(Clone, Copy)]
struct Peer {
    quality: u8,
    sampling: Sampling,
    optimize: bool,
    restart_interval: u16,
    /// Whether the three samples are Y, Cb, Cr already.
    ycc: bool,
}

/// What libjpeg makes of packed pixels with three samples.
fn libjpeg(pixels: &[u8], width: usize, height: usize, peer: Peer) -> Vec<u8> {
    // SAFETY: plain C structs, alive until the compressor is destroyed; every row pointer has `3 * width` bytes.
    unsafe {
        let mut errors: jpeg_error_mgr = mem::zeroed();
        let mut c: jpeg_compress_struct = mem::zeroed();
        c.common.err = jpeg_std_error(&mut errors);
        jpeg_create_compress(&mut c);
        let (mut bytes, mut size) = (ptr::null_mut(), 0);
        jpeg_mem_dest(&mut c, &mut bytes, &mut size);
        (c.image_width, c.image_height, c.input_components) = (width as u32, height as u32, 3);
        c.in_color_space = if peer.ycc { J_COLOR_SPACE::JCS_YCbCr } else { J_COLOR_SPACE::JCS_RGB };
        let fastest = JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST as i32;
        jpeg_c_set_int_param(&mut c, J_INT_PARAM::JINT_COMPRESS_PROFILE, fastest);
        jpeg_set_defaults(&mut c);
        if peer.sampling == Sampling::Gray {
            jpeg_set_colorspace(&mut c, J_COLOR_SPACE::JCS_GRAYSCALE);
        }
        jpeg_set_quality(&mut c, peer.quality.into(), 1);
        c.optimize_coding = peer.optimize.into();
        c.restart_interval = peer.restart_interval.into();
        let (h, v) = peer.sampling.factors();
        ((*c.comp_info).h_samp_factor, (*c.comp_info).v_samp_factor) = (h as i32, v as i32);
        jpeg_start_compress(&mut c, 1);
        for row in pixels.chunks_exact(3 * width).take(height) {
            jpeg_write_scanlines(&mut c, &row.as_ptr(), 1);
        }
        jpeg_finish_compress(&mut c);
        let file = slice::from_raw_parts(bytes, size as usize).to_vec();
        jpeg_destroy_compress(&mut c);
        libc::free(bytes.cast());
        file
    }
}

/// Waves with noise of an amplitude: small ones make long runs of zeros, large ones the largest coefficients.
fn picture(width: usize, height: usize, noise: u32) -> Vec<u8> {
    let mut seed = 12345u32;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let across = ((x * (c + 1)) as f64 * 0.15).sin();
                let down = ((y * (3 - c)) as f64 * 0.07).cos();
                let noise = (seed >> 16) as i32 % (2 * noise as i32 + 1) - noise as i32;
                pixels.push(((across + down) * 60.0 + 128.0 + f64::from(noise)) as u8);
            }
        }
    }
    pixels
}

/// A file of one strip with the standard tables, by chosen kernels.
fn file(
    kernels: &'static Kernels,
    geometry: Geometry,
    peer: Peer,
    band: &dyn Fn(usize) -> Band<'static>,
) -> Vec<u8> {
    let q = [&LUMA_STEPS, &CHROMA_STEPS].map(|steps| Quantizer::new(&scaled(steps, peer.quality)));
    let specs = standard_huffman();
    let tables = specs.each_ref().map(|[dc, ac]| Tables::new(dc, ac));
    let classes = if geometry.sampling == Sampling::Gray { 1 } else { 2 };
    let quantization = [(0, q[0].steps), (1, q[1].steps)];
    let header = Header {
        geometry,
        density: Density { unit: 0, x: 1, y: 1 },
        metadata: &[],
        icc: None,
        quantization: &quantization[..classes],
        table_of: [0, 1, 1],
        restart_interval: peer.restart_interval,
        progressive: false,
    };
    let mut out = Vec::new();
    header.write(&mut out);
    for (number, spec) in (0..).zip(&specs[..classes]) {
        markers::write_huffman(&mut out, 0, number, &spec[0]);
        markers::write_huffman(&mut out, 1, number, &spec[1]);
    }
    header.write_restart(&mut out);
    markers::write_scan(&mut out, &[(0, 0, 0), (1, 1, 1), (2, 1, 1)][..2 * classes - 1], (0, 63), (0, 0));
    let quantizers = [&q[0], &q[1], &q[1]];
    let shared = Shared { kernels, geometry, quantizers, restart_interval: peer.restart_interval.into() };
    let (mut worker, mut writer) = (Worker::new(shared), Writer::new([&tables[0], &tables[1]]));
    for row in 0..geometry.mcu_rows() {
        worker.row(&band(row), row, &mut writer).unwrap();
    }
    writer.finish().unwrap();
    out.extend_from_slice(&writer.out);
    out.extend_from_slice(&markers::END);
    out
}

fn packed(pixels: &[u8], order: PixelOrder, geometry: Geometry) -> impl Fn(usize) -> Band<'static> {
    let pixels: &'static [u8] = pixels.to_vec().leak();
    move |mcu_row| {
        let (first, stride) = (mcu_row * geometry.mcu().1, geometry.width * order.bytes);
        let plane = Plane { data: &pixels[first * stride..], stride };
        let planes = [plane, Plane::default(), Plane::default()];
        let rows = geometry.mcu().1.min(geometry.height - first);
        Band { layout: Layout::Packed(order), planes, rows }
    }
}

fn check(geometry: Geometry, peer: Peer, wanted: &[u8], band: &dyn Fn(usize) -> Band<'static>, what: &str) {
    for kernels in Kernels::available() {
        let made = file(kernels, geometry, peer, band);
        let Geometry { width, height, sampling } = geometry;
        assert!(
            made == wanted,
            "{what} {width} x {height} {sampling:?} quality {} on {}: {} bytes, libjpeg {}, first difference at {:?}",
            peer.quality,
            kernels.name,
            made.len(),
            wanted.len(),
            made.iter().zip(wanted).position(|(a, b)| a != b)
        );
    }
}

#[test]
fn rgb_makes_libjpegs_bytes() {
    let sizes =
        [(1, 1), (2, 3), (7, 9), (8, 8), (9, 17), (16, 16), (17, 24), (100, 75), (129, 33), (263, 130)];
    for (width, height) in sizes {
        for noise in [0, 4, 40, 127] {
            let pixels = picture(width, height, noise);
            for sampling in SAMPLINGS {
                for quality in [0, 30, 75, 90, 100] {
                    let geometry = Geometry { width, height, sampling };
                    let peer = Peer { quality, sampling, optimize: false, restart_interval: 0, ycc: false };
                    let wanted = libjpeg(&pixels, width, height, peer);
                    check(geometry, peer, &wanted, &packed(&pixels, rgb(), geometry), "rgb");
                }
            }
        }
    }
}

#[test]
fn every_channel_order_makes_the_same_bytes() {
    let (width, height) = (150, 37);
    let pixels = picture(width, height, 30);
    for sampling in SAMPLINGS {
        let geometry = Geometry { width, height, sampling };
        let peer = Peer { quality: 80, sampling, optimize: false, restart_interval: 0, ycc: false };
        let wanted = libjpeg(&pixels, width, height, peer);
        for (bytes, red, green, blue) in [(3, 2, 1, 0), (4, 0, 1, 2), (4, 2, 1, 0), (4, 1, 2, 3)] {
            let mut other = vec![0xa5; width * height * bytes];
            for (to, from) in other.chunks_exact_mut(bytes).zip(pixels.chunks_exact(3)) {
                (to[red], to[green], to[blue]) = (from[0], from[1], from[2]);
            }
            let order = PixelOrder::new(bytes, red, green, blue);
            check(geometry, peer, &wanted, &packed(&other, order, geometry), &format!("{order:?}"));
        }
    }
}

#[test]
fn the_longest_sides_make_libjpegs_bytes() {
    for (width, height) in [(65500, 1), (1, 65500)] {
        let pixels = picture(width, height, 20);
        for sampling in [Sampling::S420, Sampling::S444] {
            let geometry = Geometry { width, height, sampling };
            let peer = Peer { quality: 75, sampling, optimize: false, restart_interval: 0, ycc: false };
            let wanted = libjpeg(&pixels, width, height, peer);
            check(geometry, peer, &wanted, &packed(&pixels, rgb(), geometry), "long");
        }
    }
}

#[test]
fn restart_intervals_of_any_length_make_libjpegs_bytes() {
    let (width, height) = (263, 130);
    let pixels = picture(width, height, 30);
    for sampling in [Sampling::S420, Sampling::S444] {
        for restart_interval in [1, 7, 17, 34, 1000] {
            let geometry = Geometry { width, height, sampling };
            let peer = Peer { quality: 75, sampling, optimize: false, restart_interval, ycc: false };
            let wanted = libjpeg(&pixels, width, height, peer);
            check(geometry, peer, &wanted, &packed(&pixels, rgb(), geometry), "restart");
        }
    }
}

/// Chroma samples that are repeated over the pixels they stand for survive libjpeg's averaging unchanged, so its
/// 4:4:4 input path is the oracle for subsampled planes too.
#[test]
fn yuv_planes_make_libjpegs_bytes() {
    for (width, height) in [(1, 1), (3, 5), (64, 48), (131, 47), (300, 18)] {
        let noise = picture(width, height, 60);
        for (layout, h, v) in [
            (Layout::Planar(1, 1), 1, 1),
            (Layout::Planar(2, 1), 2, 1),
            (Layout::Planar(2, 2), 2, 2),
            (Layout::SemiPlanar(false), 2, 2),
            (Layout::SemiPlanar(true), 2, 2),
        ] {
            let (columns, rows) = (width.div_ceil(h), height.div_ceil(v));
            let sample = |c: usize, x: usize, y: usize| noise[3 * (y * width + x) + c];
            let luma: Vec<u8> = (0..width * height).map(|i| noise[3 * i]).collect();
            let chroma = |c| (0..columns * rows).map(move |i| sample(c, i % columns * h, i / columns * v));
            let mut full = Vec::new();
            for y in 0..height {
                for x in 0..width {
                    full.push(sample(0, x, y));
                    full.extend([1, 2].map(|c| sample(c, x / h * h, y / v * v)));
                }
            }
            let (planes, strides): ([Vec<u8>; 3], _) = match layout {
                Layout::SemiPlanar(swapped) => {
                    let (first, second) = if swapped { (2, 1) } else { (1, 2) };
                    let pairs = chroma(first).zip(chroma(second)).flat_map(|(a, b)| [a, b]).collect();
                    ([luma, pairs, vec![]], [width, 2 * columns, 0])
                }
                _ => ([luma, chroma(1).collect(), chroma(2).collect()], [width, columns, columns]),
            };
            let planes: [&'static [u8]; 3] = planes.map(|plane| &*plane.leak());
            for sampling in SAMPLINGS {
                let geometry = Geometry { width, height, sampling };
                let peer = Peer { quality: 85, sampling, optimize: false, restart_interval: 0, ycc: true };
                let wanted = libjpeg(&full, width, height, peer);
                let band = move |mcu_row: usize| {
                    let first = mcu_row * geometry.mcu().1;
                    let plane = |i: usize| {
                        let start = if i == 0 { first } else { first / v } * strides[i];
                        Plane { data: planes[i].get(start..).unwrap_or_default(), stride: strides[i] }
                    };
                    let rows = geometry.mcu().1.min(height - first);
                    Band { layout, planes: [plane(0), plane(1), plane(2)], rows }
                };
                check(geometry, peer, &wanted, &band, &format!("{layout:?}"));
            }
        }
    }
}

/// Gathers the file.
struct Collect<'a>(&'a mut Vec<u8>);

impl Sink for Collect<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Packs RGB through the plan, as the library does.
fn pack(
    pixels: &[u8],
    width: usize,
    height: usize,
    threads: usize,
    change: impl Fn(&mut Options),
) -> Vec<u8> {
    pack_map(
        Pixels::copy_from(width as u32, height as u32, PixelFormat::Rgb888, pixels, 0).unwrap(),
        threads,
        change,
    )
}

fn pack_map(map: Pixels, threads: usize, change: impl Fn(&mut Options)) -> Vec<u8> {
    let (width, height) = (map.width() as usize, map.height() as usize);
    let mut options = Options::new("image/jpeg", 80).unwrap();
    change(&mut options);
    let rows = Rows::new(Arc::new(map), pixels::Layout::Rgb8, &options).unwrap();
    let (pool, control) = (Pool::new(threads), Control::default());
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
    let sampling = baseline::sampling(&options, &source);
    let geometry = Geometry { width, height, sampling };
    // libjpeg's steps at every effort; the tables of the second.
    let recipe = Recipe { tuned: false, optimize: options.effort > 1 };
    let mut out = Vec::new();
    let sink = &mut Collect(&mut out);
    baseline::encode_with(Kernels::best(), &plan, &source, geometry, None, recipe, sink).unwrap();
    out
}

/// Opaque bands are read as they are, the others are blended first: the file shows no seam.
#[test]
fn alpha_makes_the_bytes_of_pixels_blended_by_hand() {
    let (width, height) = (90, 70);
    let rgb = picture(width, height, 30);
    let formats = [
        (PixelFormat::Rgba8888, [0, 1, 2, 3]),
        (PixelFormat::Bgra8888, [2, 1, 0, 3]),
        (PixelFormat::Argb8888, [1, 2, 3, 0]),
    ];
    for (format, [red, green, blue, alpha]) in formats {
        // Opaque; from row 40 on with holes; with one hole in the last pixel.
        for transparent in [&[][..], &[40 * width, 41 * width + 7, 60 * width + 89], &[width * height - 1]] {
            let (mut pixels, mut blended) = (vec![0; 4 * width * height], rgb.clone());
            for (i, (to, from)) in pixels.chunks_exact_mut(4).zip(blended.chunks_exact_mut(3)).enumerate() {
                (to[red], to[green], to[blue], to[alpha]) = (from[0], from[1], from[2], 0xff);
                if transparent.contains(&i) {
                    to[alpha] = 0;
                    from.copy_from_slice(&[9, 99, 199]);
                }
            }
            let map = Pixels::copy_from(width as u32, height as u32, format, &pixels, 0).unwrap();
            let background = |options: &mut Options| {
                (options.effort, options.background) = (1, [9, 99, 199]);
            };
            let wanted = pack(&blended, width, height, 1, background);
            assert!(pack_map(map, 1, background) == wanted, "{format:?}, transparent at {transparent:?}");
        }
    }
}

#[test]
fn optimal_tables_make_libjpegs_bytes() {
    for (width, height, noise) in [(1, 1, 0), (200, 150, 3), (263, 130, 60)] {
        let pixels = picture(width, height, noise);
        let peer =
            Peer { quality: 80, sampling: Sampling::S420, optimize: true, restart_interval: 0, ycc: false };
        let made = pack(&pixels, width, height, 2, |options| options.effort = 2);
        assert!(made == libjpeg(&pixels, width, height, peer), "{width} x {height}");
    }
}

#[test]
fn strips_join_into_one_image_whatever_the_threads() {
    let (width, height) = (1203, 1001);
    let pixels = picture(width, height, 25);
    for effort in [1, 2] {
        let one = pack(&pixels, width, height, 1, |options| options.effort = effort);
        for threads in [2, 3, 16] {
            let other = pack(&pixels, width, height, threads, |options| options.effort = effort);
            assert!(one == other, "effort {effort}, {threads} threads");
        }
        let peer =
            Peer { quality: 80, sampling: Sampling::S420, optimize: false, restart_interval: 0, ycc: false };
        let whole = libjpeg(&pixels, width, height, peer);
        assert!(one.windows(2).any(|pair| pair == [0xff, 0xd3]), "five strips");
        let decode = |file: &[u8]| image::load_from_memory(file).unwrap().into_rgb8();
        assert!(decode(&one) == decode(&whole), "the strips decode to the pixels of a file without restarts");
        if effort == 1 {
            assert!(one.len().abs_diff(whole.len()) < whole.len() / 500, "{} or {}", one.len(), whole.len());
        } else {
            assert!(one.len() < whole.len());
        }
    }
}

#[test]
fn a_chosen_restart_interval_is_kept_on_threads() {
    let (width, height) = (1203, 1001);
    let pixels = picture(width, height, 25);
    for restart_interval in [1, 50, 76, 65535] {
        let peer =
            Peer { quality: 80, sampling: Sampling::S420, optimize: false, restart_interval, ycc: false };
        let made = pack(&pixels, width, height, 2, |options| {
            options.effort = 1;
            options.set("jpeg.restart_interval", &restart_interval.to_string()).unwrap();
        });
        assert!(made == libjpeg(&pixels, width, height, peer), "interval {restart_interval}");
    }
}

#[test]
fn profiles_of_many_segments_and_density_are_read_back() {
    let (width, height) = (40, 30);
    let pixels = picture(width, height, 25);
    let mut profile: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    profile[..4].copy_from_slice(&200_000u32.to_be_bytes());
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    let mut map = Pixels::copy_from(40, 30, PixelFormat::Rgb888, &pixels, 0).unwrap();
    map.color.icc = Some(profile.clone().into());
    let mut options = Options::new("image/jpeg", 80).unwrap();
    options.effort = 1;
    use crate::model::metadata;
    let density = metadata::Density::per_inch(300.0, 150.0);
    let metadata = metadata::Metadata { density, ..Default::default() };
    let rows = Rows::new(Arc::new(map), pixels::Layout::Rgb8, &options).unwrap();
    let (pool, control) = (Pool::new(1), Control::default());
    let plan = Plan {
        rows: &rows,
        options: &options,
        pool: &pool,
        control: &control,
        gain_map: None,
        auxiliaries: &[],
        metadata: &metadata,
        notes: &Default::default(),
    };
    let mut out = Vec::new();
    baseline::encode(&plan, &mut Collect(&mut out)).unwrap();
    assert_eq!(out[11..18], [1, 1, 1, 300u16.to_be_bytes()[0], 300u16.to_be_bytes()[1], 0, 150]);
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(&out)).unwrap();
    let read = image::ImageDecoder::icc_profile(&mut decoder).unwrap();
    assert!(read == Some(profile), "the profile comes back");

    let source = Source::new(&rows).unwrap();
    let geometry = Geometry { width, height, sampling: Sampling::S420 };
    let huge = vec![0; markers::ICC_LIMIT + 1];
    let result = baseline::encode_with(
        Kernels::best(),
        &plan,
        &source,
        geometry,
        Some(&huge),
        Recipe::of(1),
        &mut Collect(&mut out),
    );
    let message = result.unwrap_err().message;
    assert!(message.contains(&huge.len().to_string()), "{message}");
}
