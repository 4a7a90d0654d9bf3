//! What an HDR image is after a pack, as numbers that viewers would notice.

use image_packer::{
    codec::gain_map::iso,
    model::{
        color::Cicp,
        gain_map::GainMapParams,
        pixel_format::PixelFormat::{Rgba1010102, RgbaF32},
        pixelmap::{AlphaType, Pixels},
    },
};

use super::{
    SKY,
    common::{
        jpeg::{body, decode, images},
        light::{nits_to_pq, srgb_to_light},
        packing::{pack_pixels, quick},
    },
    pack_sky, reconstruct,
};

pub fn params_of(file: &[u8]) -> GainMapParams {
    iso::read(body(images(file)[1].1, 0xe2, iso::NAME).unwrap()).unwrap()
}

fn dot(row: [f64; 3], v: [f64; 3]) -> f64 {
    row.iter().zip(v).map(|(a, b)| a * b).sum()
}

/// Light of Display P3 in BT.2020's primaries (H.273's chromaticities, both with white D65).
fn to_2020(light: [f64; 3]) -> [f64; 3] {
    [
        [0.753_833_0, 0.198_597_4, 0.047_569_6],
        [0.045_743_8, 0.941_777_2, 0.012_478_9],
        [-0.001_210_3, 0.017_601_7, 0.983_608_6],
    ]
    .map(|row| dot(row, light))
}

/// ITU-R BT.2124's difference of two colours, light in BT.2020's primaries with 1.0 at 203 nits; 1 is just visible.
fn difference(one: [f64; 3], other: [f64; 3]) -> f64 {
    let ictcp = |light: [f64; 3]| {
        let light = light.map(|v| v.max(0.0) * 203.0);
        let [l, m, s] = [[1688.0, 2146.0, 262.0], [683.0, 2951.0, 462.0], [99.0, 309.0, 3688.0]]
            .map(|row| nits_to_pq(dot(row, light) / 4096.0));
        [[2048.0, 2048.0, 0.0], [6610.0, -13613.0, 7003.0], [17933.0, -17390.0, -543.0]]
            .map(|row| dot(row, [l, m, s]) / 4096.0)
    };
    let (a, b) = (ictcp(one), ictcp(other));
    720.0 * ((a[0] - b[0]).powi(2) + 0.25 * (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)).sqrt()
}

#[test]
fn colours_come_back_within_what_is_seen() {
    for (quality, scale, gate) in [(95, "1", 2.0), (90, "2", 2.5), (90, "4", 3.0)] {
        let light = reconstruct(&pack_sky(&quick("image/jpeg", quality, &[("gain_map.scale", scale)])));
        let sum: f64 = light
            .iter()
            .enumerate()
            .map(|(i, &seen)| {
                let truth = SKY.at(i as u32 % SKY.width, i as u32 / SKY.width);
                difference(to_2020(seen), to_2020(truth))
            })
            .sum();
        let mean = sum / light.len() as f64;
        println!("1/{scale}: {mean}");
        assert!(mean <= gate, "1/{scale}: {mean}");
    }
}

/// BT.2100, tables 5: HLG to light of a display of 1000 nits, in units of diffuse white.
fn hlg_to_light(signal: [f64; 3]) -> [f64; 3] {
    const A: f64 = 0.178_832_77;
    let scene = signal
        .map(|e| if e <= 0.5 { e * e / 3.0 } else { (((e - 0.559_910_73) / A).exp() + 0.284_668_92) / 12.0 });
    let luminance = dot([0.2627, 0.678, 0.0593], scene);
    scene.map(|v| v * luminance.powf(0.2) * 1000.0 / 203.0)
}

