//! Sequences through the C functions: every sentence of the header about them, with independent decoders.
#![allow(unsafe_code, reason = "calls the C interface")]

mod metadata;
mod webp;

use std::{
    ffi::{CStr, CString, c_void},
    fs, ptr, slice,
};

use image_packer::{
    error::Result,
    ffi::{
        data::*, job::*, packer::*, picture::*, pixelmap::*, report::*, sequence::*, sequence_options::*,
        source::*, status::*, stream::*, version::*,
    },
};

const FORMATS: [&CStr; 3] = [c"image/gif", c"image/png", c"image/webp"];

fn message() -> String {
    // SAFETY: text that lives until the next failure of this thread.
    unsafe { CStr::from_ptr(image_packer_last_error_message()) }.to_str().unwrap().into()
}

fn ok(status: ImageStatus) {
    assert_eq!(status, IMAGE_OK, "{}", message());
}

fn fails(status: ImageStatus, code: ImageStatus, cause: ImageErrorCause, text: &str) {
    assert_eq!((status, image_packer_last_error_cause()), (code, cause), "{}", message());
    assert!(message().contains(text), "{}", message());
}

struct Options(*mut ImageSequenceOptions);
impl Drop for Options {
    fn drop(&mut self) {
        ok(image_sequence_options_release(self.0));
    }
}

fn options(format: &CStr, frames: u32) -> Options {
    let mut options = ptr::null_mut();
    ok(image_sequence_options_create(format.as_ptr(), frames, &mut options));
    Options(options)
}

fn exact(format: &CStr, frames: u32) -> Options {
    let options = options(format, frames);
    // A GIF of few colours is exact by itself.
    let features = image_packer_get_format_features(format.as_ptr());
    ok(image_sequence_options_set_lossless(options.0, features & IMAGE_FORMAT_LOSSLESS != 0));
    options
}

struct Packer(*mut ImagePacker);
impl Drop for Packer {
    fn drop(&mut self) {
        ok(image_packer_release(self.0));
    }
}

fn packer() -> Packer {
    let mut packer = ptr::null_mut();
    ok(image_packer_create(&mut packer));
    Packer(packer)
}

struct Map(*mut ImagePixelMap);
impl Drop for Map {
    fn drop(&mut self) {
        image_pixelmap_release(self.0);
    }
}

fn map(width: u32, height: u32, format: i32, bytes: &[u8]) -> Map {
    let mut map = ptr::null_mut();
    let data = bytes.as_ptr().cast();
    ok(image_pixelmap_create_from_copy(width, height, format, data, bytes.len(), 0, &mut map));
    Map(map)
}

/// One colour, straight RGBA.
fn flat(width: u32, height: u32, colour: [u8; 4]) -> Map {
    map(width, height, IMAGE_PIXEL_FORMAT_RGBA_8888, &colour.repeat((width * height) as usize))
}

const RED: [u8; 4] = [255, 0, 0, 255];
const GREEN: [u8; 4] = [0, 255, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const CLEAR: [u8; 4] = [0; 4];

fn take(data: *mut ImageData) -> Vec<u8> {
    // SAFETY: a live handle.
    let bytes = unsafe { slice::from_raw_parts(image_data_bytes(data), image_data_size(data)) }.to_vec();
    ok(image_data_release(data));
    bytes
}

fn handles(maps: &[Map]) -> Vec<*mut ImagePixelMap> {
    maps.iter().map(|map| map.0).collect()
}

fn pack(maps: &[Map], options: &Options) -> Vec<u8> {
    let (packer, frames, mut data) = (packer(), handles(maps), ptr::null_mut());
    let status = image_packer_pack_to_data_from_sequence(
        packer.0,
        frames.as_ptr(),
        frames.len(),
        options.0,
        &mut data,
    );
    ok(status);
    take(data)
}

/// A decoded frame: the canvas as it is seen, and its time in milliseconds.
#[derive(Debug, PartialEq)]
struct Seen {
    canvas: Vec<[u8; 4]>,
    millis: u32,
}

/// What an independent decoder shows.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<Seen>) {
    use image::AnimationDecoder as _;
    let cursor = std::io::Cursor::new(bytes);
    let frames = match bytes {
        [b'G', b'I', b'F', ..] => {
            image::codecs::gif::GifDecoder::new(cursor).unwrap().into_frames().collect_frames()
        }
        [0x89, ..] => {
            let png = image::codecs::png::PngDecoder::new(cursor).unwrap();
            png.apng().unwrap().into_frames().collect_frames()
        }
        _ => image::codecs::webp::WebPDecoder::new(cursor).unwrap().into_frames().collect_frames(),
    };
    let frames = frames.unwrap();
    let (width, height) = frames[0].buffer().dimensions();
    let source = source(bytes);
    let seen = frames.iter().enumerate().map(|(index, frame)| {
        let canvas = frame.buffer().pixels().map(|pixel| visible(pixel.0)).collect::<Vec<_>>();
        let ours = canvas_of(source, index, canvas.len());
        // The crate's way to blend WebP rounds full alpha to a little less, and it leaves what is to become transparent
        // as it was, and opaque what no frame has covered. For these, libwebp alone has the word.
        let webp = bytes.starts_with(b"RIFF");
        let near = |a: &[u8; 4], b: &[u8; 4]| {
            a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1) || webp && *b == CLEAR
        };
        let differs = canvas.iter().zip(&ours).find(|(a, b)| !near(a, b));
        assert_eq!(differs, None, "frame {index}: two decoders disagree");
        let (num, den) = frame.delay().numer_denom_ms();
        Seen { canvas: ours, millis: num / den }
    });
    let seen = seen.collect();
    ok(image_source_release(source));
    (width, height, seen)
}

