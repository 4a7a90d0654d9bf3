//! Colour management: pixels of any profile or code points become sRGB. Transforms are moxcms'.

use std::sync::Arc;

use moxcms::{ColorProfile, Layout as Order, ParsingOptions, Transform8BitExecutor, Transform16BitExecutor};

use super::{
    Layout, Rows, Scratch, color,
    color::{Curve, inverse, multiply},
    icc,
    space::linear_to_d50,
    table::Table,
};
use crate::{
    err,
    error::{Error, Result, try_vec},
    model::{
        color::{Cicp, Color},
        options::Options,
        pixel_format::PixelFormat,
        pixelmap::{AlphaType, Pixels},
    },
};

/// Refuses a profile that cannot be read.
pub fn check(profile: &[u8]) -> Result<()> {
    read(profile).map(drop)
}

/// A profile as moxcms knows it.
pub fn read(profile: &[u8]) -> Result<ColorProfile> {
    // How much is too much depends on the format to write.
    let options = ParsingOptions { max_profile_size: usize::MAX, ..ParsingOptions::default() };
    ColorProfile::new_from_slice_with_options(profile, options).map_err(|e| unreadable(profile, e))
}

/// The error of a profile.
pub fn unreadable(profile: &[u8], why: impl std::fmt::Display) -> Error {
    err!(Icc, "the ICC profile of {} bytes cannot be used: {why}", profile.len())
}

/// Takes rows to sRGB.
enum Transform {
    Eight(Arc<Transform8BitExecutor>),
    Sixteen(Arc<Transform16BitExecutor>),
    /// A table; samples of a pixel before and after, and whether they have 16 bits.
    Table(Table, [usize; 2], bool),
}

impl Transform {
    /// From a profile to sRGB; components of 8 or 16 bits.
    fn new(profile: &[u8], from: Order, to: Order, deep: bool) -> Result<Self> {
        let source = read(profile)?;
        if let Some(table) = Table::new(profile, &source) {
            return Ok(Self::Table(table?, [from, to].map(Order::channels), deep));
        }
        let (target, options) = (ColorProfile::new_srgb(), Default::default());
        let transform = if deep {
            source.create_transform_16bit(from, &target, to, options).map(Self::Sixteen)
        } else {
            source.create_transform_8bit(from, &target, to, options).map(Self::Eight)
        };
        transform.map_err(|e| unreadable(profile, e))
    }

    fn run(&self, from: &[u8], to: &mut [u8]) -> Result<()> {
        let done = match self {
            Self::Table(table, [before, after], deep) => {
                table.run(from, *before, to, *after, *deep);
                Ok(())
            }
            Self::Eight(transform) => transform.transform(from, to),
            Self::Sixteen(transform) => {
                let mut target = try_vec::<u16>(to.len() / 2, "a row")?;
                let done = transform.transform(&words(from)?, &mut target);
                for (to, value) in to.as_chunks_mut::<2>().0.iter_mut().zip(target) {
                    *to = value.to_ne_bytes();
                }
                done
            }
        };
        done.map_err(|e| err!(Icc, "the ICC profile does not transform: {e}"))
    }
}

fn words(bytes: &[u8]) -> Result<Vec<u16>> {
    let mut words = try_vec(bytes.len() / 2, "a row")?;
    words.iter_mut().zip(bytes.as_chunks::<2>().0).for_each(|(to, &from)| *to = u16::from_ne_bytes(from));
    Ok(words)
}

/// Rows of inks, 255 or 65535 full, to rows of sRGB.
pub fn inks_to_srgb(profile: &[u8], inks: &[u8], width: usize, deep: bool, rgb: &mut [u8]) -> Result<()> {
    let kind = profile.get(16..20).unwrap_or_default();
    if kind != b"CMYK" {
        return Err(unreadable(profile, format!("it is for {} pixels", String::from_utf8_lossy(kind))));
    }
    let transform = Transform::new(profile, Order::Rgba, Order::Rgb, deep)?;
    let bytes = if deep { 2 } else { 1 };
    let rows = inks.chunks_exact(width * 4 * bytes).zip(rgb.chunks_exact_mut(width * 3 * bytes));
    rows.into_iter().try_for_each(|(inks, rgb)| transform.run(inks, rgb))
}

