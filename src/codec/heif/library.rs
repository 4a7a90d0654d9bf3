//! libheif, loaded at run time: the only place that knows its symbols and struct layouts.
//!
//! Nothing links against libheif. The first use opens it with `dlopen`, keeps it for the life of the process
//! (its codecs own threads and statics, so it is never closed) and remembers the answer, good or bad, unless it came of a
//! shortage.
//!
//! The answer lives behind one atomic pointer and no lock, so a child that was forked in the middle of
//! a load cannot hang on it: two threads that race both load, `dlopen` hands both the same library, and one table wins.
//!
//! What this cannot give: libheif and its codecs are C++ that answers some failed allocations with an exception nobody
//! catches, a wild pointer or `exit`. The memory estimate of [`super`] is there to refuse before that; a host that
//! cannot live with it runs HEIF in a process of its own.

#![allow(unsafe_code, reason = "island: calls a library that is opened at run time")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::running::wait_at_exit;
use crate::host::stack::with_room;

/// `struct heif_error`, returned by value.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct HeifError {
    pub code: c_int,
    pub subcode: c_int,
    pub message: *const c_char,
}

/// `struct heif_writer`, version 1.
#[repr(C)]
pub(super) struct HeifWriter {
    pub writer_api_version: c_int,
    pub write: unsafe extern "C" fn(*mut Context, *const c_void, usize, *mut c_void) -> HeifError,
}

/// The head of `struct heif_color_profile_nclx`. libheif allocates it: later versions may append fields.
#[repr(C)]
pub(super) struct HeifNclx {
    pub version: u8,
    pub color_primaries: c_int,
    pub transfer_characteristics: c_int,
    pub matrix_coefficients: c_int,
    pub full_range_flag: u8,
}

/// The head of `struct heif_encoding_options`, to version 4 (libheif 1.11). libheif allocates it.
#[repr(C)]
pub(super) struct HeifEncodingOptions {
    pub version: u8,
    pub save_alpha_channel: u8,
    pub macos_compatibility_workaround: u8,
    pub save_two_colr_boxes_when_icc_and_nclx_available: u8,
    pub output_nclx_profile: *mut HeifNclx,
    pub macos_compatibility_workaround_no_nclx_profile: u8,
}

macro_rules! opaque {
    ($($name:ident)*) => { $(
        #[repr(C)]
        pub(super) struct $name {
            _private: [u8; 0],
        }
    )* };
}
opaque!(Context Image ImageHandle EncoderHandle EncoderDescriptor Track TrackOptions SequenceOptions);

