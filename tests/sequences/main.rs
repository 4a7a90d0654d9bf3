//! Sequences through the C functions: every sentence of the header about them, with independent decoders.
#![allow(unsafe_code, reason = "calls the C interface")]

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod frames;
mod heif;
mod metadata;
mod outputs;
mod sources;
mod webp;

use std::{
    ffi::{CStr, CString, c_void},
    fs, ptr, slice,
};

use image_packer::{
    error::Result,
    ffi::{
        data::*, job::*, packer::*, picture::*, picture_metadata::*, pixelmap::*, report::*, sequence::*,
        sequence_options::*, source::*, status::*, stream::*, version::*,
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
