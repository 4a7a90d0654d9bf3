//! libheif's objects with owners: each is released once, errors become sentences, planes become slices.
#![allow(unsafe_code, reason = "island: calls libheif and uses the planes that it allocates")]

use std::{
    ffi::{CString, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
};

use super::{library::*, running::Running};
use crate::{
    err,
    error::{Error, Result},
    model::{color::Cicp, metadata::Metadata},
    sink::Sink,
};

/// `enum heif_channel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Channel {
    Y = 0,
    Cb = 1,
    Cr = 2,
    Alpha = 6,
    Interleaved = 10,
}

/// Turns libheif's answer into ours. The numbers are `enum heif_error_code` and `enum heif_suberror_code`.
pub(super) fn check(error: HeifError) -> Result<()> {
    if error.code == 0 {
        return Ok(());
    }
    // SAFETY: libheif's message is static or lives in the context until its next call.
    let message = unsafe { text(error.message) };
    Err(match (error.code, error.subcode) {
        (6, 1000) => err!(TooLarge, "libheif: {message}"),
        (6, _) => err!(OutOfMemory, "libheif: {message}"),
        (4, 3000) => err!(
            UnknownFormat,
            "this libheif has no decoder for the image (libde265 for HEIC, dav1d or libaom for AVIF): {message}"
        ),
        (3 | 4, _) => err!(UnknownFormat, "libheif: {message}"),
        (1 | 2 | 7, _) => err!(BadData, "the HEIF data is damaged: {message}"),
        _ => err!(Encode, "the HEIF encoder failed: {message}"),
    })
}

