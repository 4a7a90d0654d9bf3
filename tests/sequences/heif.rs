//! Image sequences of AV1 and HEVC, where the loaded libheif codes them.

use std::process::{Command, Stdio};

use super::{common::tools::scratch, *};

const SIZE: (u32, u32) = (96, 64);

/// The formats that can be tested here.
fn formats() -> impl Iterator<Item = &'static CStr> {
    [c"image/avif", c"image/heic"].into_iter().filter(|format| {
        let known = image_packer_get_format_features(format.as_ptr()) & IMAGE_FORMAT_ANIMATION != 0;
        if !known {
            eprintln!("NOT TESTED: this machine's libheif codes no sequences of {format:?}");
        }
        known
    })
}

/// A soft pattern and a square that moves over it; from frame `clear_from` on there is a hole, too.
fn scene(time: u32, clear_from: u32) -> Vec<[u8; 4]> {
    let inside = |x: u32, y: u32, left: u32, top: u32| x.wrapping_sub(left) < 16 && y.wrapping_sub(top) < 16;
    let pixel = |x: u32, y: u32| match () {
        () if time >= clear_from && inside(x, y, 70, 8 + time) => CLEAR,
        () if inside(x, y, 4 + 6 * time, 30) => [200, 60, 40, 255],
        () => [(40 + x) as u8, (60 + 2 * y) as u8, (90 + x / 2) as u8, 255],
    };
    (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| pixel(x, y))).collect()
}

fn maps(frames: u32, clear_from: u32) -> Vec<Map> {
    let one =
        |time| map(SIZE.0, SIZE.1, IMAGE_PIXEL_FORMAT_RGBA_8888, scene(time, clear_from).as_flattened());
    (0..frames).map(one).collect()
}

/// What this library reads: the canvases, and milliseconds of each.
fn seen(file: &[u8]) -> Vec<Seen> {
    let source = source(file);
    let (mut size, mut count) = ((0, 0), 0);
    ok(image_source_get_size(source, &mut size.0, &mut size.1));
    ok(image_source_get_frame_count(source, &mut count));
    assert_eq!(size, SIZE);
    let frame = |index| {
        let mut millis = 0;
        ok(image_source_get_frame_delay(source, index, &mut millis));
        let canvas = canvas_of(source, index, (SIZE.0 * SIZE.1) as usize);
        Seen { canvas, millis }
    };
    let seen = (0..count).map(frame).collect();
    ok(image_source_release(source));
    seen
}

