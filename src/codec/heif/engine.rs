//! libheif as an engine: one image in, the bytes of one file out, all in memory.
//!
//! All that is known of single encoders is here: which to take, what it can do, and its parameters.

use super::{
    library::{Api, Library, TrackApi},
    objects::{Channel, Descriptor, OwnedContext, OwnedEncoder, OwnedImage, PlaneMut, encoders},
    tracks::Coder,
};
use crate::{
    err,
    error::{Error, Result},
    host::leave::or_leave,
    model::{
        color::{Cicp, Color},
        metadata::Metadata,
    },
    pixels::code_points,
    sink::Sink,
};

/// `enum heif_compression_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Compression {
    Hevc = 1,
    Av1 = 4,
}

/// `enum heif_chroma` of planar images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Chroma {
    Gray = 0,
    Yuv420 = 1,
    Yuv422 = 2,
    Yuv444 = 3,
}

/// The image as it will be coded: planes of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub width: u32,
    pub height: u32,
    pub chroma: Chroma,
    pub alpha: bool,
    /// Bits of a sample: 8, or 10 and 12 in two bytes of the machine's order.
    pub depth: u8,
}

impl Shape {
    /// Width and height of the chroma planes.
    pub fn chroma_size(&self) -> (u32, u32) {
        match self.chroma {
            Chroma::Gray => (0, 0),
            Chroma::Yuv420 => (self.width.div_ceil(2), self.height.div_ceil(2)),
            Chroma::Yuv422 => (self.width.div_ceil(2), self.height),
            Chroma::Yuv444 => (self.width, self.height),
        }
    }

    /// Bytes that libheif and its codec take for an encode: an estimate that errs upwards.
    ///
    /// Measured peaks (x265 3.5 and libaom 3.6, 2 to 12 megapixels): 8.3 to 12.7 bytes per 8-bit sample, up to 13.6
    /// per 10-bit one, copies of the output not counted.
    pub fn memory(&self) -> u64 {
        let (luma, (width, height)) = (u64::from(self.width) * u64::from(self.height), self.chroma_size());
        let samples = luma * (1 + u64::from(self.alpha)) + 2 * u64::from(width) * u64::from(height);
        (16 << 20) + samples * 16
    }
}

/// An encoder that the loaded libheif has.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    api: &'static Api,
    tracks: Option<&'static TrackApi>,
    descriptor: Descriptor,
    compression: Compression,
    /// libheif's short name: x265, kvazaar, aom, svt, rav1e.
    pub name: String,
    /// libheif's version in words.
    pub library: &'static str,
    /// Whether deep AV1 comes out right.
    deep_av1: bool,
    /// Whether parameters of libaom's own are those of alpha, too.
    alpha_is_told: bool,
}

/// How to code: the caller's words, for [`Engine::encode`] to translate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recipe {
    pub quality: u8,
    pub lossless: bool,
    pub effort: u8,
    /// A preset of x265 instead of the effort's.
    pub preset: Option<&'static str>,
    pub tune: Option<&'static str>,
    pub threads: usize,
}

impl Engine {
    /// The encoder to use: the named one, else x265 or libaom, else whatever there is.
    ///
    /// x265 comes before kvazaar, which is permissively licensed and about as fast, because libheif lets kvazaar
    /// take neither a preset nor a number of threads, and it codes 8-bit 4:2:0 only.
    pub fn find(library: &'static Library, compression: Compression, name: Option<&str>) -> Option<Self> {
        let mut known = encoders(&library.api, compression as i32);
        let wanted = match name {
            Some(name) => known.iter().position(|(id, _)| id == name)?,
            None => known.iter().position(|(id, _)| id == "x265" || id == "aom").unwrap_or(0),
        };
        let (name, descriptor) = (wanted < known.len()).then(|| known.swap_remove(wanted))?;
        // Up to 1.15.1 libheif asks libaom for the profile of 16-bit samples, and libaom's assertion ends the process.
        let deep_av1 = name != "aom" || library.version >= (1, 15, 2);
        Some(Self {
            api: &library.api,
            tracks: library.tracks.as_ref(),
            descriptor,
            compression,
            name,
            library: &library.description,
            deep_av1,
            // From 1.22 on alpha has an encoder of its own, which is given none of these.
            alpha_is_told: library.version < (1, 22, 0),
        })
    }

