//! Metadata of pictures, and of files without decoding them.

use std::{
    ffi::{c_char, c_int, c_void},
    ops::RangeInclusive,
    ptr,
};

use super::{
    boundary::run,
    data::{self, ImageData},
    picture::{ImagePicture, change, make, parts},
    pointer::{self, bytes, out},
    sequence_options::{self, ImageSequenceOptions},
    source::{self, ImageSource},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    codec::{
        decode,
        metadata::{
            self,
            exif::{Dir, tag},
            properties::Place,
        },
    },
    error::Result,
    host,
    model::{
        metadata::{Density, block},
        options::Tail,
        picture::Parts,
    },
    pack::control::Control,
    pixels::Orientation,
    sink::{
        self,
        fd::{self, FileOptions},
        memory::Buffer,
    },
};

/// Kinds of metadata.
pub type ImageMetadataType = i32;
/// EXIF from its TIFF header on ("II*" or "MM"), without "Exif\0\0".
pub const IMAGE_METADATA_EXIF: i32 = 1;
/// An XMP packet in UTF-8.
pub const IMAGE_METADATA_XMP: i32 = 1000;
/// IPTC as Photoshop's image resources hold it, from the first "8BIM" on.
pub const IMAGE_METADATA_IPTC: i32 = 1001;

/// A property of EXIF that is text.
pub type ImageProperty = i32;
/// Who made the camera.
pub const IMAGE_PROPERTY_MAKE: i32 = 1;
/// The camera.
pub const IMAGE_PROPERTY_MODEL: i32 = 2;
/// The program.
pub const IMAGE_PROPERTY_SOFTWARE: i32 = 3;
/// Who has the rights.
pub const IMAGE_PROPERTY_COPYRIGHT: i32 = 4;
/// When the image was taken, in local time: "2024:05:06 07:08:09".
pub const IMAGE_PROPERTY_DATE: i32 = 5;
/// When the file was changed, in the same form.
pub const IMAGE_PROPERTY_DATE_CHANGED: i32 = 6;

/// The metadata of a source as it stands in the file, as a picture without pixels: to be looked at, changed, and put
/// back with image_packer_edit_metadata_to_data(). No pixel is decoded.
///
/// @param[out] picture  new handle
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_metadata(
    source: *const ImageSource,
    picture: *mut *mut ImagePicture,
) -> ImageStatus {
    run(Family::Data, || {
        let picture = out(picture, "picture")?;
        let source = source::get(source)?;
        let metadata = decode::properties(&source)?;
        picture.put(make(Parts { metadata, ..Parts::new(None) })?);
        Ok(())
    })
}

/// Sets, replaces or, with NULL and 0, removes a block of metadata; copied. It is written when the options ask for
/// properties.
///
/// @return 401 for an unknown type, and for bytes that do not start as blocks of this type do.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_metadata(
    picture: *mut ImagePicture,
    kind: ImageMetadataType,
    block_bytes: *const c_void,
    size: usize,
) -> ImageStatus {
    change(picture, |parts| {
        let given = bytes(block_bytes, size, "block_bytes")?;
        let new = if given.is_empty() { None } else { Some(block(given)?) };
        match kind {
            IMAGE_METADATA_EXIF => {
                if !given.is_empty() && !given.starts_with(b"II*\0") && !given.starts_with(b"MM\0*") {
                    bail!(OutOfRange, "EXIF of {size} bytes does not start with its TIFF header");
                }
                parts.metadata.exif = new;
            }
            IMAGE_METADATA_XMP => {
                let text = given.strip_prefix(b"\xef\xbb\xbf").unwrap_or(given).trim_ascii_start();
                if !given.is_empty() && !text.starts_with(b"<") {
                    bail!(OutOfRange, "XMP of {size} bytes does not start with \"<\"");
                }
                parts.metadata.xmp = new;
            }
            IMAGE_METADATA_IPTC => {
                if !given.is_empty() && !given.starts_with(b"8BIM") {
                    bail!(OutOfRange, "IPTC of {size} bytes does not start with \"8BIM\"");
                }
                parts.metadata.iptc = new;
            }
            _ => bail!(OutOfRange, "{kind} is not a type of metadata"),
        }
        Ok(())
    })
}

