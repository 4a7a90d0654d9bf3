//! From bright to SDR: tone mapping and gamut.

use super::*;

/// Patches of 32 x 32 next to each other, as linear light in Display P3's primaries.
fn patches(colors: &[[f32; 3]]) -> Arc<Pixels> {
    let mut bytes = Vec::new();
    for _ in 0..32 {
        for [r, g, b] in colors {
            (0..32).for_each(|_| bytes.extend([*r, *g, *b, 1.0].into_iter().flat_map(f32::to_ne_bytes)));
        }
    }
    let mut pixels = Pixels::from_vec(32 * colors.len() as u32, 32, PixelFormat::RgbaF32, bytes).unwrap();
    pixels.color.cicp = Cicp { primaries: 12, transfer: 8, matrix: 0, full_range: true };
    Arc::new(pixels)
}

/// Codes of the patches in the SDR image, and whether it says that it is Display P3.
fn base_of(pixels: &Arc<Pixels>, settings: &[(&str, &str)]) -> (Vec<[u8; 3]>, bool) {
    let mut options = quick("image/png", 90, settings);
    options.dynamic_range = DynamicRange::Sdr;
    let (png, _) = pack(Input::Pixels(pixels.clone()), &options);
    let image = image::load_from_memory(&png).unwrap().to_rgb8();
    let codes = (0..image.width() / 32).map(|i| image.get_pixel(32 * i + 16, 16).0).collect();
    (codes, png.windows(4).any(|w| w == b"iCCP"))
}

fn near(seen: [u8; 3], expected: [u8; 3]) -> bool {
    seen.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2)
}

#[test]
fn tone_mappers_are_told_apart_by_the_sdr_image() {
    // 100, 203 and 1000 nits.
    let pixels = patches(&[[100.0 / 203.0; 3], [1.0; 3], [1000.0 / 203.0; 3]]);
    for (mapper, expected) in [
        ("bt2390", [186, 229, 255]),
        ("clip", [186, 255, 255]),
        ("bt2446a", [131, 171, 255]),
        ("reinhard", [157, 191, 255]),
    ] {
        let (codes, _) = base_of(&pixels, &[("hdr.tone_mapper", mapper)]);
        for (seen, expected) in codes.into_iter().zip(expected) {
            assert!(near(seen, [expected; 3]), "{mapper}: {seen:?}, expected {expected}");
        }
        // Its map undoes each.
        let file = pack(
            Input::Pixels(pixels.clone()),
            &quick("image/jpeg", 100, &[("hdr.tone_mapper", mapper), ("gain_map.scale", "1")]),
        );
        let light = reconstruct(&file.0);
        for (i, expected) in [100.0 / 203.0, 1.0, 1000.0 / 203.0].into_iter().enumerate() {
            let seen = light[96 * 16 + 32 * i + 16][1];
            // Nothing but clipping loses light: none here is brighter than the peak.
            assert!((seen / expected - 1.0).abs() < 0.02, "{mapper}: {expected} came back as {seen}");
        }
    }
}

#[test]
fn the_base_gamut_is_that_of_the_sdr_image() {
    let pixels = patches(&[[0.4, 0.2, 0.1], [3.0; 3]]);
    let code = |light: f64| {
        let signal = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (signal * 255.0).round() as u8
    };
    let (p3, is_p3) = base_of(&pixels, &[("hdr.base_gamut", "p3")]);
    assert!(near(p3[0], [0.4, 0.2, 0.1].map(code)) && is_p3, "{p3:?}");
    assert_eq!(base_of(&pixels, &[]), (p3, true), "sources that are wider than sRGB");
    // Display P3 in sRGB's primaries.
    let (srgb, is_p3) = base_of(&pixels, &[("hdr.base_gamut", "srgb")]);
    let expected = [1.224_94 * 0.4 - 0.224_94 * 0.2, -0.042_06 * 0.4 + 1.042_06 * 0.2, 0.086_25].map(code);
    assert!(near(srgb[0], expected) && !is_p3, "{srgb:?}, expected {expected:?}");
}

#[test]
fn linear_white_is_what_one_means() {
    // 80 nits and 1000 nits where 1.0 is 80, as in scRGB.
    let pixels = patches(&[[1.0; 3], [12.5; 3]]);
    let headroom = |settings: &[(&str, &str)]| {
        let (file, _) = pack(Input::Pixels(pixels.clone()), &quick("image/jpeg", 90, settings));
        iso::read(body(images(&file)[1].1, 0xe2, iso::NAME).unwrap()).unwrap().alternate_headroom
    };
    assert!((headroom(&[("hdr.linear_white", "80")]) - (1000f32 / 203.0).log2()).abs() < 0.05);
    assert!((headroom(&[]) - 12.5f32.log2()).abs() < 0.05);
    let (codes, _) = base_of(&pixels, &[("hdr.linear_white", "80")]);
    // Below the knee of a peak of 1000 nits: sRGB's code of 80 / 203.
    assert!(near(codes[0], [168; 3]), "{codes:?}");
}
