//! The packs of packer.rs, jobs and batches, of pictures.

use std::ffi::{c_char, c_int, c_void};

use super::{
    batch::{self, ImageBatch},
    boundary::run,
    callback::ImageWriteFn,
    data::ImageData,
    job::{self, ImageDoneFn, ImageJob, Order, Reply},
    packer::{self, ImagePacker},
    packing_options::{self, ImagePackingOptions},
    picture::{ImagePicture, input},
    status::{Family, ImageStatus},
};

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
