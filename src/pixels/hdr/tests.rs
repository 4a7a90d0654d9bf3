use super::{
    super::{
        Layout,
        color::Curve,
        space::{Space, linear_to_d50},
    },
    kernels::Kernels,
    tables::{Decoder, Developer},
    transfer::{WHITE, nits_to_pq, pq_to_nits},
    *,
};
use crate::model::{gain_map::GainMapParams, pixelmap::AlphaType};

/// A small generator: the tests are the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        f64::from(self.next() & 0xffff) / 65535.0
    }
}

const RECIPE: Recipe = Recipe {
    mapper: ToneMapper::Bt2390,
    primaries: 12,
    linear_white: 203.0,
    scale: Some(1),
    sharp: false,
    exact: false,
    background: Some([0; 3]),
};

fn cicp(transfer: u8, matrix: u8) -> Cicp {
    Cicp { primaries: 9, transfer, matrix, full_range: matrix == 0 }
}

fn pack_half(value: f64) -> u16 {
    // Normal numbers, rounded down.
    let bits = (value as f32).to_bits();
    let exponent = (bits >> 23) as i32 - 112;
    if exponent <= 0 { 0 } else { (exponent as u32) << 10 | (bits >> 13) as u16 as u32 & 0x3ff }.min(0x7bff)
        as u16
}

/// Pixels of random signals of at most `top`, their code points, and the true light in BT.2020.
fn image(format: PixelFormat, transfer: u8, width: u32, height: u32, top: f64) -> (Pixels, Cicp) {
    let mut random = Random(u64::from(width) << 20 | u64::from(height));
    let mut bytes = Vec::new();
    let cicp = cicp(transfer, if format.info().yuv { 9 } else { 0 });
    let count = width as usize * height as usize;
    match format {
        PixelFormat::Rgba1010102 => {
            for _ in 0..count {
                let [r, g, b] = [0; 3].map(|_: i32| (random.unit() * top * 1023.0) as u32);
                bytes.extend_from_slice(&(r | g << 10 | b << 20 | 3 << 30).to_ne_bytes());
            }
        }
        PixelFormat::YcbcrP010 | PixelFormat::YcrcbP010 => {
            let mut sample = |low: f64, high: f64| ((low + (high - low) * random.unit()) as u16) << 6;
            for _ in 0..count {
                bytes.extend_from_slice(&sample(64.0, 64.0 + 876.0 * top).to_ne_bytes());
            }
            for _ in 0..2 * width.div_ceil(2) * height.div_ceil(2) {
                bytes.extend_from_slice(&sample(460.0, 560.0).to_ne_bytes());
            }
        }
        PixelFormat::RgbaF16 => {
            for i in 0..4 * count {
                let half = if i % 4 == 3 { 0x3c00 } else { pack_half(random.unit() * top) };
                bytes.extend_from_slice(&half.to_ne_bytes());
            }
        }
        PixelFormat::RgbaF32 => {
            for i in 0..4 * count {
                let value = if i % 4 == 3 { 1.0 } else { (random.unit() * top) as f32 };
                bytes.extend_from_slice(&value.to_ne_bytes());
            }
        }
        _ => {
            for _ in 0..count * format.info().planes[0].bytes as usize / 2 {
                bytes.extend_from_slice(&((random.unit() * top * 65535.0) as u16).to_ne_bytes());
            }
        }
    }
    let mut pixels = Pixels::from_vec(width, height, format, bytes).unwrap();
    pixels.color.cicp = cicp;
    (pixels, cicp)
}

fn run(kernels: Kernels, pixels: &Pixels, cicp: Cicp, recipe: &Recipe, threads: usize) -> Rendition {
    let (pool, control) = (Pool::new(threads), Control::default());
    Film::with(kernels, pixels, cicp, recipe, &pool, &control).unwrap().print(&pool, &control).unwrap()
}

