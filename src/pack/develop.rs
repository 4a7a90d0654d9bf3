//! The step before the encoders: HDR images become what the format and the options want of them.

use std::sync::Arc;

use super::{carry, colors, control::Control, pool::Pool};
use crate::{
    bail,
    codec::{decode, features, hdr as settings},
    error::{ErrorKind, Result},
    limits::{Limits, Share},
    model::{
        color::{Cicp, Light},
        gain_map::GainMap,
        options::Options,
        picture::{Auxiliary, Picture},
        pixel_format::PixelFormat::{self, Rgb161616, Rgba16161616},
        pixelmap::{AlphaType, Pixels},
        report::{Code, Notes},
        source::ImageSource,
    },
    pixels::{
        Orientation, code_points,
        hdr::{self, Film},
    },
};

/// What the step has at hand.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// For memory.
    pub limits: &'a Limits,
    /// Memory that the pack holds already.
    pub held: u64,
    /// Threads.
    pub pool: &'a Pool,
    /// The caller's options.
    pub options: &'a Options,
    /// Whom to ask whether to go on.
    pub control: &'a Control,
    /// Where to tell what is dropped or changed.
    pub notes: &'a Notes,
}

/// What the step makes of a picture.
pub struct Developed {
    /// The picture.
    pub picture: Arc<Picture>,
    /// What develops the picture's main image, which is HDR still, while it is encoded.
    pub film: Option<Arc<Film>>,
    /// The memory that this takes.
    pub share: Option<Share>,
}

impl From<Arc<Picture>> for Developed {
    fn from(picture: Arc<Picture>) -> Self {
        Self { picture, film: None, share: None }
    }
}

impl Developed {
    fn new(picture: Picture, share: Share) -> Self {
        Self { picture: Arc::new(picture), film: None, share: Some(share) }
    }
}

/// HDR images become SDR images, with a gain map where one is wanted; other images lose theirs where none is.
pub fn develop(picture: Arc<Picture>, room: Room<'_>) -> Result<Developed> {
    let options = room.options;
    if picture.hdr.is_some() {
        return with_rendition(picture, room);
    }
    match &picture.gain_map {
        Some(map) if settings::wants_signal(options) && hdr::code_points(&picture.main).is_none() => {
            let format = if picture.main.has_alpha() { Rgba16161616 } else { Rgb161616 };
            let share =
                room.take(&picture.main, u64::from(format.info().planes[0].bytes), "the HDR image")?;
            let main = hdr::apply(&picture.main, map, f32::INFINITY, format, room.pool, room.control)?;
            let picture = Picture { main: Arc::new(main), gain_map: None, ..Picture::clone(&picture) };
            Ok(Developed { picture: room.with_level(Arc::new(picture))?, film: None, share: Some(share) })
        }
        _ => alone(picture, room),
    }
}

impl Room<'_> {
    /// Memory for as many bytes for each pixel.
    fn take(&self, pixels: &Pixels, bytes: u64, what: &str) -> Result<Share> {
        self.take_bytes(u64::from(pixels.width()) * u64::from(pixels.height()) * bytes, what)
    }

    fn take_bytes(&self, bytes: u64, what: &str) -> Result<Share> {
        self.limits.memory().take_beside(self.held, bytes, what)
    }

    /// What is known of the light of HDR pixels of these code points; where it is to be written, their content light level
    /// is measured if they do not say it.
    fn light(&self, pixels: &Pixels, cicp: Cicp, primaries: u8) -> Result<Light> {
        let mut light = pixels.light;
        if self.options.format.features & features::HDR != 0 && !light.has_level() {
            let white = settings::linear_white(self.options);
            [light.max_cll, light.max_fall] =
                hdr::level(pixels, cicp, primaries, white, self.pool, self.control)?;
        }
        Ok(light)
    }

    /// The same picture; a main image of PQ has a content light level. HLG's light depends on the display.
    fn with_level(&self, mut picture: Arc<Picture>) -> Result<Arc<Picture>> {
        let cicp = hdr::code_points(&picture.main).filter(|cicp| cicp.transfer == 16);
        if let Some(cicp) = cicp.filter(|cicp| settings::keeps_signal(*cicp, self.options)) {
            let light = self.light(&picture.main, cicp, cicp.primaries)?;
            if light != picture.main.light {
                Arc::make_mut(&mut Arc::make_mut(&mut picture).main).light = light;
            }
        }
        Ok(picture)
    }
}