    /// Whether sequences can be coded, too.
    pub fn has_sequences(&self) -> bool {
        self.tracks.is_some() && matches!(self.name.as_str(), "x265" | "aom")
    }

    /// Bits per sample that this encoder can code at most.
    pub fn max_depth(&self) -> u8 {
        match self.name.as_str() {
            "x265" => 12,
            "aom" if self.deep_av1 => 12,
            "svt" | "rav1e" => 10,
            _ => 8,
        }
    }

    /// Whether this encoder can code the chroma subsampling.
    pub fn can(&self, chroma: Chroma) -> bool {
        matches!(self.name.as_str(), "x265" | "aom" | "rav1e")
            || matches!(chroma, Chroma::Gray | Chroma::Yuv420)
    }

    /// The codec's own parameters, by libheif's names.
    fn parameters(&self, shape: &Shape, recipe: &Recipe) -> Vec<(&'static str, String)> {
        let chroma = match shape.chroma {
            Chroma::Yuv422 => "422",
            Chroma::Yuv444 => "444",
            Chroma::Gray | Chroma::Yuv420 => "420",
        };
        let mut list = Vec::new();
        let mut set = |name, value: &dyn ToString| list.push((name, value.to_string()));
        match self.name.as_str() {
            "x265" => {
                // Presets between these give the same picture for more time (photo of 0.26 MP at quality 60: CPU 1,
                // 1.1, 2.2, 5, 6; bytes 1, 0.94, 0.84, 0.78, 0.77 at the same SSIMULACRA2).
                let (preset, depth) = match recipe.effort {
                    0..=2 => ("ultrafast", 1),
                    3..=5 => ("ultrafast", 2),
                    6 | 7 => ("superfast", 2),
                    8 | 9 => ("slow", 2),
                    _ => ("slower", 2),
                };
                set("preset", &recipe.preset.unwrap_or(preset));
                set("tu-intra-depth", &depth);
                match recipe.tune {
                    Some(tune) => set("tune", &tune),
                    // The two fastest presets switch adaptive quantisation off, so that a quality number would mean
                    // more bytes and another picture than with the slower ones.
                    None => set("x265:aq-strength", &"1.0"),
                }
                set("chroma", &chroma);
                // One pool of this many threads, also for one: wavefronts are on, and the bytes always the same.
                set("x265:pools", &recipe.threads.clamp(1, 64));
                set("x265:frame-threads", &1);
            }
            "aom" => {
                let speed = match recipe.effort {
                    0..=3 => 9,
                    4 | 5 => 8,
                    6 => 7,
                    effort => 13 - effort.min(10),
                };
                set("speed", &speed);
                // Alpha that is not told to do without them would have row threads.
                let threads =
                    if shape.alpha && !self.alpha_is_told { 1 } else { recipe.threads.clamp(1, 16) };
                set("threads", &threads);
                // libaom's row threads code other bytes than one thread does; tiles, which cost 0.1 %, do not.
                set("aom:row-mt", &0);
                set("aom:tile-columns", &(shape.width / 512).checked_ilog2().unwrap_or(0).min(3));
                set("chroma", &chroma);
                if let Some(tune) = recipe.tune {
                    set("tune", &tune);
                }
            }
            "svt" => set("speed", &(13 - recipe.effort.clamp(1, 10))),
            "rav1e" => {
                set("speed", &(11 - recipe.effort.clamp(1, 10)));
                set("threads", &recipe.threads.clamp(1, 16));
                set("chroma", &chroma);
            }
            _ => {}
        }
        list
    }