/// Light of the rendition with its map applied in full, in the primaries of the base.
fn light(rendition: &Rendition) -> Vec<[f64; 3]> {
    let base = rendition.base.plane(0).0;
    let map = rendition.gain_map.as_ref().unwrap();
    let (min, max) = (f64::from(map.params.min[0]), f64::from(map.params.max[0]));
    let gains = map.pixels.plane(0).0;
    let gain = |g: u8| (min + (max - min) * f64::from(g) / 255.0).exp2();
    let pixels = base.as_chunks::<3>().0.iter().zip(gains);
    pixels.map(|(rgb, &g)| rgb.map(|c| Curve::SRGB.decode(f64::from(c) / 255.0) * gain(g))).collect()
}

#[test]
fn every_instruction_set_makes_the_same_bytes() {
    use PixelFormat::*;
    for (format, transfer, top) in [
        (Rgba1010102, 16, 0.8),
        (Rgba1010102, 18, 1.0),
        (YcbcrP010, 16, 0.8),
        (YcrcbP010, 18, 1.0),
        (RgbaF16, 8, 9.0),
        (RgbaF32, 8, 9.0),
        (Rgb161616, 16, 0.7),
    ] {
        for (width, height, scale) in [(37, 9, 1), (600, 35, 2), (1, 1, 2), (515, 66, 4), (3, 70, 4)] {
            let (pixels, cicp) = image(format, transfer, width, height, top);
            let recipe = Recipe { scale: Some(scale), sharp: width != 515, ..RECIPE };
            let portable = run(Kernels::PORTABLE, &pixels, cicp, &recipe, 1);
            let others = [(Some(Kernels::best()), 1), (Some(Kernels::best()), 3), (Kernels::avx2(), 1)];
            for (kernels, threads) in others.into_iter().filter_map(|(k, t)| Some((k?, t))) {
                let other = run(kernels, &pixels, cicp, &recipe, threads);
                let name = format!("{format:?} {width} x {height}");
                assert_eq!(portable.base.plane(0).0, other.base.plane(0).0, "{name}");
                let map = |r: &Rendition| r.gain_map.as_ref().map(|m| m.pixels.plane(0).0.to_vec());
                assert_eq!(map(&portable), map(&other), "{name}");
            }
        }
    }
}

#[test]
fn every_instruction_set_compares_and_applies_alike() {
    let mut random = Random(7);
    for (width, height, scale, base_format) in [
        (37, 9, 1, PixelFormat::Rgb888),
        (600, 35, 2, PixelFormat::Nv12),
        (515, 66, 4, PixelFormat::Rgba8888),
        (5, 3, 4, PixelFormat::Gray8),
    ] {
        let (hdr, cicp) = image(PixelFormat::Rgba1010102, 16, width, height, 0.8);
        let info = base_format.info();
        let size: u64 = info.planes.iter().map(|p| p.row_bytes(width) * p.rows(height)).sum();
        let bytes = (0..size).map(|_| random.next() as u8).collect();
        let sdr = Pixels::from_vec(width, height, base_format, bytes).unwrap();
        let kernels = [Some(Kernels::PORTABLE), Kernels::avx2(), Some(Kernels::best())];
        let bright = Bright { pixels: &hdr, cicp, linear_white: 203.0 };
        let mut seen: Option<(Vec<u8>, GainMapParams, Vec<Vec<u8>>)> = None;
        for (threads, kernels) in kernels.into_iter().flatten().enumerate() {
            let (pool, control) = (Pool::new(threads + 1), Control::default());
            let map = compare::compare_with(kernels, &sdr, bright, scale, &pool, &control).unwrap().unwrap();
            map.params.check().unwrap();
            use PixelFormat::*;
            let applied = [RgbaF16, RgbaF32, Rgba1010102, Rgb161616, Rgba16161616].map(|format| {
                let made = apply::apply_with(kernels, &sdr, &map, 1.5, format, &pool, &control).unwrap();
                made.plane(0).0.to_vec()
            });
            let now = (map.pixels.plane(0).0.to_vec(), map.params, applied.to_vec());
            let first = seen.get_or_insert(now.clone());
            assert!(*first == now, "{width} x {height} {base_format:?}");
        }
    }
}

