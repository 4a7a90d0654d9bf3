//! The packer: input and options in, an encoded image out.

use std::sync::Arc;

use super::{
    carry::{self, Turned},
    colors,
    control::Control,
    crew::Crew,
    develop::{Developed, Room, auxiliaries_of, develop, gain_map_of},
    fit,
    plan::Plan,
    pool::Pool,
    sequence::{Sequence, Site},
};
use crate::{
    bail,
    codec::{
        decode, features,
        metadata::{Found, MOST_TEXTS},
    },
    device::{self, Arrival, Devices, Encoded},
    error::Result,
    host,
    limits::{Limits, Share},
    model::{
        metadata::Metadata,
        options::{ColorPolicy, DeviceUse, Options},
        picture::Picture,
        pixelmap::Pixels,
        report::{Backend, Code, Notes, Report},
        source::ImageSource,
        tensor::Tensor,
    },
    pixels::{Orientation, Rows, hdr::Film},
    shared::Shared,
    sink::Sink,
};

/// What to encode.
#[derive(Clone, Debug)]
pub enum Input {
    /// Pixels.
    Pixels(Arc<Pixels>),
    /// An encoded image.
    Source(Arc<ImageSource>),
    /// Pixels with what belongs to them.
    Picture(Arc<Picture>),
    /// An image of a tensor, by its number.
    Tensor(Arc<Tensor>, usize),
    /// An image of a tensor that a device holds, by its number.
    Device(Arc<Arrival>, usize),
    /// Frames. The options of the pack are those of the sequence.
    Sequence(Sequence),
}

/// Packs images. Holds limits; one serves many threads.
#[derive(Debug)]
pub struct Packer {
    /// Threads, pixels, memory.
    pub limits: Limits,
    crew: Shared<Crew>,
    devices: Shared<Devices>,
}

impl Default for Packer {
    fn default() -> Self {
        Self { limits: Limits::default(), crew: Shared::empty(), devices: Shared::empty() }
    }
}

impl Packer {
    /// The workers of this packer's jobs.
    pub fn crew(&self) -> Result<Arc<Crew>> {
        self.crew.get_or(Crew::is_here, || Ok(Crew::new()))
    }

    /// All images of a tensor, in their order. What a device holds is waited for up to what its stream has been given now.
    pub fn images(&self, tensor: Arc<Tensor>) -> Result<impl Fn(usize) -> Input> {
        let arrival = match tensor.device() {
            None => None,
            Some(memory) => {
                device::check(memory.device)?;
                let devices = self.devices.get_or(Devices::is_here, || Ok(Devices::new()))?;
                Some(Arc::new(Arrival::new(tensor.clone(), devices.get(memory.device)?)?))
            }
        };
        Ok(move |index| match &arrival {
            None => Input::Tensor(tensor.clone(), index),
            Some(arrival) => Input::Device(arrival.clone(), index),
        })
    }

