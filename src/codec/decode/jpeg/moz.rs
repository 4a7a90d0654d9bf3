//! JPEG data to samples through libjpeg. Any sign of damage is an error: libjpeg itself would go on with gray.
#![allow(unsafe_code, reason = "island: calls libjpeg's C interface")]

use std::{
    any::Any,
    cell::UnsafeCell,
    ffi::{CStr, c_int, c_long},
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr,
};

use mozjpeg_sys::*;

use super::super::{Job, damaged};
use crate::{
    err,
    error::{Error, Result, try_vec},
    log,
    pack::control::Control,
};

/// `JMSG_LENGTH_MAX` of libjpeg, with room for a formatted number more.
const MESSAGE: usize = 256;
/// Encoders write about 10 scans; each costs a pass over the whole image, however few bytes it has.
const MAX_SCANS: c_int = 500;

/// What to make of the samples.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    Gray,
    Rgb,
    /// Inks as stored, perhaps inverted.
    Cmyk,
}

/// The error that libjpeg's error exit carries through C frames.
struct Exit(Error);

/// Frees the decompressor on every way out.
struct Decompressor(Box<jpeg_decompress_struct>);

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: the struct is zeroed or was created by jpeg_CreateDecompress.
        unsafe { jpeg_destroy_decompress(&mut self.0) }
    }
}

/// Samples of the whole image, rows tight. `size` is the header's.
pub fn decode(job: &Job<'_>, size: (u32, u32), output: Output) -> Result<Vec<u8>> {
    // libjpeg's errors unwind through its frames (the crate's `unwinding` feature) up to here.
    let result = catch_unwind(AssertUnwindSafe(|| run(job.bytes, job.control, size, output)));
    result.unwrap_or_else(|payload: Box<dyn Any + Send>| match payload.downcast::<Exit>() {
        Ok(exit) => Err(exit.0),
        Err(other) => resume_unwind(other),
    })
}

fn run(bytes: &[u8], control: &Control, (width, height): (u32, u32), output: Output) -> Result<Vec<u8>> {
    let (space, components) = match output {
        Output::Gray => (J_COLOR_SPACE::JCS_GRAYSCALE, 1),
        Output::Rgb => (J_COLOR_SPACE::JCS_RGB, 3),
        Output::Cmyk => (J_COLOR_SPACE::JCS_CMYK, 4),
    };
    let row = width as usize * components;
    let mut samples = try_vec(row * height as usize, "decoded pixels")?;
    // SAFETY: plain C structs for which all bits zero is a valid start.
    let (mut errors, mut progress, mut source, mut d) = unsafe {
        (
            Box::new(mem::zeroed::<jpeg_error_mgr>()),
            Box::new(mem::zeroed::<jpeg_progress_mgr>()),
            Box::new(mem::zeroed::<jpeg_source_mgr>()),
            Decompressor(Box::new(mem::zeroed::<jpeg_decompress_struct>())),
        )
    };
    // SAFETY: the structs are boxed and, declared before `d`'s use ends, outlive every call; the source's pointer and
    // length are those of `bytes`; scanlines are written to rows of `samples` that are as wide as the output.
    unsafe {
        jpeg_std_error(&mut errors);
        errors.error_exit = Some(error_exit);
        errors.emit_message = Some(emit_message);
        errors.output_message = Some(silent);
        progress.progress_monitor = Some(look);
        let cinfo = &mut *d.0;
        cinfo.common.err = &mut *errors;
        jpeg_create_decompress(cinfo);
        cinfo.common.progress = &mut *progress;
        cinfo.common.client_data = ptr::from_ref(control).cast_mut().cast();

        source.next_input_byte = bytes.as_ptr();
        source.bytes_in_buffer = bytes.len();
        source.init_source = Some(nothing);
        source.fill_input_buffer = Some(end_of_data);
        source.skip_input_data = Some(skip);
        source.resync_to_restart = Some(jpeg_resync_to_restart);
        source.term_source = Some(nothing);
        cinfo.src = &mut *source;

        jpeg_read_header(cinfo, 1);
        if (cinfo.image_width, cinfo.image_height) != (width, height) {
            let (w, h) = (cinfo.image_width, cinfo.image_height);
            return Err(damaged("JPEG", format!("{w} x {h} pixels where {width} x {height} were announced")));
        }
        cinfo.out_color_space = space;
        jpeg_start_decompress(cinfo);
        if cinfo.output_components as usize != components || cinfo.output_width != width {
            return Err(err!(Bug, "libjpeg decodes {} components", cinfo.output_components));
        }
        while cinfo.output_scanline < height {
            if cinfo.output_scanline % 16 == 0 {
                control.check()?;
            }
            let start = cinfo.output_scanline as usize * row;
            let mut target = samples[start..start + row].as_mut_ptr();
            jpeg_read_scanlines(cinfo, &mut target, 1);
        }
        jpeg_finish_decompress(cinfo);
    }
    Ok(samples)
}

