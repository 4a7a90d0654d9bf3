//! ImagePicture: a main image with what belongs to it.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::Arc,
};

use super::{
    batch::{self, ImageBatch},
    boundary::run,
    callback::ImageWriteFn,
    data::{self, ImageData},
    handle::{self, Kind, Object},
    job::{self, ImageDoneFn, ImageJob, Order, Reply},
    packer::{self, ImagePacker},
    packing_options::{self, ImagePackingOptions},
    pixelmap::{self, ImagePixelFormat, ImagePixelMap},
    pointer::{self, array, bytes, out},
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
    limits::Limits,
    model::{
        gain_map::GainMapParams,
        metadata::{Density, block},
        options::Tail,
        picture::{AuxiliaryKind, Parts},
        pixel_format::PixelFormat,
    },
    pack::{develop, packer::Input},
    pixels::Orientation,
    shared::Shared,
    sink::{
        self,
        fd::{self, FileOptions},
        memory::Buffer,
    },
};

/// A main image with what belongs to it: gain map, depth, metadata.
///
/// It shares its pixel maps with their handles: what is written to them later is what is packed.
pub struct ImagePicture {
    _private: [u8; 0],
}

/// What an auxiliary image is for.
pub type ImageAuxiliaryType = i32;
/// How the main image of one dynamic range becomes one of another (ISO 21496-1).
pub const IMAGE_AUXILIARY_GAIN_MAP: i32 = 1;
/// Distance from the camera.
pub const IMAGE_AUXILIARY_DEPTH_MAP: i32 = 2;
/// The image before its background was blurred.
pub const IMAGE_AUXILIARY_UNREFOCUS_MAP: i32 = 3;
/// Linear light.
pub const IMAGE_AUXILIARY_LINEAR_MAP: i32 = 4;
/// A part of the image, as stickers and watermarks keep it.
pub const IMAGE_AUXILIARY_FRAGMENT_MAP: i32 = 5;

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

/// A picture as its handle holds it: every change makes a new snapshot.
pub(super) struct Cell(Shared<Parts>);

impl Object for Cell {
    const KIND: Kind = Kind::Picture;
}

/// A new handle for a picture.
pub(super) fn make(parts: Parts) -> Result<*mut ImagePicture> {
    Ok(ptr::without_provenance_mut(handle::insert(Arc::new(Cell(Shared::new(parts)?)))?))
}

fn parts(picture: *const ImagePicture) -> Result<Arc<Parts>> {
    handle::get::<Cell>(picture.addr())?.0.get()
}

/// What to pack: the picture as it is now.
pub(super) fn input(picture: *const ImagePicture) -> Result<Input> {
    Ok(Input::Picture(Arc::new(parts(picture)?.picture()?)))
}

/// Applies a change to a copy and puts it in place; a failing change leaves the picture as it was.
fn change(picture: *mut ImagePicture, change: impl Fn(&mut Parts) -> Result<()>) -> ImageStatus {
    run(Family::Data, || {
        handle::get::<Cell>(picture.addr())?.0.update(|now| {
            let mut new = now.clone();
            change(&mut new)?;
            Ok(new)
        })
    })
}

fn kind(number: ImageAuxiliaryType) -> Result<AuxiliaryKind> {
    Ok(match number {
        IMAGE_AUXILIARY_GAIN_MAP => AuxiliaryKind::GainMap,
        IMAGE_AUXILIARY_DEPTH_MAP => AuxiliaryKind::Depth,
        IMAGE_AUXILIARY_UNREFOCUS_MAP => AuxiliaryKind::Unrefocus,
        IMAGE_AUXILIARY_LINEAR_MAP => AuxiliaryKind::Linear,
        IMAGE_AUXILIARY_FRAGMENT_MAP => AuxiliaryKind::Fragment,
        _ => bail!(OutOfRange, "{number} is not a type of auxiliary image"),
    })
}

