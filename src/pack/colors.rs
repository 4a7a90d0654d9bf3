//! The step after HDR: colours that the output cannot say, or that are not wanted there, are converted. All others keep
//! their numbers and their profile.

use std::sync::Arc;

use crate::{
    codec::features,
    error::Result,
    limits::{Limits, Share},
    model::{
        color::{Cicp, Color},
        options::{ColorPolicy, Options},
        picture::Picture,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
        report::{Code, Notes},
    },
    pixels::manage,
};

/// The picture in colours that the output can have. `decoded`: it comes from a file, whose profile may be a wrong one;
/// a caller's is refused where it does not go with the pixels.
pub fn fit(
    limits: &Limits,
    picture: Arc<Picture>,
    held: u64,
    decoded: bool,
    options: &Options,
    notes: &Notes,
) -> Result<(Arc<Picture>, Option<Share>)> {
    let pixels = &picture.main;
    if decoded && let Some(note) = &pixels.note {
        notes.add(note.code, note.text.clone());
    }
    if !converts(&pixels.color, options) && !is_gray_of_another_kind(pixels) {
        return Ok((picture, None));
    }
    let need = u64::from(pixels.width()) * u64::from(pixels.height()) * 8;
    let share = limits.memory().take_beside(held, need, "converted colours")?;
    let converted = match to_srgb(pixels, options, notes)? {
        None => gray(pixels, decoded, options, notes)?,
        other => other,
    };
    let Some(main) = converted else { return Ok((picture, None)) };
    let mut picture = Picture { main: Arc::new(main), ..Picture::clone(&picture) };
    // It brightens the old colours.
    if options.color == ColorPolicy::Srgb && picture.gain_map.take().is_some() {
        notes.add(Code::GainMapDropped, "dropped the gain map: its main image was converted to sRGB");
    }
    Ok((Arc::new(picture), Some(share)))
}

/// A frame of an animation, likewise.
pub fn fit_frame(pixels: Arc<Pixels>, options: &Options, notes: &Notes) -> Result<Arc<Pixels>> {
    Ok(to_srgb(&pixels, options, notes)?.map_or(pixels, Arc::new))
}

/// Whether pixels of this colour are to be converted to sRGB: where that is asked for, and for GIF, whose readers know
/// nothing else.
pub fn converts(color: &Color, options: &Options) -> bool {
    let other = color.icc.is_some() || !color.cicp.is_srgb() && !color.cicp.is_hdr();
    let known = options.format.features & features::PROFILES != 0;
    other && (options.color == ColorPolicy::Srgb || !known && !options.lossless)
}

fn to_srgb(pixels: &Arc<Pixels>, options: &Options, notes: &Notes) -> Result<Option<Pixels>> {
    if !converts(&pixels.color, options) {
        return Ok(None);
    }
    let deep = options.format.features & features::DEEP != 0;
    if let Some(converted) = manage::to_srgb(pixels, deep, options)? {
        if converted.info().bits < pixels.info().bits {
            let bits = pixels.info().bits;
            notes.add(
                Code::DepthReduced,
                format!("{bits} bits per component became {}", converted.info().bits),
            );
        }
        let text = if options.color == ColorPolicy::Srgb {
            "colours were converted to sRGB, as asked for".into()
        } else {
            format!("colours were converted to sRGB: readers of {} know nothing else", options.format.name())
        };
        notes.add(Code::ColorConverted, text);
        return Ok(Some(converted));
    }
    let mut named = Pixels::clone(pixels);
    named.color.icc = None;
    if !named.info().yuv {
        named.color.cicp = Cicp::SRGB;
    }
    Ok(Some(named))
}

/// Gray with a profile.
fn is_gray_of_another_kind(pixels: &Pixels) -> bool {
    use PixelFormat::{Gray8, Gray16, GrayAlpha88};
    matches!(pixels.info().format, Gray8 | Gray16 | GrayAlpha88)
        && pixels.alpha != AlphaType::Premultiplied
        && pixels.color.icc.is_some()
}

/// Gray whose profile does not go with what is written: one for gray where the format has colour, or, from a file, one
/// for RGB where it has not.
fn gray(pixels: &Pixels, decoded: bool, options: &Options, notes: &Notes) -> Result<Option<Pixels>> {
    let Some(profile) = pixels.color.icc.as_deref().filter(|_| is_gray_of_another_kind(pixels)) else {
        return Ok(None);
    };
    if options.lossless {
        return Ok(None);
    }
    let written_gray = (options.format.layout)(pixels, options)?.is_gray();
    let name = options.format.name();
    let text = match &profile[16..20] {
        b"GRAY" if !written_gray => {
            format!("the tones of a gray profile were converted to sRGB: {name} has colour")
        }
        b"RGB " if written_gray && decoded => {
            "the tones of gray pixels with an RGB profile were converted to sRGB".into()
        }
        _ => return Ok(None),
    };
    let converted = manage::gray_to_srgb(pixels, profile)?;
    notes.add(Code::ColorConverted, text);
    Ok(Some(converted))
}
