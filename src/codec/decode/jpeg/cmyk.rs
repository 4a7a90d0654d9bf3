//! CMYK to sRGB, through the image's own profile where it has one.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::{
    error::{Result, try_vec},
    log,
};

/// Turns inks into sRGB, row by row. `inverted`: 255 is no ink, as Adobe's programs write it.
pub fn to_srgb(mut inks: Vec<u8>, width: u32, inverted: bool, profile: Option<&[u8]>) -> Result<Vec<u8>> {
    // From here on, 255 is full ink.
    if inverted {
        inks.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    let mut rgb: Vec<u8> = try_vec(inks.len() / 4 * 3, "decoded pixels")?;
    if let Some(profile) = profile {
        match through(&inks, width, profile, &mut rgb) {
            Ok(()) => return Ok(rgb),
            Err(why) => log::write(log::WARNING, || format!("JPEG: the CMYK profile is of no use: {why}")),
        }
    }
    // Without a profile inks are ideal: each lets through what it does not cover.
    for (inks, rgb) in inks.as_chunks::<4>().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
        let light = |ink: u8| u32::from(255 - ink);
        for (color, &ink) in rgb.iter_mut().zip(&inks[..3]) {
            *color = ((light(ink) * light(inks[3]) + 127) / 255) as u8;
        }
    }
    Ok(rgb)
}

fn through(inks: &[u8], width: u32, profile: &[u8], rgb: &mut [u8]) -> std::result::Result<(), String> {
    let source = ColorProfile::new_from_slice(profile).map_err(|e| e.to_string())?;
    if source.color_space != DataColorSpace::Cmyk {
        return Err(format!("it is for {:?}", source.color_space));
    }
    let target = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = source
        .create_transform_8bit(Layout::Rgba, &target, Layout::Rgb, options)
        .map_err(|e| e.to_string())?;
    let width = width as usize;
    let rows = inks.chunks_exact(width * 4).zip(rgb.chunks_exact_mut(width * 3));
    for (inks, rgb) in rows {
        transform.transform(inks, rgb).map_err(|e| e.to_string())?;
    }
    Ok(())
}
