//! Animations made anew from the frames of a source.

use super::*;

#[test]
fn sources_keep_what_they_look_like_their_delays_and_loops() {
    for name in ["anim.gif", "anim_keep.gif", "anim.png", "anim.webp"] {
        let original = test_file(name);
        let (width, height, seen) = decode(&original);
        for format in FORMATS {
            // GIF cuts alpha at the half; these files have full or none.
            let bytes = reencode(&original, &exact(format, 0));
            let (w, h, again) = decode(&bytes);
            assert_eq!((w, h), (width, height), "{name} to {format:?}");
            assert_eq!(again, seen, "{name} to {format:?}");
            assert_eq!(loops(&bytes), loops(&original), "{name} to {format:?}");
        }
    }
}

#[test]
fn options_go_before_what_a_source_says() {
    let options = exact(c"image/webp", 2);
    ok(image_sequence_options_set_loop_count(options.0, 9));
    ok(image_sequence_options_set_delay_times(options.0, [33].as_ptr(), 1));
    let bytes = reencode(&test_file("anim.gif"), &options);
    let (.., seen) = decode(&bytes);
    assert_eq!((seen.len(), seen[0].millis, loops(&bytes)), (2, 330, 9));
    // Other disposal types are other numbers in a GIF, which looks the same.
    for name in ["anim.gif", "anim_keep.gif", "anim.png"] {
        let original = test_file(name);
        let shown = decode(&original).2;
        for wanted in 0..4u32 {
            let options = exact(c"image/gif", 0);
            ok(image_sequence_options_set_disposal_types(options.0, [wanted].as_ptr(), 1));
            let bytes = reencode(&original, &options);
            assert_eq!(decode(&bytes).2, shown, "{name} with disposal type {wanted}");
            let again = source(&bytes);
            let mut found = 9;
            ok(image_source_get_frame_disposal(again, 0, &mut found));
            ok(image_source_release(again));
            assert_eq!(found, wanted, "{name}");
        }
    }
    // A still image is one frame.
    let bytes = reencode(&test_file("rgb.jpg"), &exact(c"image/webp", 0));
    let source = source(&bytes);
    let mut count = 0;
    ok(image_source_get_frame_count(source, &mut count));
    assert_eq!(count, 1);
    ok(image_source_release(source));
    let options = exact(c"image/webp", 0);
    ok(image_sequence_options_set_canvas(options.0, 9, 9));
    let (packer, source, mut data) = (packer(), crate::source(&test_file("anim.gif")), ptr::null_mut());
    let status = image_packer_pack_to_data_from_source_sequence(packer.0, source, options.0, &mut data);
    fails(status, 401, IMAGE_CAUSE_UNSUPPORTED, "a canvas of 9 x 9");
    ok(image_source_release(source));
}

#[test]
fn damaged_animations_are_errors() -> Result<()> {
    for name in ["anim.gif", "anim.png", "anim.webp"] {
        let mut bytes = test_file(name);
        bytes.truncate(bytes.len() * 3 / 4);
        let (packer, source, mut data) = (packer(), source(&bytes), ptr::null_mut());
        let options = exact(c"image/webp", 0);
        let status = image_packer_pack_to_data_from_source_sequence(packer.0, source, options.0, &mut data);
        assert_eq!(status, 7_800_301, "{name}");
        assert_eq!(image_packer_last_error_cause(), IMAGE_CAUSE_BAD_DATA, "{name}: {}", message());
        ok(image_source_release(source));
    }
    Ok(())
}

/// Names of frames' chunks are those of chunks that a reader may do without; their checksums count all the same.
#[test]
fn a_damaged_frame_of_a_png_is_an_error() {
    let whole = test_file("anim.png");
    let end = whole.len();
    // The last byte of the last frame's checksum, and of its data, before the 12 bytes of the end.
    for at in [end - 13, end - 17] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let (packer, source, mut data) = (packer(), source(&bytes), ptr::null_mut());
        let options = exact(c"image/webp", 0);
        let status = image_packer_pack_to_data_from_source_sequence(packer.0, source, options.0, &mut data);
        fails(status, 7_800_301, IMAGE_CAUSE_BAD_DATA, "a frame's checksum is wrong");
        ok(image_source_release(source));
    }
}

#[test]
fn an_animation_of_one_frame_keeps_its_time_and_its_loops() {
    for from in [c"image/gif", c"image/png"] {
        let options = exact(from, 1);
        ok(image_sequence_options_set_delay_times(options.0, [77].as_ptr(), 1));
        ok(image_sequence_options_set_loop_count(options.0, 5));
        let file = pack(&[flat(3, 3, RED)], &options);
        for to in [c"image/gif", c"image/png"] {
            let again = reencode(&file, &exact(to, 0));
            assert_eq!(loops(&again), 5, "{from:?} to {to:?}");
            let (source, mut millis) = (source(&again), 0);
            ok(image_source_get_frame_delay(source, 0, &mut millis));
            assert_eq!(millis, 770, "{from:?} to {to:?}");
            ok(image_source_release(source));
        }
    }
}
