//! What the frames of a file look like, and how long they are shown.

use super::*;

#[test]
fn frames_delays_and_loops_come_back() {
    for format in FORMATS {
        let options = exact(format, 3);
        ok(image_sequence_options_set_delay_times(options.0, [3, 700].as_ptr(), 2));
        ok(image_sequence_options_set_loop_count(options.0, 5));
        let bytes = pack(&[flat(20, 10, RED), flat(20, 10, GREEN), flat(20, 10, BLUE)], &options);
        let (width, height, seen) = decode(&bytes);
        assert_eq!((width, height), (20, 10));
        assert_eq!(colours(&seen), [RED, GREEN, BLUE]);
        let millis: Vec<_> = seen.iter().map(|frame| frame.millis).collect();
        assert_eq!(millis, [30, 7000, 7000], "the last value is for all further frames");
        assert_eq!(loops(&bytes), 5);
        let source = source(&bytes);
        for (index, expected) in [30, 7000, 7000].into_iter().enumerate() {
            let mut millis = 0;
            ok(image_source_get_frame_delay(source, index, &mut millis));
            assert_eq!(millis, expected);
        }
        let mut number = 0;
        fails(
            image_source_get_frame_delay(source, 3, &mut number),
            401,
            IMAGE_CAUSE_OUT_OF_RANGE,
            "frame 3 of",
        );
        fails(
            image_source_get_frame_disposal(source, 3, &mut number),
            401,
            IMAGE_CAUSE_OUT_OF_RANGE,
            "frame 3",
        );
        ok(image_source_release(source));
    }
}

#[test]
fn defaults_are_100_ms_once_and_frames_that_stay() {
    for format in FORMATS {
        let bytes = pack(&[flat(4, 4, RED), flat(2, 2, GREEN)], &exact(format, 2));
        let (width, height, seen) = decode(&bytes);
        assert_eq!((width, height, loops(&bytes)), (4, 4, 1));
        assert_eq!(seen.iter().map(|frame| frame.millis).collect::<Vec<_>>(), [100, 100]);
        assert_eq!((seen[1].canvas[0], seen[1].canvas[15]), (GREEN, RED));
    }
}

#[test]
fn fewer_frames_are_the_first_ones_and_more_repeat_the_last() {
    let maps = [flat(8, 8, RED), flat(8, 8, GREEN), flat(8, 8, BLUE)];
    for format in FORMATS {
        assert_eq!(colours(&decode(&pack(&maps, &exact(format, 2))).2), [RED, GREEN]);
        let seen = decode(&pack(&maps, &exact(format, 5))).2;
        // WebP's encoder makes one long frame of equal ones.
        let total: u32 = seen.iter().map(|frame| frame.millis).sum();
        assert_eq!((total, seen.last().unwrap().canvas[0]), (500, BLUE));
    }
    let (packer, frames, mut data) = (packer(), handles(&maps), ptr::null_mut());
    for format in FORMATS {
        let options = exact(format, i32::MAX as u32);
        let status =
            image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 3, options.0, &mut data);
        fails(
            status,
            7_800_301,
            IMAGE_CAUSE_FRAME_COUNT,
            "2147483647 frames from 3: the last one is repeated up to 10000",
        );
    }
    // A frame that is not used is not looked at.
    let frames = [maps[0].0, ptr::null_mut()];
    let options = exact(c"image/webp", 1);
    ok(image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 2, options.0, &mut data));
    take(data);
}

#[test]
fn disposal_decides_what_the_next_frame_finds() {
    // A small frame over a red canvas, then an almost empty one.
    let maps = [flat(6, 6, RED), flat(3, 3, GREEN), flat(1, 1, CLEAR)];
    for format in FORMATS {
        for (disposal, left) in [(0, GREEN), (1, GREEN), (2, CLEAR), (3, RED)] {
            let options = exact(format, 3);
            ok(image_sequence_options_set_disposal_types(options.0, [1, disposal, 1].as_ptr(), 3));
            ok(image_sequence_options_set_offsets(options.0, [0, 0, 2, 2, 5, 5].as_ptr(), 3));
            let (.., seen) = decode(&pack(&maps, &options));
            let at = |frame: usize| seen.get(frame).unwrap_or(seen.last().unwrap()).canvas[6 * 3 + 3];
            assert_eq!((at(0), at(1), at(2)), (RED, GREEN, left), "{format:?} disposal {disposal}");
            assert_eq!(seen.last().unwrap().canvas[0], RED);
        }
    }
}

