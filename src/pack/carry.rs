//! What goes into a file beside the pixels: the input's metadata, made fit for the output. What the new pixels make
//! wrong is put right; what cannot be carried is told.

use std::sync::Arc;

use super::{pool::Pool, thumbnail};
use crate::{
    codec::{
        Format, features,
        metadata::{
            exif::{Dir, Exif, tag},
            iptc, jpeg, text, xmp,
        },
    },
    error::Result,
    model::{
        color::Color,
        metadata::{Density, Metadata, Text, block},
        options::Options,
        report::{Code, Notes},
    },
    pixels::{Orientation, Rows, manage},
};

/// What is known of the output.
pub struct Output<'a> {
    /// The caller's options.
    pub options: &'a Options,
    /// Width and height of the pixels to come.
    pub size: (u32, u32),
    /// Their colour.
    pub color: &'a Color,
    /// What a thumbnail is made of.
    pub shown: Option<&'a Rows>,
    /// How the pixels to come are stored; other than upright only where readers turn them as EXIF says.
    pub orientation: Orientation,
    /// For a thumbnail.
    pub pool: &'a Pool,
    /// Where to tell what is dropped or changed.
    pub notes: &'a Notes,
}

impl<'a> Output<'a> {
    /// The output of these rows.
    pub fn of(
        rows: &'a Rows,
        orientation: Orientation,
        options: &'a Options,
        pool: &'a Pool,
        notes: &'a Notes,
    ) -> Self {
        let color = rows.color();
        let (size, shown) = (seen(rows, orientation, options), Some(rows));
        let orientation = match turned(options) {
            Turned::ByExif => orientation,
            Turned::ByFile | Turned::Here => Orientation::Upright,
        };
        Self { options, size, color, shown, orientation, pool, notes }
    }
}

/// Width and height that the file says: those of the upright image where its structure says how to turn it.
pub fn seen(rows: &Rows, orientation: Orientation, options: &Options) -> (u32, u32) {
    match turned(options) {
        Turned::ByFile => orientation.size(rows.width(), rows.height()),
        Turned::ByExif | Turned::Here => (rows.width(), rows.height()),
    }
}

/// Whether the file's own structure holds the density.
fn has_density(format: &Format) -> bool {
    matches!(format.name(), "image/jpeg" | "image/png")
}

/// Whether the file has a place for EXIF; GIF has one for XMP alone.
fn has_exif(format: &Format) -> bool {
    format.name() != "image/gif"
}

/// Who turns an image that is stored otherwise than upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// We do. Readers of PNG and WebP do so partly or not at all.
    Here,
    /// Readers, as EXIF says.
    ByExif,
    /// Readers, as the file's own structure says. They take EXIF's word for nothing, so it has to say "upright".
    ByFile,
}

/// Who turns an image with these options.
pub fn turned(options: &Options) -> Turned {
    match options.format.name() {
        "image/jpeg" => Turned::ByExif,
        // Nothing but EXIF could turn a thumbnail.
        "image/heic" | "image/avif" if options.max_embed_thumbnail == 0 => Turned::ByFile,
        _ => Turned::Here,
    }
}