macro_rules! owner {
    ($(#[$doc:meta])* $name:ident($raw:ty) by $release:ident) => {
        owner! { $(#[$doc])* $name($raw) by $release of Api }
    };
    ($(#[$doc:meta])* $name:ident($raw:ty) by $release:ident of $table:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            pub raw: *mut $raw,
            pub api: &'static $table,
        }
        impl $name {
            pub fn own(api: &'static $table, raw: *mut $raw) -> Result<Self> {
                if raw.is_null() {
                    return Err(err!(OutOfMemory, "libheif has no memory for its {}", stringify!($raw)));
                }
                Ok(Self { raw, api })
            }
        }
        impl Drop for $name {
            fn drop(&mut self) {
                // What is left when the process ends goes with it.
                let Ok(_running) = Running::begin() else { return };
                // SAFETY: `raw` is ours, is not NULL, and is released only here.
                unsafe { (self.api.$release)(self.raw) }
            }
        }
    };
}
owner!(/** A file being written or read. */ OwnedContext(Context) by heif_context_free);
owner!(/** An uncompressed image in libheif's memory. */ OwnedImage(Image) by heif_image_release);
owner!(/** An image of a file, still compressed. */ OwnedHandle(ImageHandle) by heif_image_handle_release);
owner!(/** A codec with its parameters. */ OwnedEncoder(EncoderHandle) by heif_encoder_release);
owner!(/** Colour as code points. */ OwnedNclx(HeifNclx) by heif_nclx_color_profile_free);
owner!(/** What goes into the file. */ OwnedOptions(HeifEncodingOptions) by heif_encoding_options_free);
owner!(/** A sequence of images in a file. */ OwnedTrack(Track) by heif_track_release of TrackApi);
owner!(/** How a track is made. */ OwnedTrackOptions(TrackOptions) by heif_track_options_release of TrackApi);
owner!(/** How a track's images are coded. */ OwnedSequenceOptions(SequenceOptions)
    by heif_sequence_encoding_options_release of TrackApi);

// SAFETY: libheif ties none of these to a thread; each has one owner, who passes it on as a whole.
unsafe impl Send for OwnedContext {}
// SAFETY: as above.
unsafe impl Send for OwnedTrack {}
// SAFETY: as above.
unsafe impl Send for OwnedSequenceOptions {}
// SAFETY: as above.
unsafe impl Send for OwnedImage {}
// SAFETY: as above.
unsafe impl Send for OwnedEncoder {}

/// An encoder that libheif knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptor(*const EncoderDescriptor);

// SAFETY: descriptors are made when libheif is loaded, live as long as it, and are only read.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

/// The encoders of a compression format, by their short names and in libheif's order.
pub(super) fn encoders(api: &Api, compression: c_int) -> Vec<(String, Descriptor)> {
    let Ok(_running) = Running::begin() else { return Vec::new() };
    let mut list = [ptr::null(); 16];
    // SAFETY: no name filter, and room for as many pointers as is said. The descriptors live as long as libheif.
    unsafe {
        let room = list.len() as c_int;
        let count = (api.heif_get_encoder_descriptors)(compression, ptr::null(), list.as_mut_ptr(), room);
        let found = &list[..usize::try_from(count).unwrap_or(0).min(list.len())];
        let name = |one| text((api.heif_encoder_descriptor_get_id_name)(one));
        found.iter().map(|one| (name(*one), Descriptor(*one))).collect()
    }
}

impl OwnedContext {
    /// An empty file.
    pub fn new(api: &'static Api) -> Result<Self> {
        // SAFETY: takes nothing.
        Self::own(api, unsafe { (api.heif_context_alloc)() })
    }

    /// An instance of an encoder from [`encoders`].
    pub fn encoder(&self, descriptor: Descriptor) -> Result<OwnedEncoder> {
        let _running = Running::begin()?;
        let mut raw = ptr::null_mut();
        // SAFETY: a live context, a descriptor from the library's own list, a place for the answer.
        check(unsafe { (self.api.heif_context_get_encoder)(self.raw, descriptor.0, &raw mut raw) })?;
        OwnedEncoder::own(self.api, raw)
    }

    /// Compresses `image` into the file; the first one is its primary image.
    pub fn encode(&self, image: &OwnedImage, encoder: &OwnedEncoder, metadata: &Metadata) -> Result<()> {
        let _running = Running::begin()?;
        // SAFETY: takes nothing.
        let options = OwnedOptions::own(self.api, unsafe { (self.api.heif_encoding_options_alloc)() })?;
        // SAFETY: libheif allocated at least the fields up to version 4, which 1.15 has.
        unsafe {
            // A profile says what the colours are, the code points still say how YCbCr becomes RGB.
            (*options.raw).save_two_colr_boxes_when_icc_and_nclx_available = 1;
            // Version 1.15 leaves the code points out unless this is cleared.
            (*options.raw).macos_compatibility_workaround_no_nclx_profile = 0;
        }
        let (raw, mut handle) = (options.raw, ptr::null_mut());
        // SAFETY: all four are live, and a place for the answer.
        check(unsafe {
            (self.api.heif_context_encode_image)(self.raw, image.raw, encoder.raw, raw, &raw mut handle)
        })?;
        let handle = OwnedHandle::own(self.api, handle)?;
        let size = |block: &[u8]| {
            c_int::try_from(block.len()).map_err(|_| err!(TooLarge, "metadata of {} bytes", block.len()))
        };
        if let Some(exif) = &metadata.exif {
            let (bytes, size) = (exif.as_ptr().cast(), size(exif)?);
            // SAFETY: live objects and readable bytes, which are copied.
            check(unsafe { (self.api.heif_context_add_exif_metadata)(self.raw, handle.raw, bytes, size) })?;
        }
        if let Some(xmp) = &metadata.xmp {
            let (bytes, size) = (xmp.as_ptr().cast(), size(xmp)?);
            // SAFETY: as above.
            check(unsafe { (self.api.heif_context_add_XMP_metadata)(self.raw, handle.raw, bytes, size) })?;
        }
        Ok(())
    }

    /// The finished file goes into the sink.
    pub fn write(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut user = Output { sink, result: Ok(()) };
        let mut writer = HeifWriter { writer_api_version: 1, write };
        // SAFETY: a live context; `writer` and `user` outlive the call, and `write` casts `user` back.
        let answer = check(unsafe {
            (self.api.heif_context_write)(self.raw, &raw mut writer, (&raw mut user).cast())
        });
        user.result.and(answer)
    }
}

/// What [`write`] finds behind its pointer.
struct Output<'a> {
    sink: &'a mut dyn Sink,
    result: Result<()>,
}

unsafe extern "C" fn write(
    _: *mut Context,
    data: *const c_void,
    size: usize,
    user: *mut c_void,
) -> HeifError {
    // SAFETY: `user` is the `Output` of OwnedContext::write, which waits for this call.
    let output = unsafe { &mut *user.cast::<Output<'_>>() };
    if size > 0 && output.result.is_ok() {
        // SAFETY: libheif passes `size` readable bytes.
        let bytes = unsafe { slice::from_raw_parts(data.cast::<u8>(), size) };
        let written = catch_unwind(AssertUnwindSafe(|| output.sink.write(bytes)));
        output.result = written.unwrap_or_else(|_| Err(err!(Bug, "a sink panicked")));
    }
    let (code, subcode) = if output.result.is_ok() { (0, 0) } else { (9, 5000) };
    HeifError { code, subcode, message: c"the output took no more".as_ptr() }
}

impl OwnedEncoder {
    /// Sets the quality, 0 to 100; lossless, where wanted; and keeps the codec off the host's stderr.
    pub fn configure(&self, quality: u8, lossless: bool) -> Result<()> {
        let (api, raw) = (self.api, self.raw);
        // SAFETY: a live encoder.
        unsafe {
            check((api.heif_encoder_set_logging_level)(raw, 0))?;
            check((api.heif_encoder_set_lossy_quality)(raw, c_int::from(quality)))?;
            if lossless { check((api.heif_encoder_set_lossless)(raw, 1)) } else { Ok(()) }
        }
    }

    /// Sets a parameter of the codec.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let (Ok(c_name), Ok(c_value)) = (CString::new(name), CString::new(value)) else {
            return Err(err!(Bug, "{name:?} = {value:?} contains a NUL"));
        };
        // SAFETY: a live encoder and two C strings.
        check(unsafe { (self.api.heif_encoder_set_parameter)(self.raw, c_name.as_ptr(), c_value.as_ptr()) })
            .map_err(|error| Error::new(error.kind, format!("{name} = {value}: {}", error.message)))
    }
}

/// A writable plane.
#[derive(Debug)]
pub(super) struct PlaneMut<'a> {
    bytes: &'a mut [u8],
    stride: usize,
}

