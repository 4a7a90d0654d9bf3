//! Animations: image sequences of AV1 or HEVC, whose images are told from those before them.
//!
//! libheif codes colour and alpha, each into a track of a file of its own; what comes out is put into one file here. That
//! way delays are exact, alpha may begin at any frame, and the file has all that a still image's has: a profile, metadata,
//! and the first frame as an image for readers that know no sequences.

use std::{borrow::Cow, sync::Arc};

use super::{
    Choice, Codec, Compression, HEIC_PRESET, PRESETS,
    container::{Container, Item, Property, Reference},
    engine::{Chroma, Engine, Recipe, Shape},
    matrix_for,
    movie::{Track, tracks},
    planes::{Filler, Planes},
    rows_into,
    tracks::Coder,
};
use crate::{
    bail,
    codec::animation::{Animation, Animator, Clock, Delay, Frame, Work},
    err,
    error::{Result, try_vec},
    host::leave::or_leave,
    model::{
        color::{Cicp, Color},
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
    pack::control::Control,
    pixels::{Layout, Rows},
    sink::{Sink, memory::Buffer},
};

/// Ticks a second, at least, and at most where delays are to be exact.
const TICKS: u32 = 1000;
const MOST_TICKS: u32 = 1_000_000;
/// Frames of a file, so that all of them have a duration and a size in its tables.
const MOST_FRAMES: usize = super::container::MOST;

/// Starts a sequence.
pub(super) fn animate(codec: &'static Codec, animation: Animation) -> Result<Box<dyn Animator>> {
    let (width, height) = (animation.width, animation.height);
    // What frames will be like.
    let sample = Pixels::from_canvas(1, 1, &[[0, 0, 0, 255]])?;
    let mut sample = opaque(sample);
    sample.color.icc = animation.icc.clone();
    let Choice { engine, layout, shape } = codec.choose(&sample, &animation.options)?;
    let mut color = super::coded_color(&sample.color, layout, animation.options.lossless);
    color.icc = animation.icc.clone();
    let shape = Shape { width, height, ..shape };
    if !engine.has_sequences() {
        bail!(Unsupported, "{} of {} codes no sequences", engine.name, engine.library);
    }
    Ok(Box::new(Frames {
        codec,
        engine,
        shape,
        layout,
        color,
        main: None,
        alpha: None,
        delays: Vec::new(),
        animation,
    }))
}

struct Frames {
    codec: &'static Codec,
    animation: Animation,
    engine: Engine,
    shape: Shape,
    layout: Layout,
    color: Color,
    main: Option<Coder>,
    /// From the first frame on that is not opaque.
    alpha: Option<Coder>,
    delays: Vec<Delay>,
}

impl Animator for Frames {
    fn frame(&mut self, frame: &Frame<'_>, work: Work<'_>, _: &mut dyn Sink) -> Result<()> {
        if self.delays.len() == MOST_FRAMES {
            bail!(FrameCount, "more than {MOST_FRAMES} frames in a sequence");
        }
        let (width, height) = (self.animation.width, self.animation.height);
        let mut pixels = opaque(Pixels::from_canvas(width, height, frame.canvas)?);
        pixels.color.icc = self.animation.icc.clone();
        let (shape, layout, color) = (self.shape, self.layout, self.color.clone());
        let coder = self.main.take();
        self.main = Some(self.code(coder, pixels, shape, layout, &color, work)?);

        let is_opaque = frame.canvas.iter().all(|pixel| pixel[3] == 255);
        if !is_opaque || self.alpha.is_some() {
            let mut coder = self.alpha.take();
            if coder.is_none() {
                for _ in 0..self.delays.len() {
                    coder = Some(self.code_alpha(coder, &mut std::iter::repeat(255), work)?);
                }
            }
            let mut values = frame.canvas.iter().map(|pixel| pixel[3]);
            self.alpha = Some(self.code_alpha(coder, &mut values, work)?);
        }
        crate::error::try_extend(&mut self.delays, &[frame.delay], "the frames of a sequence")
    }

    fn finish(&mut self, work: Work<'_>, sink: &mut dyn Sink) -> Result<()> {
        let (main, alpha) = (self.main.take(), self.alpha.take());
        let main = self.end(main, work.control)?;
        let main = main.ok_or_else(|| err!(Bug, "a sequence without frames"))?;
        let alpha = self.end(alpha, work.control)?;
        let file = self.assemble(main.as_slice(), alpha.as_ref().map(Buffer::as_slice))?;
        file.write(sink)
    }
}

/// Pixels whose alpha is coded elsewhere.
fn opaque(mut pixels: Pixels) -> Pixels {
    pixels.alpha = AlphaType::Opaque;
    pixels
}

impl Frames {
    fn code_alpha(
        &self,
        coder: Option<Coder>,
        values: &mut dyn Iterator<Item = u8>,
        work: Work<'_>,
    ) -> Result<Coder> {
        let (width, height) = (self.animation.width, self.animation.height);
        let mut bytes = try_vec(self.animation.pixels(), "alpha")?;
        bytes.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        let mut pixels = Pixels::from_vec(width, height, PixelFormat::Gray8, bytes)?;
        pixels.color = Color { cicp: Cicp { primaries: 2, transfer: 2, ..Cicp::SRGB_YCC }, icc: None };
        let color = Color { cicp: Cicp { matrix: matrix_for(2), ..pixels.color.cicp }, icc: None };
        let shape = Shape { chroma: Chroma::Gray, ..self.shape };
        self.code(coder, pixels, shape, Layout::Gray8, &color, work)
    }

    /// Codes the next image of a track. The codec cannot be stopped: it is left alone when the pack is to stop.
    fn code(
        &self,
        coder: Option<Coder>,
        pixels: Pixels,
        shape: Shape,
        layout: Layout,
        color: &Color,
        work: Work<'_>,
    ) -> Result<Coder> {
        let Work { pool, control } = work;
        let options = &self.animation.options;
        let reserved = pool.reserve();
        let mut coder = match coder {
            Some(coder) => coder,
            None => {
                let recipe = Recipe {
                    quality: options.quality,
                    lossless: options.lossless,
                    effort: options.effort,
                    preset: Codec::word(options, &HEIC_PRESET, PRESETS),
                    tune: Codec::word(options, self.codec.tune.0, self.codec.tune.1),
                    threads: reserved.threads(),
                };
                self.engine.sequence(&shape, &recipe)?
            }
        };
        let rows = Rows::new(Arc::new(pixels), layout, options)?;
        let mut filler = Filler::new(shape, layout, color.cicp.matrix)?;
        let mut fill = |mut planes: Planes<'_>| {
            rows_into(&rows, shape.height, &mut filler, &mut planes, &mut |_| control.check())
        };
        let image = self.engine.image(&shape, color, &mut fill)?;
        drop(rows);
        let kept = (reserved, control.held());
        let work = move || {
            let result = coder.add(&image);
            drop((image, kept));
            result.map(|()| coder)
        };
        or_leave(work, || control.check())?.map_err(|error| self.engine.explain(error))
    }

    /// The file of a track.
    fn end(&self, coder: Option<Coder>, control: &Control) -> Result<Option<Buffer>> {
        let Some(coder) = coder else { return Ok(None) };
        let kept = control.held();
        let work = move || {
            let result = coder.finish();
            drop(kept);
            result
        };
        let file = or_leave(work, || control.check())?.map_err(|error| self.engine.explain(error))?;
        Ok(Some(file))
    }

    /// Colour, alpha, what goes with them, and the first frame as an image.
    fn assemble<'a>(&'a self, main: &'a [u8], alpha: Option<&'a [u8]>) -> Result<Container<'a>> {
        let is_avif = self.codec.compression == Compression::Av1;
        let mut file = Container {
            brands: match is_avif {
                true => [b"avis", b"avif", b"avis", b"mif1", b"msf1", b"miaf", b"iso8"].map(|b| *b).to_vec(),
                false => [b"hevc", b"heic", b"hevc", b"mif1", b"msf1", b"miaf", b"iso8"].map(|b| *b).to_vec(),
            },
            primary: 1,
            ..Container::default()
        };
        let (scale, ticks) = timing(&self.delays);
        let mut colors = Vec::new();
        if let Some(icc) = &self.color.icc {
            colors.push([b"prof", &**icc].concat());
        }
        // The profile says what the colours are; the code points only how to get at RGB.
        let cicp = match self.color.icc {
            Some(_) => Cicp { primaries: 2, transfer: 2, ..self.color.cicp },
            None => self.color.cicp,
        };
        colors.push(super::assembly::nclx(cicp));
        let mut add = |coded: &'a [u8], of: Option<u32>, boxes: &[(super::container::Kind, Vec<u8>)]| {
            let mut track = tracks(coded)?.into_iter().next();
            let track = track.as_mut().filter(|track| track.samples.len() == ticks.len());
            let Some(track) = track else {
                bail!(Encode, "{} made no sequence of {} frames", self.engine.library, ticks.len());
            };
            track.handler = if of.is_some() { *b"auxv" } else { *b"pict" };
            (track.of, track.timescale, track.loops) = (of, scale, self.animation.loops);
            track.size = (self.animation.width, self.animation.height);
            track.samples.iter_mut().zip(&ticks).for_each(|(sample, ticks)| sample.duration = *ticks);
            let id = file.add(still(track, of.is_some(), is_avif, &colors))?;
            track.boxes.extend(boxes.iter().map(|(kind, body)| (*kind, Cow::Owned(body.clone()))));
            track.boxes.extend(track.aperture().map(|body| (*b"clap", Cow::Owned(body))));
            file.tracks.push((id, track.clone()));
            Ok(id)
        };
        let boxes: Vec<_> = colors.iter().map(|body| (*b"colr", body.clone())).collect();
        let main = add(main, None, &boxes)?;
        if let Some(alpha) = alpha {
            let alpha = add(alpha, Some(1), &[(*b"auxi", alpha_name(is_avif))])?;
            file.references.push(Reference { kind: *b"auxl", from: alpha, to: vec![main] });
        }
        self.describe(&mut file, main)?;
        Ok(file)
    }

    /// Adds EXIF and XMP.
    fn describe<'a>(&'a self, file: &mut Container<'a>, main: u32) -> Result<()> {
        let metadata = &self.animation.metadata;
        let exif = metadata.exif.as_deref().map(|exif| {
            // The TIFF header is right behind the offset that leads to it.
            (*b"Exif", &b"\0"[..], vec![Cow::Borrowed(&[0; 4][..]), Cow::Borrowed(exif)])
        });
        let xmp = metadata.xmp.as_deref();
        let xmp = xmp.map(|xmp| (*b"mime", &b"\0application/rdf+xml\0"[..], vec![Cow::Borrowed(xmp)]));
        for (kind, names, data) in exif.into_iter().chain(xmp) {
            let item = Item {
                id: 0,
                kind,
                hidden: true,
                names: names.into(),
                properties: Vec::new(),
                data: Some(data),
            };
            let id = file.add(item)?;
            file.references.push(Reference { kind: *b"cdsc", from: id, to: vec![main] });
        }
        Ok(())
    }
}