macro_rules! table {
    ($(#[$doc:meta])* $table:ident: $(fn $name:ident($($arg:ty),*) $(-> $result:ty)?;)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[allow(non_snake_case, missing_docs)]
        pub(super) struct $table { $(pub $name: unsafe extern "C" fn($($arg),*) $(-> $result)?,)* }

        impl $table {
            /// Fills the table, or names the first function that `find` does not know.
            fn fill(mut find: impl FnMut(&CStr) -> *mut c_void) -> Result<Self, &'static str> {
                Ok(Self { $($name: {
                    let name = concat!(stringify!($name), "\0");
                    let found = CStr::from_bytes_with_nul(name.as_bytes()).map_or(ptr::null_mut(), &mut find);
                    if found.is_null() {
                        return Err(stringify!($name));
                    }
                    // SAFETY: the symbol of this name has had this C signature since it was introduced, and libheif
                    // keeps its ABI within soname 1; a test compares the struct layouts with the installed header.
                    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($arg),*) $(-> $result)?>(found) }
                },)* })
            }
        }
    };
    (linked $(#[$doc:meta])* $table:ident: $(fn $name:ident($($arg:ty),*) $(-> $result:ty)?;)*) => {
        table! { $(#[$doc])* $table: $(fn $name($($arg),*) $(-> $result)?;)* }

        impl $table {
            /// The functions of the libheif that this build is linked with, if it is with one.
            #[cfg(feature = "heif-link")]
            fn linked() -> Option<Self> {
                Some(Self { $($name: {
                    let found = libheif_sys::$name as *const ();
                    // SAFETY: as in `fill`.
                    unsafe { std::mem::transmute::<*const (), unsafe extern "C" fn($($arg),*) $(-> $result)?>(found) }
                },)* })
            }

            #[cfg(not(feature = "heif-link"))]
            fn linked() -> Option<Self> {
                None
            }
        }
    };
}

table! {
    linked
    /// Every function of libheif that this library needs; all of them exist since 1.15.
    Api:
    fn heif_get_version() -> *const c_char;
    fn heif_get_version_number() -> u32;
    fn heif_init(*mut c_void) -> HeifError;

    fn heif_context_alloc() -> *mut Context;
    fn heif_context_free(*mut Context);
    fn heif_context_read_from_memory_without_copy(*mut Context, *const c_void, usize, *const c_void) -> HeifError;
    fn heif_context_set_max_decoding_threads(*mut Context, c_int);
    fn heif_context_get_number_of_top_level_images(*mut Context) -> c_int;
    fn heif_context_get_list_of_top_level_image_IDs(*mut Context, *mut u32, c_int) -> c_int;
    fn heif_context_get_primary_image_ID(*mut Context, *mut u32) -> HeifError;
    fn heif_context_get_image_handle(*mut Context, u32, *mut *mut ImageHandle) -> HeifError;
    fn heif_context_encode_image(*mut Context, *const Image, *mut EncoderHandle, *const HeifEncodingOptions, *mut *mut ImageHandle) -> HeifError;
    fn heif_context_get_encoder(*mut Context, *const EncoderDescriptor, *mut *mut EncoderHandle) -> HeifError;
    fn heif_context_add_exif_metadata(*mut Context, *const ImageHandle, *const c_void, c_int) -> HeifError;
    fn heif_context_add_XMP_metadata(*mut Context, *const ImageHandle, *const c_void, c_int) -> HeifError;
    fn heif_context_write(*mut Context, *mut HeifWriter, *mut c_void) -> HeifError;

    fn heif_image_handle_release(*const ImageHandle);
    fn heif_image_handle_get_width(*const ImageHandle) -> c_int;
    fn heif_image_handle_get_height(*const ImageHandle) -> c_int;
    fn heif_image_handle_has_alpha_channel(*const ImageHandle) -> c_int;
    fn heif_image_handle_is_premultiplied_alpha(*const ImageHandle) -> c_int;
    fn heif_image_handle_get_luma_bits_per_pixel(*const ImageHandle) -> c_int;
    fn heif_image_handle_get_raw_color_profile_size(*const ImageHandle) -> usize;
    fn heif_image_handle_get_raw_color_profile(*const ImageHandle, *mut c_void) -> HeifError;
    fn heif_image_handle_get_nclx_color_profile(*const ImageHandle, *mut *mut HeifNclx) -> HeifError;

    fn heif_image_handle_get_number_of_metadata_blocks(*const ImageHandle, *const c_char) -> c_int;
    fn heif_image_handle_get_list_of_metadata_block_IDs(*const ImageHandle, *const c_char, *mut u32, c_int) -> c_int;
    fn heif_image_handle_get_metadata_type(*const ImageHandle, u32) -> *const c_char;
    fn heif_image_handle_get_metadata_content_type(*const ImageHandle, u32) -> *const c_char;
    fn heif_image_handle_get_metadata_size(*const ImageHandle, u32) -> usize;
    fn heif_image_handle_get_metadata(*const ImageHandle, u32, *mut c_void) -> HeifError;

    fn heif_nclx_color_profile_alloc() -> *mut HeifNclx;
    fn heif_nclx_color_profile_free(*mut HeifNclx);

    fn heif_image_create(c_int, c_int, c_int, c_int, *mut *mut Image) -> HeifError;
    fn heif_image_release(*const Image);
    fn heif_image_add_plane(*mut Image, c_int, c_int, c_int, c_int) -> HeifError;
    fn heif_image_get_plane(*mut Image, c_int, *mut c_int) -> *mut u8;
    fn heif_image_get_plane_readonly(*const Image, c_int, *mut c_int) -> *const u8;
    fn heif_image_get_width(*const Image, c_int) -> c_int;
    fn heif_image_get_height(*const Image, c_int) -> c_int;
    fn heif_image_get_bits_per_pixel_range(*const Image, c_int) -> c_int;
    fn heif_image_set_raw_color_profile(*mut Image, *const c_char, *const c_void, usize) -> HeifError;
    fn heif_image_set_nclx_color_profile(*mut Image, *const HeifNclx) -> HeifError;
    fn heif_image_get_nclx_color_profile(*const Image, *mut *mut HeifNclx) -> HeifError;

    fn heif_decode_image(*const ImageHandle, *mut *mut Image, c_int, c_int, *const c_void) -> HeifError;

    fn heif_get_encoder_descriptors(c_int, *const c_char, *mut *const EncoderDescriptor, c_int) -> c_int;
    fn heif_encoder_descriptor_get_id_name(*const EncoderDescriptor) -> *const c_char;
    fn heif_encoder_release(*mut EncoderHandle);
    fn heif_encoder_set_lossy_quality(*mut EncoderHandle, c_int) -> HeifError;
    fn heif_encoder_set_lossless(*mut EncoderHandle, c_int) -> HeifError;
    fn heif_encoder_set_logging_level(*mut EncoderHandle, c_int) -> HeifError;
    fn heif_encoder_set_parameter(*mut EncoderHandle, *const c_char, *const c_char) -> HeifError;

    fn heif_encoding_options_alloc() -> *mut HeifEncodingOptions;
    fn heif_encoding_options_free(*mut HeifEncodingOptions);
}

table! {
    /// The functions for image sequences, which exist since 1.21.
    TrackApi:
    fn heif_context_has_sequence(*const Context) -> c_int;
    fn heif_context_get_track(*const Context, u32) -> *mut Track;
    fn heif_track_release(*mut Track);
    fn heif_track_decode_next_image(*mut Track, *mut *mut Image, c_int, c_int, *const c_void) -> HeifError;

    fn heif_track_options_alloc() -> *mut TrackOptions;
    fn heif_track_options_release(*mut TrackOptions);
    fn heif_track_options_set_timescale(*mut TrackOptions, u32);
    fn heif_sequence_encoding_options_alloc() -> *mut SequenceOptions;
    fn heif_sequence_encoding_options_release(*mut SequenceOptions);
    fn heif_context_add_visual_sequence_track(*mut Context, u16, u16, u32, *const TrackOptions, *const SequenceOptions, *mut *mut Track) -> HeifError;
    fn heif_image_set_duration(*mut Image, u32);
    fn heif_track_encode_sequence_image(*mut Track, *const Image, *mut EncoderHandle, *const SequenceOptions) -> HeifError;
    fn heif_track_encode_end_of_sequence(*mut Track, *mut EncoderHandle) -> HeifError;
}

/// A loaded libheif.
#[derive(Debug)]
pub(super) struct Library {
    pub api: Api,
    /// None where it is too old.
    pub tracks: Option<TrackApi>,
    /// What was opened, and its version: "libheif.so.1, version 1.15.1".
    pub description: String,
    /// The version as numbers.
    pub version: (u8, u8, u8),
}

/// The answer to "is there a libheif?", kept for the life of the process.
type Answer = std::result::Result<Library, String>;

static ANSWER: AtomicPtr<Answer> = AtomicPtr::new(ptr::null_mut());

/// The file to open instead of the platform's libheif.
const OVERRIDE: &str = "IMAGE_PACKER_LIBHEIF";

#[cfg(target_os = "macos")]
const NAMES: &[&str] = &[
    "libheif.1.dylib",
    "libheif.dylib",
    "/opt/homebrew/lib/libheif.1.dylib",
    "/usr/local/lib/libheif.1.dylib",
];
#[cfg(not(target_os = "macos"))]
const NAMES: &[&str] = &["libheif.so.1", "libheif.so"];

/// What to tell a user who has no libheif.
const ADVICE: &str = "install libheif 1.15 or newer (Debian, Ubuntu: apt install libheif1; Fedora: dnf install libheif; \
                      macOS: brew install libheif) or name its file in IMAGE_PACKER_LIBHEIF";

/// The process's libheif, or a sentence that says why there is none and what to install.
pub(super) fn library() -> std::result::Result<&'static Library, &'static str> {
    let mut known = ANSWER.load(Ordering::Acquire);
    if known.is_null() {
        let answer = with_room(open).unwrap_or_else(|error| Err(error.to_string()));
        if answer.is_err() && is_short() {
            return Err(
                "libheif could not be opened: the process has too little memory or too many open files",
            );
        }
        let fresh = Box::into_raw(Box::new(answer));
        known = match ANSWER.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(winner) => {
                // SAFETY: `fresh` came from Box::into_raw above and lost the race, so nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                winner
            }
        };
    }
    // SAFETY: the pointer came from Box::into_raw, was published with release ordering and is never freed.
    match unsafe { &*known } {
        Ok(library) => Ok(library),
        Err(reason) => Err(reason),
    }
}

/// Whether the process lacks what a library takes to be opened, which may be different soon.
fn is_short() -> bool {
    const LARGE: usize = 64 << 20; // address space of libheif with its codecs
    let descriptor = std::fs::File::open("/dev/null");
    let too_many = descriptor.is_err_and(|e| matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)));
    too_many || Vec::<u8>::new().try_reserve_exact(LARGE).is_err()
}

