//! Batches of pixel maps in one call.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::Arc,
};

use super::{
    batch::{ImageBatch, ImageItemFn, callbacks},
    boundary::run,
    data::{self, ImageData},
    handle,
    job::ImageDoneFn,
    packer::{self, ImagePacker},
    packing_options::{self, ImagePackingOptions},
    pixelmap::{self, ImagePixelMap},
    pointer::{array, out},
    status::{Family, ImageStatus},
};
use crate::{
    bail,
    error::Result,
    pack::{
        batch::{Batch, Output},
        packer::Input,
    },
    sink::{fd, memory::Buffer},
};

/// A batch of pixel maps with the same options.
fn of_pixelmaps(
    packer: *mut ImagePacker,
    pixelmaps: *const *mut ImagePixelMap,
    count: usize,
    options: *const ImagePackingOptions,
) -> Result<Arc<Batch>> {
    let batch = Arc::new(Batch::new(packer::get(packer)?));
    let options = packing_options::snapshot(options)?;
    for &pixelmap in array(pixelmaps, count, "pixelmaps")? {
        let pixels = pixelmap::get(pixelmap)?.snapshot()?;
        batch.add(1, |_| Input::Pixels(pixels.clone()), &options)?;
    }
    Ok(batch)
}

/// Encodes `count` pixel maps on the library's threads and waits.
///
/// @param[out] data      `count` handles, NULL where an image failed
/// @param[out] statuses  `count` results; may be NULL
/// @return IMAGE_OK if all succeeded, else the status of the first that failed: `data` and `statuses` are written either
///         way, unless an argument is bad.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_batch_to_data(
    packer: *mut ImagePacker,
    pixelmaps: *const *mut ImagePixelMap,
    count: usize,
    options: *const ImagePackingOptions,
    data: *mut *mut ImageData,
    statuses: *mut ImageStatus,
) -> ImageStatus {
    run(Family::Data, || {
        out(data, "data")?;
        let batch = of_pixelmaps(packer, pixelmaps, count, options)?;
        batch.start(None, None)?;
        let overall = batch.wait(None);
        for index in 0..count {
            let taken = batch.take(index).and_then(|bytes: Buffer| data::make(bytes));
            let mut image = ptr::null_mut();
            let status = run(Family::Data, || {
                image = taken?;
                Ok(())
            });
            out(data.wrapping_add(index), "data")?.put(image);
            if !statuses.is_null() {
                out(statuses.wrapping_add(index), "statuses")?.put(status);
            }
        }
        overall
    })
}

/// As image_packer_pack_batch_to_data(), image i into `fds[i]` as image_packer_pack_to_file() does.
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_batch_to_files(
    packer: *mut ImagePacker,
    pixelmaps: *const *mut ImagePixelMap,
    count: usize,
    fds: *const c_int,
    options: *const ImagePackingOptions,
    statuses: *mut ImageStatus,
) -> ImageStatus {
    run(Family::File, || {
        let fds = array(fds, count, "fds")?;
        let batch = of_pixelmaps(packer, pixelmaps, count, options)?;
        batch.set_output(Output::Descriptors(fds.iter().map(|&fd| fd::duplicate(fd)).collect()))?;
        batch.start(None, None)?;
        let overall = batch.wait(None);
        for index in 0..count {
            let result = batch.look(index, |record| record.result.clone())?;
            let status = run(Family::File, || result.unwrap_or(Ok(())));
            if !statuses.is_null() {
                out(statuses.wrapping_add(index), "statuses")?.put(status);
            }
        }
        overall
    })
}

/// Starts a batch of `count` pixel maps that go into memory each for itself. Calls `item` once for each, then `done`.
///
/// @param[out] batch  new handle; may be NULL if `item` is not
#[unsafe(no_mangle)]
pub extern "C" fn image_packer_pack_batch_to_data_async(
    packer: *mut ImagePacker,
    pixelmaps: *const *mut ImagePixelMap,
    count: usize,
    options: *const ImagePackingOptions,
    item: ImageItemFn,
    done: ImageDoneFn,
    user: *mut c_void,
    batch: *mut *mut ImageBatch,
) -> ImageStatus {
    run(Family::Data, || {
        if item.is_none() && batch.is_null() {
            bail!(NullPointer, "item and batch are NULL: nobody would get the images");
        }
        let new = of_pixelmaps(packer, pixelmaps, count, options)?;
        let (each, done) = callbacks(item, done, user, Family::Data);
        let Ok(batch) = out(batch, "batch") else { return new.start(each, done) };
        // The handle comes first: a batch that has started cannot be taken back.
        let token = handle::insert(new.clone())?;
        if let Err(error) = new.start(each, done) {
            handle::remove::<Batch>(token)?;
            return Err(error);
        }
        batch.put(ptr::without_provenance_mut(token));
        Ok(())
    })
}