/// Whether pixels that a colour describes look alike, to a code of 8 bits, when they are taken for sRGB.
pub fn is_like_srgb(profile: &[u8]) -> Result<bool> {
    const STEPS: usize = 9;
    let level = |i: usize| (i * 255 / (STEPS - 1)) as u8;
    let grid: Vec<u8> = (0..STEPS * STEPS * STEPS)
        .flat_map(|i| [level(i % STEPS), level(i / STEPS % STEPS), level(i / STEPS / STEPS)])
        .collect();
    let mut seen = vec![0; grid.len()];
    Transform::new(profile, Order::Rgb, Order::Rgb, false)?.run(&grid, &mut seen)?;
    Ok(grid.iter().zip(&seen).all(|(a, b)| a.abs_diff(*b) <= 1))
}

/// Pixels in sRGB, as RGB or RGBA of 8 or, if they have more and `deep` ones are wanted, 16 bits. None if they are
/// sRGB, or as good as that, already: then only the profile is to be dropped.
///
/// Answers [`crate::error::ErrorKind::Icc`] for a profile that does not go with the pixels or cannot be read.
pub fn to_srgb(pixels: &Arc<Pixels>, deep: bool, options: &Options) -> Result<Option<Pixels>> {
    let gray = pixels.info().is_gray() && is_gray_profile(&pixels.color);
    let Some(profile) = color::icc_to_write(&pixels.color, gray)? else { return Ok(None) };
    let deep = deep && pixels.info().bits > 8;
    let (layout, format, order) = match (pixels.has_alpha(), deep) {
        (false, false) => (Layout::Rgb8, PixelFormat::Rgb888, Order::Rgb),
        (true, false) => (Layout::Rgba8, PixelFormat::Rgba8888, Order::Rgba),
        (false, true) => (Layout::Rgb16, PixelFormat::Rgb161616, Order::Rgb),
        (true, true) => (Layout::Rgba16, PixelFormat::Rgba16161616, Order::Rgba),
    };
    let tones = if gray { Some(Tones::new(&profile, deep)?) } else { None };
    if !gray && is_like_srgb(&profile)? {
        return Ok(None);
    }
    let transform = if gray { None } else { Some(Transform::new(&profile, order, order, deep)?) };
    let mut plain = Pixels::clone(pixels);
    plain.color.icc = None;
    let (width, height) = (pixels.width(), pixels.height());
    let rows = Rows::new(Arc::new(plain), layout, options)?;
    let row = width as usize * layout.pixel_bytes();
    let mut bytes = try_vec(row.saturating_mul(height as usize), "converted pixels")?;
    let mut scratch = Scratch::default();
    for (y, to) in (0..height).zip(bytes.chunks_exact_mut(row)) {
        let band = rows.band(y..y + 1, &mut scratch)?;
        let from = band.planes[0].row(0, row);
        match (&tones, &transform) {
            (Some(tones), _) => tones.run(from, to, layout),
            (_, Some(transform)) => transform.run(from, to)?,
            _ => {}
        }
    }
    let mut converted = Pixels::from_vec(width, height, format, bytes)?;
    converted.alpha = if pixels.has_alpha() { AlphaType::Unpremultiplied } else { AlphaType::Opaque };
    Ok(Some(converted))
}

fn is_gray_profile(color: &Color) -> bool {
    color.icc.as_deref().and_then(|profile| profile.get(16..20)) == Some(b"GRAY")
}

/// The same gray pixels with the tones of sRGB. `profile` is one for gray, or one for RGB, of which its grays are taken.
pub fn gray_to_srgb(pixels: &Pixels, profile: &[u8]) -> Result<Pixels> {
    let deep = pixels.info().bits > 8;
    let (tones, format) = (Tones::new(profile, deep)?, pixels.info().format);
    let mut bytes = try_vec(pixels.tight_bytes() as usize, "converted pixels")?;
    let row = usize::from(pixels.info().planes[0].bytes) * pixels.width() as usize;
    let layout = match format {
        PixelFormat::GrayAlpha88 => Layout::GrayA8,
        PixelFormat::Gray16 => Layout::Gray16,
        _ => Layout::Gray8,
    };
    for (y, to) in (0..pixels.height()).zip(bytes.chunks_exact_mut(row)) {
        tones.run(pixels.row(0, y), to, layout);
    }
    let mut converted = Pixels::from_vec(pixels.width(), pixels.height(), format, bytes)?;
    converted.describe_as(pixels);
    converted.color.icc = None;
    Ok(converted)
}