    /// Codes one image into a complete file. `fill` writes the planes: Y, Cb, Cr, alpha. The codec cannot be stopped: when
    /// `go_on` says so it is left alone, and ends by itself with all that it has, `kept` included.
    pub fn encode(
        &self,
        shape: &Shape,
        color: &Color,
        recipe: &Recipe,
        metadata: &Metadata,
        fill: &mut dyn FnMut([Option<PlaneMut<'_>>; 4]) -> Result<()>,
        sink: &mut dyn Sink,
        kept: impl Send + 'static,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let context = OwnedContext::new(self.api)?;
        let encoder = self.encoder(&context, shape, recipe)?;
        let image = self.image(shape, color, fill)?;
        let metadata = metadata.clone();
        let work = move || {
            let result = context.encode(&image, &encoder, &metadata);
            drop((image, encoder, kept));
            result.map(|()| context)
        };
        let context = or_leave(work, go_on)?.map_err(|error| self.explain(error))?;
        context.write(sink)
    }

    /// An error of the codec, with its name.
    pub fn explain(&self, error: Error) -> Error {
        let (codec, library) = (&self.name, self.library);
        err!(Encode, "{} with {codec} of {library} ({:?})", error.message, self.compression)
    }

    /// The encoder with its parameters.
    fn encoder(&self, context: &OwnedContext, shape: &Shape, recipe: &Recipe) -> Result<OwnedEncoder> {
        let encoder = context.encoder(self.descriptor)?;
        encoder.configure(recipe.quality, recipe.lossless)?;
        for (name, value) in self.parameters(shape, recipe) {
            match encoder.set(name, &value) {
                // Older builds of libheif pass nothing on to libaom.
                Err(_) if name.starts_with("aom:") => {}
                result => result?,
            }
        }
        Ok(encoder)
    }

    /// Starts a sequence of images of one shape.
    pub fn sequence(&self, shape: &Shape, recipe: &Recipe) -> Result<Coder> {
        let tracks =
            self.tracks.ok_or_else(|| err!(Unsupported, "{} has no image sequences", self.library))?;
        let context = OwnedContext::new(self.api)?;
        let encoder = self.encoder(&context, shape, recipe)?;
        let side = |side: u32| {
            u16::try_from(side)
                .map_err(|_| err!(OutOfRange, "{side} pixels: a track has at most {}", u16::MAX))
        };
        Coder::new(tracks, context, encoder, (side(shape.width)?, side(shape.height)?))
    }

    /// An image of libheif's. `fill` writes the planes: Y, Cb, Cr, alpha.
    pub fn image(
        &self,
        shape: &Shape,
        color: &Color,
        fill: &mut dyn FnMut([Option<PlaneMut<'_>>; 4]) -> Result<()>,
    ) -> Result<OwnedImage> {
        let space = if shape.chroma == Chroma::Gray { 2 } else { 0 }; // monochrome, YCbCr
        let size = (shape.width, shape.height);
        let mut image = OwnedImage::new(self.api, size, space, shape.chroma as i32)?;
        image.add_plane(Channel::Y, size, shape.depth)?;
        if shape.chroma != Chroma::Gray {
            image.add_plane(Channel::Cb, shape.chroma_size(), shape.depth)?;
            image.add_plane(Channel::Cr, shape.chroma_size(), shape.depth)?;
        }
        if shape.alpha {
            image.add_plane(Channel::Alpha, size, shape.depth)?;
        }
        match &color.icc {
            // The profile says what the colours are; the code points only how to get at RGB, and what it names of HDR.
            Some(icc) => {
                image.set_icc(icc)?;
                let named = code_points(color).filter(|cicp| cicp.is_hdr());
                let (primaries, transfer) = named.map_or((2, 2), |cicp| (cicp.primaries, cicp.transfer));
                image.set_cicp(Cicp { primaries, transfer, ..color.cicp })?;
            }
            None => image.set_cicp(color.cicp)?,
        }
        fill(image.planes_mut())?;
        Ok(image)
    }
}