/// Bars of highlights of 1000 nits, 3 pixels wide, on gray, as PQ in the primaries of the base; light by nits.
fn bars(width: u32, height: u32) -> (Pixels, Vec<f64>) {
    let nits = |x: u32, y: u32| {
        if x % 16 < 3 { 1000.0 } else { 60.0 + f64::from((7 * x + 5 * y) % 90) }
    };
    let all: Vec<f64> = (0..height).flat_map(|y| (0..width).map(move |x| nits(x, y))).collect();
    let word = |nits: &f64| ((nits_to_pq(*nits) * 1023.0).round() as u32 * 0x10_0401 | 3 << 30).to_ne_bytes();
    let bytes = all.iter().flat_map(word).collect();
    (Pixels::from_vec(width, height, PixelFormat::Rgba1010102, bytes).unwrap(), all)
}

/// Light with the map enlarged bilinearly between the centres of its samples.
fn enlarged(rendition: &Rendition, width: usize, height: usize) -> Vec<f64> {
    let map = rendition.gain_map.as_ref().unwrap();
    let (columns, rows) = (map.pixels.width() as usize, map.pixels.height() as usize);
    let near = |at: usize, size: usize, of: usize| {
        let at = ((at as f64 + 0.5) * of as f64 / size as f64 - 0.5).clamp(0.0, (of - 1) as f64);
        (at as usize, (at as usize + 1).min(of - 1), at.fract())
    };
    let sample = |x: usize, y: usize| f64::from(map.pixels.row(0, y as u32)[x]) / 255.0;
    let span = f64::from(map.params.max[0] - map.params.min[0]);
    let place = |i: usize| {
        let ((x0, x1, fx), (y0, y1, fy)) = (near(i % width, width, columns), near(i / width, height, rows));
        let across = |y: usize| sample(x0, y) * (1.0 - fx) + sample(x1, y) * fx;
        let gain = f64::from(map.params.min[0]) + span * (across(y0) * (1.0 - fy) + across(y1) * fy);
        let code = f64::from(rendition.base.row(0, (i / width) as u32)[3 * (i % width) + 1]);
        Curve::SRGB.decode(code / 255.0) * gain.exp2() * WHITE
    };
    (0..width * height).map(place).collect()
}

#[test]
fn the_sdr_image_makes_up_for_a_small_map() {
    for (width, height, scale) in [(128, 64, 2), (130, 66, 4), (101, 37, 2), (99, 50, 4)] {
        let (pixels, truth) = bars(width, height);
        let code_points = Cicp { primaries: 12, ..cicp(16, 0) };
        let [soft, sharp] = [false, true].map(|sharp| {
            let recipe = Recipe { scale: Some(scale), sharp, ..RECIPE };
            let rendition = run(Kernels::best(), &pixels, code_points, &recipe, 1);
            let seen = enlarged(&rendition, width as usize, height as usize);
            let squares = seen.iter().zip(&truth).map(|(a, b)| (nits_to_pq(*a) - nits_to_pq(*b)).powi(2));
            (rendition, -10.0 * (squares.sum::<f64>() / truth.len() as f64).log10())
        });
        println!("1/{scale}: {} dB, {} dB", soft.1, sharp.1);
        assert!(sharp.1 > soft.1 + 2.0, "{width} x {height} at 1/{scale}: {} dB, {} dB", soft.1, sharp.1);
        // And stays within half a stop of the tone curve, and 2 codes.
        let pairs = soft.0.base.plane(0).0.iter().zip(sharp.0.base.plane(0).0);
        for (soft, sharp) in pairs {
            let [low, high] = [soft.min(sharp), soft.max(sharp)].map(|code| f64::from(*code) / 255.0);
            let stops = (Curve::SRGB.decode(high - 2.0 / 255.0) / Curve::SRGB.decode(low)).log2();
            assert!(stops <= 0.5, "{soft} became {sharp}");
        }
    }
}

