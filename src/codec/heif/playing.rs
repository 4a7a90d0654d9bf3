//! Image sequences into frames: the boxes tell of time, libheif decodes.

use super::{
    decode::{of_rgb, samples, sniff},
    library::{Library, library},
    movie::{Track, tracks},
    reading::Interleaved,
    tracks::Player,
};
use crate::{
    bail,
    codec::decode::{self, Timing},
    error::{Result, try_extend},
    host::leave::or_leave,
    limits::{Limits, Share},
    model::{
        frame::{Delay, Disposal, Rect},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::control::Control,
};

/// The track to show, where the file is an animation before all: by its major brand, or because it has no still image. None
/// where the loaded libheif plays no tracks, or the boxes cannot be read: then the still image has to do.
pub(super) fn main_track(bytes: &[u8]) -> Option<Track<'_>> {
    playable()?;
    let sequence =
        matches!(bytes.get(8..12)?, b"avis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" | b"msf1" | b"iso8");
    if !sequence {
        return None;
    }
    let track = tracks(bytes).ok()?.into_iter().find(|track| matches!(&track.handler, b"pict" | b"vide"))?;
    (!track.samples.is_empty() && track.size.0 > 0 && track.size.1 > 0).then_some(track)
}

/// The library, if it plays tracks.
fn playable() -> Option<&'static Library> {
    library().ok().filter(|library| library.tracks.is_some())
}

fn delay(track: &Track<'_>, index: usize) -> Delay {
    Delay { num: track.samples.get(index).map_or(0, |sample| sample.duration), den: track.timescale }
}

fn header(track: &Track<'_>, index: usize) -> decode::Frame {
    let area = Rect::all(track.size.0, track.size.1);
    decode::Frame { area, delay: delay(track, index), disposal: Disposal::Keep }
}

/// Loops, and what is said of frame `index`.
pub(in crate::codec) fn scan(bytes: &[u8], index: usize) -> Result<Timing> {
    Ok(match main_track(bytes) {
        Some(track) => {
            let frame = (index < track.samples.len()).then(|| header(&track, index));
            Timing { loops: track.loops, frame }
        }
        None => Timing { loops: 1, frame: None },
    })
}

/// The frames of a sequence of more than one.
pub(in crate::codec) fn frames<'a>(
    bytes: &'a [u8],
    limits: &'a Limits,
    control: &'a Control,
) -> Result<Option<Box<dyn decode::Frames + 'a>>> {
    match main_track(bytes).filter(|track| track.samples.len() > 1) {
        Some(track) => Ok(Some(Box::new(Frames::new(bytes, track, limits, control)?))),
        None => Ok(None),
    }
}

/// Frame `index` of a sequence as an image.
pub(super) fn frame(
    bytes: &[u8],
    track: &Track<'_>,
    index: usize,
    limits: &Limits,
    control: &Control,
) -> Result<Pixels> {
    let (width, height) = track.size;
    limits.check_pixels(width, height)?;
    let mut frames = Frames::new(bytes, track.clone(), limits, control)?;
    let mut last = None;
    for at in 0..=index {
        let Some(pixels) = frames.next()? else {
            bail!(OutOfRange, "frame {index} of an image with {at} frames");
        };
        last = Some(pixels);
    }
    let Some(mut pixels) = last else { bail!(Bug, "no frame of a sequence") };
    if let Some(cicp) = track.nclx() {
        pixels.color.cicp = of_rgb(cicp);
    }
    if let Some(icc) = track.icc() {
        pixels.set_embedded_profile(icc)?;
    }
    Ok(pixels)
}

struct Frames<'a> {
    track: Track<'a>,
    has_alpha: bool,
    /// None after an error.
    player: Option<Player>,
    index: usize,
    canvas: Vec<u8>,
    control: &'a Control,
    _share: Share,
}

impl<'a> Frames<'a> {
    fn new(bytes: &'a [u8], track: Track<'a>, limits: &Limits, control: &'a Control) -> Result<Self> {
        let (width, height) = track.size;
        let pixels = u64::from(width) * u64::from(height);
        // A copy of the file, a decoder with its reference images, and ours.
        let share =
            limits.memory().take((16 << 20) + bytes.len() as u64 + pixels * 32, "decoding with libheif")?;
        let all = tracks(bytes)?;
        let has_alpha = all.iter().any(|other| other.handler == *b"auxv" && other.of == Some(track.id));
        let player = match playable() {
            Some(library) => Player::new(library, bytes, limits.threads())?,
            None => None,
        };
        if player.is_none() {
            let mime = sniff(bytes).unwrap_or(c"image/heif");
            bail!(UnknownFormat, "{mime:?}: the loaded libheif plays no sequence of it");
        }
        Ok(Self { track, has_alpha, player, index: 0, canvas: Vec::new(), control, _share: share })
    }

    /// Decodes the next frame to 8-bit RGBA. A decoder cannot be stopped: it is left alone.
    fn next(&mut self) -> Result<Option<Pixels>> {
        let Some(mut player) = self.player.take().filter(|_| self.index < self.track.samples.len()) else {
            return Ok(None);
        };
        let (deep, size) = (self.track.is_deep(), self.track.size);
        let work = move || -> Result<_> {
            let (format, layout) = match deep {
                true => (PixelFormat::Rgba16161616, Interleaved::Rgba16),
                false => (PixelFormat::Rgba8888, Interleaved::Rgba8),
            };
            let image = player.next(layout)?;
            Ok((samples(&image, format, layout, Some(size))?, player))
        };
        let (mut pixels, player) = or_leave(work, || self.control.check())??;
        self.player = Some(player);
        self.index += 1;
        if (pixels.width(), pixels.height()) != size {
            let ((width, height), (w, h)) = (size, (pixels.width(), pixels.height()));
            bail!(BadData, "the HEIF data is damaged: a frame of {w} x {h} in a track of {width} x {height}");
        }
        pixels.alpha = if self.has_alpha { AlphaType::Unpremultiplied } else { AlphaType::Opaque };
        Ok(Some(pixels))
    }
}

impl decode::Frames for Frames<'_> {
    fn advance(&mut self) -> Result<Option<decode::Frame>> {
        let Some(pixels) = self.next()? else { return Ok(None) };
        self.canvas.clear();
        if pixels.info().bits > 8 {
            // The upper eight bits, rounded.
            let samples = pixels.plane(0).0.as_chunks::<2>().0.iter();
            let narrow =
                |sample: &[u8; 2]| ((u32::from(u16::from_ne_bytes(*sample)) * 255 + 32767) / 65535) as u8;
            self.canvas.try_reserve(samples.len()).map_err(|_| {
                crate::error::Error::out_of_memory(samples.len(), "the canvas of an animation")
            })?;
            self.canvas.extend(samples.map(narrow));
        } else {
            try_extend(&mut self.canvas, pixels.plane(0).0, "the canvas of an animation")?;
        }
        Ok(Some(header(&self.track, self.index - 1)))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        self.canvas.as_chunks().0
    }
}