/// A new handle for a copy of bytes, or NULL where there are none.
fn copied(block: Option<&[u8]>) -> Result<*mut ImageData> {
    let Some(block) = block else { return Ok(ptr::null_mut()) };
    let mut copy = Buffer::with_hint(block.len());
    copy.extend(block)?;
    data::make(copy)
}

/// A copy of a block of metadata, to be released with image_data_release(); NULL if the picture has none of this
/// type.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_metadata(
    picture: *const ImagePicture,
    kind: ImageMetadataType,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let data = out(data, "data")?;
        let parts = parts(picture)?;
        let block = match kind {
            IMAGE_METADATA_EXIF => &parts.metadata.exif,
            IMAGE_METADATA_XMP => &parts.metadata.xmp,
            IMAGE_METADATA_IPTC => &parts.metadata.iptc,
            _ => bail!(OutOfRange, "{kind} is not a type of metadata"),
        };
        data.put(copied(block.as_deref())?);
        Ok(())
    })
}

/// Resolution in pixels per inch, written with or without other properties; image_packing_options_set_density() goes
/// before it. 0 and 0 remove it. Where EXIF says one, it changes too.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_density(
    picture: *mut ImagePicture,
    x_dpi: f64,
    y_dpi: f64,
) -> ImageStatus {
    change(picture, |parts| {
        let density = Density::per_inch(x_dpi, y_dpi);
        if density.is_none() && (x_dpi != 0.0 || y_dpi != 0.0) {
            bail!(OutOfRange, "{x_dpi} x {y_dpi} pixels per inch is no density");
        }
        parts.metadata.set_density(density)
    })
}

/// Resolution in pixels per inch; 0 and 0 if it is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_density(
    picture: *const ImagePicture,
    x_dpi: *mut f64,
    y_dpi: *mut f64,
) -> ImageStatus {
    run(Family::Data, || {
        let (x, y) = (out(x_dpi, "x_dpi")?, out(y_dpi, "y_dpi")?);
        let density = parts(picture)?.metadata.density;
        x.put(density.map_or(0.0, |density| density.x));
        y.put(density.map_or(0.0, |density| density.y));
        Ok(())
    })
}

/// Tag and directory of a property.
fn property_tag(number: ImageProperty) -> Result<(Dir, u16)> {
    Ok(match number {
        IMAGE_PROPERTY_MAKE => (Dir::Main, tag::MAKE),
        IMAGE_PROPERTY_MODEL => (Dir::Main, tag::MODEL),
        IMAGE_PROPERTY_SOFTWARE => (Dir::Main, tag::SOFTWARE),
        IMAGE_PROPERTY_COPYRIGHT => (Dir::Main, tag::COPYRIGHT),
        IMAGE_PROPERTY_DATE => (Dir::Exif, tag::DATE_TIME_ORIGINAL),
        IMAGE_PROPERTY_DATE_CHANGED => (Dir::Main, tag::DATE_TIME),
        _ => bail!(OutOfRange, "{number} is not a property"),
    })
}

/// Whether text is a date and time as EXIF has it: digits where 2024:05:06 07:08:09 has some, and numbers that a month, a day,
/// an hour, a minute and a second can have.
fn is_date(text: &str) -> bool {
    let pattern = b"0000:00:00 00:00:00";
    let number = |at: usize| text.get(at..at + 2).and_then(|digits| digits.parse().ok());
    let within =
        |at: usize, range: RangeInclusive<u8>| number(at).is_some_and(|number| range.contains(&number));
    text.len() == pattern.len()
        && text.bytes().zip(pattern).all(|(b, &p)| if p == b'0' { b.is_ascii_digit() } else { b == p })
        && [(5, 1..=12), (8, 1..=31), (11, 0..=23), (14, 0..=59), (17, 0..=60)]
            .into_iter()
            .all(|(at, range)| within(at, range))
}

