//! HDR in HEIC and AVIF: files with gain maps and files of PQ and HLG signals, taken apart by a parser of this test's own
//! and decoded by ffmpeg, which shares no code with the library that wrote them. And what all containers say of light.
//!
//! Without a libheif these tests fail; `IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1` says that none is expected.
#![cfg(feature = "heif")]

mod common;

use std::sync::Arc;

use common::{
    boxes::{File, bilinear, ispe, nclx, number, samples},
    light::{Sky, nits_to_pq, srgb_to_light},
    packing::{pack, quick, source},
};
use image_packer::{
    codec::{self, decode, gain_map::iso},
    ffi::pixelmap::*,
    limits::Limits,
    model::{
        color::{Cicp, Light, MasteringDisplay},
        gain_map::{GainMap, GainMapParams},
        options::DynamicRange,
        picture::{Auxiliary, AuxiliaryKind, Picture},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        report::Code,
        source::ImageSource,
    },
    pack::{control::Control, packer::Input},
};

const SKY: Sky = Sky { width: 400, height: 320 };

const HEIC: &str = "image/heic";
const AVIF: &str = "image/avif";

/// The formats that can be tested here.
fn formats() -> Vec<&'static str> {
    let found: Vec<_> = [HEIC, AVIF].into_iter().filter(|mime| codec::find(mime).is_ok()).collect();
    if std::env::var_os("IMAGE_PACKER_TEST_WITHOUT_LIBHEIF").is_some() {
        eprintln!("NOT TESTED: this machine's libheif writes {found:?} of HEIC and AVIF");
    } else if let Err(error) = codec::find(HEIC) {
        panic!("{error}\nset IMAGE_PACKER_TEST_WITHOUT_LIBHEIF=1 if this machine is to have none");
    }
    found
}

/// The HDR image of a file with the map applied in full, by the formula of ISO 21496-1.
fn reconstruct(file: &[u8]) -> Vec<[f64; 3]> {
    let file = File::new(file);
    let [derived, main, map] = file.tone_mapped();
    assert_eq!(derived.data[0], 0, "the version of the form");
    let params = iso::read(&derived.data[1..]).unwrap();
    let (size, map_size) = (ispe(main), ispe(map));
    // Of an image with a profile the code points say no more than the matrix.
    assert_eq!((nclx(main).2, nclx(main).3), (6, true));
    let scaled = |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte) / 255.0).collect::<Vec<_>>();
    let full = &main.property(if main.kind == *b"hvc1" { b"hvcC" } else { b"av1C" });
    let is_444 = if main.kind == *b"hvc1" { full[16] & 3 == 3 } else { full[2] & 0x0c == 0 };
    let planes = scaled(&samples(main, if is_444 { "yuvj444p" } else { "yuvj420p" }));
    let chroma_size = if is_444 { size } else { (size.0.div_ceil(2), size.1.div_ceil(2)) };
    let (luma, chroma) = planes.split_at(size.0 * size.1);
    let (cb, cr) = chroma.split_at(chroma_size.0 * chroma_size.1);
    let gains = scaled(&samples(map, "gray"));
    assert_eq!(gains.len(), map_size.0 * map_size.1);
    let mut light = Vec::new();
    for y in 0..size.1 {
        for x in 0..size.0 {
            let (u, v) = ((x as f64 + 0.5) / size.0 as f64, (y as f64 + 0.5) / size.1 as f64);
            let [cb, cr] = [cb, cr].map(|plane| bilinear(plane, chroma_size, u, v) - 128.0 / 255.0);
            let luma = luma[y * size.0 + x];
            let rgb = [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
            let gain = bilinear(&gains, map_size, u, v);
            light.push([0, 1, 2].map(|c| {
                let gain = gain.powf(1.0 / f64::from(params.gamma[c]));
                let gain = f64::from(params.min[c]) + f64::from(params.max[c] - params.min[c]) * gain;
                let base = srgb_to_light(rgb[c].clamp(0.0, 1.0)) + f64::from(params.base_offset[c]);
                base * gain.exp2() - f64::from(params.alternate_offset[c])
            }));
        }
    }
    light
}