#[test]
fn hlg_comes_back() {
    // The sky's numbers as scene light, a little below 1.
    let code = |light: f64| {
        let e = light / 7.0;
        let signal = if e <= 1.0 / 12.0 {
            (3.0 * e).sqrt()
        } else {
            0.178_832_77 * (12.0 * e - 0.284_668_92).ln() + 0.559_910_73
        };
        (signal * 1023.0).round() as u32
    };
    let place = |i: u32| SKY.at(i % SKY.width, i / SKY.width).map(code);
    let bytes = (0..SKY.width * SKY.height).flat_map(|i| {
        let [r, g, b] = place(i);
        (r | g << 10 | b << 20 | 3 << 30).to_ne_bytes()
    });
    let mut pixels = Pixels::from_vec(SKY.width, SKY.height, Rgba1010102, bytes.collect()).unwrap();
    pixels.color.cicp = Cicp { primaries: 9, transfer: 18, matrix: 0, full_range: true };
    pixels.alpha = AlphaType::Opaque;
    let (file, _) = pack_pixels(pixels, &quick("image/jpeg", 95, &[("gain_map.scale", "1")]));
    let mut squares = 0.0;
    let light = reconstruct(&file);
    for (i, &seen) in light.iter().enumerate() {
        let truth = hlg_to_light(place(i as u32).map(|code| f64::from(code) / 1023.0));
        for (a, b) in to_2020(seen).into_iter().zip(truth) {
            squares += (nits_to_pq(a.max(0.0) * 203.0) - nits_to_pq(b * 203.0)).powi(2);
        }
    }
    let decibels = -10.0 * (squares / (3 * light.len()) as f64).log10();
    println!("HLG: {decibels} dB");
    assert!(decibels >= 47.5, "{decibels} dB");
}

/// Patches of 32 x 32 next to each other, as floats of linear light.
fn patches(colors: &[[f64; 3]], primaries: u8) -> Pixels {
    let mut bytes = Vec::new();
    for _ in 0..32 {
        for [r, g, b] in colors {
            let pixel = [*r, *g, *b, 1.0].map(|v| (v as f32).to_ne_bytes()).concat();
            (0..32).for_each(|_| bytes.extend_from_slice(&pixel));
        }
    }
    let mut pixels = Pixels::from_vec(32 * colors.len() as u32, 32, RgbaF32, bytes).unwrap();
    pixels.color.cicp = Cicp { primaries, transfer: 8, matrix: 0, full_range: true };
    pixels.alpha = AlphaType::Opaque;
    pixels
}

#[test]
fn a_chart_up_to_what_pq_has_comes_back() {
    // Every gray of the dark, which 8 bits alone cannot tell, 2 % apart.
    let dark = (0..190).map(|step| 0.5 * 1.02f64.powi(step));
    let nits: Vec<f64> =
        dark.chain([0.1, 20.0, 50.0, 100.0, 203.0, 400.0, 1000.0, 2000.0, 4000.0, 10_000.0]).collect();
    let colors: Vec<_> = nits.iter().map(|nits| [nits / 203.0; 3]).collect();
    let (file, _) = pack_pixels(patches(&colors, 12), &quick("image/jpeg", 100, &[("gain_map.scale", "1")]));
    let light = reconstruct(&file);
    let mut worst = 0f64;
    for (patch, nits) in nits.into_iter().enumerate() {
        let seen = 203.0 * light[16 * 32 * colors.len() + 32 * patch + 16][1];
        let gate = if nits < 0.5 { 0.25 } else { 0.02 };
        worst = worst.max((seen / nits - 1.0).abs() / gate);
        assert!((seen / nits - 1.0).abs() <= gate, "{nits} nits came back as {seen}");
    }
    println!("the farthest of its gate: {worst}");
}

#[test]
fn peak_and_headroom_are_those_of_the_image() {
    let file = pack_sky(&quick("image/jpeg", 95, &[("gain_map.scale", "1")]));
    let brightest = |light: &mut dyn Iterator<Item = [f64; 3]>| {
        let mut all: Vec<_> = light.map(|[r, g, b]| r.max(g).max(b)).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() - 1], all[all.len() - 1 - all.len() / 10_000])
    };
    let mut truth = (0..SKY.width * SKY.height).map(|i| SKY.at(i % SKY.width, i / SKY.width));
    let (most, nearly) = brightest(&mut truth);
    let headroom = f64::from(params_of(&file).alternate_headroom);
    assert!((headroom - nearly.log2()).abs() <= 0.05, "{headroom}, expected {}", nearly.log2());
    let (seen, _) = brightest(&mut reconstruct(&file).into_iter());
    assert!((0.96..=1.01).contains(&(seen / most)), "a peak of {most} came back as {seen}");
}