#[test]
fn gif_carries_the_numbers_of_the_disposal_types() {
    let maps: Vec<_> = (0..4u8).map(|i| flat(9, 9, [i * 60, 9, 9, 255])).collect();
    let options = exact(c"image/gif", 6);
    ok(image_sequence_options_set_disposal_types(options.0, [0, 2, 3, 1, 2].as_ptr(), 5));
    ok(image_sequence_options_set_delay_times(options.0, [10, 1, 65535].as_ptr(), 3));
    let bytes = pack(&maps, &options);
    let source = source(&bytes);
    let mut count = 0;
    ok(image_source_get_frame_count(source, &mut count));
    assert_eq!(count, 6);
    for (index, (disposal, millis)) in
        [(0, 100), (2, 10), (3, 655_350), (1, 655_350), (2, 655_350), (2, 655_350)].into_iter().enumerate()
    {
        let (mut found, mut time) = (9, 9);
        ok(image_source_get_frame_disposal(source, index, &mut found));
        ok(image_source_get_frame_delay(source, index, &mut time));
        assert_eq!((found, time), (disposal, millis), "frame {index}");
    }
    ok(image_source_release(source));
}

#[test]
fn half_transparent_frames_blend_with_what_is_there() {
    let maps = [flat(2, 2, [200, 0, 0, 255]), flat(2, 2, [100, 100, 100, 128])];
    let (.., seen) = decode(&pack(&maps, &exact(c"image/webp", 2)));
    assert_eq!(seen[1].canvas[0], [150, 50, 50, 255]);
}

#[test]
fn every_pixel_format_and_alpha_may_be_a_frame() {
    let gray: Vec<u8> = (0..64).map(|i| i * 4).collect();
    let rgb: Vec<u8> = gray.iter().flat_map(|&v| [v, v, v]).collect();
    let half: Vec<u8> = gray.iter().flat_map(|&v| [v / 2, v / 2, v / 2, 128]).collect();
    let maps = [
        map(8, 8, IMAGE_PIXEL_FORMAT_GRAY_8, &gray),
        map(8, 8, IMAGE_PIXEL_FORMAT_BGR_888, &rgb),
        map(8, 8, IMAGE_PIXEL_FORMAT_RGBA_8888, &half),
        map(8, 8, IMAGE_PIXEL_FORMAT_I444, &[gray.clone(), vec![128; 128]].concat()),
        map(8, 8, IMAGE_PIXEL_FORMAT_RGB_565, &[0xff; 128]),
    ];
    ok(image_pixelmap_set_alpha_type(maps[2].0, IMAGE_ALPHA_PREMULTIPLIED));
    let options = exact(c"image/webp", 5);
    ok(image_sequence_options_set_disposal_types(options.0, [2].as_ptr(), 1));
    let (.., seen) = decode(&pack(&maps, &options));
    // Equal frames have become one.
    let last = seen.last().unwrap();
    assert_eq!(last.canvas, [[255; 4]; 64]);
    assert_eq!(seen[0].canvas[63], [252, 252, 252, 255]);
    let half = seen.iter().find(|frame| frame.canvas[63][3] == 128).expect("the half-transparent frame");
    assert!(half.canvas[63][0].abs_diff(251) <= 1, "{:?}", half.canvas[63]);
    assert!(seen.iter().map(|frame| frame.millis).sum::<u32>() == 500);
}

#[test]
fn frames_of_more_than_8_bits_are_told_or_refused() {
    let deep: Vec<u8> = (0..16 * 3u16).flat_map(|value| (value * 1300).to_ne_bytes()).collect();
    let maps = [map(4, 4, IMAGE_PIXEL_FORMAT_RGB_161616, &deep), flat(4, 4, RED)];
    let (packer, frames, mut data, mut report) = (packer(), handles(&maps), ptr::null_mut(), ptr::null_mut());
    ok(image_report_create(&mut report));
    for format in FORMATS {
        let options = options(format, 2);
        ok(image_sequence_options_set_report(options.0, report));
        let (.., seen) = decode(&pack(&maps, &options));
        assert!(seen[0].canvas[15][2].abs_diff((47 * 1300 / 257) as u8) < 9, "{:?}", seen[0].canvas[15]);
        let (mut count, mut code) = (0, 0);
        ok(image_report_get_warning_count(report, &mut count));
        assert!((0..count).any(|index| {
            ok(image_report_get_warning(report, index, &mut code, ptr::null_mut(), 0));
            code == IMAGE_WARNING_DEPTH_REDUCED
        }));
        ok(image_sequence_options_set_lossless(options.0, true));
        let status =
            image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 2, options.0, &mut data);
        fails(status, 401, IMAGE_CAUSE_UNSUPPORTED, "the 16 bits of RGB_161616 would not be lossless");
    }
    ok(image_report_release(report));
}

#[test]
fn wide_colours_become_srgb_in_gif() {
    let p3 = |colour| {
        let map = flat(16, 16, colour);
        ok(image_pixelmap_set_cicp(map.0, 12, 13, 0, true));
        map
    };
    let maps = [p3([200, 60, 60, 255]), p3([90, 90, 90, 255])];
    // By the formulas of CSS Color 4, 10.2: Display P3 to sRGB.
    let expected = [[218, 41, 52], [90, 90, 90]];
    let png = pack(&maps, &exact(c"image/png", 2));
    let lossy = || options(c"image/gif", 2);
    for gif in [pack(&maps, &lossy()), reencode(&png, &lossy())] {
        for (seen, wanted) in colours(&decode(&gif).2).iter().zip(expected) {
            assert!((0..3).all(|c| seen[c].abs_diff(wanted[c]) <= 2), "{seen:?}, not {wanted:?}");
        }
    }
    // What is exact keeps its numbers.
    assert_eq!(colours(&decode(&reencode(&png, &exact(c"image/gif", 2))).2)[0], [200, 60, 60, 255]);
}

