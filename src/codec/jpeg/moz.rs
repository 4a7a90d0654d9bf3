//! JPEG through mozjpeg.
#![allow(unsafe_code, reason = "island: calls libjpeg's C interface")]

use std::{
    any::Any,
    cell::UnsafeCell,
    ffi::{CStr, c_int},
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr,
};

use mozjpeg_sys::*;

use super::RESTART_INTERVAL;
use crate::{
    err,
    error::{Error, ErrorKind, Result},
    model::options::Subsampling,
    pack::plan::Plan,
    pixels::{Layout, Scratch},
    sink::Sink,
};

/// Bytes that go to the sink at a time.
const CHUNK: usize = 64 << 10;
/// `JMSG_LENGTH_MAX` of libjpeg.
const MESSAGE: usize = 200;
/// Rows pulled at a time: one MCU row of 4:2:0.
const BAND: u32 = 16;

/// The error that libjpeg's error exit carries through C frames.
struct Exit(Error);

/// Our destination manager; libjpeg sees its first field.
#[repr(C)]
struct Destination<'a> {
    manager: jpeg_destination_mgr,
    buffer: Vec<u8>,
    sink: &'a mut dyn Sink,
}

/// Frees the compressor on every way out.
struct Compressor(Box<jpeg_compress_struct>);

impl Drop for Compressor {
    fn drop(&mut self) {
        // SAFETY: the struct was created by jpeg_CreateCompress.
        unsafe { jpeg_destroy_compress(&mut self.0) }
    }
}

/// Encodes the plan's rows.
pub fn encode(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    // libjpeg's errors unwind through its frames (the crate's `unwinding` feature) up to here.
    let result = catch_unwind(AssertUnwindSafe(|| run(plan, sink)));
    result.unwrap_or_else(|payload: Box<dyn Any + Send>| match payload.downcast::<Exit>() {
        Ok(exit) => Err(exit.0),
        Err(other) => resume_unwind(other),
    })
}

fn run(plan: &Plan<'_>, sink: &mut dyn Sink) -> Result<()> {
    let (rows, options) = (plan.rows, plan.options);
    let (width, height) = (rows.width(), rows.height());
    let (space, components) = match rows.layout() {
        Layout::Gray8 => (J_COLOR_SPACE::JCS_GRAYSCALE, 1),
        Layout::Rgb8 => (J_COLOR_SPACE::JCS_RGB, 3),
        Layout::Rgbx8 => (J_COLOR_SPACE::JCS_EXT_RGBX, 4),
        other => return Err(err!(Bug, "mozjpeg was given rows of {other:?}")),
    };
    let buffer = crate::error::try_vec(CHUNK, "JPEG output")?;
    // SAFETY: plain C structs for which all bits zero is a valid start.
    let (mut errors, mut c) = unsafe {
        (
            Box::new(mem::zeroed::<jpeg_error_mgr>()),
            Compressor(Box::new(mem::zeroed::<jpeg_compress_struct>())),
        )
    };
    // SAFETY: `errors`, `c` and `destination` outlive every call below; pointers to them stay valid because all
    // three are boxed or pinned to this frame.
    unsafe {
        jpeg_std_error(&mut errors);
        errors.error_exit = Some(error_exit);
        errors.emit_message = Some(silent_level);
        errors.output_message = Some(silent);
        let cinfo = &mut *c.0;
        cinfo.common.err = &mut *errors;
        jpeg_create_compress(cinfo);

        let mut destination = Destination { manager: mem::zeroed(), buffer, sink };
        destination.manager.init_destination = Some(start);
        destination.manager.empty_output_buffer = Some(flush);
        destination.manager.term_destination = Some(finish);
        cinfo.dest = &mut destination.manager;

        cinfo.image_width = width;
        cinfo.image_height = height;
        cinfo.input_components = components;
        cinfo.in_color_space = space;
        // The profile decides what the defaults are, so it comes first.
        let dense = options.effort >= 6;
        let profile = if dense {
            JINT_COMPRESS_PROFILE_VALUE::JCP_MAX_COMPRESSION
        } else {
            JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST
        };
        jpeg_c_set_int_param(cinfo, J_INT_PARAM::JINT_COMPRESS_PROFILE, profile as c_int);
        jpeg_set_defaults(cinfo);
        jpeg_set_quality(cinfo, c_int::from(options.quality), 1);
        if options.effort >= 2 {
            cinfo.optimize_coding = 1;
        }
        let [x, y] = options.density;
        if x != 0 && y != 0 {
            (cinfo.density_unit, cinfo.X_density, cinfo.Y_density) = (1, x, y);
        }
        if components > 1 {
            let (h, v) = match options.subsampling {
                Subsampling::Auto if options.quality >= 90 => (1, 1),
                Subsampling::Auto | Subsampling::Yuv420 => (2, 2),
                Subsampling::Yuv422 => (2, 1),
                Subsampling::Yuv444 => (1, 1),
            };
            let luma = &mut *cinfo.comp_info;
            (luma.h_samp_factor, luma.v_samp_factor) = (h, v);
        }
        cinfo.restart_interval = options.get(&RESTART_INTERVAL) as _;
        jpeg_start_compress(cinfo, 1);
        if let Some(icc) = rows.icc() {
            write_icc(cinfo, icc)?;
        }
        let mut scratch = Scratch::default();
        while cinfo.next_scanline < height {
            let first = cinfo.next_scanline;
            let last = (first + BAND).min(height);
            let band = rows.band(first..last, &mut scratch)?;
            let row_bytes = width as usize * components as usize;
            for y in 0..(last - first) as usize {
                let row = band.planes[0].row(y, row_bytes).as_ptr();
                jpeg_write_scanlines(cinfo, &row, 1);
            }
            plan.control.checkpoint(last.into(), height.into())?;
        }
        jpeg_finish_compress(cinfo);
    }
    Ok(())
}

