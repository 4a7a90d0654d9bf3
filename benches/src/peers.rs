//! The peers, by their own C or Rust interfaces.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr, slice,
};

use libloading::Library;

/// libjpeg-turbo 3 through TurboJPEG, 4:2:0, standard Huffman tables. `pixel_format`: 0 RGB, 2 RGBX, 10 CMYK….
pub struct Turbo(*mut c_void);

impl Turbo {
    pub fn new() -> Self {
        // SAFETY: creates a compressor.
        Self(unsafe { turbojpeg_sys::tj3Init(turbojpeg_sys::TJINIT_TJINIT_COMPRESS as c_int) })
    }

    pub fn encode(&self, rgb: &[u8], width: u32, height: u32, channels: usize, quality: i32) -> Vec<u8> {
        let format = if channels == 4 { turbojpeg_sys::TJPF_TJPF_RGBX } else { turbojpeg_sys::TJPF_TJPF_RGB };
        let (mut out, mut size) = (ptr::null_mut(), 0);
        assert_eq!(rgb.len(), width as usize * height as usize * channels);
        // SAFETY: the buffer holds width x height pixels; the output is the library's and freed by it.
        unsafe {
            turbojpeg_sys::tj3Set(self.0, turbojpeg_sys::TJPARAM_TJPARAM_QUALITY as c_int, quality);
            let subsampling = turbojpeg_sys::TJSAMP_TJSAMP_420 as c_int;
            turbojpeg_sys::tj3Set(self.0, turbojpeg_sys::TJPARAM_TJPARAM_SUBSAMP as c_int, subsampling);
            let (w, h) = (width as c_int, height as c_int);
            let status = turbojpeg_sys::tj3Compress8(
                self.0,
                rgb.as_ptr(),
                w,
                0,
                h,
                format as c_int,
                &mut out,
                &mut size,
            );
            assert_eq!(status, 0, "tj3Compress8");
            let bytes = slice::from_raw_parts(out, size as usize).to_vec();
            turbojpeg_sys::tj3Free(out.cast());
            bytes
        }
    }
}