#[test]
fn rows_are_the_same_however_they_are_asked_for() {
    let (pixels, _) = bars(90, 53);
    let code_points = Cicp { primaries: 12, ..cicp(16, 0) };
    let (pool, control) = (Pool::new(1), Control::default());
    for scale in [2, 4] {
        let recipe = Recipe { scale: Some(scale), sharp: true, ..RECIPE };
        let film = || Film::with(Kernels::best(), &pixels, code_points, &recipe, &pool, &control).unwrap();
        let whole = film().print(&pool, &control).unwrap();
        for step in [4u32, 8, 20] {
            let film = film();
            let mut work = None;
            for first in (0..53).step_by(step as usize) {
                let rows = first..(first + step).min(53);
                let mut to = vec![0; 90 * 3 * rows.len()];
                film.develop(rows.clone(), Layout::Rgb8, &mut to, &mut work).unwrap();
                assert_eq!(to, whole.base.plane(0).0[90 * 3 * first as usize..][..to.len()], "{rows:?}");
            }
            let map = film.take_gain_map().unwrap().unwrap().pixels;
            assert_eq!(map.plane(0).0, whole.gain_map.as_ref().unwrap().pixels.plane(0).0, "steps of {step}");
        }
    }
}

#[test]
fn profiles_of_curves_and_primaries_are_spaces() {
    let profile = crate::pixels::color::icc_to_write(
        &Color { cicp: Cicp { primaries: 12, ..Cicp::SRGB }, icc: None },
        false,
    );
    let mut color = Color { cicp: Cicp::SRGB, icc: profile.unwrap() };
    let space = Space::of(&color).unwrap();
    let expected = linear_to_d50(12).unwrap();
    for (row, expected) in space.to_d50.iter().zip(expected) {
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{row:?} {expected:?}");
    }
    for signal in [0.0, 0.02, 0.3, 0.9, 1.0] {
        assert!(((space.light)(signal) - Curve::SRGB.decode(signal)).abs() < 1e-4);
    }
    let whole = color.icc.unwrap();
    for length in (0..whole.len()).step_by(7) {
        color.icc = Some(whole[..length].into());
        assert!(Space::of(&color).is_err(), "{length} bytes");
    }
}

#[test]
fn the_map_brings_the_light_back() {
    use PixelFormat::*;
    // A source in the primaries of the base, so that nothing is out of gamut.
    for (format, transfer, top) in
        [(Rgba1010102, 16, 0.75), (Rgb161616, 16, 0.75), (RgbaF16, 8, 6.0), (RgbaF32, 8, 6.0)]
    {
        let (pixels, mut cicp) = image(format, transfer, 64, 48, top);
        cicp.primaries = 12;
        let rendition = run(Kernels::best(), &pixels, cicp, &RECIPE, 1);
        let row = pixels.plane(0).0;
        let signal = |i: usize, c: usize| -> f64 {
            match format {
                Rgba1010102 => {
                    let word = u32::from_ne_bytes(row.as_chunks::<4>().0[i]);
                    f64::from(word >> (10 * c) & 1023) / 1023.0
                }
                Rgb161616 => f64::from(u16::from_ne_bytes(row.as_chunks::<2>().0[3 * i + c])) / 65535.0,
                RgbaF16 => {
                    let half = u32::from(u16::from_ne_bytes(row.as_chunks::<2>().0[4 * i + c]));
                    f64::from(f32::from_bits((half << 13) + if half == 0 { 0 } else { 112 << 23 }))
                }
                _ => f64::from(f32::from_ne_bytes(row.as_chunks::<4>().0[4 * i + c])),
            }
        };
        let mut squares = 0.0;
        let light = light(&rendition);
        for (i, pixel) in light.iter().enumerate() {
            for (c, &value) in pixel.iter().enumerate() {
                let signal = signal(i, c);
                let pq = if transfer == 16 { signal } else { nits_to_pq(signal * WHITE) };
                let back = nits_to_pq(value * WHITE);
                squares += (pq - back) * (pq - back);
            }
        }
        let decibels = -10.0 * (squares / (3.0 * light.len() as f64)).log10();
        // Random colours are the worst case: gains of one component multiply the steps of the others.
        assert!(decibels > 42.0, "{format:?}: {decibels} dB");
    }
}

