//! Images of every shape, numbers that are none, and metadata that makes no sense.

use std::sync::Arc;

use image_packer::{
    codec::{self, gain_map::iso},
    model::{color::Cicp, pixel_format::PixelFormat::RgbaF16, pixelmap::Pixels, source::ImageSource},
    pack::packer::Input,
};

use super::{
    SKY,
    common::{
        jpeg::{body, decode, images},
        packing::{pack, pack_pixels, quick},
    },
    gates::params_of,
    pack_sky,
};

#[test]
fn images_of_every_shape_have_a_map_that_is_read() {
    for (width, height) in [(1, 1), (1, 77), (77, 1), (3, 2), (65_500, 1), (1, 65_500)] {
        let bytes = (0..width * height).flat_map(|i| {
            let bits = if i % 5 == 0 { 0x4900u16 } else { 0x3400 };
            [bits, bits, bits, 0x3c00].map(u16::to_ne_bytes).concat()
        });
        let mut pixels = Pixels::from_vec(width, height, RgbaF16, bytes.collect()).unwrap();
        pixels.color.cicp = Cicp { primaries: 12, transfer: 8, matrix: 0, full_range: true };
        for scale in ["1", "2", "4"] {
            let (file, _) =
                pack_pixels(pixels.clone(), &quick("image/jpeg", 90, &[("gain_map.scale", scale)]));
            let map = decode(images(&file)[1].1);
            let side = |side: u32| side.div_ceil(scale.parse().unwrap());
            assert_eq!((map.width(), map.height()), (side(width), side(height)));
            let source = Arc::new(ImageSource::from_copy(&file).unwrap());
            let (again, _) = pack(Input::Source(source), &quick("image/jpeg", 90, &[]));
            assert_eq!(images(&again).len(), 2, "{width} x {height} at 1/{scale}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_no_light() {
    // NaN, infinities and the largest half among gray.
    for bits in [0x7e00u16, 0xfe01, 0x7c00, 0xfc00, 0x7bff, 0xfbff] {
        let bytes = (0..64 * 64).flat_map(|i| {
            let gray = if i % 97 == 0 { bits } else { 0x3800 };
            [gray, 0x3800, 0x3800, 0x3c00].map(u16::to_ne_bytes).concat()
        });
        let mut pixels = Pixels::from_vec(64, 64, RgbaF16, bytes.collect()).unwrap();
        pixels.color.cicp = Cicp { primaries: 12, transfer: 8, matrix: 0, full_range: true };
        let (file, _) = pack_pixels(pixels, &quick("image/jpeg", 90, &[]));
        if body(&file, 0xe2, b"MPF\0").is_some() {
            params_of(&file).check().unwrap();
        }
    }
}

#[test]
fn metadata_that_makes_no_sense_loses_the_map_and_no_more() {
    let file = pack_sky(&quick("image/jpeg", 90, &[]));
    let start = file.windows(iso::NAME.len()).rposition(|w| w == iso::NAME).unwrap() + iso::NAME.len();
    let changed = |at: usize, value: u32, without_xmp: bool| {
        let mut file = file.clone();
        file[start + at..][..4].copy_from_slice(&value.to_be_bytes());
        if without_xmp {
            let names: Vec<_> = (0..file.len() - 6).filter(|&i| file[i..].starts_with(b"hdrgm:")).collect();
            names.into_iter().for_each(|at| file[at..at + 5].copy_from_slice(b"other"));
        }
        file
    };
    // Headrooms at 5 and 13, then minimum, maximum, gamma and offsets from 21 on: numerators and denominators.
    for (at, value) in [
        (9, 0),
        (17, 0),
        (25, 0),
        (33, 0),
        (41, 0),
        (49, 0),
        (57, 0),
        (37, 0),
        (13, 0),
        (5, u32::MAX),
        (29, 0x8000_0000),
    ] {
        for without_xmp in [false, true] {
            let source = Arc::new(ImageSource::from_copy(&changed(at, value, without_xmp)).unwrap());
            let (again, _) = pack(Input::Source(source), &quick("image/jpeg", 90, &[]));
            assert_eq!(decode(&again).width(), SKY.width);
            if body(&again, 0xe2, b"MPF\0").is_some() {
                params_of(&again).check().unwrap();
            } else {
                assert!(without_xmp, "{at}: XMP has the values, too");
            }
        }
    }
    // An index whose sizes and offsets lie.
    let index = file.windows(4).position(|w| w == b"MPF\0").unwrap();
    for at in (4..84).step_by(2) {
        for value in [0u32, 1, 0x7fff_ffff, u32::MAX] {
            let mut file = file.clone();
            file[index + at..][..4].copy_from_slice(&value.to_be_bytes());
            let source = Arc::new(ImageSource::from_copy(&file).unwrap());
            if at % 22 == 4 {
                let (again, _) = pack(Input::Source(source), &quick("image/jpeg", 90, &[]));
                assert_eq!(decode(&again).width(), SKY.width);
            } else {
                let _ = codec::decode::has_gain_map(&source);
            }
        }
    }
}