impl PlaneMut<'_> {
    /// Row `y`, with its padding.
    pub fn row(&mut self, y: u32) -> &mut [u8] {
        &mut self.bytes[y as usize * self.stride..][..self.stride]
    }
}

impl OwnedImage {
    /// An image without planes. The numbers are of `enum heif_colorspace` and `enum heif_chroma`.
    pub fn new(api: &'static Api, (width, height): (u32, u32), space: c_int, chroma: c_int) -> Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: a place for the answer; sides are at most 32768.
        check(unsafe {
            (api.heif_image_create)(width as c_int, height as c_int, space, chroma, &raw mut raw)
        })?;
        Self::own(api, raw)
    }

    /// Adds a zeroed plane.
    pub fn add_plane(&mut self, channel: Channel, (width, height): (u32, u32), depth: u8) -> Result<()> {
        let (api, raw, channel) = (self.api, self.raw, channel as c_int);
        let mut stride = 0;
        // SAFETY: a live image, sides are at most 32768, a place for the stride. A plane has at least `height` rows
        // of `stride` bytes, which libheif leaves uninitialised; zeroing them costs a thousandth of an encode.
        unsafe {
            let (width, depth) = (width as c_int, c_int::from(depth));
            check((api.heif_image_add_plane)(raw, channel, width, height as c_int, depth))?;
            let data = (api.heif_image_get_plane)(raw, channel, &raw mut stride);
            if !data.is_null() && stride > 0 {
                ptr::write_bytes(data, 0, stride as usize * height as usize);
            }
        }
        Ok(())
    }