#[test]
fn neutral_patches_have_the_codes_of_bt_2390() {
    // Patches of 16 x 16; the brightest makes the peak.
    let nits = [20.0, 50.0, 100.0, 203.0, 400.0, 1000.0];
    let mut bytes = Vec::new();
    for _ in 0..16 {
        for nits in nits {
            let code = (nits_to_pq(nits) * 1023.0).round() as u32;
            (0..16).for_each(|_| bytes.extend_from_slice(&(code * 0x10_0401 | 3 << 30).to_ne_bytes()));
        }
    }
    let pixels = Pixels::from_vec(96, 16, PixelFormat::Rgba1010102, bytes).unwrap();
    for primaries in [1, 12] {
        let rendition = run(Kernels::best(), &pixels, cicp(16, 0), &Recipe { primaries, ..RECIPE }, 1);
        let row = rendition.base.row(0, 5).as_chunks::<3>().0;
        for (patch, expected) in [88, 136, 186, 229, 250, 255].into_iter().enumerate() {
            let [r, g, b] = row[16 * patch + 8].map(i32::from);
            assert!((g - expected).abs() <= 2, "{} nits: {g}, expected {expected}", nits[patch]);
            assert!(r.abs_diff(g) <= 1 && b.abs_diff(g) <= 1, "not neutral: {r} {g} {b}");
        }
        let map = rendition.gain_map.as_ref().unwrap();
        assert!((map.params.alternate_headroom - (1000f32 / 203.0).log2()).abs() < 0.05);
        for (patch, nits) in nits.into_iter().enumerate() {
            let light = light(&rendition)[16 * patch + 8][1] * WHITE;
            assert!((light / nits - 1.0).abs() < 0.02, "{nits} nits came back as {light}");
        }
    }
}

#[test]
fn hlg_and_p010_mean_what_bt_2100_says() {
    // Gray at HLG's 75 %: diffuse white. Two by two pixels at the end are HLG's peak.
    let mut bytes = Vec::new();
    for i in 0..64 {
        let y = if i >= 60 { 940u16 } else { 64 + (0.75 * 876.0) as u16 };
        bytes.extend_from_slice(&(y << 6).to_ne_bytes());
    }
    (0..32).for_each(|_| bytes.extend_from_slice(&(512u16 << 6).to_ne_bytes()));
    for format in [PixelFormat::YcbcrP010, PixelFormat::YcrcbP010] {
        let pixels = Pixels::from_vec(16, 4, format, bytes.clone()).unwrap();
        let rendition = run(Kernels::best(), &pixels, cicp(18, 9), &RECIPE, 1);
        let light = light(&rendition);
        for value in light[5] {
            assert!((value - 1.0).abs() < 0.02, "white is {value}");
        }
        assert!((light[63][1] * WHITE / 1000.0 - 1.0).abs() < 0.02, "the peak is {}", light[63][1] * WHITE);
    }
}

#[test]
fn chroma_comes_in_either_order() {
    let (pixels, cicp) = image(PixelFormat::YcbcrP010, 16, 34, 8, 0.7);
    let mut bytes = pixels.plane(0).0[..34 * 8 * 2].to_vec();
    for pair in pixels.plane(1).0.as_chunks::<4>().0 {
        bytes.extend_from_slice(&[pair[2], pair[3], pair[0], pair[1]]);
    }
    let swapped = Pixels::from_vec(34, 8, PixelFormat::YcrcbP010, bytes).unwrap();
    let [a, b] = [&pixels, &swapped].map(|pixels| run(Kernels::best(), pixels, cicp, &RECIPE, 1));
    assert_eq!(a.base.plane(0).0, b.base.plane(0).0);
}

#[test]
fn blocks_at_the_edges_average_what_is_there() {
    let (pixels, cicp) = image(PixelFormat::Rgba1010102, 16, 11, 7, 0.75);
    let full = run(Kernels::best(), &pixels, cicp, &RECIPE, 1).gain_map.unwrap();
    for scale in [2usize, 4] {
        let recipe = Recipe { scale: Some(scale as u32), ..RECIPE };
        let map = run(Kernels::best(), &pixels, cicp, &recipe, 1).gain_map.unwrap().pixels;
        assert_eq!(
            (map.width() as usize, map.height() as usize),
            (11usize.div_ceil(scale), 7usize.div_ceil(scale))
        );
        for (y, x) in (0..map.height() as usize).flat_map(|y| (0..map.width() as usize).map(move |x| (y, x)))
        {
            let (mut sum, mut count) = (0.0, 0.0);
            for v in scale * y..(scale * y + scale).min(7) {
                for u in scale * x..(scale * x + scale).min(11) {
                    sum += f64::from(full.pixels.row(0, v as u32)[u]);
                    count += 1.0;
                }
            }
            let got = f64::from(map.row(0, y as u32)[x]);
            assert!(
                (got - sum / count).abs() <= 1.0,
                "{x}, {y} at 1/{scale}: {got}, expected {}",
                sum / count
            );
        }
    }
}

