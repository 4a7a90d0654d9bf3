//! ImagePicture: a main image with what belongs to it.

use std::{ptr, sync::Arc};

use super::{
    boundary::run,
    handle::{self, Kind, Object},
    pixelmap::{self, ImagePixelFormat, ImagePixelMap},
    pointer::{array, out},
    source::{self, ImageSource},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    codec::decode,
    error::Result,
    host,
    limits::Limits,
    model::{
        gain_map::GainMapParams,
        picture::{AuxiliaryKind, Parts},
        pixel_format::PixelFormat,
        pixelmap::PixelMap,
    },
    pack::{develop, packer::Input},
    shared::Shared,
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

/// A picture as its handle holds it: every change makes a new snapshot.
pub(super) struct Cell(Shared<Parts>);

impl Object for Cell {
    const KIND: Kind = Kind::Picture;
}

/// A new handle for a picture.
pub(super) fn make(parts: Parts) -> Result<*mut ImagePicture> {
    Ok(ptr::without_provenance_mut(handle::insert(Arc::new(Cell(Shared::new(parts)?)))?))
}

pub(super) fn parts(picture: *const ImagePicture) -> Result<Arc<Parts>> {
    handle::get::<Cell>(picture.addr())?.0.get()
}

/// What to pack: the picture as it is now.
pub(super) fn input(picture: *const ImagePicture) -> Result<Input> {
    Ok(Input::Picture(Arc::new(parts(picture)?.picture()?)))
}

/// Applies a change to a copy and puts it in place; a failing change leaves the picture as it was.
pub(super) fn change(picture: *mut ImagePicture, change: impl Fn(&mut Parts) -> Result<()>) -> ImageStatus {
    run(Family::Data, || {
        handle::get::<Cell>(picture.addr())?.0.update(|now| {
            let mut new = now.clone();
            change(&mut new)?;
            Ok(new)
        })
    })
}

/// The pixel map of a handle, or none for NULL.
fn optional(pixelmap: *const ImagePixelMap) -> Result<Option<Arc<PixelMap>>> {
    if pixelmap.is_null() { Ok(None) } else { pixelmap::get(pixelmap).map(Some) }
}

/// Puts a new handle for a part of a picture, or NULL where it has none.
fn part(
    picture: *const ImagePicture,
    place: *mut *mut ImagePixelMap,
    part: impl FnOnce(&Parts) -> Result<Option<Arc<PixelMap>>>,
) -> ImageStatus {
    run(Family::Data, || {
        let place = out(place, "pixelmap")?;
        let handle = part(&*parts(picture)?)?.map_or(Ok(0), handle::insert)?;
        place.put(ptr::without_provenance_mut(handle));
        Ok(())
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

/// A new handle for the main image; NULL if the picture is of metadata alone.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_main(
    picture: *const ImagePicture,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    part(picture, pixelmap, |parts| Ok(parts.main.clone()))
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
        parts.auxiliaries[kind(auxiliary)? as usize] = optional(pixelmap)?;
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
    part(picture, pixelmap, |parts| Ok(parts.auxiliaries[kind(auxiliary)? as usize].clone()))
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
        parts.hdr = optional(pixelmap)?;
        Ok(())
    })
}

/// A new handle for the HDR rendition that was set; NULL if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_get_hdr_rendition(
    picture: *const ImagePicture,
    pixelmap: *mut *mut ImagePixelMap,
) -> ImageStatus {
    part(picture, pixelmap, |parts| Ok(parts.hdr.clone()))
}

/// The main image with the gain map applied, as a display shows it whose peak is `headroom` stops above diffuse white
/// (log2): 0 is SDR, 2 four times as bright; from the map's own headroom on, and with INFINITY, it is applied in full.
///
/// RGBA_F16 and RGBA_F32 are linear light in which 1.0 is diffuse white, 203 nits; RGBA_1010102, RGB_161616 and
/// RGBA_16161616 are PQ. All are in BT.2020's primaries, and their code points say so. Large images are made on all
/// cores that the process may use, by threads that are gone when the call returns.
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
/// alike for a gray map. Headrooms and gains are log2, 0 to 64 and -64 to 64; gamma is above 0 and at most 64; offsets are
/// parts of SDR white, -64 to 64.
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

/// Releases the picture. Packs that are using it go on.
#[unsafe(no_mangle)]
pub extern "C" fn image_picture_release(picture: *mut ImagePicture) -> ImageStatus {
    run(Family::Data, || handle::remove::<Cell>(picture.addr()))
}
