//! Reading HEIF files with libheif: the file, its images, their pixels.
#![allow(unsafe_code, reason = "island: calls libheif")]

use std::{ffi::c_int, marker::PhantomData, ptr};

use super::{
    library::{Api, HeifNclx, text},
    objects::{OwnedContext, OwnedHandle, OwnedImage, OwnedNclx, check},
    running::Running,
};
use crate::{
    error::{Result, try_vec},
    model::color::Cicp,
};

/// A parsed file over borrowed bytes.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    context: OwnedContext,
    bytes: PhantomData<&'a [u8]>,
}

/// An image of a file, still compressed.
#[derive(Debug)]
pub(super) struct Still<'a> {
    handle: OwnedHandle,
    bytes: PhantomData<&'a [u8]>,
}

/// `heif_chroma_interleaved_` RGB, RGBA, and the same in 16 bits of little-endian order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Interleaved {
    Rgb8 = 10,
    Rgba8 = 11,
    Rgb16 = 14,
    Rgba16 = 15,
}

impl<'a> Reading<'a> {
    /// Parses the file's boxes; no picture is decoded. Tiles will be decoded by `threads` threads.
    pub fn new(api: &'static Api, bytes: &'a [u8], threads: usize) -> Result<Self> {
        let _running = Running::begin()?;
        let context = OwnedContext::new(api)?;
        let (data, len) = (bytes.as_ptr().cast(), bytes.len());
        // 0 stands for "the calling thread alone".
        let threads = if threads > 1 { threads.min(64) as c_int } else { 0 };
        // SAFETY: a live context; the bytes outlive it by the lifetime of `Reading` and `Still`.
        check(unsafe {
            (api.heif_context_set_max_decoding_threads)(context.raw, threads);
            (api.heif_context_read_from_memory_without_copy)(context.raw, data, len, ptr::null())
        })?;
        Ok(Self { context, bytes: PhantomData })
    }

    /// The images that are not parts of others, the primary one first.
    pub fn images(&self) -> Result<Vec<u32>> {
        let (api, raw) = (self.context.api, self.context.raw);
        let mut primary = 0;
        // SAFETY: a live context, a place for the answer; room for as many numbers as is said.
        let mut ids = unsafe {
            check((api.heif_context_get_primary_image_ID)(raw, &raw mut primary))?;
            let count = (api.heif_context_get_number_of_top_level_images)(raw);
            let mut ids = try_vec::<u32>(usize::try_from(count).unwrap_or(0), "the list of images")?;
            let filled = (api.heif_context_get_list_of_top_level_image_IDs)(raw, ids.as_mut_ptr(), count);
            ids.truncate(usize::try_from(filled).unwrap_or(0));
            ids
        };
        ids.retain(|id| *id != primary);
        ids.insert(0, primary);
        Ok(ids)
    }

    /// Opens one of [`Reading::images`].
    pub fn open(&self, id: u32) -> Result<Still<'a>> {
        let (api, mut raw) = (self.context.api, ptr::null_mut());
        // SAFETY: a live context and a place for the answer.
        check(unsafe { (api.heif_context_get_image_handle)(self.context.raw, id, &raw mut raw) })?;
        Ok(Still { handle: OwnedHandle::own(api, raw)?, bytes: PhantomData })
    }
}