/// A picture whose HDR rendition the caller made too.
fn with_rendition(picture: Arc<Picture>, room: Room<'_>) -> Result<Developed> {
    let Room { options, notes, .. } = room;
    let name = options.format.name();
    let mut made = Picture { hdr: None, ..Picture::clone(&picture) };
    let Some(rendition) = &picture.hdr else { return Ok(picture.into()) };
    let Some(cicp) = hdr::code_points(rendition) else {
        bail!(
            OutOfRange,
            "the picture's HDR rendition, {}, is not HDR: its code points name neither PQ nor HLG nor linear floats",
            rendition.info().name
        );
    };
    if hdr::code_points(&picture.main).is_some() {
        bail!(OutOfRange, "the main image of a picture with an HDR rendition is HDR itself");
    }
    if settings::wants_signal(options) {
        made.main = rendition.clone();
        return alone(Arc::new(made), room);
    }
    if !settings::wants_gain_map(options) {
        notes.add(Code::GainMapDropped, format!("{name}: dropped the HDR rendition: this is SDR"));
        return Ok(Arc::new(made).into());
    }
    let share = room.take(rendition, 3, "the gain map")?;
    let bright = hdr::Bright { pixels: rendition, cicp, linear_white: settings::linear_white(options) };
    let scale = settings::map_scale(options);
    made.gain_map = hdr::compare(&picture.main, bright, scale, room.pool, room.control)?;
    if let Some(map) = &mut made.gain_map {
        let primaries = code_points(&picture.main.color).map_or(9, |cicp| cicp.primaries);
        Arc::make_mut(&mut map.pixels).light = room.light(rendition, cicp, primaries)?;
    } else {
        let text = "left out the HDR rendition: nothing in it is brighter than diffuse white";
        notes.add(Code::GainMapDropped, text);
    }
    Ok(Developed::new(made, share))
}

/// A picture of a main image and perhaps a gain map.
fn alone(picture: Arc<Picture>, room: Room<'_>) -> Result<Developed> {
    let Room { options, notes, pool, control, .. } = room;
    let (pixels, name) = (&picture.main, options.format.name());
    let cicp = hdr::code_points(pixels).filter(|cicp| !settings::keeps_signal(*cicp, options));
    let wanted = settings::wants_gain_map(options);
    if picture.gain_map.is_some() && (!wanted || cicp.is_some()) {
        let reason = if wanted { "its main image was mapped to SDR" } else { "this is SDR" };
        notes.add(Code::GainMapDropped, format!("{name}: dropped the gain map: {reason}"));
    }
    let Some(cicp) = cicp else {
        if wanted || picture.gain_map.is_none() {
            return Ok(room.with_level(picture)?.into());
        }
        return Ok(Arc::new(Picture { gain_map: None, ..Picture::clone(&picture) }).into());
    };
    if options.lossless {
        bail!(Unsupported, "{name} cannot hold {} of high dynamic range without loss", pixels.info().name);
    }
    let mut pixels = pixels.clone();
    if options.format.features & features::ALPHA != 0 && pixels.has_alpha() && hdr::is_opaque(&pixels) {
        // Cameras have no transparency, whatever their pixels have room for.
        Arc::make_mut(&mut pixels).alpha = AlphaType::Opaque;
    }
    let recipe = settings::recipe(&pixels, cicp, options, wanted);
    let turned = picture.metadata.orientation() != Orientation::Upright
        && carry::turned(options) == carry::Turned::Here;
    let on_demand = options.format.developed.is_some()
        && options.max_bytes == 0
        && !turned
        && !recipe.keeps_alpha(&pixels)
        && !colors::converts(&recipe.color(), options);
    let bytes = if recipe.keeps_alpha(&pixels) { 5 } else { 4 };
    let share = match on_demand {
        true => {
            room.take_bytes(recipe.map_bytes(&pixels) + 4 * u64::from(pixels.width()) * 64, "the gain map")?
        }
        false => room.take(&pixels, bytes, "the SDR image")?,
    };
    let film = Film::new(&pixels, cicp, &recipe, pool, control)?;
    if options.format.features & features::DEEP != 0 && !film.has_gain_map() {
        notes.add(Code::DepthReduced, "the SDR image has 8 bits per component");
    }
    if !film.has_gain_map() {
        notes.add(Code::ToneMapped, "high dynamic range was mapped to standard range");
    }
    let mut made = Picture { gain_map: None, ..Picture::clone(&picture) };
    if on_demand {
        return Ok(Developed { film: Some(Arc::new(film)), ..Developed::new(made, share) });
    }
    let hdr::Rendition { mut base, mut gain_map } = film.print(pool, control)?;
    if film.has_blended() {
        notes.add(Code::AlphaBlended, format!("alpha was blended on the background: {name} has none"));
    }
    if let Some(map) = &mut gain_map {
        // It is what the light of the HDR image is known from now.
        Arc::make_mut(&mut map.pixels).light = room.light(&pixels, cicp, recipe.primaries)?;
    }
    if base.has_alpha() && is_opaque(&base) {
        base.alpha = AlphaType::Opaque;
    }
    (made.main, made.gain_map) = (Arc::new(base), gain_map);
    Ok(Developed::new(made, share))
}

