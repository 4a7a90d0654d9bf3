//! Arguments and options.

use super::*;

#[test]
fn arguments_are_checked_as_the_platform_does() {
    let mut made = ptr::null_mut();
    fails(
        image_sequence_options_create(c"image/jpeg".as_ptr(), 1, &mut made),
        401,
        IMAGE_CAUSE_UNSUPPORTED,
        "image/jpeg has no animations; these have:",
    );
    // Where libheif is there: what it would take.
    for format in [c"image/avif", c"image/heic"] {
        let features = image_packer_get_format_features(format.as_ptr());
        if features != 0 && features & IMAGE_FORMAT_ANIMATION == 0 {
            let status = image_sequence_options_create(format.as_ptr(), 1, &mut made);
            fails(status, 401, IMAGE_CAUSE_UNSUPPORTED, "libheif has an interface for them from 1.21 on");
        }
    }
    let status = image_sequence_options_create(c"image/none".as_ptr(), 1, &mut made);
    fails(status, IMAGE_ERROR_UNKNOWN_FORMAT, IMAGE_CAUSE_UNKNOWN_FORMAT, "image/none");
    fails(image_sequence_options_create(ptr::null(), 1, &mut made), 401, IMAGE_CAUSE_NULL_POINTER, "format");

    let options = exact(c"image/webp", 2);
    let o = options.0;
    let delays = |list: &[i32]| image_sequence_options_set_delay_times(o, list.as_ptr(), list.len());
    fails(delays(&[]), 401, IMAGE_CAUSE_OUT_OF_RANGE, "0 delay times");
    for bad in [0, -1, 65536, i32::MIN] {
        let text = format!("delay time {bad} of frame 2 is not in 1..=65535");
        fails(delays(&[1, 65535, bad]), 401, IMAGE_CAUSE_OUT_OF_RANGE, &text);
    }
    fails(
        image_sequence_options_set_delay_times(o, ptr::null(), 3),
        401,
        IMAGE_CAUSE_NULL_POINTER,
        "delays is NULL",
    );
    let types = |list: &[u32]| image_sequence_options_set_disposal_types(o, list.as_ptr(), list.len());
    fails(types(&[0, 4]), 401, IMAGE_CAUSE_OUT_OF_RANGE, "disposal type 4 of frame 1");
    fails(
        image_sequence_options_set_disposal_types(o, ptr::null(), 1),
        401,
        IMAGE_CAUSE_NULL_POINTER,
        "types",
    );
    ok(image_sequence_options_set_disposal_types(o, ptr::null(), 0));
    fails(image_sequence_options_set_offsets(o, ptr::null(), 1), 401, IMAGE_CAUSE_NULL_POINTER, "offsets");
    fails(image_sequence_options_set_loop_count(o, 65536), 401, IMAGE_CAUSE_OUT_OF_RANGE, "65536");
    ok(image_sequence_options_set_loop_count(o, 65535));
    fails(image_sequence_options_set_quality(o, 101), 401, IMAGE_CAUSE_OUT_OF_RANGE, "101");
    fails(image_sequence_options_set_effort(o, 0), 401, IMAGE_CAUSE_OUT_OF_RANGE, "effort 0");
    let status = image_sequence_options_set(o, c"webp.none".as_ptr(), c"1".as_ptr());
    fails(status, 401, IMAGE_CAUSE_OUT_OF_RANGE, "webp.none");

    let (packer, map, mut data) = (packer(), flat(2, 2, RED), ptr::null_mut());
    let go = |frames: &[*mut ImagePixelMap], count, options, data| {
        let frames = if frames.is_empty() { ptr::null() } else { frames.as_ptr() };
        image_packer_pack_to_data_from_sequence(packer.0, frames, count, options, data)
    };
    fails(go(&[], 0, o, &mut data), 401, IMAGE_CAUSE_OUT_OF_RANGE, "0 frames");
    fails(go(&[], 2, o, &mut data), 401, IMAGE_CAUSE_NULL_POINTER, "frames is NULL");
    fails(go(&[map.0, ptr::null_mut()], 2, o, &mut data), 401, IMAGE_CAUSE_NULL_POINTER, "frame 1: ");
    fails(go(&[map.0, o.cast()], 2, o, &mut data), 401, IMAGE_CAUSE_WRONG_HANDLE, "frame 1: ");
    fails(go(&[map.0], 1, ptr::null(), &mut data), 401, IMAGE_CAUSE_NULL_POINTER, "");
    fails(go(&[map.0], 1, o, ptr::null_mut()), 401, IMAGE_CAUSE_NULL_POINTER, "data");
    let none = exact(c"image/webp", 0);
    fails(go(&[map.0], 1, none.0, &mut data), 401, IMAGE_CAUSE_OUT_OF_RANGE, "frame count 0 in the options");
    let status = image_packer_pack_to_file_from_sequence(packer.0, [map.0].as_ptr(), 1, -1, o);
    fails(status, 401, IMAGE_CAUSE_BAD_DESCRIPTOR, "-1");
    // Too many pixels a side for the format: not an argument, but 7800301.
    let wide = flat(16384, 1, RED);
    fails(go(&[wide.0], 1, o, &mut data), 7_800_301, IMAGE_CAUSE_LIMIT, "16383");
}

#[test]
fn lists_are_copied() {
    let two = exact(c"image/webp", 2);
    let mut delays = [7];
    ok(image_sequence_options_set_delay_times(two.0, delays.as_ptr(), 1));
    delays[0] = 9;
    assert_eq!(delays, [9]);
    assert_eq!(decode(&pack(&[flat(3, 3, RED), flat(3, 3, BLUE)], &two)).2[0].millis, 70);
}