    /// Y, Cb, Cr and alpha to write into; `None` for a channel that the image does not have.
    pub fn planes_mut(&mut self) -> [Option<PlaneMut<'_>>; 4] {
        [Channel::Y, Channel::Cb, Channel::Cr, Channel::Alpha].map(|channel| {
            let (data, stride, size) = self.locate(channel)?;
            // SAFETY: as in `plane`; the planes are separate allocations and `&mut self` keeps these the only views.
            let bytes = unsafe { slice::from_raw_parts_mut(data.cast_mut(), size) };
            Some(PlaneMut { bytes, stride })
        })
    }

    /// A channel's memory and its stride in bytes.
    pub fn plane(&self, channel: Channel) -> Option<(&[u8], usize)> {
        let (data, stride, size) = self.locate(channel)?;
        // SAFETY: libheif allocates at least the channel's rows of `stride` bytes, frees them with the image, and
        // they were written by `add_plane` or by a decoder.
        Some((unsafe { slice::from_raw_parts(data, size) }, stride))
    }

    fn locate(&self, channel: Channel) -> Option<(*const u8, usize, usize)> {
        let mut stride = 0;
        // SAFETY: a live image and a place for the stride.
        let data =
            unsafe { (self.api.heif_image_get_plane_readonly)(self.raw, channel as c_int, &raw mut stride) };
        let (stride, rows) = (usize::try_from(stride).ok()?, self.size(channel)?.1 as usize);
        let size = stride.checked_mul(rows)?;
        (!data.is_null()).then_some((data, stride, size))
    }

    /// Width and height of a channel, in samples; `None` where the image has no such channel.
    pub fn size(&self, channel: Channel) -> Option<(u32, u32)> {
        let (api, raw, channel) = (self.api, self.raw, channel as c_int);
        // SAFETY: a live image.
        let (width, height) =
            unsafe { ((api.heif_image_get_width)(raw, channel), (api.heif_image_get_height)(raw, channel)) };
        Some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))
    }

    /// Bits that carry a sample of the channel.
    pub fn depth(&self, channel: Channel) -> u8 {
        // SAFETY: a live image.
        let bits = unsafe { (self.api.heif_image_get_bits_per_pixel_range)(self.raw, channel as c_int) };
        u8::try_from(bits).unwrap_or(0)
    }

    /// What the samples mean.
    pub fn set_cicp(&mut self, cicp: Cicp) -> Result<()> {
        // SAFETY: takes nothing.
        let nclx = OwnedNclx::own(self.api, unsafe { (self.api.heif_nclx_color_profile_alloc)() })?;
        // SAFETY: libheif allocated at least the fields of version 1, and copies the profile into the live image.
        check(unsafe {
            let fields = &mut *nclx.raw;
            fields.color_primaries = match cicp.primaries {
                known @ (1 | 4..=12 | 22) => c_int::from(known),
                // Gray may have any. libheif writes no others, and loses memory over them.
                _ => 2,
            };
            fields.transfer_characteristics = c_int::from(cicp.transfer);
            fields.matrix_coefficients = c_int::from(cicp.matrix);
            fields.full_range_flag = u8::from(cicp.full_range);
            (self.api.heif_image_set_nclx_color_profile)(self.raw, nclx.raw)
        })
    }

    /// An ICC profile to embed.
    pub fn set_icc(&mut self, profile: &[u8]) -> Result<()> {
        let (data, len) = (profile.as_ptr().cast(), profile.len());
        // SAFETY: a live image, a C string, and `len` readable bytes that libheif copies.
        check(unsafe { (self.api.heif_image_set_raw_color_profile)(self.raw, c"prof".as_ptr(), data, len) })
    }
}