/// A picture of nothing but its main image.
///
/// @param[out] picture  new handle
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_create(
    main: *const ImagePixelMap,
    picture: *mut *mut ImagePicture,
) -> ImageStatus {
    run(Family::Data, || {
        let picture = out(picture, "picture")?;
        picture.put(make(Parts::new(Some(pixelmap::get(main)?)))?);
        Ok(())
    })
}

/// Decodes the first frame of a source, upright, with its auxiliary images and its metadata. EXIF's orientation is that
/// of the pixels now.
///
/// @param[out] picture  new handle
/// @return as image_source_create_pixelmap()
#[unsafe(no_mangle)]
pub extern "C" fn image_source_create_picture(
    source: *const ImageSource,
    picture: *mut *mut ImagePicture,
) -> ImageStatus {
    run(Family::Data, || {
        let picture = out(picture, "picture")?;
        let source = source::get(source)?;
        picture.put(make(Parts::from_picture(decode::picture(&source, &Limits::default())?)?)?);
        Ok(())
    })
}

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

/// A new handle for the main image; NULL if the picture is of metadata alone.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_main(
    picture: *const ImagePicture,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let handle = match &parts(picture)?.main {
            Some(map) => handle::insert(map.clone())?,
            None => 0,
        };
        pixelmap.put(ptr::without_provenance_mut(handle));
        Ok(())
    })
}

/// Sets, replaces or, with NULL, removes an auxiliary image. A gain map also needs
/// image_picture_set_gain_map_params().
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_auxiliary(
    picture: *mut ImagePicture,
    auxiliary: ImageAuxiliaryType,
    pixelmap: *const ImagePixelMap,
) -> ImageStatus {
    change(picture, |parts| {
        let map = if pixelmap.is_null() { None } else { Some(pixelmap::get(pixelmap)?) };
        parts.auxiliaries[kind(auxiliary)? as usize] = map;
        Ok(())
    })
}

/// A new handle for an auxiliary image; NULL if the picture has none of this type.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_auxiliary(
    picture: *const ImagePicture,
    auxiliary: ImageAuxiliaryType,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let handle = match &parts(picture)?.auxiliaries[kind(auxiliary)? as usize] {
            Some(map) => handle::insert(map.clone())?,
            None => 0,
        };
        pixelmap.put(ptr::without_provenance_mut(handle));
        Ok(())
    })
}

/// Sets, replaces or, with NULL, removes the HDR rendition of the main image, which then is SDR: the two show the same
/// scene in the same size. A gain map that makes the one of the other is computed when the picture is packed, with one
/// channel where that is exact and else with three; where `hdr.form` is `signal`, formats that hold HDR get the
/// rendition itself, and formats without HDR the main image.
///
/// The rendition is of any format whose code points name PQ, HLG or, for floats, linear light. Packing answers 401 for
/// another size or none of these, for a main image that is HDR itself, and for a picture that has a gain map too.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_hdr_rendition(
    picture: *mut ImagePicture,
    pixelmap: *const ImagePixelMap,
) -> ImageStatus {
    change(picture, |parts| {
        parts.hdr = if pixelmap.is_null() { None } else { Some(pixelmap::get(pixelmap)?) };
        Ok(())
    })
}

/// A new handle for the HDR rendition that was set; NULL if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_hdr_rendition(
    picture: *const ImagePicture,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let handle = match &parts(picture)?.hdr {
            Some(map) => handle::insert(map.clone())?,
            None => 0,
        };
        pixelmap.put(ptr::without_provenance_mut(handle));
        Ok(())
    })
}

/// The main image with the gain map applied, as a display shows it whose peak is `headroom` stops above diffuse white
/// (log2): 0 is SDR, 2 four times as bright; from the map's own headroom on, and with INFINITY, it is applied in full.
///
/// RGBA_F16 and RGBA_F32 are linear light in which 1.0 is diffuse white, 203 nits; RGBA_1010102, RGB_161616 and
/// RGBA_16161616 are PQ. All are in BT.2020's primaries, and their code points say so.
///
/// @param[out] pixelmap  new handle
/// @return 401 for a picture without a gain map, for another format, and for a headroom below 0; 62980172 for a main
///         image whose ICC profile is not of primaries and curves.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_create_hdr_pixelmap(
    picture: *const ImagePicture,
    format: ImagePixelFormat,
    headroom: f32,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        let format = PixelFormat::from_abi(format)?;
        let picture = parts(picture)?.picture()?;
        pixelmap.put(pixelmap::make(host::shield(|| develop::bright(&picture, headroom, format))?)?);
        Ok(())
    })
}