fn open() -> Answer {
    if let Some(path) = std::env::var_os(OVERRIDE).filter(|path| !path.is_empty()) {
        let path = path.to_string_lossy().into_owned();
        return open_one(&path)
            .map_err(|why| format!("{OVERRIDE} names a libheif that cannot be used ({why}); {ADVICE}"));
    }
    if let Some(api) = Api::linked() {
        // SAFETY: a NUL-terminated name, looked for in what the process has loaded.
        let tracks = TrackApi::fill(|symbol| unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()) });
        return Ok(introduce("the linked libheif", api, tracks.ok()));
    }
    let mut reasons = Vec::new();
    for name in NAMES {
        match open_one(name) {
            Ok(library) => return Ok(library),
            Err(why) => reasons.push(why),
        }
    }
    Err(format!("no usable libheif on this machine ({}); {ADVICE}", reasons.join("; ")))
}

fn open_one(name: &str) -> Answer {
    let path = CString::new(name).map_err(|_| format!("{name:?} contains a NUL"))?;
    // SAFETY: a NUL-terminated path; RTLD_LOCAL keeps libheif's symbols out of the host's lookups.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: dlerror describes the call that just failed on this thread, or is NULL.
        return Err(unsafe { text(libc::dlerror()) });
    }
    // SAFETY: a live handle (it is never closed) and a NUL-terminated name.
    let find = |symbol: &CStr| unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    let api = Api::fill(find)
        .map_err(|missing| format!("{name} has no {missing} (libheif 1.15 or newer is needed)"))?;
    Ok(introduce(name, api, TrackApi::fill(find).ok()))
}

fn introduce(name: &str, api: Api, tracks: Option<TrackApi>) -> Library {
    wait_at_exit();
    // SAFETY: none takes memory of ours. heif_init loads the codec plugins of newer versions; its failure
    // leaves the built-in codecs, and the descriptor list tells what there is.
    let (words, number) = unsafe {
        (api.heif_init)(ptr::null_mut());
        (text((api.heif_get_version)()), (api.heif_get_version_number)())
    };
    // One byte each, from the top.
    let [major, minor, patch, _] = number.to_be_bytes();
    Library { api, tracks, description: format!("{name}, version {words}"), version: (major, minor, patch) }
}

/// Copies a C string; NULL reads as "no message".
///
/// # Safety
/// `text` is NULL or NUL-terminated and lives through the call.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return "no message".to_owned();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
