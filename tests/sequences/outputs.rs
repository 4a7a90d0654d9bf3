//! Ways out: memory, files, writers, streams and jobs.

use super::{common::tools::scratch, *};

#[test]
fn the_bytes_are_the_same_every_way_out_and_for_any_threads() {
    let maps: Vec<_> = (0..7u8).map(|i| flat(33, 21, [i * 30, 255 - i, i * 7, 255])).collect();
    let folder = scratch("");
    fs::create_dir_all(&folder).unwrap();
    for format in FORMATS {
        let options = options(format, 7);
        let whole = pack(&maps, &options);
        assert_eq!(stream(&maps, &options), whole, "{format:?}");
        let (packer, frames) = (packer(), handles(&maps));
        for threads in [1, 3] {
            ok(image_packer_set_threads(packer.0, threads));
            let mut data = ptr::null_mut();
            ok(image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 7, options.0, &mut data));
            assert_eq!(take(data), whole);
        }
        let file = folder.join("whole");
        let path = CString::new(file.to_str().unwrap()).unwrap();
        ok(image_packer_pack_to_path_from_sequence(packer.0, frames.as_ptr(), 7, path.as_ptr(), options.0));
        assert_eq!(fs::read(&file).unwrap(), whole);
        let mut bytes = Vec::<u8>::new();
        let user = (&raw mut bytes).cast();
        ok(image_packer_pack_to_writer_from_sequence(
            packer.0,
            frames.as_ptr(),
            7,
            Some(collect),
            user,
            options.0,
        ));
        assert_eq!(bytes, whole);
        // In a descriptor that is closed before the frames come, and in a path.
        let opened = fs::File::create(folder.join("fd")).unwrap();
        let mut sequences = [ptr::null_mut(); 2];
        use std::os::fd::AsRawFd as _;
        ok(image_sequence_begin_to_file(packer.0, opened.as_raw_fd(), options.0, &mut sequences[0]));
        drop(opened);
        let path = CString::new(folder.join("path").to_str().unwrap()).unwrap();
        ok(image_sequence_begin_to_path(packer.0, path.as_ptr(), options.0, &mut sequences[1]));
        for sequence in sequences {
            maps.iter().for_each(|map| ok(image_sequence_add_frame(sequence, map.0, 0, -1)));
            assert!(!folder.join("path").exists() || sequence == sequences[1]);
            ok(image_sequence_finish(sequence, ptr::null_mut()));
            ok(image_sequence_release(sequence));
        }
        assert_eq!(fs::read(folder.join("fd")).unwrap(), whole);
        assert_eq!(fs::read(folder.join("path")).unwrap(), whole);
        fs::remove_file(folder.join("path")).unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_stream_knows_its_frames_and_its_end() {
    let (packer, mut sequence, mut data) = (packer(), ptr::null_mut(), ptr::null_mut());
    let two = exact(c"image/webp", 2);
    ok(image_sequence_begin(packer.0, two.0, &mut sequence));
    let (red, big) = (flat(4, 4, RED), flat(5, 4, BLUE));
    fails(
        image_sequence_finish(sequence, &mut data),
        7_800_301,
        IMAGE_CAUSE_FRAME_COUNT,
        "0 frames were added where 2",
    );
    ok(image_sequence_add_frame(sequence, red.0, 20, 1));
    // Bad arguments change nothing.
    fails(image_sequence_add_frame(sequence, red.0, -1, 1), 401, IMAGE_CAUSE_OUT_OF_RANGE, "delay time -1");
    fails(image_sequence_add_frame(sequence, red.0, 65536, 1), 401, IMAGE_CAUSE_OUT_OF_RANGE, "65536");
    fails(image_sequence_add_frame(sequence, red.0, 1, 4), 401, IMAGE_CAUSE_OUT_OF_RANGE, "disposal type 4");
    fails(
        image_sequence_add_frame(sequence, red.0, 1, -2),
        401,
        IMAGE_CAUSE_OUT_OF_RANGE,
        "disposal type -2",
    );
    fails(
        image_sequence_add_frame(sequence, big.0, 1, 1),
        401,
        IMAGE_CAUSE_OUT_OF_RANGE,
        "passes the canvas of 4 x 4",
    );
    fails(image_sequence_add_frame(sequence, ptr::null(), 1, 1), 401, IMAGE_CAUSE_NULL_POINTER, "");
    let small = flat(2, 2, GREEN);
    ok(image_sequence_add_frame_at(sequence, small.0, 2, 2, 30, 1));
    fails(image_sequence_add_frame(sequence, red.0, 1, 1), 7_800_301, IMAGE_CAUSE_FRAME_COUNT, "more frames");
    fails(image_sequence_finish(sequence, ptr::null_mut()), 401, IMAGE_CAUSE_NULL_POINTER, "data");
    ok(image_sequence_finish(sequence, &mut data));
    let (.., seen) = decode(&take(data));
    assert_eq!(seen.iter().map(|frame| frame.millis).collect::<Vec<_>>(), [200, 300]);
    assert_eq!((seen[1].canvas[0], seen[1].canvas[15]), (RED, GREEN));
    fails(image_sequence_finish(sequence, &mut data), 401, IMAGE_CAUSE_OUT_OF_RANGE, "finished");
    fails(image_sequence_add_frame(sequence, red.0, 1, 1), 401, IMAGE_CAUSE_OUT_OF_RANGE, "finished");
    ok(image_sequence_release(sequence));
    fails(image_sequence_release(sequence), 401, IMAGE_CAUSE_RELEASED_HANDLE, "ImageSequence");

    // Any number of frames.
    let any = exact(c"image/webp", 0);
    ok(image_sequence_begin(packer.0, any.0, &mut sequence));
    fails(image_sequence_finish(sequence, &mut data), 7_800_301, IMAGE_CAUSE_FRAME_COUNT, "0 frames");
    for map in [&red, &small, &red] {
        ok(image_sequence_add_frame(sequence, map.0, 0, -1));
    }
    ok(image_sequence_finish(sequence, &mut data));
    assert_eq!(decode(&take(data)).2.len(), 3);
    ok(image_sequence_release(sequence));
}

#[test]
fn an_unfinished_stream_leaves_nothing() {
    let (packer, mut sequence) = (packer(), ptr::null_mut());
    let file = scratch("");
    fs::write(&file, b"old").unwrap();
    let path = CString::new(file.to_str().unwrap()).unwrap();
    let options = exact(c"image/webp", 0);
    ok(image_sequence_begin_to_path(packer.0, path.as_ptr(), options.0, &mut sequence));
    ok(image_sequence_add_frame(sequence, flat(2, 2, RED).0, 1, 1));
    ok(image_sequence_release(sequence));
    assert_eq!(fs::read(&file).unwrap(), b"old");
    fs::remove_file(file).unwrap();
}

pub unsafe extern "C" fn stop_at_half(user: *mut c_void, done: u32) -> i32 {
    // SAFETY: the tests pass this type.
    unsafe { &mut *user.cast::<Vec<u32>>() }.push(done);
    i32::from(done >= 500)
}

unsafe extern "C" fn note(user: *mut c_void, done: u32) -> i32 {
    // SAFETY: the tests pass this type.
    unsafe { &mut *user.cast::<Vec<u32>>() }.push(done);
    0
}

#[test]
fn progress_counts_frames_and_can_stop() {
    let maps: Vec<_> = (0..10u8).map(|i| flat(40, 40, [i * 20, 0, 0, 255])).collect();
    for format in FORMATS {
        let (options, mut heard) = (options(format, 10), Vec::<u32>::new());
        let user = (&raw mut heard).cast();
        ok(image_sequence_options_set_progress(options.0, Some(note), user));
        pack(&maps, &options);
        assert!(heard.len() >= 10 && heard.is_sorted() && heard.last() == Some(&1000), "{heard:?}");
        heard.clear();
        ok(image_sequence_options_set_progress(options.0, Some(stop_at_half), user));
        let (packer, frames, mut data) = (packer(), handles(&maps), ptr::null_mut());
        let status =
            image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 10, options.0, &mut data);
        fails(status, IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_CANCELLED, "stopped");
        assert!(heard.last() < Some(&700), "{heard:?}");
        assert!(data.is_null());
    }
}