/// The `png` crate.
pub fn png(
    pixels: &[u8],
    width: u32,
    height: u32,
    channels: usize,
    compression: png::Compression,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(if channels == 4 { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_compression(compression);
    let mut writer = encoder.write_header().expect("png header");
    writer.write_image_data(pixels).expect("png data");
    writer.finish().expect("png end");
    out
}

/// libwebp's advanced interface, as its own documentation uses it.
pub fn webp(
    pixels: &[u8],
    width: u32,
    height: u32,
    channels: usize,
    quality: f32,
    method: i32,
    lossless: bool,
) -> Vec<u8> {
    use libwebp_sys::*;
    // SAFETY: as libwebp's documentation shows; the picture and the writer are freed.
    unsafe {
        let mut config = WebPConfig::new().expect("webp config");
        (config.quality, config.method, config.lossless) = (quality, method, lossless.into());
        let mut picture = WebPPicture::new().expect("webp picture");
        (picture.width, picture.height) = (width as c_int, height as c_int);
        picture.use_argb = lossless.into();
        let stride = (width as usize * channels) as c_int;
        let imported = match channels {
            4 => WebPPictureImportRGBA(&mut picture, pixels.as_ptr(), stride),
            _ => WebPPictureImportRGB(&mut picture, pixels.as_ptr(), stride),
        };
        assert_eq!(imported, 1);
        let mut writer = std::mem::zeroed::<WebPMemoryWriter>();
        WebPMemoryWriterInit(&mut writer);
        picture.writer = Some(WebPMemoryWrite);
        picture.custom_ptr = ptr::from_mut(&mut writer).cast();
        assert_eq!(WebPEncode(&config, &mut picture), 1, "WebPEncode");
        let bytes = slice::from_raw_parts(writer.mem, writer.size).to_vec();
        WebPPictureFree(&mut picture);
        WebPMemoryWriterClear(&mut writer);
        bytes
    }
}

/// libheif's own interface, loaded at run time.
pub struct Heif(Library);

#[repr(C)]
#[derive(Clone, Copy)]
struct HeifError {
    code: c_int,
    subcode: c_int,
    message: *const c_char,
}

#[repr(C)]
struct HeifWriter {
    version: c_int,
    write: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut c_void) -> HeifError,
}

unsafe extern "C" fn collect(
    _: *mut c_void,
    data: *const c_void,
    size: usize,
    user: *mut c_void,
) -> HeifError {
    // SAFETY: libheif passes its bytes and our vector.
    unsafe { (*user.cast::<Vec<u8>>()).extend_from_slice(slice::from_raw_parts(data.cast(), size)) };
    HeifError { code: 0, subcode: 0, message: c"".as_ptr() }
}

impl Heif {
    pub fn open() -> Option<Self> {
        // SAFETY: libheif's initialisers run.
        unsafe { Library::new("libheif.so.1") }.ok().map(Self)
    }

    /// HEVC, x265 preset as given, RGB handed over interleaved.
    pub fn encode(&self, rgb: &[u8], width: u32, height: u32, quality: i32, preset: &str) -> Vec<u8> {
        macro_rules! call {
            ($name:ident($($arg:expr),*): fn($($t:ty),*) -> $out:ty) => {{
                let f: libloading::Symbol<unsafe extern "C" fn($($t),*) -> $out> =
                    self.0.get(stringify!($name)).expect(stringify!($name));
                f($($arg),*)
            }};
        }
        let ok = |error: HeifError| assert_eq!((error.code, error.subcode), (0, 0));
        type P = *mut c_void;
        let (mut encoder, mut image): (P, P) = (ptr::null_mut(), ptr::null_mut());
        let mut out = Vec::new();
        // SAFETY: as libheif's documentation shows.
        unsafe {
            let context = call!(heif_context_alloc(): fn() -> P);
            // heif_compression_HEVC = 1
            ok(
                call!(heif_context_get_encoder_for_format(context, 1, &mut encoder): fn(P, c_int, *mut P) -> HeifError),
            );
            ok(call!(heif_encoder_set_lossy_quality(encoder, quality): fn(P, c_int) -> HeifError));
            let preset = CString::new(preset).unwrap();
            ok(
                call!(heif_encoder_set_parameter_string(encoder, c"preset".as_ptr(), preset.as_ptr()): fn(P, *const c_char, *const c_char) -> HeifError),
            );
            // Ours switches adaptive quantisation on in every preset; the pair has to do the same work.
            let (name, value) = (c"x265:aq-strength", c"1.0");
            ok(
                call!(heif_encoder_set_parameter_string(encoder, name.as_ptr(), value.as_ptr()): fn(P, *const c_char, *const c_char) -> HeifError),
            );
            // heif_colorspace_RGB = 1, heif_chroma_interleaved_RGB = 10, heif_channel_interleaved = 10
            let (w, h) = (width as c_int, height as c_int);
            ok(
                call!(heif_image_create(w, h, 1, 10, &mut image): fn(c_int, c_int, c_int, c_int, *mut P) -> HeifError),
            );
            ok(
                call!(heif_image_add_plane(image, 10, w, h, 8): fn(P, c_int, c_int, c_int, c_int) -> HeifError),
            );
            let mut stride = 0;
            let plane =
                call!(heif_image_get_plane(image, 10, &mut stride): fn(P, c_int, *mut c_int) -> *mut u8);
            for (y, row) in rgb.chunks(width as usize * 3).enumerate() {
                ptr::copy_nonoverlapping(row.as_ptr(), plane.add(y * stride as usize), row.len());
            }
            ok(
                call!(heif_context_encode_image(context, image, encoder, ptr::null_mut(), ptr::null_mut()): fn(P, P, P, P, *mut P) -> HeifError),
            );
            let mut writer = HeifWriter { version: 1, write: collect };
            let user: P = ptr::from_mut(&mut out).cast();
            ok(call!(heif_context_write(context, &mut writer, user): fn(P, *mut HeifWriter, P) -> HeifError));
            call!(heif_image_release(image): fn(P) -> ());
            call!(heif_encoder_release(encoder): fn(P) -> ());
            call!(heif_context_free(context): fn(P) -> ());
        }
        out
    }
}
