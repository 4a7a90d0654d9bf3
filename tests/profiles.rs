//! Colours that are counted through ICC profiles, beside those that Little CMS counts.

use std::{fs, sync::Arc};

use image_packer::{
    codec::decode,
    model::{
        color::{Cicp, check_icc},
        options::{ColorPolicy, DynamicRange, Options},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
        source::ImageSource,
    },
    pack::{
        control::Control,
        packer::{Input, Packer},
    },
    sink::memory::Buffer,
};
use lcms2::{ColorSpaceSignature, Intent, PixelFormat as Cms, Profile, Transform};

type Lab = [f64; 3];

/// CIE L*a*b* of D50 from sRGB, 0 to 1.
fn lab(rgb: [f64; 3]) -> Lab {
    let light = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let [r, g, b] = rgb.map(light);
    let f = |v: f64| if v > 216.0 / 24389.0 { v.cbrt() } else { (24389.0 / 27.0 * v + 16.0) / 116.0 };
    let x = f((0.436_07 * r + 0.385_15 * g + 0.143_07 * b) / 0.9642);
    let y = f(0.222_49 * r + 0.716_87 * g + 0.060_61 * b);
    let z = f((0.013_92 * r + 0.097_08 * g + 0.714_10 * b) / 0.8249);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The CIEDE2000 colour difference (CIE 142; numbers as in Sharma, Wu and Dalal, 2005).
fn difference(one: Lab, two: Lab) -> f64 {
    let chroma = |[_, a, b]: Lab| a.hypot(b);
    let mean = (chroma(one) + chroma(two)) / 2.0;
    let g = 0.5 * (1.0 - (mean.powi(7) / (mean.powi(7) + 25f64.powi(7))).sqrt());
    let polar = |[_, a, b]: Lab| {
        let a = a * (1.0 + g);
        (a.hypot(b), if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) })
    };
    let ((c1, h1), (c2, h2)) = (polar(one), polar(two));
    let gray = c1 * c2 == 0.0;
    let turn = match h2 - h1 {
        _ if gray => 0.0,
        turn if turn > 180.0 => turn - 360.0,
        turn if turn < -180.0 => turn + 360.0,
        turn => turn,
    };
    let (dl, dc) = (two[0] - one[0], c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (l, c) = ((one[0] + two[0]) / 2.0, (c1 + c2) / 2.0);
    let h = match h1 + h2 {
        sum if gray => sum,
        sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
        sum if sum < 360.0 => (sum + 360.0) / 2.0,
        sum => (sum - 360.0) / 2.0,
    };
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0)
        - 0.2 * cos(4.0 * h - 63.0);
    let turned = 30.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rc = 2.0 * (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let rt = -(2.0 * turned).to_radians().sin() * rc;
    ((dl / sl).powi(2) + (dc / sc).powi(2) + (dh / sh).powi(2) + rt * (dc / sc) * (dh / sh)).sqrt()
}

#[test]
fn the_difference_is_that_of_the_papers_examples() {
    for (one, two, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([50.0, -1.0, 2.0], [50.0, 0.0, 0.0], 2.3669),
        ([22.7233, 20.0904, -46.6940], [23.0331, 14.9730, -42.5619], 2.0373),
        ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        assert!((difference(one, two) - expected).abs() < 1e-4, "{one:?} {two:?}");
    }
}