#[test]
fn a_derived_image_is_preferred_to_the_main_one() {
    for mime in formats() {
        // Nothing but the maker of the camera.
        let exif = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0";
        let mut pixels = SKY.pixels();
        (pixels.light.max_cll, pixels.light.max_fall) = (1300, 200);
        let mut options = quick(mime, 80, &[]);
        options.needs_pack_properties = true;
        let mut picture = Picture::new(Arc::new(pixels));
        picture.metadata.exif = Some(exif[..].into());
        picture.metadata.xmp = Some(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"[..].into());
        let (bytes, report) = pack(Input::Picture(Arc::new(picture)), &options);
        assert!(!report.warnings.iter().any(|w| w.code == Code::ToneMapped), "{:?}", report.warnings);
        let file = File::new(&bytes);
        assert!(file.brands.contains(&&b"tmap"[..]) && file.brands.contains(&&b"mif1"[..]));
        let [derived, main, map] = file.tone_mapped();
        assert_eq!(file.groups, [(*b"altr", vec![derived.id, main.id])]);
        assert_eq!((file.primary, main.hidden, derived.hidden, map.hidden), (main.id, false, false, true));
        // Metadata belongs to one item: some readers refuse more.
        let described = |kind: &[u8; 4]| {
            let item = file.items.iter().find(|item| item.kind == *kind).unwrap();
            file.references.contains(&(*b"cdsc", item.id, vec![main.id]))
        };
        assert!(described(b"Exif") && described(b"mime") && file.references.len() == 3);
        assert_eq!((ispe(derived), ispe(main), ispe(map)), ((400, 320), (400, 320), (200, 160)));
        assert_eq!(derived.property(b"pixi"), [0, 0, 0, 0, 3, 10, 10, 10]);
        assert_eq!(main.property(b"pixi"), [0, 0, 0, 0, 3, 8, 8, 8]);
        assert_eq!(map.property(b"pixi"), [0, 0, 0, 0, 1, 8]);
        assert_eq!((nclx(derived), nclx(main)), ((12, 16, 6, true), (12, 13, 6, true)));
        assert_eq!(nclx(map), (2, 2, 6, true));
        assert_eq!(derived.property(b"clli"), [1300u16.to_be_bytes(), 200u16.to_be_bytes()].concat());
        assert_eq!((derived.data.len(), &derived.data[..5], derived.data[5] & 0x3f), (62, &[0; 5][..], 0));
    }
}

#[test]
fn the_image_comes_back_within_the_gates() {
    for mime in formats() {
        for (quality, scale, gate) in [(95, "1", 50.0), (90, "2", 46.0), (90, "4", 42.0)] {
            let (file, _) = pack(
                Input::Pixels(Arc::new(SKY.pixels())),
                &quick(mime, quality, &[("gain_map.scale", scale)]),
            );
            let decibels = SKY.decibels(&reconstruct(&file));
            eprintln!("{mime} q{quality} 1/{scale}: {decibels:.2} dB in {} bytes", file.len());
            assert!(decibels >= gate, "{mime} 1/{scale}: {decibels} dB");
        }
    }
}

#[test]
fn sources_keep_their_gain_map() {
    for mime in formats() {
        let (jpeg, _) = pack(Input::Pixels(Arc::new(SKY.pixels())), &quick("image/jpeg", 95, &[]));
        let (there, report) = pack(Input::Source(source(&jpeg)), &quick(mime, 95, &[]));
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let forth = SKY.decibels(&reconstruct(&there));
        assert!(forth > 47.0, "{mime}: {forth} dB");

        let found = decode::picture(&source(&there), &Limits::default()).unwrap().gain_map.unwrap();
        let original = decode::picture(&source(&jpeg), &Limits::default()).unwrap().gain_map.unwrap();
        assert_eq!(found.params, original.params, "{mime}");
        assert_eq!(found.pixels.info().format, PixelFormat::Gray8);
        assert_eq!((found.pixels.width(), found.pixels.height()), (400, 320));
        for y in 0..found.pixels.height() {
            for (a, b) in found.pixels.row(0, y).iter().zip(original.pixels.row(0, y)) {
                assert!(a.abs_diff(*b) < 16, "{mime}: {a} was {b}");
            }
        }
        let (again, report) = pack(Input::Source(source(&there)), &quick(mime, 95, &[]));
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let again = SKY.decibels(&reconstruct(&again));
        assert!(again > 46.0, "{mime}: {again} dB");
        let (back, report) = pack(Input::Source(source(&there)), &quick("image/jpeg", 95, &[]));
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let back = decode::picture(&source(&back), &Limits::default()).unwrap().gain_map.unwrap();
        assert_eq!(back.params, original.params, "{mime}");

        let (png, report) = pack(Input::Source(source(&there)), &quick("image/png", 80, &[]));
        assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
        assert!(png.starts_with(b"\x89PNG"));
        let mut options = quick(mime, 80, &[]);
        options.dynamic_range = DynamicRange::Sdr;
        let (sdr, report) = pack(Input::Source(source(&there)), &options);
        assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped));
        assert!(!sdr.windows(4).any(|w| w == b"tmap"));
    }
}

