//! libheif's interface for image sequences, which it has from 1.21 on: images one by one into a track, and out of one.
#![allow(unsafe_code, reason = "island: calls libheif")]

use std::{ffi::c_int, ptr};

use super::{
    library::{Library, TrackApi},
    objects::{
        OwnedContext, OwnedEncoder, OwnedImage, OwnedSequenceOptions, OwnedTrack, OwnedTrackOptions, check,
    },
    reading::Interleaved,
    running::Running,
};
use crate::{
    error::{Result, try_vec},
    sink::memory::Buffer,
};

/// "pict": images, not video.
const PICTURES: u32 = u32::from_be_bytes(*b"pict");
/// What libheif is told of time: the codecs make nothing of it, and the file's times are not libheif's.
const TICKS: u32 = 25;

/// A track that is being coded.
#[derive(Debug)]
pub(super) struct Coder {
    track: OwnedTrack,
    options: OwnedSequenceOptions,
    encoder: OwnedEncoder,
    context: OwnedContext,
}

impl Coder {
    /// An empty track in an empty file.
    pub fn new(
        api: &'static TrackApi,
        context: OwnedContext,
        encoder: OwnedEncoder,
        (width, height): (u16, u16),
    ) -> Result<Self> {
        // SAFETY: take nothing.
        let (timing, options) =
            unsafe { ((api.heif_track_options_alloc)(), (api.heif_sequence_encoding_options_alloc)()) };
        let timing = OwnedTrackOptions::own(api, timing);
        let options = OwnedSequenceOptions::own(api, options)?;
        let timing = timing?;
        let mut raw = ptr::null_mut();
        // SAFETY: live objects and a place for the answer.
        check(unsafe {
            (api.heif_track_options_set_timescale)(timing.raw, TICKS);
            (api.heif_context_add_visual_sequence_track)(
                context.raw,
                width,
                height,
                PICTURES,
                timing.raw,
                options.raw,
                &raw mut raw,
            )
        })?;
        Ok(Self { track: OwnedTrack::own(api, raw)?, options, encoder, context })
    }

    /// Codes the next image.
    pub fn add(&mut self, image: &OwnedImage) -> Result<()> {
        let _running = Running::begin()?;
        let api = self.track.api;
        // SAFETY: live objects; the encoder is the one of all images of the track.
        check(unsafe {
            (api.heif_image_set_duration)(image.raw, 1);
            (api.heif_track_encode_sequence_image)(
                self.track.raw,
                image.raw,
                self.encoder.raw,
                self.options.raw,
            )
        })
    }

    /// The file with all images.
    pub fn finish(self) -> Result<Buffer> {
        let _running = Running::begin()?;
        // SAFETY: live objects.
        check(unsafe {
            (self.track.api.heif_track_encode_end_of_sequence)(self.track.raw, self.encoder.raw)
        })?;
        let mut bytes = Buffer::default();
        self.context.write(&mut bytes)?;
        Ok(bytes)
    }
}

/// A track that is being decoded.
#[derive(Debug)]
pub(super) struct Player {
    track: OwnedTrack,
    context: OwnedContext,
    /// What libheif reads: it goes last.
    _bytes: Vec<u8>,
}

impl Player {
    /// The file's first track of images; none if libheif finds none, or is too old.
    pub fn new(library: &'static Library, bytes: &[u8], threads: usize) -> Result<Option<Self>> {
        let Some(tracks) = &library.tracks else { return Ok(None) };
        let _running = Running::begin()?;
        let mut copy = try_vec(bytes.len(), "a copy of the encoded image")?;
        copy.copy_from_slice(bytes);
        let context = OwnedContext::new(&library.api)?;
        let threads = if threads > 1 { threads.min(64) as c_int } else { 0 };
        // SAFETY: a live context; the bytes outlive it, because `Player` drops them last, and do not move.
        check(unsafe {
            (library.api.heif_context_set_max_decoding_threads)(context.raw, threads);
            let (data, len) = (copy.as_ptr().cast(), copy.len());
            (library.api.heif_context_read_from_memory_without_copy)(context.raw, data, len, ptr::null())
        })?;
        // SAFETY: a live context. 0 is the first track of images.
        let track = unsafe {
            match (tracks.heif_context_has_sequence)(context.raw) {
                0 => ptr::null_mut(),
                _ => (tracks.heif_context_get_track)(context.raw, 0),
            }
        };
        if track.is_null() {
            return Ok(None);
        }
        Ok(Some(Self { track: OwnedTrack::own(tracks, track)?, context, _bytes: copy }))
    }

    /// Decodes the next image; an error at the end.
    pub fn next(&mut self, into: Interleaved) -> Result<OwnedImage> {
        let _running = Running::begin()?;
        let mut raw = ptr::null_mut();
        // SAFETY: a live track, a place for the answer, default options. 1 is heif_colorspace_RGB.
        check(unsafe {
            (self.track.api.heif_track_decode_next_image)(
                self.track.raw,
                &raw mut raw,
                1,
                into as c_int,
                ptr::null(),
            )
        })?;
        OwnedImage::own(self.context.api, raw)
    }
}
