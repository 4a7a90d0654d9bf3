//! The step before the encoders: HDR images become what the format and the options want of them.

use std::sync::Arc;

use super::{control::Control, pool::Pool};
use crate::{
    bail,
    codec::{decode, features, hdr as settings},
    error::{ErrorKind, Result},
    limits::{Limits, Share},
    model::{
        gain_map::GainMap,
        options::Options,
        picture::{Auxiliary, Picture},
        pixelmap::Pixels,
        report::{Code, Notes},
        source::ImageSource,
    },
    pixels::hdr,
};

/// HDR images become SDR images, with a gain map where one is wanted; other images lose theirs where none is.
pub fn develop(
    limits: &Limits,
    picture: Arc<Picture>,
    held: u64,
    pool: &Pool,
    options: &Options,
    control: &Control,
    notes: &Notes,
) -> Result<(Arc<Picture>, Option<Share>)> {
    let (pixels, name) = (&picture.main, options.format.name());
    let cicp = hdr::code_points(pixels).filter(|cicp| !settings::keeps_signal(*cicp, options));
    let wanted = settings::wants_gain_map(options);
    if picture.gain_map.is_some() && (!wanted || cicp.is_some()) {
        let reason = if wanted { "its main image was mapped to SDR" } else { "this is SDR" };
        notes.add(Code::GainMapDropped, format!("{name}: dropped the gain map: {reason}"));
    }
    let Some(cicp) = cicp else {
        if wanted || picture.gain_map.is_none() {
            return Ok((picture, None));
        }
        return Ok((Arc::new(Picture { gain_map: None, ..Picture::clone(&picture) }), None));
    };
    if options.lossless {
        bail!(Unsupported, "{name} cannot hold {} of high dynamic range without loss", pixels.info().name);
    }
    let recipe = settings::recipe(pixels, cicp, options, wanted);
    let need = u64::from(pixels.width()) * u64::from(pixels.height());
    let need = need * if recipe.background.is_none() { 5 } else { 4 };
    let share = limits.memory().take_beside(held, need, "the SDR image")?;
    let mut developed = hdr::develop(pixels, cicp, &recipe, pool, control)?;
    if let Some(map) = &mut developed.gain_map {
        // It is what the light of the HDR image is known from now.
        Arc::make_mut(&mut map.pixels).light = pixels.light;
    }
    if options.format.features & features::DEEP != 0 && developed.gain_map.is_none() {
        notes.add(Code::DepthReduced, "the SDR image has 8 bits per component");
    }
    if pixels.has_alpha() && recipe.background.is_some() {
        notes.add(Code::AlphaBlended, format!("alpha was blended on the background: {name} has none"));
    }
    if developed.gain_map.is_none() {
        notes.add(Code::ToneMapped, "high dynamic range was mapped to standard range");
    }
    let picture =
        Picture { main: Arc::new(developed.base), gain_map: developed.gain_map, ..Picture::clone(&picture) };
    Ok((Arc::new(picture), Some(share)))
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
    hdr::develop(pixels, cicp, &recipe, pool, control).map(|developed| Arc::new(developed.base))
}

/// The gain map of a source, where one is wanted.
pub fn gain_map_of(
    source: &ImageSource,
    limits: &Limits,
    options: &Options,
    notes: &Notes,
) -> Result<Option<GainMap>> {
    if !settings::wants_gain_map(options) {
        if decode::has_gain_map(source)? {
            let name = options.format.name();
            notes.add(Code::GainMapDropped, format!("{name}: dropped the source's gain map: this is SDR"));
        }
        return Ok(None);
    }
    match decode::gain_map(source, limits) {
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
    notes: &Notes,
) -> Result<Vec<Auxiliary>> {
    if options.needs_pack_properties && options.format.features & features::GAIN_MAP != 0 {
        match decode::auxiliaries(source, limits) {
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