#[test]
fn jobs_give_the_same_bytes_and_errors() {
    let maps: Vec<_> = (0..4u8).map(|i| flat(30, 20, [i * 60, 9, 9, 255])).collect();
    let (packer, frames) = (packer(), handles(&maps));
    let (mut job, mut data) = (ptr::null_mut(), ptr::null_mut());
    for format in FORMATS {
        let options = options(format, 4);
        let (none, user) = (None, ptr::null_mut());
        let status = image_packer_pack_to_data_from_sequence_async(
            packer.0,
            frames.as_ptr(),
            4,
            options.0,
            none,
            user,
            &mut job,
        );
        ok(status);
        ok(image_job_wait(job, -1));
        ok(image_job_take_data(job, &mut data));
        assert_eq!(take(data), pack(&maps, &options));
        ok(image_job_release(job));
    }
    let wide = flat(70000, 1, RED);
    let (options, frames) = (options(c"image/webp", 1), [wide.0]);
    let args = (None, ptr::null_mut());
    ok(image_packer_pack_to_data_from_sequence_async(
        packer.0,
        frames.as_ptr(),
        1,
        options.0,
        args.0,
        args.1,
        &mut job,
    ));
    fails(image_job_wait(job, -1), 7_800_301, IMAGE_CAUSE_LIMIT, "70000 x 1");
    ok(image_job_release(job));
    let status = image_packer_pack_to_file_from_sequence_async(
        packer.0,
        frames.as_ptr(),
        1,
        -1,
        options.0,
        args.0,
        args.1,
        &mut job,
    );
    fails(status, 401, IMAGE_CAUSE_BAD_DESCRIPTOR, "-1");
}
