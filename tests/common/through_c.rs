//! Packs through the C functions.

use std::{
    ffi::{CStr, CString, c_char},
    ptr,
};

use image_packer::ffi::{data::*, packer::*, packing_options::*, pixelmap::*, source::*, version::*};

use super::layouts::{Alpha, Layout};

/// A pack through the C functions.
pub struct Pack<'a> {
    pub mime: &'a str,
    pub quality: i32,
    pub effort: i32,
    pub lossless: bool,
    pub background: u32,
    pub subsampling: i32,
    /// Settings of the codec: names and values.
    pub settings: &'a [(&'a str, &'a str)],
}

fn check(status: i32) -> Result<(), String> {
    // SAFETY: the message is NUL-terminated.
    let message =
        || unsafe { CStr::from_ptr(image_packer_last_error_message()) }.to_string_lossy().into_owned();
    if status == 0 { Ok(()) } else { Err(format!("{status}: {}", message())) }
}

impl<'a> Pack<'a> {
    pub fn new(mime: &'a str, quality: i32) -> Self {
        Self { mime, quality, effort: 5, lossless: false, background: 0, subsampling: 0, settings: &[] }
    }

    pub fn run(
        &self,
        width: u32,
        height: u32,
        layout: Layout,
        alpha: Alpha,
        bytes: &[u8],
        stride: usize,
    ) -> Result<Vec<u8>, String> {
        let (mut packer, mut map, mut options, mut data) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let mime = CString::new(self.mime).unwrap();
        let mut run = || {
            check(image_packer_create(&mut packer))?;
            let (pixels, format) = (bytes.as_ptr().cast(), layout.info.format as i32);
            check(image_pixelmap_create_from_copy(
                width,
                height,
                format,
                pixels,
                bytes.len(),
                stride,
                &mut map,
            ))?;
            if layout.info.alpha {
                let alpha = match alpha {
                    Alpha::Opaque => IMAGE_ALPHA_OPAQUE,
                    Alpha::Premultiplied => IMAGE_ALPHA_PREMULTIPLIED,
                    Alpha::Straight => IMAGE_ALPHA_UNPREMULTIPLIED,
                };
                check(image_pixelmap_set_alpha_type(map, alpha))?;
            }
            check(image_packing_options_create(mime.as_ptr(), self.quality, &mut options))?;
            check(image_packing_options_set_effort(options, self.effort))?;
            check(image_packing_options_set_lossless(options, self.lossless))?;
            check(image_packing_options_set_background(options, self.background))?;
            check(image_packing_options_set_subsampling(options, self.subsampling))?;
            for (name, value) in self.settings {
                let [name, value] = [name, value].map(|text| CString::new(*text).unwrap());
                check(image_packing_options_set(options, name.as_ptr(), value.as_ptr()))?;
            }
            check(image_packer_pack_to_data(packer, map, options, &mut data))?;
            let (bytes, size) = (image_data_bytes(data), image_data_size(data));
            // SAFETY: the library's bytes, alive until the release below.
            Ok(unsafe { std::slice::from_raw_parts(bytes, size) }.to_vec())
        };
        let result = run();
        image_data_release(data);
        image_packing_options_release(options);
        image_pixelmap_release(map);
        image_packer_release(packer);
        result
    }
}

/// The MIME types this machine can write.
pub fn supported() -> Vec<String> {
    // SAFETY: static NUL-terminated text.
    let text = |p: *const c_char| unsafe { CStr::from_ptr(p) }.to_str().unwrap().to_string();
    (0usize..).map(|i| image_packer_get_supported_format(i)).take_while(|p| !p.is_null()).map(text).collect()
}

/// Format and size of an encoded image, read by the library as a source.
pub fn describe(encoded: &[u8]) -> Result<(String, u32, u32), String> {
    let (mut source, mut mime, mut width, mut height) = (ptr::null_mut(), ptr::null(), 0, 0);
    let mut run = || {
        check(image_source_create_from_copy(encoded.as_ptr().cast(), encoded.len(), &mut source))?;
        check(image_source_get_format(source, &mut mime))?;
        check(image_source_get_size(source, &mut width, &mut height))?;
        // SAFETY: static NUL-terminated text.
        Ok((unsafe { CStr::from_ptr(mime) }.to_str().unwrap().to_string(), width, height))
    };
    let result = run();
    image_source_release(source);
    result
}