#[test]
fn every_size_has_its_map() {
    for mime in formats() {
        for (width, height) in [(1, 1), (2, 3), (17, 9), (65, 127), (130, 131)] {
            for scale in ["1", "2", "4"] {
                // Opaque, although the layout has room for alpha.
                let word = (600u32 | 700 << 10 | 650 << 20 | 3 << 30).to_ne_bytes();
                let bytes = word.repeat((width * height) as usize);
                let mut pixels = Pixels::from_vec(width, height, PixelFormat::Rgba1010102, bytes).unwrap();
                pixels.color.cicp = Cicp { primaries: 9, transfer: 16, matrix: 0, full_range: true };
                let settings = quick(mime, 90, &[("gain_map.scale", scale)]);
                let (file, _) = pack(Input::Pixels(Arc::new(pixels)), &settings);
                assert!(!file.windows(4).any(|w| w == b"auxC"), "alpha where there is none");
                let back = decode::picture(&source(&file), &Limits::default()).unwrap();
                assert_eq!((back.main.width(), back.main.height()), (width, height), "{mime}");
                let map = back.gain_map.unwrap();
                let scale: u32 = scale.parse().unwrap();
                let expected = (width.div_ceil(scale), height.div_ceil(scale));
                assert_eq!((map.pixels.width(), map.pixels.height()), expected, "{mime} {width} x {height}");
                let derived = File::new(&file);
                assert_eq!(ispe(derived.tone_mapped()[0]), (width as usize, height as usize));
            }
        }
    }
}

#[test]
fn a_gain_map_of_the_callers_is_taken_as_given() {
    let base = Pixels::from_vec(64, 32, PixelFormat::Rgba8888, vec![90; 64 * 32 * 4]).unwrap();
    let map: Vec<u8> = (0..32 * 16).flat_map(|_| [10, 128, 250, 0]).collect();
    let params = GainMapParams {
        alternate_headroom: 3.0,
        min: [-0.5, 0.0, 0.25],
        max: [1.0, 2.0, 3.0],
        gamma: [1.0, 0.8, 1.25],
        base_color: false,
        ..GainMapParams::default()
    };
    for mime in formats() {
        let mut map = Pixels::from_vec(32, 16, PixelFormat::Rgba8888, map.clone()).unwrap();
        // Applied in the primaries of BT.2020.
        map.color.cicp = Cicp { primaries: 9, transfer: 16, ..Cicp::SRGB };
        let mut picture = Picture::new(Arc::new(base.clone()));
        picture.gain_map = Some(GainMap { pixels: Arc::new(map), params });
        let (bytes, report) = pack(Input::Picture(Arc::new(picture)), &quick(mime, 95, &[]));
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let file = File::new(&bytes);
        let [derived, main, map] = file.tone_mapped();
        assert_eq!((derived.data.len(), derived.data[5]), (142, 0x80));
        assert_eq!((nclx(derived).0, nclx(derived).1), (9, 16));
        // The main image's alpha stays its own, and the map has none.
        let alpha: Vec<_> = file.references.iter().filter(|(kind, ..)| kind == b"auxl").collect();
        assert_eq!((alpha.len(), &alpha[0].2), (1, &vec![main.id]));
        assert_eq!(map.property(b"pixi")[4], 3);

        let back = decode::picture(&source(&bytes), &Limits::default()).unwrap();
        assert!(back.main.has_alpha());
        let back = back.gain_map.unwrap();
        for (a, b) in
            [(back.params.min, params.min), (back.params.max, params.max), (back.params.gamma, params.gamma)]
        {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        }
        assert_eq!(back.pixels.color.cicp, Cicp { primaries: 9, transfer: 16, ..Cicp::SRGB });
        for (value, expected) in back.pixels.row(0, 7)[30..33].iter().zip([10, 128, 250]) {
            assert!(value.abs_diff(expected) <= 4, "{mime}: {value}, expected {expected}");
        }
    }
}