/// The blocks to embed. Density and orientation are always kept; EXIF, XMP and IPTC only where they are asked for.
pub fn prepare(from: &Metadata, output: &Output<'_>) -> Result<Metadata> {
    let Output { options, orientation, notes, .. } = *output;
    let (format, name) = (options.format, options.format.name());
    let [x, y] = options.density.map(f64::from);
    let in_exif = || Exif::new(from.exif.as_deref()?).ok()?.density();
    let density = Density::per_inch(x, y).or(from.density).or_else(in_exif);
    let mut to = Metadata { density: density.filter(|_| has_density(format)), ..Metadata::default() };
    if !options.needs_pack_properties || format.features & features::METADATA == 0 {
        if options.needs_pack_properties {
            drop_all(from, name, notes)?;
        }
        if density.is_some() && to.density.is_none() {
            notes.add(Code::DensityDropped, format!("dropped the density: {name} has it in EXIF at most"));
        }
        if orientation != Orientation::Upright {
            let mut exif = Exif::empty()?;
            exif.set_short(Dir::Main, tag::ORIENTATION, orientation as u16)?;
            to.exif = Some(block(exif.bytes())?);
        }
        return Ok(to);
    }
    if has_exif(format) {
        to.exif = exif(from.exif.as_ref(), density, output)?;
    } else if from.exif.is_some() {
        notes.add(Code::ExifDropped, format!("dropped EXIF: {name} cannot carry it"));
    }
    if let Some(packet) = &from.xmp {
        to.xmp = self::xmp(packet, options, notes)?;
    }
    match &from.iptc {
        Some(_) if name != "image/jpeg" => {
            notes.add(Code::IptcDropped, format!("dropped IPTC: {name} cannot carry it"));
        }
        Some(blocks) => match iptc::clean(blocks) {
            Ok(blocks) => to.iptc = Some(block(&blocks)?),
            Err(error) => notes.add(Code::IptcDropped, format!("dropped IPTC: {error}")),
        },
        None => {}
    }
    to.texts = texts(&from.texts, name, notes)?;
    if !options.keep_gps && to.texts.iter().any(text::is_place) {
        to.texts.retain(|text| !text::is_place(text));
        notes.add(Code::GpsRemoved, "removed the place from texts");
    }
    Ok(to)
}

/// Whether no profile and no code points say what the colour is.
fn is_plain(color: &Color) -> bool {
    color.icc.is_none() && color.cicp.is_srgb()
}

fn is_srgb(color: &Color) -> bool {
    is_plain(color) || color.icc.as_deref().is_some_and(|icc| manage::is_like_srgb(icc).unwrap_or(false))
}

/// The texts that the format has a place for; the others are told.
fn texts(from: &[Text], name: &str, notes: &Notes) -> Result<Vec<Text>> {
    let mut kept = Vec::new();
    for text in from {
        let fits = match name {
            "image/png" | "image/apng" => true,
            "image/jpeg" | "image/gif" => text::comment(text)?.is_some(),
            _ => false,
        };
        if fits {
            kept.push(text.clone());
        } else {
            let keyword = text::keyword(text);
            notes.add(Code::TextDropped, format!("dropped the text \"{keyword}\": {name} cannot carry it"));
        }
    }
    Ok(kept)
}

/// Tells what a format without metadata has no place for.
fn drop_all(from: &Metadata, name: &str, notes: &Notes) -> Result<()> {
    texts(&from.texts, name, notes)?;
    for (code, what, block) in [
        (Code::ExifDropped, "EXIF", &from.exif),
        (Code::XmpDropped, "XMP", &from.xmp),
        (Code::IptcDropped, "IPTC", &from.iptc),
    ] {
        if block.is_some() {
            notes.add(code, format!("dropped {what}: {name} cannot carry it"));
        }
    }
    Ok(())
}