/// What each code of gray is in sRGB.
struct Tones(Vec<u16>);

impl Tones {
    fn new(profile: &[u8], deep: bool) -> Result<Self> {
        let (count, max) = if deep { (65536, 65535) } else { (256, 255) };
        let gray = profile.get(16..20) == Some(b"GRAY");
        let (order, samples) = if gray { (Order::Gray, 1) } else { (Order::Rgb, 3) };
        let transform = Transform::new(profile, order, Order::Rgb, true)?;
        let mut from = try_vec::<u8>(count * samples * 2, "tones")?;
        for (code, from) in from.chunks_exact_mut(2 * samples).enumerate() {
            let code = (code * 65535 / max) as u16;
            from.as_chunks_mut::<2>().0.fill(code.to_ne_bytes());
        }
        let mut to = try_vec::<u8>(count * 6, "tones")?;
        transform.run(&from, &mut to)?;
        let mut tones = try_vec::<u16>(count, "tones")?;
        for (tone, rgb) in tones.iter_mut().zip(to.as_chunks::<6>().0) {
            let green = u32::from(u16::from_ne_bytes([rgb[2], rgb[3]]));
            *tone = ((green * max as u32 + 32767) / 65535) as u16;
        }
        Ok(Self(tones))
    }

    /// All components but alpha.
    fn run(&self, from: &[u8], to: &mut [u8], layout: Layout) {
        let samples = layout.pixel_bytes() / usize::from(layout.bits() / 8);
        let is_alpha = |i: usize| layout.has_alpha() && i % samples == samples - 1;
        if layout.bits() == 8 {
            for (i, (to, &from)) in to.iter_mut().zip(from).enumerate() {
                *to = if is_alpha(i) { from } else { self.0[usize::from(from)] as u8 };
            }
            return;
        }
        let pairs = to.as_chunks_mut::<2>().0.iter_mut().zip(from.as_chunks::<2>().0);
        for (i, (to, &from)) in pairs.enumerate() {
            let code = u16::from_ne_bytes(from);
            *to = if is_alpha(i) { from } else { self.0[usize::from(code)].to_ne_bytes() };
        }
    }
}

/// CIE L*a*b* of D50 to the smallest of sRGB and Display P3 that holds all colours; what is outside of P3 is clipped.
///
/// `lab` answers L* 0 to 100 and a*, b* of a pixel; there are `count`. `put` takes R, G, B, 0 to 1.
pub fn lab_to_rgb(
    count: usize,
    lab: impl Fn(usize) -> [f64; 3],
    mut put: impl FnMut(usize, [f64; 3]),
) -> Result<Cicp> {
    // What 8 bits do not tell from the edge.
    const EDGE: f64 = 0.002;
    for cicp in [Cicp::SRGB, Cicp { primaries: 12, ..Cicp::SRGB }] {
        let matrix = inverse(&linear_to_d50(cicp.primaries)?);
        let last = cicp.primaries == 12;
        let mut fits = true;
        for i in 0..count {
            let light = multiply(&matrix, xyz(lab(i)));
            fits = last || light.iter().all(|v| (-EDGE..=1.0 + EDGE).contains(v));
            if !fits {
                break;
            }
            put(i, light.map(|v| Curve::SRGB.encode(v.clamp(0.0, 1.0))));
        }
        if fits {
            return Ok(cicp);
        }
    }
    Err(err!(Bug, "colours fit no gamut"))
}

/// XYZ relative to D50 (CIE 15, 8.2.1).
fn xyz([l, a, b]: [f64; 3]) -> [f64; 3] {
    let y = (l + 16.0) / 116.0;
    let cube =
        |f: f64| if f > 6.0 / 29.0 { f * f * f } else { 3.0 * (6.0f64 / 29.0).powi(2) * (f - 4.0 / 29.0) };
    let [x_white, y_white, z_white] = icc::D50;
    [x_white * cube(y + a / 500.0), y_white * cube(y), z_white * cube(y - b / 200.0)]
}