#[test]
fn damaged_boxes_lose_the_map_and_no_more() {
    for mime in formats() {
        let (file, _) =
            pack(Input::Pixels(Arc::new(SKY.pixels())), &quick(mime, 50, &[("gain_map.scale", "4")]));
        let meta = file.windows(4).position(|w| w == b"mdat").unwrap();
        let tmap = File::new(&file).tone_mapped()[0].data.as_ptr().addr() - file.as_ptr().addr();
        let places = (0..meta).step_by(3).chain(tmap..tmap + 62);
        let mut read = 0;
        for at in places {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = file.clone();
                damaged[at] = value;
                let Ok(source) = ImageSource::from_copy(&damaged) else { continue };
                let _ = decode::has_gain_map(&source);
                match decode::gain_map(&source, &Limits::default(), &Control::default()) {
                    Ok(Some(map)) => {
                        map.params.check().unwrap();
                        read += 1;
                    }
                    Ok(None) => {}
                    Err(error) => assert!(!error.message.is_empty()),
                }
            }
        }
        assert!(read > 0, "much of a file does not matter");
        for keep in (0..meta).step_by(29) {
            if let Ok(source) = ImageSource::from_copy(&file[..keep]) {
                let _ = decode::gain_map(&source, &Limits::default(), &Control::default());
            }
        }
        // Parameters that cannot be applied: an SDR image, and a word about it.
        let mut damaged = file.clone();
        damaged[tmap + 10..tmap + 14].fill(0);
        let (sdr, report) = pack(Input::Source(source(&damaged)), &quick(mime, 50, &[]));
        assert!(report.warnings.iter().any(|w| w.code == Code::GainMapDropped), "{:?}", report.warnings);
        assert!(!sdr.windows(4).any(|w| w == b"tmap"));
        assert!(decode::picture(&source(&damaged), &Limits::default()).unwrap().gain_map.is_none());
    }
}

/// A display of BT.2020's primaries, 0.005 to 1000 nits.
const DISPLAY: MasteringDisplay = MasteringDisplay {
    chromaticities: [[35_400, 14_600], [8_500, 39_850], [6_550, 2_300], [15_635, 16_450]],
    luminance: [10_000_000, 50],
};
const LIGHT: Light = Light { max_cll: 1000, max_fall: 180, mastering: Some(DISPLAY) };

/// The same as the bytes of an mdcv box: green, blue, red, white.
fn mdcv() -> Vec<u8> {
    let points = [8_500u16, 39_850, 6_550, 2_300, 35_400, 14_600, 15_635, 16_450];
    let luminance = [10_000_000u32, 50];
    points
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .chain(luminance.iter().flat_map(|v| v.to_be_bytes()))
        .collect()
}

/// Video frames as cameras give them: P010, limited range.
fn camera(transfer: u8) -> (Pixels, Vec<u16>) {
    let luma = |x: u32, y: u32| (64 + (x * 7 + y * 3) % 877) as u16;
    let mut codes: Vec<u16> = (0..96).flat_map(|y| (0..128).map(move |x| luma(x, y))).collect();
    let chroma = |x: u32, y: u32| [(64 + x * 14) as u16, (960 - y * 18) as u16];
    codes.extend((0..48).flat_map(|y| (0..64).flat_map(move |x| chroma(x, y))));
    let bytes = codes.iter().flat_map(|code| (code << 6).to_ne_bytes()).collect();
    let mut pixels = Pixels::from_vec(128, 96, PixelFormat::YcbcrP010, bytes).unwrap();
    pixels.color.cicp = Cicp { primaries: 9, transfer, matrix: 9, full_range: false };
    pixels.light = LIGHT;
    (pixels, codes)
}