#[test]
fn hostile_floats_and_alpha_are_taken() {
    let halves = [0x7c00u16, 0xfc00, 0x7e00, 0x7bff, 0xfbff, 0x0001, 0x8001, 0x0000, 0x3c00, 0xffff];
    let bytes: Vec<u8> = (0..40 * 4 * 3).flat_map(|i| halves[i * 7 % 10].to_ne_bytes()).collect();
    let mut pixels = Pixels::from_vec(40, 3, PixelFormat::RgbaF16, bytes).unwrap();
    pixels.color.cicp = cicp(8, 0);
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, 1e-40, 0.0, 1.0, 0.5, 65536.0];
    let bytes: Vec<u8> = (0..40 * 4 * 3).flat_map(|i| values[i * 7 % 10].to_ne_bytes()).collect();
    let mut floats = Pixels::from_vec(40, 3, PixelFormat::RgbaF32, bytes).unwrap();
    floats.color.cicp = cicp(8, 0);
    for mut pixels in [pixels, floats] {
        for alpha in [AlphaType::Opaque, AlphaType::Premultiplied, AlphaType::Unpremultiplied] {
            pixels.alpha = alpha;
            for background in [None, Some([10, 20, 30])] {
                let recipe = Recipe { background, scale: Some(2), ..RECIPE };
                let rendition = run(Kernels::best(), &pixels, pixels.color.cicp, &recipe, 1);
                rendition.gain_map.inspect(|map| map.params.check().unwrap());
            }
        }
    }
}

#[test]
fn transparent_pixels_show_the_background() {
    // Half of 4 x white over black, then nothing at all.
    let pixel = |v: f64, a: f64| [v, v, v, a].map(pack_half).map(u16::to_ne_bytes).concat();
    let bytes = [pixel(4.0, 0.5), pixel(4.0, 0.0), pixel(4.0, 1.0), pixel(1.0, 1.0)].concat();
    let mut pixels = Pixels::from_vec(4, 1, PixelFormat::RgbaF16, bytes).unwrap();
    pixels.color.cicp = cicp(8, 0);
    let rendition = run(Kernels::best(), &pixels, cicp(8, 0), &RECIPE, 1);
    for (light, expected) in light(&rendition).iter().zip([2.0, 0.0, 4.0, 1.0]) {
        assert!((light[1] - expected).abs() <= 0.02 * expected, "{} {expected}", light[1]);
    }
    let recipe = Recipe { background: None, ..RECIPE };
    let kept = run(Kernels::best(), &pixels, cicp(8, 0), &recipe, 1).base;
    let alphas: Vec<_> = kept.row(0, 0).as_chunks::<4>().0.iter().map(|p| p[3]).collect();
    assert_eq!(alphas, [128, 0, 255, 255]);
}

#[test]
fn images_without_highlights_have_no_map() {
    let (pixels, cicp) = image(PixelFormat::Rgba1010102, 16, 40, 40, nits_to_pq(150.0));
    assert!(run(Kernels::best(), &pixels, cicp, &RECIPE, 1).gain_map.is_none());
}