/// How the gain map brightens the main image (ISO 21496-1). Each array holds one value per channel: R, G, B; all
/// alike for a gray map. Headrooms and gains are log2, 0 to 64 and -64 to 64; offsets are parts of SDR white.
///
/// @param base_headroom       of the main image; 0 for SDR
/// @param alternate_headroom  of the image with the map applied in full
/// @param use_base_color      whether the gain is applied in the main image's primaries: true but for maps that were
///                            made otherwise
/// @return 401 for values that no reader could apply: minimum above maximum, gamma not above 0, equal headrooms.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_gain_map_params(
    picture: *mut ImagePicture,
    base_headroom: f32,
    alternate_headroom: f32,
    gain_min: *const f32,
    gain_max: *const f32,
    gamma: *const f32,
    base_offset: *const f32,
    alternate_offset: *const f32,
    use_base_color: bool,
) -> ImageStatus {
    change(picture, |parts| {
        let three = |values, name| array::<f32>(values, 3, name).map(|v| [v[0], v[1], v[2]]);
        let params = GainMapParams {
            base_headroom,
            alternate_headroom,
            min: three(gain_min, "gain_min")?,
            max: three(gain_max, "gain_max")?,
            gamma: three(gamma, "gamma")?,
            base_offset: three(base_offset, "base_offset")?,
            alternate_offset: three(alternate_offset, "alternate_offset")?,
            base_color: use_base_color,
        };
        params.check()?;
        parts.params = Some(params);
        Ok(())
    })
}

/// The values of image_picture_set_gain_map_params(). Every place may be NULL; arrays have 3 values.
///
/// @return 401 if there are none.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_gain_map_params(
    picture: *const ImagePicture,
    base_headroom: *mut f32,
    alternate_headroom: *mut f32,
    gain_min: *mut f32,
    gain_max: *mut f32,
    gamma: *mut f32,
    base_offset: *mut f32,
    alternate_offset: *mut f32,
    use_base_color: *mut bool,
) -> ImageStatus {
    run(Family::Data, || {
        let Some(params) = parts(picture)?.params else {
            bail!(OutOfRange, "the picture has no gain map parameters");
        };
        for (place, value) in
            [(base_headroom, params.base_headroom), (alternate_headroom, params.alternate_headroom)]
        {
            if let Ok(place) = out(place, "headroom") {
                place.put(value);
            }
        }
        for (place, values) in [
            (gain_min, params.min),
            (gain_max, params.max),
            (gamma, params.gamma),
            (base_offset, params.base_offset),
            (alternate_offset, params.alternate_offset),
        ] {
            if let Ok(place) = out(place.cast::<[f32; 3]>(), "values") {
                place.put(values);
            }
        }
        if let Ok(place) = out(use_base_color, "use_base_color") {
            place.put(params.base_color);
        }
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
            IMAGE_METADATA_XMP => parts.metadata.xmp = new,
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
        data.put(match block {
            Some(block) => {
                let mut copy = Buffer::with_hint(block.len());
                copy.extend(block)?;
                data::make(copy)?
            }
            None => ptr::null_mut(),
        });
        Ok(())
    })
}

