//! nvJPEG, NVIDIA's JPEG encoder. Declared from its documentation, <https://docs.nvidia.com/cuda/nvjpeg/>; handles are
//! pointers that nobody here follows.
#![allow(unsafe_code, reason = "island: calls nvJPEG")]

use std::{
    ffi::{c_int, c_uchar},
    ptr,
};

use super::{
    driver::{Entered, Handle},
    load::{Library, table},
};
use crate::{
    device::{Image, Jpeg},
    err,
    error::{Error, ErrorKind, Result, try_vec},
    model::options::Subsampling,
};

/// `nvjpegImage_t`: where the planes are, and bytes from row to row.
#[repr(C)]
struct Planes {
    channel: [u64; 4],
    pitch: [usize; 4],
}

/// `libraryPropertyType`.
const VERSION: [c_int; 3] = [0, 1, 2];
/// `nvjpegJpegEncoding_t`: the markers of the frame.
const BASELINE: c_int = 0xc0;
const PROGRESSIVE: c_int = 0xc2;
/// `nvjpegInputFormat_t`.
const RGB: c_int = 3;
const RGB_INTERLEAVED: c_int = 5;
const BGR_INTERLEAVED: c_int = 6;
/// `nvjpegStatus_t`.
const ALLOCATOR_FAILURE: c_int = 5;
const STATUS_NAMES: [&str; 11] = [
    "SUCCESS",
    "NOT_INITIALIZED",
    "INVALID_PARAMETER",
    "BAD_JPEG",
    "JPEG_NOT_SUPPORTED",
    "ALLOCATOR_FAILURE",
    "EXECUTION_FAILED",
    "ARCH_MISMATCH",
    "INTERNAL_ERROR",
    "IMPLEMENTATION_NOT_SUPPORTED",
    "INCOMPLETE_BITSTREAM",
];

table! {
    /// What is needed of nvJPEG; all of it has been there, and the same, since CUDA 11.
    Api {
        fn nvjpegGetProperty(c_int, *mut c_int);
        fn nvjpegCreateSimple(*mut Handle);
        fn nvjpegDestroy(Handle);
        fn nvjpegEncoderStateCreate(Handle, *mut Handle, Handle);
        fn nvjpegEncoderStateDestroy(Handle);
        fn nvjpegEncoderParamsCreate(Handle, *mut Handle, Handle);
        fn nvjpegEncoderParamsDestroy(Handle);
        fn nvjpegEncoderParamsSetQuality(Handle, c_int, Handle);
        fn nvjpegEncoderParamsSetEncoding(Handle, c_int, Handle);
        fn nvjpegEncoderParamsSetOptimizedHuffman(Handle, c_int, Handle);
        fn nvjpegEncoderParamsSetSamplingFactors(Handle, c_int, Handle);
        fn nvjpegEncodeImage(Handle, Handle, Handle, *const Planes, c_int, c_int, c_int, Handle);
        fn nvjpegEncodeRetrieveBitstream(Handle, Handle, *mut c_uchar, *mut usize, Handle);
    }
}

/// nvJPEG, at work for one device.
pub struct Nvjpeg {
    api: Api,
    handle: Handle,
    /// "nvJPEG 13.0.1".
    pub description: String,
}

/// What one encoder at a time needs.
pub struct State {
    state: Handle,
    params: Handle,
}

fn check(call: &str, status: c_int) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    let kind = if status == ALLOCATOR_FAILURE { ErrorKind::OutOfMemory } else { ErrorKind::Encode };
    let name = STATUS_NAMES.get(status as usize).unwrap_or(&"unknown");
    Err(Error::new(kind, format!("{call} answers {status} ({name})")))
}

/// `call!(api, name, arguments…)`: calls, and names the call in its error.
macro_rules! call {
    ($api:expr, $name:ident $(, $argument:expr)*) => {
        check(stringify!($name), ($api.$name)($($argument),*))
    };
}