/// libjpeg's sentence for what just happened.
fn message(cinfo: &mut jpeg_common_struct) -> String {
    type Format = unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut u8);
    let text = UnsafeCell::new([0u8; MESSAGE]);
    // SAFETY: libjpeg set `format_message` (jpeg_std_error). It writes at most JMSG_LENGTH_MAX bytes through the
    // pointer, although the binding declares a shared 80-byte array, so it is called by its true type.
    unsafe {
        if let Some(format) = (*cinfo.err).format_message {
            let format: Format = mem::transmute(format);
            format(cinfo, text.get().cast());
        }
        CStr::from_ptr(text.get().cast()).to_string_lossy().into_owned()
    }
}

fn exit(error: Error) -> ! {
    resume_unwind(Box::new(Exit(error)))
}

unsafe extern "C-unwind" fn error_exit(cinfo: &mut jpeg_common_struct) {
    let text = message(cinfo);
    // SAFETY: set in `run`.
    if unsafe { (*cinfo.err).msg_code } == JERR_OUT_OF_MEMORY as c_int {
        exit(err!(OutOfMemory, "could not allocate memory for decoding JPEG: {text}"));
    }
    exit(damaged("JPEG", text));
}

/// Warnings have negative levels. Some do not touch pixels; at all others libjpeg would make pixels up.
unsafe extern "C-unwind" fn emit_message(cinfo: &mut jpeg_common_struct, level: c_int) {
    if level >= 0 {
        return;
    }
    // SAFETY: set in `run`.
    let code = unsafe { (*cinfo.err).msg_code };
    let harmless = [
        JWRN_ADOBE_XFORM,
        JWRN_BOGUS_ICC,
        JWRN_BOGUS_PROGRESSION,
        JWRN_EXTRANEOUS_DATA,
        JWRN_JFIF_MAJOR,
        JWRN_TOO_MUCH_DATA,
    ];
    let text = message(cinfo);
    if !harmless.iter().any(|&known| known as c_int == code) {
        exit(damaged("JPEG", text));
    }
    log::write(log::WARNING, || format!("JPEG: {text}"));
}

unsafe extern "C-unwind" fn silent(_: &mut jpeg_common_struct) {}
unsafe extern "C-unwind" fn nothing(_: &mut jpeg_decompress_struct) {}

unsafe extern "C-unwind" fn end_of_data(_: &mut jpeg_decompress_struct) -> boolean {
    exit(damaged("JPEG", "it ends before its end marker"))
}

unsafe extern "C-unwind" fn skip(cinfo: &mut jpeg_decompress_struct, count: c_long) {
    // SAFETY: set in `run`.
    let source = unsafe { &mut *cinfo.src };
    let count = count.max(0) as usize;
    if count > source.bytes_in_buffer {
        exit(damaged("JPEG", "it ends inside a segment"));
    }
    source.bytes_in_buffer -= count;
    // SAFETY: within the bytes that are left.
    source.next_input_byte = unsafe { source.next_input_byte.add(count) };
}

/// Called by libjpeg for every row of MCUs that it reads.
unsafe extern "C-unwind" fn look(cinfo: &mut jpeg_common_struct) {
    // SAFETY: set in `run`, to a value that outlives the decompressor.
    let control = unsafe { &*cinfo.client_data.cast_const().cast::<Control>() };
    if let Err(error) = control.check() {
        exit(error);
    }
    // SAFETY: the common part is the first field of the decompressor it was created in.
    let d = unsafe { &*ptr::from_mut(cinfo).cast::<jpeg_decompress_struct>() };
    if d.input_scan_number > MAX_SCANS {
        exit(damaged("JPEG", format!("more than {MAX_SCANS} scans")));
    }
}
