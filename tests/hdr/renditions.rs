//! Two renditions of the caller's: SDR and HDR.

use super::*;

/// An SDR rendition that is not the HDR one scaled: each channel has a curve of its own, as after grading.
fn graded() -> Pixels {
    let code = |light: f64| {
        let light = (light / (1.0 + 0.25 * light)).min(1.0);
        let signal = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (signal * 255.0).round() as u8
    };
    let places = (0..SKY.height).flat_map(|y| (0..SKY.width).map(move |x| (x, y)));
    let bytes = places.flat_map(|(x, y)| {
        let [r, g, b] = SKY.at(x, y);
        [code(r * 0.9), code(g), code(b * 1.1)]
    });
    let mut pixels = Pixels::from_vec(SKY.width, SKY.height, PixelFormat::Rgb888, bytes.collect()).unwrap();
    pixels.color.cicp = Cicp { primaries: 12, ..Cicp::SRGB };
    pixels
}

fn two_renditions(sdr: Pixels) -> Input {
    let mut picture = Picture::new(Arc::new(sdr));
    picture.hdr = Some(Arc::new(SKY.pixels()));
    Input::Picture(Arc::new(picture))
}

#[test]
fn two_renditions_become_a_map_of_three_channels() {
    for (quality, scale, gate) in [(95, "1", 50.0), (95, "2", 46.0)] {
        let options = quick("image/jpeg", quality, &[("gain_map.scale", scale)]);
        let (file, report) = pack(two_renditions(graded()), &options);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let images = images(&file);
        assert_eq!(decode(images[1].1).color(), image::ColorType::Rgb8);
        assert_eq!(body(images[1].1, 0xe2, iso::NAME).unwrap().len(), 141);
        let (by_iso, by_xmp) = (
            iso::read(body(images[1].1, 0xe2, iso::NAME).unwrap()).unwrap(),
            xmp::read(body(images[1].1, 0xe1, XMP).unwrap()).unwrap(),
        );
        for (a, b) in [(by_iso.min, by_xmp.min), (by_iso.max, by_xmp.max)] {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        }
        // The base is the caller's.
        let base = decode(images[0].1).to_rgb8();
        let sdr = graded();
        let squares = base.iter().zip(sdr.plane(0).0).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        let psnr = 20.0 * 255f64.log10() - 10.0 * (squares.sum::<f64>() / base.len() as f64).log10();
        assert!(psnr > 40.0, "the SDR rendition: {psnr} dB");
        let decibels = SKY.decibels(&reconstruct(&file));
        println!("two renditions at 1/{scale}: {decibels} dB");
        assert!(decibels >= gate, "1/{scale}: {decibels} dB");
    }
}

#[test]
fn one_channel_is_enough_where_channels_are_scaled_alike() {
    // Our own tone mapping is such a rendition.
    let mut options = quick("image/png", 100, &[]);
    options.dynamic_range = DynamicRange::Sdr;
    let (png, _) = pack(Input::Pixels(Arc::new(SKY.pixels())), &options);
    let sdr = image::load_from_memory(&png).unwrap().to_rgb8();
    let mut sdr = Pixels::from_vec(SKY.width, SKY.height, PixelFormat::Rgb888, sdr.into_raw()).unwrap();
    sdr.color.cicp = Cicp { primaries: 12, ..Cicp::SRGB };
    let (file, _) = pack(two_renditions(sdr), &quick("image/jpeg", 95, &[("gain_map.scale", "1")]));
    assert_eq!(decode(images(&file)[1].1).color(), image::ColorType::L8);
    let decibels = SKY.decibels(&reconstruct(&file));
    assert!(decibels >= 50.0, "{decibels} dB");
}

#[test]
fn the_rendition_goes_where_the_format_has_a_place_for_it() {
    let (png, report) = pack(two_renditions(graded()), &quick("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(image::load_from_memory(&png).unwrap().color(), image::ColorType::Rgb16);
    let (webp, report) = pack(two_renditions(graded()), &quick("image/webp", 90, &[]));
    assert_eq!(report.warnings.iter().map(|w| w.code).collect::<Vec<_>>(), [Code::GainMapDropped]);
    assert_eq!(image::load_from_memory(&webp).unwrap().color(), image::ColorType::Rgb8);
}

#[test]
fn renditions_that_do_not_go_together_are_refused() {
    let refused = |input: Input| {
        let mut bytes = Buffer::default();
        let options = quick("image/jpeg", 90, &[]);
        Packer::default().pack(input, &options, &mut bytes, &Control::default()).unwrap_err().message
    };
    let small = Pixels::from_vec(8, 8, PixelFormat::Rgb888, vec![0; 192]).unwrap();
    assert!(refused(two_renditions(small)).contains("400 x 300 pixels, the main image 8 x 8"));
    assert!(refused(two_renditions(SKY.pixels())).contains("is HDR itself"));
    let mut picture = Picture::new(Arc::new(graded()));
    picture.hdr = Some(Arc::new(graded()));
    assert!(refused(Input::Picture(Arc::new(picture))).contains("RGB_888, is not HDR"));
}