/// The first frame of a track as an image.
fn still<'a>(track: &Track<'a>, is_alpha: bool, is_avif: bool, colors: &[Vec<u8>]) -> Item<'a> {
    let mut item = Item {
        id: 0,
        kind: track.kind,
        hidden: is_alpha,
        names: Default::default(),
        properties: Vec::new(),
        data: track.samples.first().map(|sample| vec![sample.bytes.into()]),
    };
    let configuration = track.boxes.iter().find(|(kind, _)| matches!(kind, b"av1C" | b"hvcC"));
    if let Some((kind, body)) = configuration {
        item.properties.push(Property { essential: true, kind: *kind, body: body.clone() });
    }
    let (width, height) = track.coded();
    item.add(b"ispe", false, [[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat());
    let bits = if track.is_deep() { 10 } else { 8 };
    if is_alpha {
        item.add(b"pixi", false, vec![0, 0, 0, 0, 1, bits]);
        item.add(b"auxC", true, alpha_name(is_avif));
    } else {
        item.add(b"pixi", false, vec![0, 0, 0, 0, 3, bits, bits, bits]);
        colors.iter().for_each(|body| item.add(b"colr", false, body.clone()));
    }
    let aperture = track.aperture();
    item.properties.extend(aperture.map(|body| Property {
        essential: true,
        kind: *b"clap",
        body: body.into(),
    }));
    item
}

/// A full box of what alpha is called.
fn alpha_name(is_avif: bool) -> Vec<u8> {
    let [any, hevc] = super::container::ALPHA;
    [&[0; 4][..], if is_avif { any } else { hevc }, &[0]].concat()
}

/// Ticks a second and the ticks of each frame: exact where all delays have a small denominator in common. A frame that is
/// shown for no time is so for one tick, because no track has less.
fn timing(delays: &[Delay]) -> (u32, Vec<u32>) {
    let gcd = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut scale = TICKS;
    for Delay { num, den } in delays {
        let den = (*den).max(1);
        let den = den / gcd(den, *num);
        let common = u64::from(scale) / u64::from(gcd(scale, den)) * u64::from(den);
        if common <= MOST_TICKS.into() {
            scale = common as u32;
        }
    }
    let mut clock = Clock::new(scale);
    (scale, delays.iter().map(|delay| clock.ticks(*delay, u32::MAX).max(1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_exact_where_it_can_be() {
        let delay = |num, den| Delay { num, den };
        assert_eq!(timing(&[delay(4, 100), delay(0, 100)]), (1000, vec![40, 1]));
        assert_eq!(timing(&[delay(1, 24), delay(1001, 30000)]), (30000, vec![1250, 1001]));
        let (scale, ticks) = timing(&[delay(1, 65535), delay(1, 65521), delay(1, 2)]);
        assert!(scale <= MOST_TICKS && ticks[2].abs_diff(scale / 2) <= 1, "{scale} {ticks:?}");
    }
}