/// EXIF for the output. Damage drops it; it is no reason to lose the image.
fn exif(
    from: Option<&Arc<[u8]>>,
    density: Option<Density>,
    output: &Output<'_>,
) -> Result<Option<Arc<[u8]>>> {
    let Output { options, size: (width, height), color, orientation, notes, .. } = *output;
    let turned = orientation != Orientation::Upright;
    let alone = density.is_some() && !has_density(options.format);
    if from.is_none() && !turned && !alone && options.max_embed_thumbnail == 0 {
        return Ok(None);
    }
    let checked = match from {
        Some(block) => Exif::new(block).inspect_err(|error| {
            notes.add(Code::ExifDropped, format!("dropped EXIF: {error}"));
        }),
        None => Exif::empty(),
    };
    let Ok(mut exif) = checked.or_else(|_| Exif::empty()) else { return Ok(None) };
    let had = exif.bytes().len();
    let old = exif.number(Dir::Main, tag::ORIENTATION);
    if old.is_some() || turned {
        exif.set_short(Dir::Main, tag::ORIENTATION, orientation as u16)?;
    }
    for (dir, tag, side) in [
        (Dir::Main, tag::WIDTH, width),
        (Dir::Main, tag::HEIGHT, height),
        (Dir::Exif, tag::PIXEL_X, width),
        (Dir::Exif, tag::PIXEL_Y, height),
    ] {
        exif.replace_number(dir, tag, side);
    }
    let converted = notes.has(Code::ColorConverted) || notes.has(Code::ToneMapped);
    match exif.number(Dir::Exif, tag::COLOR_SPACE) {
        // Where nothing else tells the colour, and nothing was done to it, what the camera said of it stays.
        Some(_) if is_plain(color) && !converted => {}
        Some(_) => exif.replace_number(Dir::Exif, tag::COLOR_SPACE, if is_srgb(color) { 1 } else { 0xffff }),
        None => {}
    }
    if let Some(density) = density
        && (alone || exif.density().is_some_and(|old| old.to_inch() != density.to_inch()))
        && exif.density() != Some(density)
    {
        exif.set_density(density)?;
    }
    if exif.has_gps() && !options.keep_gps {
        if let Err(error) = exif.remove_gps() {
            notes.add(Code::ExifDropped, format!("dropped EXIF: {error}"));
            return Ok(None);
        }
        notes.add(Code::GpsRemoved, "removed the place from EXIF");
    }
    if exif.has_thumbnail() {
        exif.remove_thumbnail();
        if options.max_embed_thumbnail == 0 {
            notes.add(Code::ExifChanged, "dropped the thumbnail in EXIF: it shows the old pixels");
        }
    }
    if options.max_embed_thumbnail > 0
        && let Some(rows) = output.shown
    {
        let jpeg = thumbnail::make(rows, options.max_embed_thumbnail, output.pool)?;
        let room = if options.format.name() == "image/jpeg" { jpeg::MOST_EXIF } else { usize::MAX };
        if exif.bytes().len() + jpeg.len() + 64 <= room {
            exif.add_thumbnail(&jpeg)?;
        } else {
            let text = format!("no thumbnail in EXIF: {} bytes do not fit", jpeg.len());
            notes.add(Code::ExifChanged, text);
        }
    }
    if options.format.name() == "image/jpeg" && exif.bytes().len() > jpeg::MOST_EXIF {
        exif.remove_maker_note();
        if exif.bytes().len() > jpeg::MOST_EXIF {
            notes.add(
                Code::ExifDropped,
                format!("dropped EXIF of {had} bytes: JPEG carries {}", jpeg::MOST_EXIF),
            );
            return Ok(None);
        }
        notes.add(
            Code::ExifChanged,
            format!("dropped the maker's notes: EXIF of {had} bytes is too large for JPEG"),
        );
    }
    if exif.is_empty() {
        return Ok(None);
    }
    Ok(Some(block(exif.bytes())?))
}

fn xmp(packet: &[u8], options: &Options, notes: &Notes) -> Result<Option<Arc<[u8]>>> {
    let keep_density = options.density == [0; 2];
    let rules = xmp::Rules { keep_gps: options.keep_gps, keep_density, keep_stale: false };
    let (cleaned, removed) = match xmp::clean(packet, rules) {
        Ok(cleaned) => cleaned,
        Err(error) => {
            notes.add(Code::XmpDropped, format!("dropped XMP: {error}"));
            return Ok(None);
        }
    };
    if removed.stale > 0 {
        let text = format!("left {} properties of the old file out of XMP", removed.stale);
        notes.add(Code::XmpChanged, text);
    }
    if removed.gps > 0 {
        notes.add(Code::GpsRemoved, format!("removed {} properties of the place from XMP", removed.gps));
    }
    if removed.provenance > 0 {
        notes.add(Code::ProvenanceDropped, "dropped the link to provenance data in XMP");
    }
    xmp::with_wrapper(&cleaned).map(Some)
}
