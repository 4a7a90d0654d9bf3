//! The library under test, through its C ABI.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    path::Path,
    ptr,
};

use libloading::Library as Dynamic;

type Handle = *mut c_void;

macro_rules! functions {
    ($($name:ident($($arg:ty),*) -> $out:ty;)+) => {
        struct Functions { $($name: unsafe extern "C" fn($($arg),*) -> $out,)+ }
        impl Functions {
            fn load(library: &Dynamic) -> Self {
                // SAFETY: the signatures are those of include/image_packer.h.
                unsafe { Self { $($name: *library.get(stringify!($name)).expect(stringify!($name)),)+ } }
            }
        }
    };
}

functions! {
    image_packer_create(*mut Handle) -> i32;
    image_packer_release(Handle) -> i32;
    image_packer_set_threads(Handle, u32) -> i32;
    image_pixelmap_create_borrowed(u32, u32, i32, *const c_void, usize, usize, *const c_void, Handle, *mut Handle) -> i32;
    image_pixelmap_set_alpha_type(Handle, i32) -> i32;
    image_pixelmap_set_cicp(Handle, u8, u8, u8, bool) -> i32;
    image_pixelmap_release(Handle) -> i32;
    image_packing_options_create(*const c_char, i32, *mut Handle) -> i32;
    image_packing_options_set_effort(Handle, i32) -> i32;
    image_packing_options_set_lossless(Handle, bool) -> i32;
    image_packing_options_set_subsampling(Handle, i32) -> i32;
    image_packing_options_set(Handle, *const c_char, *const c_char) -> i32;
    image_packing_options_release(Handle) -> i32;
    image_packer_pack_to_data(Handle, Handle, Handle, *mut Handle) -> i32;
    image_sequence_options_create(*const c_char, u32, *mut Handle) -> i32;
    image_sequence_options_set_quality(Handle, i32) -> i32;
    image_sequence_options_set_effort(Handle, i32) -> i32;
    image_sequence_options_set_lossless(Handle, bool) -> i32;
    image_sequence_options_set(Handle, *const c_char, *const c_char) -> i32;
    image_sequence_options_release(Handle) -> i32;
    image_sequence_begin(Handle, Handle, *mut Handle) -> i32;
    image_sequence_add_frame(Handle, Handle, i32, i32) -> i32;
    image_sequence_finish(Handle, *mut Handle) -> i32;
    image_sequence_release(Handle) -> i32;
    image_data_bytes(Handle) -> *const u8;
    image_data_size(Handle) -> usize;
    image_data_release(Handle) -> i32;
    image_packer_last_error_message() -> *const c_char;
}

/// `libimage_packer.so`.
pub struct Library {
    call: Functions,
    _library: Dynamic,
}

/// Pixel formats that are measured, by their numbers in the header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Rgba = 3,
    Rgb = 5,
    F16 = 7,
    Nv12 = 9,
    Ten = 10,
    P010 = 11,
}

impl Format {
    /// Code points of HDR: linear light, PQ, HLG.
    fn code_points(self) -> Option<(u8, u8, u8, bool)> {
        match self {
            Self::F16 => Some((1, 8, 0, true)),
            Self::Ten => Some((1, 16, 0, true)),
            Self::P010 => Some((9, 18, 9, false)),
            _ => None,
        }
    }
}

/// What to encode: borrowed pixels.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    pub width: u32,
    pub height: u32,
    pub format: Format,
    pub opaque: bool,
    pub bytes: &'a [u8],
}

/// How to encode.
#[derive(Clone)]
pub struct Options {
    pub mime: &'static str,
    pub quality: i32,
    pub effort: i32,
    pub lossless: bool,
    /// 420, 422, 444 or 0.
    pub subsampling: i32,
    pub threads: u32,
    pub settings: Vec<(&'static str, String)>,
}

impl Options {
    pub fn new(mime: &'static str, quality: i32, effort: i32) -> Self {
        Self { mime, quality, effort, lossless: false, subsampling: 420, threads: 1, settings: Vec::new() }
    }
}

impl Library {
    pub fn open(path: &Path) -> Self {
        // SAFETY: loading the library runs no code of its own.
        let library = unsafe { Dynamic::new(path) }.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { call: Functions::load(&library), _library: library }
    }

    fn check(&self, status: i32, what: &str) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the message is NUL-terminated and never NULL.
        let message = unsafe { CStr::from_ptr((self.call.image_packer_last_error_message)()) };
        Err(format!("{what}: {status}: {}", message.to_string_lossy()))
    }