/// The linear light of each patch in the SDR image.
fn sdr_of(colors: &[[f64; 3]], primaries: u8) -> Vec<([u8; 3], [f64; 3])> {
    let (file, _) =
        pack_pixels(patches(colors, primaries), &quick("image/jpeg", 100, &[("gain_map.scale", "1")]));
    let base = decode(images(&file)[0].1).to_rgb8();
    let codes = (0..colors.len() as u32).map(|i| base.get_pixel(32 * i + 16, 16).0);
    codes.map(|codes| (codes, codes.map(|code| srgb_to_light(f64::from(code) / 255.0)))).collect()
}

#[test]
fn no_colour_of_the_base_is_clipped() {
    // Ramps of six hues up to 1000 nits, which white has.
    let hues = [
        [1.0, 0.02, 0.02],
        [0.02, 1.0, 0.02],
        [0.02, 0.02, 1.0],
        [1.0, 1.0, 0.1],
        [0.1, 1.0, 1.0],
        [1.0, 0.4, 0.2],
    ];
    let mut colors = vec![[1000.0 / 203.0; 3]];
    for hue in hues {
        colors.extend([50.0, 100.0, 203.0, 400.0, 500.0].map(|nits| hue.map(|part| part * nits / 203.0)));
    }
    for ((codes, seen), color) in sdr_of(&colors, 12).into_iter().zip(&colors).skip(1) {
        assert!(codes.iter().all(|&code| code < 255), "{color:?} is clipped: {codes:?}");
        let largest = |v: &[f64; 3]| v.iter().fold(0f64, |a, b| a.max(*b));
        for (seen_part, part) in seen.iter().zip(color) {
            let (seen_part, part) = (seen_part / largest(&seen), part / largest(color));
            // A code or two, of JPEG's luma and chroma.
            assert!((seen_part - part).abs() < 0.02, "{color:?} has become {seen:?}");
        }
    }
}

/// The part of CIEDE2000 that is of hue (ISO/CIE 11664-6); colours in XYZ with a white of D65.
fn hue_difference(one: [f64; 3], other: [f64; 3]) -> f64 {
    let lab = |xyz: [f64; 3]| {
        let [x, y, z] = [xyz[0] / 0.9505, xyz[1], xyz[2] / 1.0891]
            .map(|t| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 });
        [500.0 * (x - y), 200.0 * (y - z)]
    };
    let (a, b) = (lab(one), lab(other));
    let mean = (a[0].hypot(a[1]) + b[0].hypot(b[1])) / 2.0;
    let factor = 1.5 - 0.5 * (mean.powi(7) / (mean.powi(7) + 25f64.powi(7))).sqrt();
    let polar = |v: [f64; 2]| ((v[0] * factor).hypot(v[1]), v[1].atan2(v[0] * factor));
    let ((c1, h1), (c2, h2)) = (polar(a), polar(b));
    let turn = (h2 - h1 + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI;
    let h = (h1 + turn / 2.0).to_degrees();
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0)
        - 0.2 * cos(4.0 * h - 63.0);
    (2.0 * (c1 * c2).sqrt() * (turn / 2.0).sin() / (1.0 + 0.015 * (c1 + c2) / 2.0 * t)).abs()
}

#[test]
fn hues_that_the_base_has_not_become_their_neighbours() {
    let mut colors = vec![[1000.0 / 203.0; 3]];
    for hue in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]] {
        colors.extend([20.0, 60.0, 150.0].map(|nits| hue.map(|part| f64::from(part) * nits / 203.0)));
    }
    // H.273's primaries with D65.
    let from_2020 =
        [[0.636_958, 0.144_617, 0.168_881], [0.262_700, 0.677_998, 0.059_302], [0.0, 0.028_073, 1.060_985]];
    let from_p3 =
        [[0.486_571, 0.265_668, 0.198_217], [0.228_975, 0.691_739, 0.079_287], [0.0, 0.045_113, 1.043_944]];
    for ((_, seen), color) in sdr_of(&colors, 9).into_iter().zip(&colors).skip(1) {
        let hue = hue_difference(from_2020.map(|row| dot(row, *color)), from_p3.map(|row| dot(row, seen)));
        println!("{color:?}: {hue}");
        assert!(hue < 3.0, "{color:?} is off by {hue}: {seen:?}");
    }
}
