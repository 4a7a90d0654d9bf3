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
    pixelmap::{self, ImagePixelMap},
    pointer::{array, bytes, out},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    model::{
        gain_map::GainMapParams,
        metadata::{Density, block},
        picture::{AuxiliaryKind, Parts},
    },
    pack::packer::Input,
    shared::Shared,
    sink::memory::Buffer,
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
        picture.put(make(Parts::new(pixelmap::get(main)?))?);
        Ok(())
    })
}

/// A new handle for the main image.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_main(
    picture: *const ImagePicture,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    run(Family::Data, || {
        let pixelmap = out(pixelmap, "pixelmap")?;
        pixelmap.put(ptr::without_provenance_mut(handle::insert(parts(picture)?.main.clone())?));
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
    metadata: ImageMetadataType,
    block_bytes: *const c_void,
    size: usize,
) -> ImageStatus {
    change(picture, |parts| {
        let given = bytes(block_bytes, size, "block_bytes")?;
        let new = if given.is_empty() { None } else { Some(block(given)?) };
        match metadata {
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
            _ => bail!(OutOfRange, "{metadata} is not a type of metadata"),
        }
        Ok(())
    })
}

/// A copy of a block of metadata, to be released with image_data_release(); NULL if the picture has none of this
/// type.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_metadata(
    picture: *const ImagePicture,
    metadata: ImageMetadataType,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let data = out(data, "data")?;
        let parts = parts(picture)?;
        let block = match metadata {
            IMAGE_METADATA_EXIF => &parts.metadata.exif,
            IMAGE_METADATA_XMP => &parts.metadata.xmp,
            IMAGE_METADATA_IPTC => &parts.metadata.iptc,
            _ => bail!(OutOfRange, "{metadata} is not a type of metadata"),
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

/// Releases the picture. Packs that are using it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_release(picture: *mut ImagePicture) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(picture.addr()))
}