/// Sets a property in EXIF, which is made if there is none; NULL removes it.
///
/// @return 401 for an unknown property, and for a date that is none or not of the form "2024:05:06 07:08:09".
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_property(
    picture: *mut ImagePicture,
    property: ImageProperty,
    text: *const c_char,
) -> ImageStatus {
    change(picture, |parts| {
        let (dir, tag) = property_tag(property)?;
        let text = if text.is_null() { None } else { Some(pointer::text(text, "text")?) };
        let dated = matches!(property, IMAGE_PROPERTY_DATE | IMAGE_PROPERTY_DATE_CHANGED);
        if let Some(text) = text.filter(|text| dated && !is_date(text)) {
            bail!(OutOfRange, "\"{text}\" is not a date of the form 2024:05:06 07:08:09");
        }
        parts.metadata.set_text(dir, tag, text)
    })
}

/// A property of EXIF as text without a NUL, to be released with image_data_release(); NULL if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_property(
    picture: *const ImagePicture,
    property: ImageProperty,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let data = out(data, "data")?;
        let parts = parts(picture)?;
        let (dir, tag) = property_tag(property)?;
        data.put(copied(parts.metadata.text(dir, tag)?.as_ref().map(|text| text.as_bytes()))?);
        Ok(())
    })
}

/// How the pixels are stored, 1 to 8 as in EXIF: 1 upright, 3 half a turn, 6 to be turned a quarter clockwise, 8
/// counterclockwise; 2, 4, 5, 7 mirrored. Kept with and without other properties: as a tag in JPEG, by the file's
/// structure in HEIC and AVIF, by turning the pixels elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_orientation(picture: *mut ImagePicture, orientation: u32) -> ImageStatus {
    change(picture, |parts| {
        let known = u16::try_from(orientation).ok().and_then(Orientation::from_exif);
        let Some(known) = known else { bail!(OutOfRange, "{orientation} is not an orientation of 1 to 8") };
        parts.metadata.set_orientation(known)
    })
}

/// How the pixels are stored, 1 to 8; 1 where EXIF says nothing.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_orientation(
    picture: *const ImagePicture,
    orientation: *mut u32,
) -> ImageStatus {
    run(Family::Data, || {
        let place = out(orientation, "orientation")?;
        place.put(parts(picture)?.metadata.orientation() as u32);
        Ok(())
    })
}

/// Where the image was taken: degrees north, degrees east, and metres above the sea or NaN. What was said of it before
/// is gone.
///
/// @return 401 for a latitude outside of -90 to 90 or a longitude outside of -180 to 180.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_gps(
    picture: *mut ImagePicture,
    latitude: f64,
    longitude: f64,
    altitude: f64,
) -> ImageStatus {
    change(picture, |parts| {
        let altitude = Some(altitude).filter(|altitude| !altitude.is_nan());
        parts.metadata.set_place(Place { latitude, longitude, altitude })
    })
}

/// Where the image was taken, as in image_picture_set_gps(); all are NaN if EXIF does not say.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_gps(
    picture: *const ImagePicture,
    latitude: *mut f64,
    longitude: *mut f64,
    altitude: *mut f64,
) -> ImageStatus {
    run(Family::Data, || {
        let (north, east, up) =
            (out(latitude, "latitude")?, out(longitude, "longitude")?, out(altitude, "altitude")?);
        let place = parts(picture)?.metadata.place()?;
        north.put(place.map_or(f64::NAN, |place| place.latitude));
        east.put(place.map_or(f64::NAN, |place| place.longitude));
        up.put(place.and_then(|place| place.altitude).unwrap_or(f64::NAN));
        Ok(())
    })
}