#[test]
fn the_canvas_holds_every_frame_or_is_as_set() {
    let maps = [flat(4, 9, RED), flat(7, 2, GREEN)];
    let options = exact(c"image/webp", 2);
    let (width, height, seen) = decode(&pack(&maps, &options));
    assert_eq!((width, height), (7, 9));
    assert_eq!(seen[0].canvas[6], CLEAR);
    ok(image_sequence_options_set_offsets(options.0, [1, 1, 3, 3].as_ptr(), 2));
    let (width, height, seen) = decode(&pack(&maps, &options));
    assert_eq!((width, height, seen[1].canvas[3 * 10 + 3]), (10, 10, GREEN));
    ok(image_sequence_options_set_canvas(options.0, 12, 10));
    assert_eq!(decode(&pack(&maps, &options)).0, 12);
    ok(image_sequence_options_set_canvas(options.0, 8, 10));
    let (packer, frames, mut data) = (packer(), handles(&maps), ptr::null_mut());
    let status = image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 2, options.0, &mut data);
    fails(
        status,
        401,
        IMAGE_CAUSE_OUT_OF_RANGE,
        "frame 1 of 7 x 2 pixels at 3, 3 passes the canvas of 8 x 10",
    );
    let far = [1, 1, u32::MAX, 3];
    ok(image_sequence_options_set_offsets(options.0, far.as_ptr(), 2));
    let status = image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 2, options.0, &mut data);
    fails(status, 401, IMAGE_CAUSE_OUT_OF_RANGE, "at 4294967295, 3 passes the canvas of 8 x 10");
    fails(image_sequence_options_set_canvas(options.0, 0, 1), 401, IMAGE_CAUSE_OUT_OF_RANGE, "0 x 1");
}

/// Decoders other than browsers show the background's colour where a frame without transparency was cleared.
#[test]
fn what_a_gif_clears_is_transparent_for_every_decoder() {
    let transparency = |maps: &[Map], disposals: &[u32]| {
        let options = exact(c"image/gif", maps.len() as u32);
        ok(image_sequence_options_set_disposal_types(options.0, disposals.as_ptr(), disposals.len()));
        let bytes = pack(maps, &options);
        let mut frames = gif::Decoder::new(&bytes[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = frames.read_next_frame().unwrap() {
            seen.push(frame.transparent.is_some());
        }
        seen
    };
    let maps = [flat(6, 6, RED), flat(3, 3, GREEN), flat(1, 1, [0, 0, 9, 255])];
    assert_eq!(transparency(&maps, &[1, 1, 1]), [false; 3]);
    assert_eq!(transparency(&maps, &[2, 2, 1]), [true, true, false]);
    // The first frame tells what the canvas was before it, and whether later ones clear it.
    assert!(transparency(&maps, &[3, 1, 1])[0]);
    assert_eq!(transparency(&maps, &[1, 2, 1]), [true, true, false]);
    // A palette has room for it.
    let many: Vec<u8> = (0..=255u8).flat_map(|i| [i, 255 - i, 7, 255]).collect();
    let full = [map(16, 16, IMAGE_PIXEL_FORMAT_RGBA_8888, &many), flat(1, 1, RED)];
    let options = options(c"image/gif", 2);
    ok(image_sequence_options_set_disposal_types(options.0, [2u32, 2].as_ptr(), 2));
    let (.., seen) = decode(&pack(&full, &options));
    assert_eq!(seen[1].canvas[1..], [CLEAR; 255]);
}

/// What is cleared under a frame that gives back what was there has to be gone by then.
#[test]
fn a_gif_keeps_its_disposal_types_where_one_follows_another() {
    let maps = [flat(6, 6, RED), flat(6, 6, RED), flat(6, 6, GREEN), flat(2, 2, RED)];
    let options = exact(c"image/gif", 4);
    ok(image_sequence_options_set_disposal_types(options.0, [1, 2, 3, 1].as_ptr(), 4));
    let bytes = pack(&maps, &options);
    let mut frames = gif::Decoder::new(&bytes[..]).unwrap();
    let mut found = Vec::new();
    while let Some(frame) = frames.read_next_frame().unwrap() {
        found.push(frame.dispose as u32);
    }
    assert_eq!(found, [1, 2, 3, 1]);
    let seen = decode(&bytes).2;
    assert_eq!((seen[3].canvas[0], seen[3].canvas[35]), (RED, CLEAR));
}