/// Header, table and data of an ICC profile.
fn profile(version: u8, class: &[u8; 4], space: &[u8; 4], tags: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    let start = 132 + 12 * tags.len();
    for (name, bytes) in tags {
        table.extend(*name);
        table.extend([(start + data.len()) as u32, bytes.len() as u32].map(u32::to_be_bytes).concat());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut head = vec![0; 128];
    head[..4].copy_from_slice(&((start + data.len()) as u32).to_be_bytes());
    head[8] = version;
    head[12..16].copy_from_slice(class);
    head[16..20].copy_from_slice(space);
    head[20..24].copy_from_slice(b"Lab ");
    head[24..36].copy_from_slice(&[7, 0xe4, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    head[36..40].copy_from_slice(b"acsp");
    head[68..80].copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    [head, (tags.len() as u32).to_be_bytes().to_vec(), table, data].concat()
}

/// A press that is not real: inks with dot gain, each letting through a part of red, green and blue light, on a paper
/// that is white; four of them together are a dark brown. `lut16Type` of 9 points a side, or 17 for three inks.
fn press(version: u8, inks: usize, intents: &[&[u8; 4]]) -> Vec<u8> {
    const THROUGH: [[f64; 3]; 4] =
        [[0.06, 0.35, 0.60], [0.55, 0.05, 0.15], [0.85, 0.75, 0.04], [0.05, 0.045, 0.04]];
    let points = if inks == 4 { 9u32 } else { 17 };
    let mut lut = [b"mft2\0\0\0\0", &[inks as u8, 3, points as u8, 0][..]].concat();
    for i in 0..9 {
        lut.extend(if i % 4 == 0 { 65536i32 } else { 0 }.to_be_bytes());
    }
    let straight: Vec<u8> = [0u16, 65535].iter().flat_map(|v| v.to_be_bytes()).collect();
    lut.extend([0, 2, 0, 2]);
    (0..inks).for_each(|_| lut.extend(&straight));
    for i in 0..points.pow(inks as u32) {
        let rgb = [0, 1, 2].map(|c| {
            (0..inks as u32)
                .map(|ink| {
                    let place =
                        f64::from(i / points.pow(inks as u32 - 1 - ink) % points) / f64::from(points - 1);
                    // Of three-colour devices 1 is light, not ink.
                    let amount = if inks == 4 { place } else { 1.0 - place };
                    let covered = amount + 0.6 * amount * (1.0 - amount);
                    1.0 - covered * (1.0 - THROUGH[ink as usize][c])
                })
                .product::<f64>()
        });
        let signal =
            rgb.map(|v: f64| if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 });
        let [l, a, b] = lab(signal);
        // ICC.1:2022, 6.3.4.2 and annex A for version 2's tables, which this type keeps in version 4.
        for v in [l * 652.8, (a + 128.0) * 256.0, (b + 128.0) * 256.0] {
            lut.extend((v.round().clamp(0.0, 65535.0) as u16).to_be_bytes());
        }
    }
    (0..3).for_each(|_| lut.extend(&straight));
    let white = [&b"XYZ \0\0\0\0"[..], &[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]].concat();
    let text = if version < 4 {
        [&b"desc\0\0\0\0\0\0\0\x06press\0"[..], &[0; 78]].concat()
    } else {
        b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS\0\0\0\x0a\0\0\0\x1c\0p\0r\0e\0s\0s".to_vec()
    };
    let mut tags = vec![(b"desc", text.clone()), (b"cprt", text), (b"wtpt", white)];
    tags.extend(intents.iter().map(|name| (*name, lut.clone())));
    profile(version, b"prtr", if inks == 4 { b"CMYK" } else { b"RGB " }, &tags)
}

/// The same press with a `lut8Type`, the last and only table of the profile.
fn to_lut8(profile: Vec<u8>) -> Vec<u8> {
    let at = profile.windows(8).position(|name| name == b"mft2\0\0\0\0").unwrap();
    let (table, grid) = (&profile[at..], 9usize.pow(4) * 3);
    let ramps = |count: usize| (0..count).flat_map(|_| 0..=255u8).collect::<Vec<_>>();
    // 255 is L* = 100 here; the 16-bit tables say 0xff00.
    let values = table[52 + 16..].as_chunks::<2>().0[..grid].iter().map(|v| {
        let v = f64::from(u16::from_be_bytes(*v));
        (v / 256.0).round().min(255.0) as u8
    });
    let lut = [b"mft1", &table[4..48], &ramps(4), &values.collect::<Vec<_>>(), &ramps(3)].concat();
    let mut out = [&profile[..at], &lut].concat();
    out.resize(out.len().next_multiple_of(4), 0);
    let size = out.len() as u32;
    out[..4].copy_from_slice(&size.to_be_bytes());
    let entry = out.windows(4).position(|name| name == b"A2B0").unwrap();
    out[entry + 8..entry + 12].copy_from_slice(&(lut.len() as u32).to_be_bytes());
    out
}

/// Amounts of ink: what a ColorChecker takes, and a grid.
fn inks() -> Vec<[u16; 4]> {
    let checker = [
        [35, 55, 62, 18],
        [15, 42, 48, 2],
        [62, 34, 15, 5],
        [55, 35, 72, 20],
        [48, 42, 5, 3],
        [58, 5, 38, 0],
        [8, 58, 90, 1],
        [80, 68, 8, 1],
        [15, 78, 50, 4],
        [72, 84, 30, 22],
        [38, 5, 88, 0],
        [10, 34, 88, 1],
        [95, 85, 10, 2],
        [75, 16, 85, 4],
        [18, 90, 78, 8],
        [6, 14, 88, 0],
        [28, 82, 12, 1],
        [82, 32, 20, 4],
        [4, 3, 5, 0],
        [20, 15, 16, 0],
        [36, 28, 28, 2],
        [52, 42, 42, 10],
        [66, 56, 55, 38],
        [75, 67, 66, 82],
    ];
    let grid = (0..625).map(|i| [i / 125, i / 25 % 5, i / 5 % 5, i % 5].map(|v| v * 25));
    checker
        .into_iter()
        .chain(grid)
        .map(|inks| inks.map(|percent: u16| (u32::from(percent) * 65535 / 100) as u16))
        .collect()
}

/// A TIFF of inks with a profile.
fn ink_tiff(inks: &[[u16; 4]], deep: bool, icc: &[u8]) -> Vec<u8> {
    let bits = if deep { 16 } else { 8 };
    let samples: Vec<u8> = inks
        .iter()
        .flatten()
        .flat_map(|v| if deep { v.to_le_bytes().to_vec() } else { vec![((u32::from(*v) + 128) / 257) as u8] })
        .collect();
    let behind = 8 + 2 + 10 * 12 + 4;
    let (profile_at, samples_at) = (behind + 8, behind + 8 + icc.len().next_multiple_of(2));
    let entries: [(u16, u16, usize, usize); 10] = [
        (256, 4, 1, inks.len()),
        (257, 4, 1, 1),
        (258, 3, 4, behind),
        (259, 3, 1, 1),
        (262, 3, 1, 5),
        (273, 4, 1, samples_at),
        (277, 3, 1, 4),
        (278, 4, 1, 1),
        (279, 4, 1, samples.len()),
        (34675, 7, icc.len(), profile_at),
    ];
    let mut file = [&b"II*\0\x08\0\0\0"[..], &[10, 0]].concat();
    for (tag, kind, count, value) in entries {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([(count as u32).to_le_bytes(), (value as u32).to_le_bytes()].concat());
    }
    file.extend([0; 4]);
    (0..4).for_each(|_| file.extend([bits, 0]));
    file.extend(icc);
    file.resize(samples_at, 0);
    file.extend(samples);
    file
}

/// Mean and largest difference of colours.
fn differences(ours: &[[f64; 3]], theirs: &[[f64; 3]]) -> (f64, f64) {
    assert_eq!(ours.len(), theirs.len());
    let all = ours.iter().zip(theirs).map(|(ours, theirs)| difference(lab(*ours), lab(*theirs)));
    let (sum, worst) = all.fold((0.0, 0f64), |(sum, worst), one| (sum + one, worst.max(one)));
    (sum / ours.len() as f64, worst)
}

fn colors(pixels: &Pixels) -> Vec<[f64; 3]> {
    let row = |y| pixels.row(0, y).to_vec();
    let bytes: Vec<u8> = (0..pixels.height()).flat_map(row).collect();
    match pixels.info().format {
        PixelFormat::Rgb888 => {
            bytes.as_chunks::<3>().0.iter().map(|c| c.map(|v| f64::from(v) / 255.0)).collect()
        }
        PixelFormat::Rgb161616 => bytes
            .as_chunks::<6>()
            .0
            .iter()
            .map(|c| [0, 1, 2].map(|i| f64::from(u16::from_ne_bytes([c[2 * i], c[2 * i + 1]])) / 65535.0))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// What Little CMS makes of 16-bit pixels with its own sRGB, which is of version 4, and its usual settings.
fn lcms<const N: usize>(icc: &[u8], kind: Cms, pixels: &[[u16; N]]) -> Vec<[f64; 3]>
where
    [u16; N]: Copy,
{
    let (from, to) = (Profile::new_icc(icc).unwrap(), Profile::new_srgb());
    let transform: Transform<[u16; N], [u16; 3], lcms2::GlobalContext, lcms2::AllowCache> =
        Transform::new_flags(&from, kind, &to, Cms::RGB_16, Intent::Perceptual, lcms2::Flags::NO_OPTIMIZE)
            .unwrap();
    let mut seen = vec![[0u16; 3]; pixels.len()];
    transform.transform_pixels(pixels, &mut seen);
    seen.into_iter().map(|rgb| rgb.map(|v| f64::from(v) / 65535.0)).collect()
}

/// The press profiles to look at: our own, and those that are installed here.
fn presses() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("version 2".into(), press(2, 4, &[b"A2B0", b"A2B1"])),
        ("version 4".into(), press(4, 4, &[b"A2B0"])),
        ("version 2, 8 bits".into(), to_lut8(press(2, 4, &[b"A2B0"]))),
        ("version 4, 8 bits".into(), to_lut8(press(4, 4, &[b"A2B0"]))),
    ];
    let path = "/usr/share/color/icc/ghostscript/default_cmyk.icc";
    all.extend(fs::read(path).ok().map(|icc| (path.into(), icc)));
    all
}

#[test]
fn inks_look_as_little_cms_shows_them() {
    for (name, icc) in presses() {
        assert_eq!(Profile::new_icc(&icc).unwrap().color_space(), ColorSpaceSignature::CmykData);
        for deep in [false, true] {
            // The inks that the file has room for.
            let round = |v: u16| if deep { v } else { ((u32::from(v) + 128) / 257 * 257) as u16 };
            let inks: Vec<_> = inks().into_iter().map(|inks| inks.map(round)).collect();
            let file = ink_tiff(&inks, deep, &icc);
            let pixels =
                decode::decode(&ImageSource::from_copy(&file).unwrap(), 0, &Default::default()).unwrap();
            assert_eq!(pixels.info().bits, if deep { 16 } else { 8 });
            let (ours, theirs) = (colors(&pixels), lcms(&icc, Cms::CMYK_16, &inks));
            let (checker, _) = differences(&ours[..24], &theirs[..24]);
            let (mean, worst) = differences(&ours, &theirs);
            let most = if deep { 0.25 } else { 0.5 };
            assert!(checker <= most && mean <= most && worst <= 1.5, "{name}: {checker} {mean} {worst}");
        }
    }
}

/// The colours of a ColorChecker in sRGB (BabelColor's averages), and a grid.
fn lights() -> Vec<[u16; 3]> {
    const CHECKER: [u32; 24] = [
        0x735244, 0xc29682, 0x627a9d, 0x576c43, 0x8580b1, 0x67bdaa, 0xd67e2c, 0x505ba6, 0xc15a63, 0x5e3c6c,
        0x9dbc40, 0xe0a32e, 0x383d96, 0x469449, 0xaf363c, 0xe7c71f, 0xbb5695, 0x0885a1, 0xf3f3f2, 0xc8c8c8,
        0xa0a0a0, 0x7a7a79, 0x555555, 0x343434,
    ];
    let checker = CHECKER.map(|v| [v >> 16, v >> 8 & 255, v & 255].map(|v| v as u16 * 257));
    let grid = (0..216).map(|i| [i / 36, i / 6 % 6, i % 6].map(|v| v * 13107));
    checker.into_iter().chain(grid).collect()
}

#[test]
fn light_looks_as_little_cms_shows_it() {
    let white = lcms2::CIExyY { x: 0.3127, y: 0.3290, Y: 1.0 };
    let corner = |x, y| lcms2::CIExyY { x, y, Y: 1.0 };
    let of = |red, green, blue, gamma: f64| {
        let curve = lcms2::ToneCurve::new(gamma);
        let primaries = lcms2::CIExyYTRIPLE { Red: red, Green: green, Blue: blue };
        Profile::new_rgb(&white, &primaries, &[&curve, &curve, &curve]).unwrap().icc().unwrap()
    };
    let profiles = [
        ("wide, 2.2", of(corner(0.64, 0.33), corner(0.21, 0.71), corner(0.15, 0.06), 2.199_219)),
        ("wider, 1.8", of(corner(0.7347, 0.2653), corner(0.1596, 0.8404), corner(0.0366, 0.0001), 1.8)),
        ("a table of version 2", press(2, 3, &[b"A2B0", b"A2B1"])),
        ("a table of version 4", press(4, 3, &[b"A2B0", b"A2B1"])),
    ];
    for (name, icc) in profiles {
        for deep in [false, true] {
            let lights = lights();
            let bytes: Vec<u8> = lights
                .iter()
                .flatten()
                .flat_map(|v| if deep { v.to_ne_bytes().to_vec() } else { vec![(v / 257) as u8] })
                .collect();
            let format = if deep { PixelFormat::Rgb161616 } else { PixelFormat::Rgb888 };
            let mut pixels = Pixels::from_vec(lights.len() as u32, 1, format, bytes).unwrap();
            pixels.color.icc = Some(check_icc(&icc).unwrap());
            let mut options = Options::new("image/png", 100).unwrap();
            options.color = ColorPolicy::Srgb;
            let mut file = Buffer::default();
            let input = Input::Pixels(Arc::new(pixels));
            Packer::default().pack(input, &options, &mut file, &Control::default()).unwrap();
            let source = ImageSource::from_copy(file.as_slice()).unwrap();
            let pixels = decode::decode(&source, 0, &Default::default()).unwrap();
            assert!(pixels.color.icc.is_none() && pixels.info().bits == if deep { 16 } else { 8 });
            let (ours, theirs) = (colors(&pixels), lcms(&icc, Cms::RGB_16, &lights));
            let (checker, _) = differences(&ours[..24], &theirs[..24]);
            let (mean, worst) = differences(&ours, &theirs);
            let most = if deep { 0.25 } else { 0.5 };
            assert!(
                checker <= most && mean <= most && worst <= 1.5,
                "{name} {deep}: {checker} {mean} {worst}"
            );
        }
    }
}

#[test]
fn readers_of_profiles_alone_see_a_tone_mapped_image() {
    // Signals of 50, 100, 203 and 1000 nits (SMPTE ST 2084; ARIB STD-B67 on a display of 1000 nits), and what BT.2390
    // makes of them.
    let codes = [136.0, 186.0, 229.0, 255.0];
    let signals =
        [(16u8, [0.440_28, 0.508_08, 0.580_69, 0.751_83]), (18, [0.497_13, 0.629_62, 0.749_9, 1.0])];
    for (transfer, signals) in signals {
        for gray in [false, true] {
            let inks = signals.map(|v: f64| (v * 65535.0).round() as u16);
            let mut all: Vec<[u16; 3]> = inks.map(|v| [v; 3]).to_vec();
            // One colour, or else it is a gray PNG.
            all.push(if gray { [0; 3] } else { [inks[3], 0, 0] });
            let bytes = all.iter().flatten().flat_map(|v| v.to_ne_bytes()).collect();
            let mut map = Pixels::from_vec(5, 1, PixelFormat::Rgb161616, bytes).unwrap();
            map.color.cicp = Cicp { primaries: 9, transfer, matrix: 0, full_range: true };
            map.light.max_cll = 1000;
            let mut options = Options::new("image/png", 100).unwrap();
            options.dynamic_range = DynamicRange::Auto;
            options.set("hdr.form", "signal").unwrap();
            let mut file = Buffer::default();
            let input = Input::Pixels(Arc::new(map));
            Packer::default().pack(input, &options, &mut file, &Control::default()).unwrap();
            let reader = png::Decoder::new(std::io::Cursor::new(file.as_slice())).read_info().unwrap();
            let info = reader.info();
            let points = info.coding_independent_code_points.unwrap();
            assert_eq!((points.color_primaries, points.transfer_function), (9, transfer));
            let icc = info.icc_profile.as_deref().unwrap();
            assert_eq!(&icc[8..10], [4, 0x40]);
            assert_eq!(&icc[16..20], if gray { b"GRAY" } else { b"RGB " });
            let tag = icc.windows(8).position(|bytes| bytes == b"cicp\0\0\0\0").unwrap();
            assert_eq!(icc[tag + 8..tag + 12], [9, transfer, 0, 1]);
            let seen = if gray {
                lcms(icc, Cms::GRAY_16, &inks.map(|v| [v]))
            } else {
                lcms(icc, Cms::RGB_16, &inks.map(|v| [v; 3]))
            };
            for (seen, code) in seen.iter().zip(codes) {
                assert!(seen.iter().all(|v| (v * 255.0 - code).abs() <= 2.0), "{transfer}: {seen:?}, {code}");
            }
            // We are a reader of code points.
            let pixels =
                decode::decode(&ImageSource::from_copy(file.as_slice()).unwrap(), 0, &Default::default())
                    .unwrap();
            assert!(pixels.color.icc.is_none() && pixels.color.cicp.transfer == transfer);
        }
    }
}