    /// Encodes once; hands the bytes to `read`.
    pub fn encode<T>(
        &self,
        pixels: Pixels<'_>,
        options: &Options,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, String> {
        let call = &self.call;
        let (mut packer, mut map, mut opts, mut data) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let mime = CString::new(options.mime).unwrap();
        // SAFETY: handles and memory as the header demands; the pixels outlive the map.
        unsafe {
            let run = || -> Result<T, String> {
                self.check((call.image_packer_create)(&mut packer), "packer")?;
                self.check((call.image_packer_set_threads)(packer, options.threads), "threads")?;
                let format = pixels.format as i32;
                let (bytes, size) = (pixels.bytes.as_ptr().cast(), pixels.bytes.len());
                let map_at = &mut map;
                self.check(
                    (call.image_pixelmap_create_borrowed)(
                        pixels.width,
                        pixels.height,
                        format,
                        bytes,
                        size,
                        0,
                        ptr::null(),
                        ptr::null_mut(),
                        map_at,
                    ),
                    "pixel map",
                )?;
                if pixels.opaque {
                    self.check((call.image_pixelmap_set_alpha_type)(map, 1), "alpha")?;
                }
                if let Some((primaries, transfer, matrix, full)) = pixels.format.code_points() {
                    let set = (call.image_pixelmap_set_cicp)(map, primaries, transfer, matrix, full);
                    self.check(set, "code points")?;
                }
                let created = (call.image_packing_options_create)(mime.as_ptr(), options.quality, &mut opts);
                self.check(created, "options")?;
                self.check((call.image_packing_options_set_effort)(opts, options.effort), "effort")?;
                self.check((call.image_packing_options_set_lossless)(opts, options.lossless), "lossless")?;
                let subsampling = options.subsampling;
                self.check((call.image_packing_options_set_subsampling)(opts, subsampling), "subsampling")?;
                for (name, value) in &options.settings {
                    let (n, v) = (CString::new(*name).unwrap(), CString::new(value.as_str()).unwrap());
                    self.check((call.image_packing_options_set)(opts, n.as_ptr(), v.as_ptr()), name)?;
                }
                self.check((call.image_packer_pack_to_data)(packer, map, opts, &mut data), "pack")?;
                let (bytes, size) = ((call.image_data_bytes)(data), (call.image_data_size)(data));
                Ok(read(std::slice::from_raw_parts(bytes, size)))
            };
            let result = run();
            (call.image_data_release)(data);
            (call.image_packing_options_release)(opts);
            (call.image_pixelmap_release)(map);
            (call.image_packer_release)(packer);
            result
        }
    }

    /// The encoded size.
    pub fn size(&self, pixels: Pixels<'_>, options: &Options) -> Result<usize, String> {
        self.encode(pixels, options, <[u8]>::len)
    }

    /// Encodes frames into one animation.
    pub fn animate(
        &self,
        frames: &[image::RgbImage],
        delay: i32,
        options: &Options,
    ) -> Result<Vec<u8>, String> {
        let call = &self.call;
        let (mut packer, mut opts, mut sequence, mut data) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let mime = CString::new(options.mime).unwrap();
        // SAFETY: handles and memory as the header demands; the frames outlive their maps.
        unsafe {
            let mut run = || -> Result<Vec<u8>, String> {
                self.check((call.image_packer_create)(&mut packer), "packer")?;
                self.check((call.image_packer_set_threads)(packer, options.threads), "threads")?;
                let count = frames.len() as u32;
                self.check((call.image_sequence_options_create)(mime.as_ptr(), count, &mut opts), "options")?;
                self.check((call.image_sequence_options_set_quality)(opts, options.quality), "quality")?;
                self.check((call.image_sequence_options_set_effort)(opts, options.effort), "effort")?;
                self.check((call.image_sequence_options_set_lossless)(opts, options.lossless), "lossless")?;
                for (name, value) in &options.settings {
                    let (n, v) = (CString::new(*name).unwrap(), CString::new(value.as_str()).unwrap());
                    self.check((call.image_sequence_options_set)(opts, n.as_ptr(), v.as_ptr()), name)?;
                }
                self.check((call.image_sequence_begin)(packer, opts, &mut sequence), "begin")?;
                for frame in frames {
                    let (width, height) = frame.dimensions();
                    let (bytes, size) = (frame.as_raw().as_ptr().cast(), frame.as_raw().len());
                    let (format, mut map) = (Format::Rgb as i32, ptr::null_mut());
                    let (none, user) = (ptr::null(), ptr::null_mut());
                    let made = (call.image_pixelmap_create_borrowed)(
                        width, height, format, bytes, size, 0, none, user, &mut map,
                    );
                    self.check(made, "pixel map")?;
                    let added = (call.image_sequence_add_frame)(sequence, map, delay, -1);
                    (call.image_pixelmap_release)(map);
                    self.check(added, "frame")?;
                }
                self.check((call.image_sequence_finish)(sequence, &mut data), "finish")?;
                let (bytes, size) = ((call.image_data_bytes)(data), (call.image_data_size)(data));
                Ok(std::slice::from_raw_parts(bytes, size).to_vec())
            };
            let result = run();
            (call.image_data_release)(data);
            (call.image_sequence_release)(sequence);
            (call.image_sequence_options_release)(opts);
            (call.image_packer_release)(packer);
            result
        }
    }
}