/// Whether the file of this picture had provenance data (C2PA). It is never written again, neither by a pack, whose report
/// says so, nor by image_packer_edit_metadata_to_data(): its signatures are of the old file.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_provenance(
    picture: *const ImagePicture,
    provenance: *mut bool,
) -> ImageStatus {
    run(Family::Data, || {
        let provenance = out(provenance, "provenance")?;
        provenance.put(parts(picture)?.metadata.provenance);
        Ok(())
    })
}

/// Removes where the image was taken from EXIF and XMP: tags, values, and the bytes that held them.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_remove_gps(picture: *mut ImagePicture) -> ImageStatus {
    change(picture, |parts| parts.metadata.remove_place())
}

/// The file of a source with the metadata of a picture from image_source_create_metadata() in the place of its own:
/// JPEG, PNG, WebP. The image's data and all else stay byte for byte, but for provenance data.
fn edited(source: *const ImageSource, picture: *const ImagePicture) -> Result<Buffer> {
    let (source, parts) = (source::get(source)?, parts(picture)?);
    if parts.main.is_some() {
        bail!(OutOfRange, "this picture has pixels; image_source_create_metadata() makes one for editing");
    }
    host::shield(|| {
        let mut file = Buffer::default();
        metadata::exchange(&source, &parts.metadata, &mut file)?;
        Ok(file)
    })
}

/// Writes the file of a source with other metadata, without encoding anew: JPEG, PNG, WebP. The image's data and all
/// else stay byte for byte; provenance data (C2PA), whose signatures would be broken, is left out, and
/// image_picture_get_provenance() says whether there was some.
///
/// @param picture  from image_source_create_metadata(), of this source or of another; a block that it lacks is removed, but
///                 for what XMP says of a JPEG's further images: a gain map stays one
/// @param[out] data  the new file
/// @return 401 with cause UNSUPPORTED for a source of another format; 62980101 for a damaged one; 62980119 for EXIF that
///         is too large for JPEG.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_edit_metadata_to_data(
    source: *const ImageSource,
    picture: *const ImagePicture,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let data = out(data, "data")?;
        data.put(data::make(edited(source, picture)?)?);
        Ok(())
    })
}

/// As image_packer_edit_metadata_to_data() into a descriptor, with the promises of image_packer_pack_to_file(). The
/// source may read the same file.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_edit_metadata_to_file(
    source: *const ImageSource,
    picture: *const ImagePicture,
    fd: c_int,
) -> ImageStatus {
    run(Family::Data, || {
        let file_options = FileOptions { tail: Tail::Auto, sync: false };
        let destination = fd::Destination::check(fd, file_options)?;
        destination.commit(edited(source, picture)?.as_slice(), &Control::default())
    })
}

/// As image_packer_edit_metadata_to_data() into a path, with the promises of image_packer_pack_to_path(). The source may
/// be the same file.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_edit_metadata_to_path(
    source: *const ImageSource,
    picture: *const ImagePicture,
    path: *const c_char,
) -> ImageStatus {
    run(Family::Data, || {
        let destination = sink::path::Destination::check(pointer::path(path, "path")?, false)?;
        destination.commit(edited(source, picture)?.as_slice(), &Control::default())
    })
}

/// The metadata of a picture as it is now, to be written whatever the frames come from, in the place of a source's own; NULL,
/// the default, for none. Frames are taken as they stand: an orientation in EXIF becomes 1.
#[unsafe(no_mangle)]
pub extern "C" fn image_sequence_options_set_metadata(
    options: *mut ImageSequenceOptions,
    picture: *const ImagePicture,
) -> ImageStatus {
    sequence_options::change(options, |options| {
        options.metadata = if picture.is_null() { None } else { Some(parts(picture)?.metadata.clone()) };
        Ok(())
    })
}