impl Still<'_> {
    /// Width and height after rotation and cropping.
    pub fn size(&self) -> (u32, u32) {
        let (api, raw) = (self.handle.api, self.handle.raw);
        // SAFETY: a live handle.
        let (width, height) =
            unsafe { ((api.heif_image_handle_get_width)(raw), (api.heif_image_handle_get_height)(raw)) };
        (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
    }

    /// Bits per component; 8 where the file does not tell.
    pub fn depth(&self) -> u8 {
        // SAFETY: a live handle.
        let bits = unsafe { (self.handle.api.heif_image_handle_get_luma_bits_per_pixel)(self.handle.raw) };
        u8::try_from(bits).ok().filter(|bits| (1..=16).contains(bits)).unwrap_or(8)
    }

    /// Whether there is alpha, and whether colour is multiplied by it.
    pub fn alpha(&self) -> Option<bool> {
        let (api, raw) = (self.handle.api, self.handle.raw);
        // SAFETY: a live handle.
        unsafe {
            ((api.heif_image_handle_has_alpha_channel)(raw) != 0)
                .then(|| (api.heif_image_handle_is_premultiplied_alpha)(raw) != 0)
        }
    }

    /// The ICC profile, if there is one.
    pub fn icc(&self) -> Result<Option<Vec<u8>>> {
        let (api, raw) = (self.handle.api, self.handle.raw);
        // SAFETY: a live handle.
        let size = unsafe { (api.heif_image_handle_get_raw_color_profile_size)(raw) };
        if size == 0 {
            return Ok(None);
        }
        let mut profile = try_vec::<u8>(size, "an ICC profile")?;
        // SAFETY: a live handle and room for the size it told.
        check(unsafe { (api.heif_image_handle_get_raw_color_profile)(raw, profile.as_mut_ptr().cast()) })?;
        Ok(Some(profile))
    }

    /// Blocks of metadata: type, content type, bytes.
    pub fn metadata(&self) -> Result<Vec<(String, String, Vec<u8>)>> {
        let (api, raw) = (self.handle.api, self.handle.raw);
        let mut blocks = Vec::new();
        // SAFETY: a live handle, no filter; room for as many numbers as is said.
        let ids = unsafe {
            let count = (api.heif_image_handle_get_number_of_metadata_blocks)(raw, ptr::null());
            let mut ids = try_vec::<u32>(usize::try_from(count).unwrap_or(0), "the list of metadata")?;
            let filled = (api.heif_image_handle_get_list_of_metadata_block_IDs)(
                raw,
                ptr::null(),
                ids.as_mut_ptr(),
                count,
            );
            ids.truncate(usize::try_from(filled).unwrap_or(0));
            ids
        };
        for id in ids {
            // SAFETY: a live handle and a number of its list; the texts live as long as the handle.
            let (kind, content, size) = unsafe {
                (
                    text((api.heif_image_handle_get_metadata_type)(raw, id)),
                    text((api.heif_image_handle_get_metadata_content_type)(raw, id)),
                    (api.heif_image_handle_get_metadata_size)(raw, id),
                )
            };
            let mut bytes = try_vec::<u8>(size, "metadata")?;
            // SAFETY: a live handle and room for the size it told.
            check(unsafe { (api.heif_image_handle_get_metadata)(raw, id, bytes.as_mut_ptr().cast()) })?;
            blocks.push((kind, content, bytes));
        }
        Ok(blocks)
    }

    /// The code points of the file, if it has them.
    pub fn cicp(&self) -> Option<Cicp> {
        let mut raw = ptr::null_mut();
        let api = self.handle.api;
        // SAFETY: a live handle and a place for the answer.
        let answer = unsafe { (api.heif_image_handle_get_nclx_color_profile)(self.handle.raw, &raw mut raw) };
        cicp_of(api, answer.code, raw)
    }

    /// Decodes: rotated, cropped, put together from tiles, converted.
    pub fn decode(&self, into: Interleaved) -> Result<OwnedImage> {
        let _running = Running::begin()?;
        let (api, mut raw) = (self.handle.api, ptr::null_mut());
        // SAFETY: a live handle, a place for the answer, default options. 1 is heif_colorspace_RGB.
        check(unsafe {
            (api.heif_decode_image)(self.handle.raw, &raw mut raw, 1, into as c_int, ptr::null())
        })?;
        OwnedImage::own(api, raw)
    }
}

impl OwnedImage {
    /// The code points that the decoder found in the picture itself.
    pub fn cicp(&self) -> Option<Cicp> {
        let mut raw = ptr::null_mut();
        // SAFETY: a live image and a place for the answer.
        let answer = unsafe { (self.api.heif_image_get_nclx_color_profile)(self.raw, &raw mut raw) };
        cicp_of(self.api, answer.code, raw)
    }
}

fn cicp_of(api: &'static super::library::Api, code: c_int, raw: *mut HeifNclx) -> Option<Cicp> {
    if code != 0 {
        return None;
    }
    let nclx = OwnedNclx::own(api, raw).ok()?;
    // SAFETY: libheif allocated at least the fields of version 1; `nclx` frees them.
    let fields = unsafe { &*nclx.raw };
    let narrow = |code: c_int| u8::try_from(code).unwrap_or(2);
    Some(Cicp {
        primaries: narrow(fields.color_primaries),
        transfer: narrow(fields.transfer_characteristics),
        matrix: narrow(fields.matrix_coefficients),
        full_range: fields.full_range_flag != 0,
    })
}