    /// Encodes `input` into `sink`, on this thread and others of its own, and leaves the report where the options want
    /// it. On failure the sink may have taken some bytes.
    pub fn pack(
        &self,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<Report> {
        self.pack_with(&Pool::new(self.limits.threads()), input, options, sink, control)
    }

    /// As [`pack`](Self::pack) with the threads of `pool`.
    pub fn pack_with(
        &self,
        pool: &Pool,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<Report> {
        let report = host::shield_with(sink, |sink| self.encode(pool, input, options, sink, control))?;
        if let Some(place) = &options.report {
            place.put(&report)?;
        }
        Ok(report)
    }

    fn encode(
        &self,
        pool: &Pool,
        input: Input,
        options: &Options,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Result<Report> {
        control.check()?;
        if options.device == DeviceUse::Gpu && !matches!(input, Input::Device(..)) {
            bail!(Unsupported, "the GPU is to encode an image that is not in its memory");
        }
        let notes = Notes::default();
        let (picture, decoded) = match input {
            Input::Pixels(pixels) => {
                check(&self.limits, pixels.width(), pixels.height(), options)?;
                (Arc::new(Picture::new(pixels)), None)
            }
            Input::Picture(picture) => {
                check(&self.limits, picture.main.width(), picture.main.height(), options)?;
                tell_provenance(&picture.metadata, &notes);
                (picture, None)
            }
            Input::Source(source) => {
                check(&self.limits, source.info().width, source.info().height, options)?;
                let (pixels, found) = decode::decode_all(&source, &self.limits, control)?;
                tell_found(&found, options, &notes);
                if source.info().frames > 1 {
                    let text = format!("{} frames after the first were dropped", source.info().frames - 1);
                    notes.add(Code::FramesDropped, text);
                }
                let mut picture = Picture::new(Arc::new(pixels));
                picture.metadata = found.metadata;
                picture.gain_map = gain_map_of(&source, &self.limits, options, control, &notes)?;
                picture.auxiliaries = auxiliaries_of(&source, &self.limits, options, control, &notes)?;
                let bytes = picture.images().map(|image| image.tight_bytes()).sum();
                let share = self.limits.memory().take(bytes, "the decoded image")?;
                (Arc::new(picture), Some(share))
            }
            Input::Tensor(tensor, index) => {
                check(&self.limits, tensor.width(), tensor.height(), options)?;
                let share = self.limits.memory().take(tensor.copy_bytes(), "the image of a tensor")?;
                (Arc::new(Picture::new(Arc::new(tensor.image(index)?))), Some(share))
            }
            Input::Device(arrival, index) => {
                let tensor = arrival.tensor();
                let size = (tensor.width(), tensor.height());
                check(&self.limits, size.0, size.1, options)?;
                match arrival.encode(index, options)? {
                    Encoded::There { bytes, codec } => {
                        sink.write(&bytes)?;
                        control.finish()?;
                        let (bytes, codec) = (bytes.len() as u64, codec.into());
                        let (quality, format) = (options.quality, options.format);
                        let (backend, warnings) = (Backend::Nvjpeg, Vec::new());
                        return Ok(Report { bytes, size, quality, format, codec, backend, warnings });
                    }
                    Encoded::Here { failed: Some(error) } => {
                        notes.add(
                            Code::DeviceFailed,
                            format!("encoded by the host, for the GPU failed: {error}"),
                        );
                    }
                    Encoded::Here { failed: None } => {}
                }
                control.check()?;
                let share = self.limits.memory().take(tensor.copy_bytes(), "the image of a tensor")?;
                (Arc::new(Picture::new(Arc::new(arrival.fetch(index)?))), Some(share))
            }
            Input::Sequence(sequence) => {
                let mut counted = Counted::new(sink);
                let site = Site { limits: &self.limits, pool, control, notes: &notes };
                let size = sequence.pack(site, &mut counted)?;
                return Ok(Report {
                    bytes: counted.bytes,
                    size,
                    quality: options.quality,
                    format: options.format,
                    codec: (options.format.codec)(),
                    backend: Backend::Cpu,
                    warnings: notes.into_warnings(),
                });
            }
        };
        let mut held = decoded.as_ref().map_or(0, Share::bytes);
        let room = Room { limits: &self.limits, held, pool, options, control, notes: &notes };
        let Developed { picture, film, share: developed } = develop(picture, room)?;
        held += developed.as_ref().map_or(0, Share::bytes);
        let (picture, fitted) = match film {
            None => colors::fit(&self.limits, picture, held, decoded.is_some(), options, &notes)?,
            Some(_) => (picture, None),
        };
        held += fitted.as_ref().map_or(0, Share::bytes);
        // A source's pixels stand upright already.
        let turned = if decoded.is_none() { picture.metadata.orientation() } else { Orientation::Upright };
        let (picture, orientation) = match turned {
            Orientation::Upright => (picture, turned),
            _ if carry::turned(options) != Turned::Here => (picture, turned),
            _ => (Arc::new(picture.upright(turned)?), Orientation::Upright),
        };
        let need = (options.format.memory)(&picture.main, options);
        let _held = control.hold(self.limits.memory().take_beside(held, need, "this pack")?);
        let ready = Ready { picture, film, orientation, pool, control };
        let report = match options.max_bytes {
            0 => press(&ready, options, notes, sink)?,
            most => fit::fit(most, options, control, sink, |options, sink| {
                press(&ready, options, notes.copy(), sink)
            })?,
        };
        control.finish()?;
        Ok(report)
    }
}

/// A picture that only has to be encoded.
struct Ready<'a> {
    picture: Arc<Picture>,
    /// For its main image, if that is HDR.
    film: Option<Arc<Film>>,
    orientation: Orientation,
    pool: &'a Pool,
    control: &'a Control,
}

/// Encodes the picture with these options.
fn press(ready: &Ready<'_>, options: &Options, notes: Notes, sink: &mut dyn Sink) -> Result<Report> {
    let Ready { picture, film, orientation, pool, control } = ready;
    let rows = match (film, options.format.developed) {
        (Some(film), Some(layout)) => Rows::developed(film.clone(), layout)?,
        _ => {
            let rows =
                Rows::new(picture.main.clone(), (options.format.layout)(&picture.main, options)?, options)?;
            tell_changes(&rows, &notes);
            rows
        }
    };
    tell_dropped(picture, options, &notes);
    let mut metadata =
        carry::prepare(&picture.metadata, &carry::Output::of(&rows, *orientation, options, pool, &notes))?;
    if carry::turned(options) == Turned::ByFile {
        metadata.stored = *orientation;
    }
    let mut counted = Counted::new(sink);
    let further = options.format.features & features::GAIN_MAP != 0;
    let plan = Plan {
        rows: &rows,
        options,
        pool,
        control,
        gain_map: picture.gain_map.as_ref(),
        auxiliaries: if further { &picture.auxiliaries } else { &[] },
        metadata: &metadata,
        notes: &notes,
    };
    (options.format.encode)(&plan, &mut counted)?;
    if rows.has_blended() && options.format.features & features::ALPHA == 0 {
        let name = options.format.name();
        notes.add(Code::AlphaBlended, format!("alpha was blended on the background: {name} has none"));
    }
    Ok(Report {
        bytes: counted.bytes,
        size: carry::seen(&rows, *orientation, options),
        quality: options.quality,
        format: options.format,
        codec: (options.format.codec)(),
        backend: Backend::Cpu,
        warnings: notes.into_warnings(),
    })
}

/// Refuses what the format or a limit does not allow.
pub(super) fn check(limits: &Limits, width: u32, height: u32, options: &Options) -> Result<()> {
    let format = options.format;
    limits.check_pixels(width, height)?;
    if width.max(height) > format.max_side {
        bail!(
            TooLarge,
            "{width} x {height} pixels: {} has at most {} pixels a side",
            format.name(),
            format.max_side
        );
    }
    if options.lossless && format.features & crate::codec::features::LOSSLESS == 0 {
        bail!(Unsupported, "{} cannot be lossless", format.name());
    }
    if options.lossless && options.color == ColorPolicy::Srgb {
        bail!(OutOfRange, "pixels that are converted to sRGB are not lossless");
    }
    Ok(())
}

/// Notes what of a source's file has no way into another.
pub(super) fn tell_found(found: &Found, options: &Options, notes: &Notes) {
    tell_provenance(&found.metadata, notes);
    if found.vendor && options.needs_pack_properties {
        notes.add(Code::VendorDataDropped, "dropped a vendor's own segments: they describe the old file");
    }
    if let Some(error) = found.damage.as_ref().filter(|_| options.needs_pack_properties) {
        notes.add(Code::ExifDropped, format!("dropped metadata that cannot be read: {}", error.message));
    }
    if found.more_texts > 0 && options.needs_pack_properties {
        let text = format!("dropped {} texts: at most {MOST_TEXTS} of a file are carried", found.more_texts);
        notes.add(Code::TextDropped, text);
    }
    if found.behind > 0 && options.needs_pack_properties {
        let text = format!("dropped {} bytes behind the image: a video, or a vendor's own", found.behind);
        notes.add(Code::VendorDataDropped, text);
    }
}

/// Notes that signatures of the old file are not in the new one.
fn tell_provenance(metadata: &Metadata, notes: &Notes) {
    if metadata.provenance {
        let text = "dropped provenance data (C2PA): a new encoding breaks its signatures";
        notes.add(Code::ProvenanceDropped, text);
    }
}

/// Notes what the darkroom changes.
fn tell_changes(rows: &Rows, notes: &Notes) {
    let (pixels, color) = (rows.pixels(), rows.color());
    if pixels.color.icc.is_some() && color.icc.is_none() {
        notes.add(Code::ProfileDropped, "dropped an ICC profile that does not go with the pixels");
    }
    let (had, has) = (pixels.info().bits, rows.layout().bits());
    if had > 8 && has < had {
        notes.add(Code::DepthReduced, format!("{had} bits per component became {has}"));
    }
}

/// Notes what the format has no place for.
fn tell_dropped(picture: &Picture, options: &Options, notes: &Notes) {
    let name = options.format.name();
    let dropped =
        if options.format.features & features::GAIN_MAP == 0 { &picture.auxiliaries[..] } else { &[] };
    for auxiliary in dropped {
        let kind = auxiliary.kind.name();
        notes.add(Code::AuxiliaryDropped, format!("dropped the {kind}: {name} is written without"));
    }
}

/// Counts bytes on their way.
pub struct Counted<'a> {
    sink: &'a mut dyn Sink,
    /// So many have come.
    pub bytes: u64,
}

impl<'a> Counted<'a> {
    /// Counts from 0.
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, bytes: 0 }
    }
}

impl Sink for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.sink.write(bytes)
    }

    fn reserve(&mut self, bytes: usize) {
        self.sink.reserve(bytes);
    }
}