#[test]
fn large_images_are_measured_by_a_sixteenth() {
    for (format, transfer, top) in [
        (PixelFormat::Rgba1010102, 16, 0.7),
        (PixelFormat::YcbcrP010, 16, 0.7),
        (PixelFormat::RgbaF16, 8, 5.0),
        (PixelFormat::Rgb161616, 16, 0.7),
    ] {
        let (pixels, cicp) = image(format, transfer, 1031, 257, top);
        let decoder = || Decoder::new(cicp, &linear_to_d50(12).unwrap(), 203.0).unwrap();
        let reader = Reader::new(&pixels, cicp, decoder(), Kernels::best(), Some([0.0; 3])).unwrap();
        let [peak, alone] = [3, 1]
            .map(|threads| measure(&reader, &pixels, &Pool::new(threads), &Control::default()).unwrap());
        assert_eq!(peak.to_bits(), alone.to_bits());
        let mut all = Histogram::new().unwrap();
        let mut work = Work::new().unwrap();
        for y in 0..257 {
            for x in (0..1031).step_by(TILE) {
                let n = TILE.min(1031 - x);
                reader.read(y, x, n, &mut work);
                count(&work.light, n, &mut all);
            }
        }
        assert!((peak / all.peak() - 1.0).abs() < 0.03, "{format:?}: {peak}, all pixels {}", all.peak());
    }
}

#[test]
fn every_curve_is_undone_by_its_map() {
    use ToneMapper::*;
    for mapper in [Bt2390, Clip, Bt2446a, Reinhard] {
        let developer = Developer::new(mapper, 4.0, false).unwrap();
        developer.params.check().unwrap();
        let (pixels, mut cicp) = image(PixelFormat::Rgba1010102, 16, 32, 32, nits_to_pq(4.0 * WHITE));
        cicp.primaries = 12;
        let rendition = run(Kernels::best(), &pixels, cicp, &Recipe { mapper, ..RECIPE }, 1);
        let mut worst = 0f64;
        for (i, value) in light(&rendition).iter().enumerate() {
            let word = u32::from_ne_bytes(pixels.plane(0).0.as_chunks::<4>().0[i]);
            let nits = pq_to_nits(f64::from(word >> 10 & 1023) / 1023.0);
            if nits > 5.0 {
                worst = worst.max((nits_to_pq(nits) - nits_to_pq(value[1] * WHITE)).abs());
            }
        }
        assert!(worst < 0.03, "{mapper:?}: {worst}");
    }
}

#[test]
fn half_floats_are_the_nearest_and_whole_numbers_too() {
    use crate::pixels::half as value_of;
    let mut values = vec![0.0, -1.0, f32::NAN, 1e-9, 2f32.powi(-25), 2f32.powi(-24), 2f32.powi(-14), 1.0];
    values.extend([65504.0, 65519.0, 1e9, f32::INFINITY, 0.3333, 2f32.powi(-15) * 1.01]);
    let mut random = Random(3);
    values.resize_with(TILE, || (2.0 * random.unit() as f32).powi((random.next() % 40) as i32 - 20));
    let mut planes = [[0.0; TILE]; 3];
    planes.iter_mut().for_each(|plane| plane.copy_from_slice(&values));
    for kernels in [Some(Kernels::PORTABLE), Kernels::avx2(), Some(Kernels::best())].into_iter().flatten() {
        let mut bytes = [0; 8 * TILE];
        kernels.pack(kernels::Pack::Half, &planes, &values, &mut bytes, TILE);
        for (pixel, &value) in bytes.as_chunks::<2>().0.as_chunks::<4>().0.iter().zip(&values) {
            let bits = pixel.map(u16::from_ne_bytes);
            assert_eq!(bits, [bits[0]; 4]);
            let wanted = if value > 0.0 { value.min(65504.0) } else { 0.0 };
            let [below, found, above] = [bits[0].saturating_sub(1), bits[0], bits[0] + 1].map(value_of);
            let off = (found - wanted).abs();
            assert!(off <= (below - wanted).abs() && off <= (above - wanted).abs(), "{value}: {found}");
        }
        kernels.pack(kernels::Pack::Sixteen, &planes, &values, &mut bytes, TILE);
        for (pixel, &value) in bytes.as_chunks::<2>().0.as_chunks::<4>().0.iter().zip(&values) {
            let wanted = if value > 0.0 { f64::from(value).min(1.0) * 65535.0 } else { 0.0 };
            pixel.iter().for_each(|&found| {
                let found = f64::from(u16::from_ne_bytes(found));
                assert!((found - wanted).abs() <= 0.51, "{value}: {found}, expected {wanted}");
            });
        }
    }
}