/// Resolution in pixels per inch, written with or without other properties; image_packing_options_set_density() goes
/// before it. 0 and 0 remove it.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_set_density(
    picture: *mut ImagePicture,
    x_dpi: f64,
    y_dpi: f64,
) -> ImageStatus {
    change(picture, |parts| {
        parts.metadata.density = Density::per_inch(x_dpi, y_dpi);
        if parts.metadata.density.is_none() && (x_dpi != 0.0 || y_dpi != 0.0) {
            bail!(OutOfRange, "{x_dpi} x {y_dpi} pixels per inch is no density");
        }
        Ok(())
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

/// Whether text is a date and time as EXIF has it: digits where 2024:05:06 07:08:09 has some.
fn is_date(text: &str) -> bool {
    let pattern = b"0000:00:00 00:00:00";
    text.len() == pattern.len()
        && text.bytes().zip(pattern).all(|(b, &p)| if p == b'0' { b.is_ascii_digit() } else { b == p })
}

/// Sets a property in EXIF, which is made if there is none; NULL removes it.
///
/// @return 401 for an unknown property, and for a date that is not of the form "2024:05:06 07:08:09".
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
        data.put(match parts.metadata.text(dir, tag)? {
            Some(text) => {
                let mut copy = Buffer::default();
                copy.extend(text.as_bytes())?;
                data::make(copy)?
            }
            None => ptr::null_mut(),
        });
        Ok(())
    })
}

/// How the pixels are stored, 1 to 8 as in EXIF: 1 upright, 3 half a turn, 6 to be turned a quarter clockwise, 8
/// counterclockwise; 2, 4, 5, 7 mirrored. Kept with and without other properties: as a tag in JPEG, by turning the
/// pixels elsewhere.
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
/// @param picture  from image_source_create_metadata(), of this source or of another; a block that it lacks is removed
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
        destination.commit(edited(source, picture)?.as_slice())
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
        destination.commit(edited(source, picture)?.as_slice())
    })
}

/// Encodes a picture into memory: its main image, and what of the rest the format carries.
///
/// @return IMAGE_OK; 401 for bad arguments; 7800301 for every other failure, whose cause says more; 1001 when the
///         progress callback stops it.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_picture(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    options: *const ImagePackingOptions,
    data: *mut *mut ImageData,
) -> ImageStatus {
    packer::to_data(Family::Picture, packer, || input(picture), options, data)
}

/// As image_packer_pack_to_file(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_picture(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    fd: c_int,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    packer::to_file(Family::Picture, packer, || input(picture), fd, options)
}

/// As image_packer_pack_to_path(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_picture(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    path: *const c_char,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    packer::to_path(Family::Picture, packer, || input(picture), path, options)
}

/// As image_packer_pack_to_writer(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_picture(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    write: ImageWriteFn,
    user: *mut c_void,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    packer::to_writer(Family::Picture, packer, || input(picture), write, user, options)
}

/// As image_packer_pack_to_data_async(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_data_from_picture_async(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || Order::new(packer, || input(picture), options);
    job::to_data(Family::Picture, order, Reply { done, user, job })
}

/// As image_packer_pack_to_file_async(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_file_from_picture_async(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    fd: c_int,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || Order::new(packer, || input(picture), options);
    job::to_file(Family::Picture, order, fd, Reply { done, user, job })
}

/// As image_packer_pack_to_path_async(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_path_from_picture_async(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    path: *const c_char,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || Order::new(packer, || input(picture), options);
    job::to_path(Family::Picture, order, path, Reply { done, user, job })
}

/// As image_packer_pack_to_writer_async(), with the statuses of image_packer_pack_to_data_from_picture().
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_to_writer_from_picture_async(
    packer: *mut ImagePacker,
    picture: *const ImagePicture,
    write: ImageWriteFn,
    write_user: *mut c_void,
    options: *const ImagePackingOptions,
    done: ImageDoneFn,
    user: *mut c_void,
    job: *mut *mut ImageJob,
) -> ImageStatus {
    let order = || Order::new(packer, || input(picture), options);
    job::to_writer(Family::Picture, order, write, write_user, Reply { done, user, job })
}

/// Adds a picture to a batch.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_add_picture(
    batch: *mut ImageBatch,
    picture: *const ImagePicture,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let input = input(picture)?;
        batch::get(batch)?.add(1, |_| input.clone(), &packing_options::snapshot(options)?)
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

/// Releases the picture. Packs that are using it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_release(picture: *mut ImagePicture) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(picture.addr()))
}