#[test]
fn signals_are_coded_in_ten_bits_as_they_are() {
    formats();
    for transfer in [16, 18] {
        let (pixels, codes) = camera(transfer);
        let mut options = quick(HEIC, 50, &[("hdr.form", "signal")]);
        options.lossless = true;
        let (bytes, report) = pack(Input::Pixels(Arc::new(pixels)), &options);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        let file = File::new(&bytes);
        let main = file.item(file.primary);
        assert_eq!((file.items.len(), file.groups.len()), (1, 0));
        assert_eq!(nclx(main), (9, transfer.into(), 9, false));
        assert_eq!(main.property(b"clli"), [0x03, 0xe8, 0, 180]);
        assert_eq!(main.property(b"mdcv"), mdcv());
        assert_eq!(main.property(b"hvcC")[17] & 7, 2, "10 bits");
        let decoded: Vec<u16> = samples(main, "yuv420p10le")
            .chunks(2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
            .collect();
        let (luma, chroma) = codes.split_at(128 * 96);
        let planar = luma.iter().chain(chroma.iter().step_by(2)).chain(chroma[1..].iter().step_by(2));
        assert!(decoded.iter().eq(planar), "transfer {transfer}: the decoder's samples differ");

        let back = decode::decode(&source(&bytes), 0, &Limits::default()).unwrap();
        assert_eq!(back.info().format, PixelFormat::Rgb161616);
        assert_eq!((back.color.cicp.primaries, back.color.cicp.transfer), (9, transfer));
        assert_eq!(back.light, LIGHT);
    }
}

#[test]
fn lossy_signals_keep_their_light() {
    formats();
    let mut pixels = SKY.pixels();
    pixels.light.max_cll = 1300;
    let (bytes, report) = pack(Input::Pixels(Arc::new(pixels)), &quick(HEIC, 90, &[("hdr.form", "signal")]));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let file = File::new(&bytes);
    let main = file.item(file.primary);
    assert_eq!(nclx(main), (12, 16, 6, true));
    assert_eq!(main.property(b"clli"), [0x05, 0x14, 0, 0]);
    assert!(main.properties.iter().all(|(kind, _)| kind != b"mdcv"));
    let planes: Vec<f64> = samples(main, "yuv420p10le")
        .chunks(2)
        .map(|bytes| f64::from(u16::from_le_bytes([bytes[0], bytes[1]])) / 1023.0)
        .collect();
    let size = (SKY.width as usize, SKY.height as usize);
    let half = (size.0 / 2, size.1 / 2);
    let (luma, chroma) = planes.split_at(size.0 * size.1);
    let (cb, cr) = chroma.split_at(half.0 * half.1);
    let mut sum = 0.0;
    for (i, luma) in luma.iter().enumerate() {
        let (x, y) = (i % size.0, i / size.0);
        let (u, v) = ((x as f64 + 0.5) / size.0 as f64, (y as f64 + 0.5) / size.1 as f64);
        let [cb, cr] = [cb, cr].map(|plane| bilinear(plane, half, u, v) - 512.0 / 1023.0);
        let rgb = [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
        for (signal, light) in rgb.into_iter().zip(SKY.at(x as u32, y as u32)) {
            sum += (signal - nits_to_pq(light * 203.0)).powi(2);
        }
    }
    let decibels = -10.0 * (sum / (3 * luma.len()) as f64).log10();
    assert!(decibels > 46.0, "{decibels} dB");
}

#[test]
fn what_is_known_of_light_goes_with_the_image() {
    let mut all = vec!["image/png"];
    all.extend(formats());
    for mime in all {
        let (file, _) =
            pack(Input::Pixels(Arc::new(camera(16).0)), &quick(mime, 80, &[("hdr.form", "signal")]));
        let back = decode::decode(&source(&file), 0, &Limits::default()).unwrap();
        assert_eq!(back.light, LIGHT, "{mime}");
        // Without PQ or HLG it means nothing.
        let mut standard = quick(mime, 80, &[]);
        standard.dynamic_range = DynamicRange::Sdr;
        let (file, _) = pack(Input::Pixels(Arc::new(camera(16).0)), &standard);
        for name in [b"clli", b"mdcv", b"cLLI", b"mDCV"] {
            assert!(!file.windows(4).any(|w| w == name), "{mime}: {}", name.escape_ascii());
        }
    }
    // PNG, third edition, 11.3.2.7: red, green, blue, white, largest, smallest.
    let (file, _) =
        pack(Input::Pixels(Arc::new(camera(18).0)), &quick("image/png", 80, &[("hdr.form", "signal")]));
    let at = file.windows(4).position(|w| w == b"mDCV").unwrap() + 4;
    assert_eq!(file[at..at + 4], [35_400u16.to_be_bytes(), 14_600u16.to_be_bytes()].concat());
    assert_eq!(file[at + 16..at + 24], [10_000_000u32.to_be_bytes(), 50u32.to_be_bytes()].concat());
    // And to the derived image of a gain map.
    for mime in formats() {
        let (bytes, _) = pack(Input::Pixels(Arc::new(camera(16).0)), &quick(mime, 80, &[]));
        let file = File::new(&bytes);
        assert_eq!(file.tone_mapped()[0].property(b"mdcv"), mdcv());
        let (again, _) = pack(Input::Source(source(&bytes)), &quick(mime, 80, &[]));
        assert_eq!(File::new(&again).tone_mapped()[0].property(b"mdcv"), mdcv());
    }
}

#[test]
fn light_that_nobody_told_is_measured() {
    // 100 nits but for a pixel of 1000 in 3000 or so; in the primaries of the SDR image.
    let [gray, bright] = [100.0, 1000.0].map(|nits| (nits_to_pq(nits) * 1023.0).round() as u32);
    let word = |code: u32| (code * 0x10_0401 | 3 << 30).to_ne_bytes();
    let made = |transfer: u8| {
        let bytes = (0..64 * 48).flat_map(|i| word(if i == 999 { bright } else { gray })).collect();
        let mut pixels = Pixels::from_vec(64, 48, PixelFormat::Rgba1010102, bytes).unwrap();
        pixels.color.cicp = Cicp { primaries: 12, transfer, matrix: 0, full_range: true };
        pixels.alpha = AlphaType::Opaque;
        Input::Pixels(Arc::new(pixels))
    };
    let level = |light: Light| {
        assert_eq!(light.mastering, None);
        (light.max_cll.abs_diff(1000) <= 5, light.max_fall.abs_diff(100) <= 1)
    };
    let signal = [("hdr.form", "signal")];
    let mut all = vec!["image/png"];
    all.extend(formats());
    for mime in all {
        let (file, _) = pack(made(16), &quick(mime, 90, &signal));
        let back = decode::decode(&source(&file), 0, &Limits::default()).unwrap();
        assert_eq!(level(back.light), (true, true), "{mime}: {:?}", back.light);
        // HLG's light is that of the display.
        let (file, _) = pack(made(18), &quick(mime, 90, &signal));
        assert_eq!(decode::decode(&source(&file), 0, &Limits::default()).unwrap().light, Light::default());
    }
    for mime in formats() {
        let (file, _) = pack(made(16), &quick(mime, 90, &[]));
        let file = File::new(&file);
        let clli = file.tone_mapped()[0].property(b"clli");
        let light = Light {
            max_cll: number(&clli[..2]) as u16,
            max_fall: number(&clli[2..]) as u16,
            mastering: None,
        };
        assert_eq!(level(light), (true, true), "{mime}: {light:?}");
    }
}

#[test]
fn the_display_is_set_and_told_in_its_units() {
    let mut map = std::ptr::null_mut();
    assert_eq!(image_pixelmap_create(2, 2, PixelFormat::Rgba1010102 as i32, &mut map), 0);
    let (mut primaries, mut white, mut max, mut min) = ([7u16; 6], [7u16; 2], 7, 7);
    let mut told = || {
        let status = image_pixelmap_get_mastering_display(
            map,
            primaries.as_mut_ptr(),
            white.as_mut_ptr(),
            &mut max,
            &mut min,
        );
        assert_eq!(status, 0);
        (primaries, white, max, min)
    };
    assert_eq!(told(), ([0; 6], [0; 2], 0, 0));
    let (points, point) = ([34_000u16, 16_000, 13_250, 34_500, 7_500, 3_000], [15_635u16, 16_450]);
    let set = |points: &[u16; 6], max, min| {
        image_pixelmap_set_mastering_display(map, points.as_ptr(), point.as_ptr(), max, min)
    };
    assert_eq!(set(&points, 10_000_000, 1), 0);
    assert_eq!(told(), (points, point, 10_000_000, 1));
    assert_eq!(set(&[50_001, 0, 0, 0, 0, 0], 10_000_000, 1), 401);
    assert_eq!(set(&points, 5, 5), 401);
    assert_eq!(image_pixelmap_set_mastering_display(map, points.as_ptr(), std::ptr::null(), 5, 1), 401);
    assert_eq!(told(), (points, point, 10_000_000, 1), "a refusal changes nothing");

    assert_eq!(image_pixelmap_set_content_light_level(map, 1000, 400), 0);
    let mut level = [0; 2];
    let [cll, fall] = &mut level;
    assert_eq!(image_pixelmap_get_content_light_level(map, cll, fall), 0);
    assert_eq!(level, [1000, 400]);
    assert_eq!(told().0, points);
    assert_eq!(image_pixelmap_set_mastering_display(map, std::ptr::null(), std::ptr::null(), 0, 0), 0);
    assert_eq!(told(), ([0; 6], [0; 2], 0, 0));
    assert_eq!(image_pixelmap_release(map), 0);
}

#[test]
fn auxiliary_images_have_their_names() {
    for mime in formats() {
        let base = Pixels::from_vec(128, 96, PixelFormat::Rgb888, vec![90; 128 * 96 * 3]).unwrap();
        let mut picture = Picture::new(Arc::new(base));
        let depth: Vec<u8> = (0..96).flat_map(|y| (0..128).map(move |x| x + y)).collect();
        let depth = Pixels::from_vec(128, 96, PixelFormat::Gray8, depth).unwrap();
        let linear = Pixels::from_vec(64, 64, PixelFormat::Rgb888, [20, 200, 90].repeat(4096)).unwrap();
        for (kind, pixels) in [(AuxiliaryKind::Depth, &depth), (AuxiliaryKind::Linear, &linear)] {
            picture.auxiliaries.push(Auxiliary { kind, pixels: Arc::new(pixels.clone()) });
        }
        let mut options = quick(mime, 95, &[]);
        options.needs_pack_properties = true;
        let (mut bytes, report) = pack(Input::Picture(Arc::new(picture)), &options);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        // Written, and read and written once more.
        for _ in 0..2 {
            let file = File::new(&bytes);
            let named: Vec<_> = file
                .references
                .iter()
                .map(|(kind, from, to)| {
                    assert_eq!((kind, to), (b"auxl", &vec![file.primary]));
                    let item = file.item(*from);
                    assert!(item.hidden);
                    String::from_utf8_lossy(&item.property(b"auxC")[4..]).into_owned()
                })
                .collect();
            let depth_name = match mime {
                HEIC => "urn:mpeg:hevc:2015:auxid:2\0",
                _ => "urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0",
            };
            assert_eq!(named, [depth_name, "urn:com:huawei:photo:5:0:0:aux:linearhmap\0"]);
            let back = decode::picture(&source(&bytes), &Limits::default()).unwrap();
            let kinds: Vec<_> = back.auxiliaries.iter().map(|auxiliary| auxiliary.kind).collect();
            assert_eq!(kinds, [AuxiliaryKind::Depth, AuxiliaryKind::Linear]);
            assert_eq!(back.auxiliaries[0].pixels.info().format, PixelFormat::Gray8);
            for y in 0..96 {
                for (a, b) in back.auxiliaries[0].pixels.row(0, y).iter().zip(depth.row(0, y)) {
                    assert!(a.abs_diff(*b) < 12, "{mime}: {a} was {b}");
                }
            }
            for (a, b) in back.auxiliaries[1].pixels.row(0, 7).iter().zip(linear.row(0, 7)) {
                assert!(a.abs_diff(*b) < 8, "{mime}: {a} was {b}");
            }
            let (again, report) = pack(Input::Source(source(&bytes)), &options);
            assert!(report.warnings.is_empty(), "{:?}", report.warnings);
            bytes = again;
        }
        let mut options = options;
        options.needs_pack_properties = false;
        let (without, report) = pack(Input::Source(source(&bytes)), &options);
        assert_eq!(report.warnings.iter().filter(|w| w.code == Code::AuxiliaryDropped).count(), 2);
        assert!(!without.windows(4).any(|w| w == b"auxl"));
    }
}