impl Nvjpeg {
    /// Finds and starts the library, for the context that is entered.
    pub fn start(_here: &Entered<'_>) -> Result<Self> {
        let missing = |why: &str| err!(Unsupported, "there is no nvJPEG to encode on the GPU ({why})");
        let names = [c"libnvjpeg.so.13", c"libnvjpeg.so.12", c"libnvjpeg.so.11"];
        let library = Library::open(&names).map_err(|why| missing(&why))?;
        let name = library.name.to_string_lossy();
        let api = Api::fill(&library).map_err(|function| missing(&format!("{name} has no {function}")))?;
        let (mut version, mut handle) = ([0; 3], 0);
        // SAFETY: the places are ours; a context is current.
        unsafe {
            for (property, place) in VERSION.into_iter().zip(&mut version) {
                call!(api, nvjpegGetProperty, property, place)?;
            }
            call!(api, nvjpegCreateSimple, &mut handle)?;
        }
        let [major, minor, patch] = version;
        Ok(Self { api, handle, description: format!("nvJPEG {major}.{minor}.{patch}") })
    }

    /// The end of the library's work, in its context and without any state left.
    pub fn stop(&self, _here: &Entered<'_>) {
        // SAFETY: made by `start`, and named by nobody any more.
        unsafe { (self.api.nvjpegDestroy)(self.handle) };
    }

    /// What an encoder on `stream` needs.
    pub fn state(&self, _here: &Entered<'_>, stream: Handle) -> Result<State> {
        let (mut state, mut params) = (0, 0);
        // SAFETY: the places are ours; handle and stream are alive.
        unsafe {
            call!(self.api, nvjpegEncoderStateCreate, self.handle, &mut state, stream)?;
            call!(self.api, nvjpegEncoderParamsCreate, self.handle, &mut params, stream).inspect_err(
                |_| {
                    (self.api.nvjpegEncoderStateDestroy)(state);
                },
            )?;
        }
        Ok(State { state, params })
    }

    /// The end of a state.
    pub fn forget(&self, _here: &Entered<'_>, state: State) {
        // SAFETY: made by `state`, whose stream has nothing left to do with them.
        unsafe {
            (self.api.nvjpegEncoderParamsDestroy)(state.params);
            (self.api.nvjpegEncoderStateDestroy)(state.state);
        }
    }

    /// Encodes on `stream`, which knows what to wait for.
    pub fn encode(
        &self,
        here: &Entered<'_>,
        State { state, params }: &State,
        image: &Image,
        jpeg: &Jpeg,
        stream: Handle,
    ) -> Result<Vec<u8>> {
        let (state, params) = (*state, *params);
        let sampling = match jpeg.subsampling {
            Subsampling::Yuv444 | Subsampling::Auto => 0,
            Subsampling::Yuv422 => 1,
            Subsampling::Yuv420 => 2,
        };
        let encoding = if jpeg.progressive { PROGRESSIVE } else { BASELINE };
        let format = match (image.interleaved, image.bgr) {
            (false, _) => RGB,
            (true, false) => RGB_INTERLEAVED,
            (true, true) => BGR_INTERLEAVED,
        };
        let mut planes = Planes { channel: [0; 4], pitch: [0; 4] };
        for index in 0..if image.interleaved { 1 } else { 3 } {
            (planes.channel[index], planes.pitch[index]) = (image.planes[index], image.stride);
        }
        let (width, height) = (image.width as c_int, image.height as c_int);
        // SAFETY: everything named is alive and of the context that is entered; the tensor's lender vouches for the planes;
        // the sizes were found to fit a c_int.
        unsafe {
            let api = &self.api;
            call!(api, nvjpegEncoderParamsSetQuality, params, jpeg.quality.into(), stream)?;
            call!(api, nvjpegEncoderParamsSetEncoding, params, encoding, stream)?;
            call!(api, nvjpegEncoderParamsSetOptimizedHuffman, params, jpeg.optimized.into(), stream)?;
            call!(api, nvjpegEncoderParamsSetSamplingFactors, params, sampling, stream)?;
            call!(
                api,
                nvjpegEncodeImage,
                self.handle,
                state,
                params,
                &planes,
                format,
                width,
                height,
                stream
            )?;
            let mut size = 0;
            call!(
                api,
                nvjpegEncodeRetrieveBitstream,
                self.handle,
                state,
                ptr::null_mut(),
                &mut size,
                stream
            )?;
            here.synchronize(stream)?;
            let mut bytes = try_vec(size, "the encoded image")?;
            call!(
                api,
                nvjpegEncodeRetrieveBitstream,
                self.handle,
                state,
                bytes.as_mut_ptr(),
                &mut size,
                stream
            )?;
            if let Err(error) = here.synchronize(stream) {
                // Nobody knows whether the copy has ended: the memory is never used for anything else.
                std::mem::forget(bytes);
                return Err(error);
            }
            bytes.truncate(size);
            Ok(bytes)
        }
    }
}
