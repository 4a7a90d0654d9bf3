//! HDR input to JPEG with a gain map, paired with the encode of the SDR image that the light was made from.

use image::RgbImage;

use crate::{
    Bench,
    images::half,
    library::{Format, Library, Options, Pixels},
    rgb,
};

/// The codes of a photograph as linear light in units of diffuse white, with highlights of nearly 5 times as much.
fn light() -> [f32; 256] {
    std::array::from_fn(|code| {
        let signal = code as f32 / 255.0;
        let light = if signal <= 0.04045 { signal / 12.92 } else { ((signal + 0.055) / 1.055).powf(2.4) };
        light * (1.0 + 3.9 * light * light)
    })
}

fn pq(light: f32) -> f32 {
    let power = (light * 203.0 / 10_000.0).powf(0.159_301_76);
    ((0.835_937_5 + 18.851_562 * power) / (1.0 + 18.687_5 * power)).powf(78.843_75)
}

/// HLG's signal of display light, near enough for timing: its system gamma by component.
fn hlg(light: f32) -> f32 {
    let scene = (light * 203.0 / 1000.0).powf(1.0 / 1.2).min(1.0);
    if scene <= 1.0 / 12.0 {
        (3.0 * scene).sqrt()
    } else {
        0.178_832_77 * (12.0 * scene - 0.284_668_92).ln() + 0.559_910_73
    }
}

/// Pixels of a format, through a table for each code of the photograph.
pub fn pixels(image: &RgbImage, format: Format) -> Vec<u8> {
    let light = light();
    let (width, height) = (image.width() as usize, image.height() as usize);
    match format {
        Format::Ten => {
            let codes = light.map(|v| (pq(v) * 1023.0).round() as u32);
            let word = |[r, g, b]: [u8; 3]| {
                codes[usize::from(r)] | codes[usize::from(g)] << 10 | codes[usize::from(b)] << 20 | 3 << 30
            };
            image.pixels().flat_map(|p| word(p.0).to_ne_bytes()).collect()
        }
        Format::F16 => {
            let halves = light.map(half);
            let one = half(1.0);
            let four = |[r, g, b]: [u8; 3]| [r, g, b].map(|c| halves[usize::from(c)]);
            image
                .pixels()
                .flat_map(|p| {
                    let [r, g, b] = four(p.0);
                    [r, g, b, one].map(u16::to_ne_bytes).concat()
                })
                .collect()
        }
        _ => {
            let signals = light.map(hlg);
            let at =
                |x: usize, y: usize| image.get_pixel(x as u32, y as u32).0.map(|c| signals[usize::from(c)]);
            let luma = |[r, g, b]: [f32; 3]| 0.2627 * r + 0.678 * g + 0.0593 * b;
            let code = |v: f32| ((v.round() as u16) << 6).to_ne_bytes();
            let mut out = Vec::with_capacity(width * height * 3);
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                out.extend_from_slice(&code(64.0 + 876.0 * luma(at(x, y))));
            }
            for (y, x) in (0..height).step_by(2).flat_map(|y| (0..width).step_by(2).map(move |x| (y, x))) {
                let [r, g, b] = at(x, y);
                let luma = luma([r, g, b]);
                out.extend_from_slice(&code(512.0 + 896.0 * (b - luma) / 1.8814));
                out.extend_from_slice(&code(512.0 + 896.0 * (r - luma) / 1.4746));
            }
            out
        }
    }
}

/// The rows: one thread beside SDR, two threads beside one.
pub fn rows(bench: &mut Bench, image: &RgbImage) {
    if !bench.wants("hdr") {
        return;
    }
    let (width, height) = image.dimensions();
    let again = Library::open(&bench.path);
    for (name, format, goal) in [
        ("RGBA_1010102 PQ", Format::Ten, "CPU <= 4, 110 ms"),
        ("P010 HLG", Format::P010, "CPU <= 4, 160 ms"),
        ("RGBA_F16 linear", Format::F16, "CPU <= 4, 160 ms"),
    ] {
        let bytes = pixels(image, format);
        let hdr = Pixels { width, height, format, opaque: true, bytes: &bytes };
        for effort in [1, 5] {
            let options = Options::new("image/jpeg", 90, effort);
            let mut peer = || again.size(rgb(image), &options).unwrap_or(0);
            let case = format!("12 MP {name} to JPEG with a gain map, q90 4:2:0, effort {effort}");
            let goal = if effort == 1 { goal } else { "CPU <= 4" };
            bench.pair(("hdr", case, goal), hdr, &options, ("ours, the SDR image", &mut peer));
        }
        let one = Options::new("image/jpeg", 90, 1);
        let two = Options { threads: 2, ..one.clone() };
        let mut peer = || again.size(hdr, &one).unwrap_or(0);
        let case = format!("12 MP {name}, two threads");
        bench.pair(("hdr", case, "wall <= 0.6, same bytes"), hdr, &two, ("ours, one thread", &mut peer));
    }
}