/// What ffmpeg decodes of the colours of an AVIF; none where it is not installed.
fn seen_by_ffmpeg(file: &[u8]) -> Option<Vec<u8>> {
    let path = scratch(".avif");
    fs::write(&path, file).unwrap();
    let command = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args(["-map", "0:v:0", "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stdin(Stdio::null())
        .output();
    let _ = fs::remove_file(&path);
    let output = command.ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn most_off(a: &[[u8; 4]], b: &[[u8; 4]]) -> f64 {
    // Where it shows.
    let pairs = a.iter().zip(b).filter(|(a, _)| a[3] > 0);
    let off = |(a, b): (&[u8; 4], &[u8; 4])| (0..4).map(|c| u32::from(a[c].abs_diff(b[c]))).sum::<u32>();
    f64::from(pairs.map(off).sum::<u32>()) / a.len() as f64
}

#[test]
fn lossless_frames_come_back_with_alpha_delays_and_loops() {
    for format in formats() {
        // Opaque to the end, from the first frame on not, and from a later one on.
        for (clear_from, count) in [(9, 0), (0, 1), (2, 3)] {
            let options = exact(format, 5);
            let delays = [4, 100, 7, 1, 250];
            ok(image_sequence_options_set_delay_times(options.0, delays.as_ptr(), delays.len()));
            // Each frame is all that is to be seen.
            let disposal = [2];
            ok(image_sequence_options_set_disposal_types(options.0, disposal.as_ptr(), 1));
            ok(image_sequence_options_set_loop_count(options.0, count));
            let file = pack(&maps(5, clear_from), &options);
            let seen = seen(&file);
            assert_eq!(seen.len(), 5, "{format:?}");
            for (time, (seen, delay)) in seen.iter().zip(delays).enumerate() {
                assert_eq!(seen.millis, delay as u32 * 10, "{format:?} frame {time}");
                assert!(
                    seen.canvas == scene(time as u32, clear_from),
                    "{format:?} frame {time} from {clear_from}"
                );
            }
            assert_eq!(loops(&file), count, "{format:?}");
        }
    }
}

#[test]
fn another_decoder_sees_the_same() {
    for format in formats().filter(|format| *format == c"image/avif") {
        let options = options(format, 6);
        ok(image_sequence_options_set_quality(options.0, 80));
        let file = pack(&maps(6, 9), &options);
        let Some(rgb) = seen_by_ffmpeg(&file) else { return eprintln!("NOT TESTED: no ffmpeg here") };
        let pixels = rgb.as_chunks::<3>().0.iter().map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
        assert_eq!(pixels.len(), 6 * (SIZE.0 * SIZE.1) as usize);
        for (time, canvas) in pixels.chunks((SIZE.0 * SIZE.1) as usize).enumerate() {
            let off = most_off(&scene(time as u32, 9), canvas);
            assert!(off < 8.0, "frame {time} is off by {off}");
        }
    }
}

#[test]
fn frames_are_told_from_those_before() {
    for format in formats() {
        let size = |frames| {
            let options = options(format, frames);
            ok(image_sequence_options_set_quality(options.0, 60));
            let file = pack(&maps(frames, 9), &options);
            for (time, frame) in seen(&file).iter().enumerate() {
                let off = most_off(&scene(time as u32, 9), &frame.canvas);
                assert!(off < 16.0, "{format:?} frame {time} is off by {off}");
            }
            file.len()
        };
        let (one, ten) = (size(1), size(10));
        assert!(ten < 5 * one, "{format:?}: {one} bytes for a frame, {ten} for ten");
    }
}

#[test]
fn quality_and_effort_reach_the_codec_and_threads_do_not() {
    for format in formats() {
        let coded = |quality, threads| {
            let options = options(format, 4);
            ok(image_sequence_options_set_quality(options.0, quality));
            let (packer, maps, mut data) = (packer(), maps(4, 1), ptr::null_mut());
            ok(image_packer_set_threads(packer.0, threads));
            let frames = handles(&maps);
            let status =
                image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 4, options.0, &mut data);
            ok(status);
            take(data)
        };
        let good = coded(90, 1);
        assert!(coded(30, 1).len() < good.len(), "{format:?}");
        assert!(coded(90, 3) == good, "{format:?}");
    }
}

#[test]
fn animations_become_sequences_and_sequences_animations() {
    for format in formats() {
        let gif = options(c"image/gif", 4);
        let delays = [3, 20, 5, 9];
        ok(image_sequence_options_set_delay_times(gif.0, delays.as_ptr(), 4));
        ok(image_sequence_options_set_loop_count(gif.0, 0));
        let colours = [RED, GREEN, BLUE, RED].map(|colour| flat(SIZE.0, SIZE.1, colour));
        let gif = pack(&colours, &gif);
        let sequence = reencode(&gif, &exact(format, 0));
        assert_eq!(super::colours(&seen(&sequence)), [RED, GREEN, BLUE, RED], "{format:?}");
        let again = reencode(&sequence, &exact(c"image/gif", 0));
        let (.., frames) = decode(&again);
        assert_eq!(super::colours(&frames), [RED, GREEN, BLUE, RED], "{format:?}");
        assert_eq!(
            frames.iter().map(|frame| frame.millis).collect::<Vec<_>>(),
            [30, 200, 50, 90],
            "{format:?}"
        );
        assert_eq!((loops(&sequence), loops(&again)), (0, 0), "{format:?}");
    }
}

#[test]
fn a_stream_makes_the_same_file() {
    for format in formats() {
        let options = exact(format, 3);
        let maps = maps(3, 1);
        assert!(stream(&maps, &options) == pack(&maps, &options), "{format:?}");
    }
}

#[test]
fn packs_stop_at_any_frame() {
    for format in formats() {
        let (maps, options, mut heard) = (maps(10, 4), exact(format, 10), Vec::<u32>::new());
        ok(image_sequence_options_set_progress(
            options.0,
            Some(outputs::stop_at_half),
            (&raw mut heard).cast(),
        ));
        let (packer, frames, mut data) = (packer(), handles(&maps), ptr::null_mut());
        let status =
            image_packer_pack_to_data_from_sequence(packer.0, frames.as_ptr(), 10, options.0, &mut data);
        fails(status, IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_CANCELLED, "stopped");
        assert!(heard.last() < Some(&700) && data.is_null(), "{heard:?}");
    }
}

#[test]
fn streams_are_cancelled_and_run_out_of_time_in_the_codec() {
    let noise: Vec<u8> = (0..512 * 384 * 4u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let frame = map(512, 384, IMAGE_PIXEL_FORMAT_RGBX_8888, &noise);
    for format in formats() {
        for cancelled in [true, false] {
            let (packer, options, mut sequence) = (packer(), options(format, 0), ptr::null_mut());
            if !cancelled {
                ok(image_sequence_options_set_timeout(options.0, 100));
            }
            ok(image_sequence_begin(packer.0, options.0, &mut sequence));
            if cancelled {
                ok(image_sequence_add_frame(sequence, frame.0, 0, -1));
            }
            let handle = sequence as usize;
            let elsewhere = cancelled
                .then(|| std::thread::spawn(move || ok(image_sequence_cancel(handle as *mut ImageSequence))));
            // Far more than the codec can do meanwhile.
            let status = (0..2000)
                .map(|_| image_sequence_add_frame(sequence, frame.0, 0, -1))
                .find(|status| *status != IMAGE_OK)
                .expect("nothing stopped it");
            match cancelled {
                true => fails(status, IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_CANCELLED, "stopped"),
                false => fails(status, IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_TIMED_OUT, "100"),
            }
            let mut data = ptr::null_mut();
            assert!(image_sequence_finish(sequence, &mut data) != IMAGE_OK && data.is_null());
            ok(image_sequence_release(sequence));
            elsewhere.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
}

#[test]
fn damaged_sequences_are_errors() {
    for format in formats() {
        let file = pack(&maps(3, 1), &exact(format, 3));
        let read = |bytes: &[u8]| {
            let mut source = ptr::null_mut();
            if image_source_create_from_copy(bytes.as_ptr().cast(), bytes.len(), &mut source) != IMAGE_OK {
                return;
            }
            for index in 0..3 {
                let mut map = ptr::null_mut();
                if image_source_create_pixelmap(source, index, &mut map) == IMAGE_OK {
                    ok(image_pixelmap_release(map));
                }
            }
            ok(image_source_release(source));
        };
        let moov = file.windows(4).position(|kind| kind == b"moov").unwrap();
        for at in (0..file.len()).step_by(97) {
            read(&file[..at]);
        }
        for at in (moov..moov + 1200).step_by(13) {
            for value in [0, 0x7f, 0xff] {
                let mut broken = file.clone();
                broken[at] = value;
                read(&broken);
            }
        }
    }
}

/// Encoders of HEVC round sides up: what they add is not to be seen.
#[test]
fn sides_may_be_odd_and_short() {
    for format in formats() {
        for (width, height) in [(65, 67), (30, 38), (1, 1)] {
            let frames = [[200, 60, 40, 255], [20, 90, 220, 255]];
            let options = options(format, 2);
            ok(image_sequence_options_set_quality(options.0, 95));
            let file = pack(&frames.map(|color| flat(width, height, color)), &options);
            let (w, h, seen) = decode(&reencode(&file, &exact(c"image/png", 0)));
            assert_eq!((w, h, seen.len()), (width, height, 2), "{format:?}");
            for (seen, color) in seen.iter().zip(frames) {
                let near = |pixel: &[u8; 4]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 12);
                assert!(seen.canvas.iter().all(near), "{format:?} of {width} x {height}");
            }
        }
    }
}