/// APP2 segments as of ICC.1:2010 annex B.4: a 12-byte name, number, count, and up to 65519 bytes.
unsafe fn write_icc(cinfo: &mut jpeg_compress_struct, icc: &[u8]) -> Result<()> {
    let count = icc.len().div_ceil(65519);
    if count > 255 {
        return Err(err!(
            Icc,
            "an ICC profile of {} bytes takes {count} JPEG segments, 255 are possible",
            icc.len()
        ));
    }
    for (index, part) in icc.chunks(65519).enumerate() {
        let mut segment = Vec::with_capacity(14 + part.len());
        segment.extend_from_slice(b"ICC_PROFILE\0");
        segment.extend_from_slice(&[index as u8 + 1, count as u8]);
        segment.extend_from_slice(part);
        // SAFETY: the compressor is started; the segment is readable for its length.
        unsafe { jpeg_write_marker(cinfo, 0xe2, segment.as_ptr(), segment.len() as _) };
    }
    Ok(())
}

unsafe extern "C-unwind" fn error_exit(cinfo: &mut jpeg_common_struct) {
    type Format = unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut u8);
    let text = UnsafeCell::new([0u8; MESSAGE + 56]);
    // SAFETY: libjpeg set `format_message` (jpeg_std_error). It writes at most JMSG_LENGTH_MAX bytes through the
    // pointer, although the binding declares a shared 80-byte array, so it is called by its true type.
    let message = unsafe {
        if let Some(format) = (*cinfo.err).format_message {
            let format: Format = mem::transmute(format);
            format(cinfo, text.get().cast());
        }
        CStr::from_ptr(text.get().cast()).to_string_lossy().into_owned()
    };
    // SAFETY: as above.
    let out_of_memory = unsafe { (*cinfo.err).msg_code } == JERR_OUT_OF_MEMORY as c_int;
    let kind = if out_of_memory { ErrorKind::OutOfMemory } else { ErrorKind::Encode };
    resume_unwind(Box::new(Exit(Error::new(kind, format!("the JPEG encoder failed: {message}")))));
}

unsafe extern "C-unwind" fn silent(_: &mut jpeg_common_struct) {}
unsafe extern "C-unwind" fn silent_level(_: &mut jpeg_common_struct, _: c_int) {}

unsafe fn destination<'a>(cinfo: &mut jpeg_compress_struct) -> &'a mut Destination<'a> {
    // SAFETY: `dest` is the first field of our `Destination` (repr(C)), set in `run`, alive during the encode.
    unsafe { &mut *ptr::from_mut(&mut *cinfo.dest).cast() }
}

fn rewind(destination: &mut Destination<'_>) {
    destination.manager.next_output_byte = destination.buffer.as_mut_ptr();
    destination.manager.free_in_buffer = destination.buffer.len();
}

unsafe extern "C-unwind" fn start(cinfo: &mut jpeg_compress_struct) {
    // SAFETY: called by libjpeg on the struct set up in `run`.
    rewind(unsafe { destination(cinfo) });
}

unsafe extern "C-unwind" fn flush(cinfo: &mut jpeg_compress_struct) -> boolean {
    // SAFETY: as in `start`.
    let destination = unsafe { destination(cinfo) };
    // The whole buffer counts, whatever free_in_buffer says.
    write(destination, CHUNK);
    rewind(destination);
    1
}

unsafe extern "C-unwind" fn finish(cinfo: &mut jpeg_compress_struct) {
    // SAFETY: as in `start`.
    let destination = unsafe { destination(cinfo) };
    let filled = CHUNK - destination.manager.free_in_buffer;
    write(destination, filled);
}

fn write(destination: &mut Destination<'_>, len: usize) {
    if let Err(error) = destination.sink.write(&destination.buffer[..len]) {
        resume_unwind(Box::new(Exit(error)));
    }
}
