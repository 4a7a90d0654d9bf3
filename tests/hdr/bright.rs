//! Sources with gain maps as HDR pixels.

use super::*;

fn half(bits: [u8; 2]) -> f64 {
    let bits = u32::from(u16::from_ne_bytes(bits));
    f64::from(f32::from_bits(bits << 13)) * 2f64.powi(112)
}

/// Light of BT.2020 in Display P3 (H.273's chromaticities, both with white D65).
fn to_p3([r, g, b]: [f64; 3]) -> [f64; 3] {
    [
        1.343_578_25 * r - 0.282_179_67 * g - 0.061_398_58 * b,
        -0.065_297_45 * r + 1.075_787_93 * g - 0.010_490_46 * b,
        0.002_821_78 * r - 0.019_598_49 * g + 1.016_776_71 * b,
    ]
}

#[test]
fn a_source_with_a_gain_map_is_decoded_to_its_hdr_rendition() {
    let file = pack_sky(&quick("image/jpeg", 95, &[("gain_map.scale", "2")]));
    let source = ImageSource::from_copy(&file).unwrap();
    let picture = codec::decode::picture(&source, &Limits::default()).unwrap();
    let headroom = picture.gain_map.as_ref().unwrap().params.alternate_headroom;
    let truth = reconstruct(&file);
    let light = |headroom: f32, format: PixelFormat| -> Vec<[f64; 3]> {
        let pixels = develop::bright(&picture, headroom, format).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (SKY.width, SKY.height));
        assert_eq!(pixels.color.cicp.primaries, 9);
        assert!(pixels.color.icc.is_none());
        let bytes = pixels.plane(0).0;
        let transfer = pixels.color.cicp.transfer;
        let light = |signal: f64| if transfer == 8 { signal } else { pq_to_nits(signal) / 203.0 };
        let pixel = |i: usize| -> [f64; 3] {
            [0, 1, 2].map(|c| match format {
                PixelFormat::RgbaF16 => half(bytes.as_chunks::<2>().0[4 * i + c]),
                PixelFormat::RgbaF32 => f64::from(f32::from_ne_bytes(bytes.as_chunks::<4>().0[4 * i + c])),
                PixelFormat::Rgba1010102 => {
                    let word = u32::from_ne_bytes(bytes.as_chunks::<4>().0[i]);
                    light(f64::from(word >> (10 * c) & 1023) / 1023.0)
                }
                PixelFormat::Rgb161616 => {
                    light(f64::from(u16::from_ne_bytes(bytes.as_chunks::<2>().0[3 * i + c])) / 65535.0)
                }
                _ => light(f64::from(u16::from_ne_bytes(bytes.as_chunks::<2>().0[4 * i + c])) / 65535.0),
            })
        };
        (0..truth.len()).map(|i| to_p3(pixel(i))).collect()
    };
    use PixelFormat::*;
    for (format, gate) in
        [(RgbaF32, 70.0), (RgbaF16, 70.0), (Rgb161616, 70.0), (Rgba16161616, 70.0), (Rgba1010102, 62.0)]
    {
        let light = light(f32::INFINITY, format);
        let squares = light
            .iter()
            .flatten()
            .zip(truth.iter().flatten())
            .map(|(a, b)| (nits_to_pq(a.max(0.0) * 203.0) - nits_to_pq(b.max(0.0) * 203.0)).powi(2));
        let psnr = -10.0 * (squares.sum::<f64>() / (3 * light.len()) as f64).log10();
        println!("{format:?}: {psnr} dB of the reference");
        assert!(psnr > gate, "{format:?}: {psnr} dB of the reference");
    }
    // The headroom law: SDR at 0, the peak doubles with every stop until the map is applied in full.
    let peak = |stops: f32| light(stops, RgbaF32).into_iter().flatten().fold(0.0, f64::max);
    assert!((peak(0.0) - 1.0).abs() < 0.01, "{}", peak(0.0));
    for stops in [1.0, 2.0] {
        let ratio = peak(stops) / f64::from(stops).exp2();
        assert!((ratio - 1.0).abs() < 0.02, "at {stops} stops {ratio}");
    }
    assert!((peak(20.0) / f64::from(headroom).exp2() - 1.0).abs() < 0.02);
    assert_eq!(peak(20.0), peak(f32::INFINITY));
    for refused in [-0.5, f32::NAN] {
        assert!(develop::bright(&picture, refused, RgbaF16).is_err());
    }
    assert!(develop::bright(&picture, 1.0, Rgba8888).is_err());
    assert!(develop::bright(&Picture::new(picture.main.clone()), 1.0, RgbaF16).is_err());
}

#[test]
fn a_source_with_a_gain_map_becomes_an_hdr_png_where_that_is_asked_for() {
    let file = pack_sky(&quick("image/jpeg", 95, &[("gain_map.scale", "1")]));
    let source = Arc::new(ImageSource::from_copy(&file).unwrap());
    let (png, report) = pack(Input::Source(source), &quick("image/png", 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let at = png.windows(4).position(|w| w == b"cICP").expect("cICP");
    assert_eq!(png[at + 4..at + 8], [9, 16, 0, 1]);
    let image = image::load_from_memory(&png).unwrap().to_rgb16();
    let light: Vec<_> =
        image.pixels().map(|p| to_p3(p.0.map(|v| pq_to_nits(f64::from(v) / 65535.0) / 203.0))).collect();
    let decibels = SKY.decibels(&light);
    println!("PNG of a gain-mapped source: {decibels} dB");
    assert!(decibels >= 49.0, "{decibels} dB");
}
