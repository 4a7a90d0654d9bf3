//! CMYK to sRGB, through the image's own profile where it has one.

use crate::{
    error::{ErrorKind, Result, try_vec},
    log,
    pixels::manage,
};

/// Inks of which 255 is all; `inverted`: 255 is none, as Adobe's programs write JPEG.
pub fn full_is_high(mut inks: Vec<u8>, inverted: bool) -> Vec<u8> {
    if inverted {
        inks.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    inks
}

/// Inks of 8 or 16 bits as sRGB of as many, and how that was done.
pub fn to_srgb(
    inks: &[u8],
    width: u32,
    deep: bool,
    profile: Option<&[u8]>,
) -> Result<(Vec<u8>, &'static str)> {
    let mut rgb: Vec<u8> = try_vec(inks.len() / 4 * 3, "decoded pixels")?;
    if let Some(profile) = profile {
        match manage::inks_to_srgb(profile, inks, width as usize, deep, &mut rgb) {
            Ok(()) => return Ok((rgb, "through their profile")),
            Err(why) if why.kind == ErrorKind::Icc => log::write(log::WARNING, || why.to_string()),
            Err(why) => return Err(why),
        }
    }
    // Without a profile inks are ideal: each lets through what it does not cover.
    if deep {
        for (inks, rgb) in inks.as_chunks::<8>().0.iter().zip(rgb.as_chunks_mut::<6>().0) {
            let light = |i: usize| 65535 - u64::from(u16::from_ne_bytes([inks[2 * i], inks[2 * i + 1]]));
            for (i, color) in rgb.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                *color = (((light(i) * light(3) + 32767) / 65535) as u16).to_ne_bytes();
            }
        }
    } else {
        for (inks, rgb) in inks.as_chunks::<4>().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
            let light = |ink: u8| u32::from(255 - ink);
            for (color, &ink) in rgb.iter_mut().zip(&inks[..3]) {
                *color = ((light(ink) * light(inks[3]) + 127) / 255) as u8;
            }
        }
    }
    Ok((rgb, if profile.is_some() { "as ideal inks: their profile is of no use" } else { "as ideal inks" }))
}