/// What is transparent has no colour.
fn visible(pixel: [u8; 4]) -> [u8; 4] {
    if pixel[3] == 0 { CLEAR } else { pixel }
}

/// A frame as this library shows it.
fn canvas_of(source: *mut ImageSource, index: usize, pixels: usize) -> Vec<[u8; 4]> {
    let (mut map, mut format) = (ptr::null_mut(), 0);
    ok(image_source_create_pixelmap(source, index, &mut map));
    ok(image_pixelmap_get_format(map, &mut format));
    let group = if format == IMAGE_PIXEL_FORMAT_RGBA_8888 { 4 } else { 3 };
    assert!(group == 4 || format == IMAGE_PIXEL_FORMAT_RGB_888, "{format}");
    let mut bytes = vec![0u8; pixels * group];
    ok(image_pixelmap_read_pixels(map, bytes.as_mut_ptr().cast(), bytes.len(), 0));
    ok(image_pixelmap_release(map));
    bytes.chunks(group).map(|p| visible([p[0], p[1], p[2], p.get(3).copied().unwrap_or(255)])).collect()
}

fn colours(seen: &[Seen]) -> Vec<[u8; 4]> {
    seen.iter().map(|frame| frame.canvas[0]).collect()
}

fn source(bytes: &[u8]) -> *mut ImageSource {
    let mut source = ptr::null_mut();
    ok(image_source_create_from_copy(bytes.as_ptr().cast(), bytes.len(), &mut source));
    source
}

fn loops(bytes: &[u8]) -> u32 {
    let (source, mut loops) = (source(bytes), 99);
    ok(image_source_get_loop_count(source, &mut loops));
    ok(image_source_release(source));
    loops
}

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
    fails(image_sequence_options_set_canvas(options.0, 0, 1), 401, IMAGE_CAUSE_OUT_OF_RANGE, "0 x 1");
}

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
        if image_packer_get_format_features(format.as_ptr()) != 0 {
            let status = image_sequence_options_create(format.as_ptr(), 1, &mut made);
            fails(status, 401, IMAGE_CAUSE_UNSUPPORTED, "libheif has an interface for them from 1.20 on");
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

unsafe extern "C" fn collect(user: *mut c_void, bytes: *const u8, size: usize) -> i32 {
    // SAFETY: the tests pass this type.
    let all = unsafe { &mut *user.cast::<Vec<u8>>() };
    // SAFETY: lent for the call.
    all.extend_from_slice(unsafe { slice::from_raw_parts(bytes, size) });
    0
}

/// Streams frames to a writer.
fn stream(maps: &[Map], options: &Options) -> Vec<u8> {
    let (packer, mut sequence, mut bytes) = (packer(), ptr::null_mut(), Vec::<u8>::new());
    let user = (&raw mut bytes).cast();
    ok(image_sequence_begin_to_writer(packer.0, Some(collect), user, options.0, &mut sequence));
    for map in maps {
        ok(image_sequence_add_frame(sequence, map.0, 0, -1));
    }
    ok(image_sequence_finish(sequence, ptr::null_mut()));
    ok(image_sequence_release(sequence));
    bytes
}

#[test]
fn the_bytes_are_the_same_every_way_out_and_for_any_threads() {
    let maps: Vec<_> = (0..7u8).map(|i| flat(33, 21, [i * 30, 255 - i, i * 7, 255])).collect();
    let folder = std::env::temp_dir().join(format!("image_packer-sequences-{}", std::process::id()));
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
    let file = std::env::temp_dir().join(format!("image_packer-aborted-{}", std::process::id()));
    fs::write(&file, b"old").unwrap();
    let path = CString::new(file.to_str().unwrap()).unwrap();
    let options = exact(c"image/webp", 0);
    ok(image_sequence_begin_to_path(packer.0, path.as_ptr(), options.0, &mut sequence));
    ok(image_sequence_add_frame(sequence, flat(2, 2, RED).0, 1, 1));
    ok(image_sequence_release(sequence));
    assert_eq!(fs::read(&file).unwrap(), b"old");
    fs::remove_file(file).unwrap();
}

unsafe extern "C" fn stop_at_half(user: *mut c_void, done: u32) -> i32 {
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

fn test_file(name: &str) -> Vec<u8> {
    fs::read([env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect::<std::path::PathBuf>())
        .unwrap()
}

fn reencode(bytes: &[u8], options: &Options) -> Vec<u8> {
    let (packer, source, mut data) = (packer(), source(bytes), ptr::null_mut());
    ok(image_packer_pack_to_data_from_source_sequence(packer.0, source, options.0, &mut data));
    ok(image_source_release(source));
    take(data)
}

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