/// From this many pixels on, more than one thread is worth its while.
const LARGE: u64 = 1 << 20;

/// The HDR rendition of a picture with a gain map, for a display of this headroom (log2). Large ones are made on all
/// cores.
pub fn bright(picture: &Picture, headroom: f32, format: PixelFormat) -> Result<Pixels> {
    let Some(map) = &picture.gain_map else {
        bail!(OutOfRange, "the picture has no gain map to apply");
    };
    if headroom.is_nan() || headroom < 0.0 {
        bail!(
            OutOfRange,
            "a display's headroom of {headroom}: it is log2 of peak over diffuse white, 0 or more"
        );
    }
    let large = u64::from(picture.main.width()) * u64::from(picture.main.height()) >= LARGE;
    let threads = if large { Limits::default().threads() } else { 1 };
    hdr::apply(&picture.main, map, headroom, format, &Pool::new(threads), &Control::default())
}

/// Whether no pixel of RGBA_8888 is transparent.
fn is_opaque(pixels: &Pixels) -> bool {
    (0..pixels.height()).all(|y| pixels.row(0, y).as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255))
}

/// A frame of an animation, which is SDR; alpha is kept.
pub fn standard(
    pixels: &Arc<Pixels>,
    pool: &Pool,
    options: &Options,
    control: &Control,
    notes: &Notes,
) -> Result<Arc<Pixels>> {
    let Some(cicp) = hdr::code_points(pixels) else { return Ok(pixels.clone()) };
    let recipe = settings::recipe(pixels, cicp, options, false);
    let recipe = hdr::Recipe { background: recipe.background.filter(|_| !pixels.has_alpha()), ..recipe };
    notes.add(Code::ToneMapped, "high dynamic range was mapped to standard range");
    Ok(Arc::new(Film::new(pixels, cicp, &recipe, pool, control)?.print(pool, control)?.base))
}

/// The gain map of a source, where one is wanted.
pub fn gain_map_of(
    source: &ImageSource,
    limits: &Limits,
    options: &Options,
    control: &Control,
    notes: &Notes,
) -> Result<Option<GainMap>> {
    if !settings::wants_gain_map(options) && !settings::wants_signal(options) {
        if decode::has_gain_map(source)? {
            let name = options.format.name();
            notes.add(Code::GainMapDropped, format!("{name}: dropped the source's gain map: this is SDR"));
        }
        return Ok(None);
    }
    match decode::gain_map(source, limits, control) {
        Err(error) if error.kind == ErrorKind::BadData => {
            notes.add(Code::GainMapDropped, format!("dropped the source's gain map: {error}"));
            Ok(None)
        }
        other => other,
    }
}

/// The auxiliary images of a source, where they are wanted: they are properties of the photograph.
pub fn auxiliaries_of(
    source: &ImageSource,
    limits: &Limits,
    options: &Options,
    control: &Control,
    notes: &Notes,
) -> Result<Vec<Auxiliary>> {
    if options.needs_pack_properties && options.format.features & features::GAIN_MAP != 0 {
        match decode::auxiliaries(source, limits, control) {
            Err(error) if error.kind == ErrorKind::BadData => {
                notes.add(Code::AuxiliaryDropped, format!("dropped the source's auxiliary images: {error}"));
            }
            other => return other,
        }
        return Ok(Vec::new());
    }
    let name = options.format.name();
    for kind in decode::auxiliary_kinds(source)? {
        notes.add(Code::AuxiliaryDropped, format!("{name}: dropped the source's {}", kind.name()));
    }
    Ok(Vec::new())
}
