//! ImageBatch: many packs as one.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::Arc,
    time::Duration,
};

use super::{
    boundary::{attempt, forget, run, value},
    callback,
    data::{self, ImageData},
    handle::{self, Kind, Object},
    job::ImageDoneFn,
    packer::{self, ImagePacker},
    packing_options::{self, ImagePackingOptions},
    pixelmap::{self, ImagePixelMap},
    pointer::{array, out, path, text},
    report::{self, ImageReport},
    source::{self, ImageSource},
    status::{Family, IMAGE_OK, ImageStatus},
    tensor::{self, ImageTensor},
};
use crate::{
    bail, err,
    error::Result,
    pack::{
        batch::{Batch, Done, Each, Output},
        names::{Rule, SameName},
        packer::Input,
    },
    sink::fd,
};

/// Many packs as one, on the library's threads: the fast way to encode many images.
///
/// Images are numbered in the order in which they are added; each has its own size, options and format. They are
/// independent: one that fails does not stop the others. The bytes of an image depend on its pixels and options alone,
/// never on threads or on other images. A batch is made, filled, told where its images go, and started once; handles that
/// were added may be released at once.
///
/// What was said of ImageJob about threads, memory, unloading and fork() holds here too. Progress callbacks of options are
/// not called for images of batches; a timeout of options counts from the start of each image.
pub struct ImageBatch {
    _private: [u8; 0],
}

/// The end of image `index` of a batch, in order of completion; on worker threads, several at once. On IMAGE_OK `data` is
/// yours to release where images go into memory each for itself; otherwise it is NULL. The thread's last error is the
/// image's; its status, size, time and report can be asked for from then on.
pub type ImageItemFn =
    Option<unsafe extern "C" fn(user: *mut c_void, index: usize, status: ImageStatus, data: *mut ImageData)>;

/// What happens when images of a batch would have the same file name.
pub type ImageSameName = i32;
/// The first one gets it, each of the others is an error.
pub const IMAGE_SAME_NAME_ERROR: i32 = 0;
/// The others get "_1", "_2" and so on behind their stem.
pub const IMAGE_SAME_NAME_NUMBER: i32 = 1;
/// The last one gets it; the others are not written and count as done, with 0 bytes.
pub const IMAGE_SAME_NAME_LAST_WINS: i32 = 2;

impl Object for Batch {
    const KIND: Kind = Kind::Batch;
}

pub(super) fn get(batch: *const ImageBatch) -> Result<Arc<Batch>> {
    handle::get(batch.addr())
}

/// Which codes tell the errors of a batch.
fn family(batch: &Batch) -> Family {
    // In a child of the batch's process nothing may be asked; it answers an error in any case.
    match batch.count() {
        Ok(_) if batch.writes_files() => Family::File,
        _ => Family::Data,
    }
}

/// Answers from what is asked of a batch, with the batch's codes.
fn ask(batch: *const ImageBatch, question: impl FnOnce(&Batch) -> Result<()>) -> ImageStatus {
    let mut codes = Family::Data;
    let result = attempt(|| {
        let batch = get(batch)?;
        codes = family(&batch);
        question(&batch)
    });
    run(codes, || result)
}

pub(super) fn callbacks(
    item: ImageItemFn,
    done: ImageDoneFn,
    user: *mut c_void,
    family: Family,
) -> (Option<Each>, Option<Done>) {
    let each = callback::item(item, user).map(|item| -> Each {
        Box::new(move |index, result| {
            let result = result.and_then(|bytes| attempt(|| bytes.map(data::make).transpose()));
            match result {
                Ok(data) => {
                    forget();
                    item(index, IMAGE_OK, data.unwrap_or(ptr::null_mut()));
                    Ok(None)
                }
                Err(error) => {
                    item(index, run(family, || Err(error.clone())), ptr::null_mut());
                    Err(error)
                }
            }
        })
    });
    let done = callback::done(done, user).map(|done| -> Done {
        Box::new(move |result| {
            if result.is_ok() {
                forget();
            }
            done(run(family, || result), ptr::null_mut());
        })
    });
    (each, done)
}

/// An empty batch, whose images go into memory each for itself.
///
/// @param[out] batch  new handle
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_create(packer: *mut ImagePacker, batch: *mut *mut ImageBatch) -> ImageStatus {
    run(Family::Data, || {
        let batch = out(batch, "batch")?;
        let token = handle::insert(Arc::new(Batch::new(packer::get(packer)?)))?;
        batch.put(ptr::without_provenance_mut(token));
        Ok(())
    })
}

/// Adds a pixel map.
///
/// @return 401 also for a batch that has been started.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_add_pixelmap(
    batch: *mut ImageBatch,
    pixelmap: *const ImagePixelMap,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let pixels = pixelmap::get(pixelmap)?.snapshot()?;
        get(batch)?.add(1, |_| Input::Pixels(pixels.clone()), &packing_options::snapshot(options)?)
    })
}

/// Adds an image source.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_add_source(
    batch: *mut ImageBatch,
    source: *const ImageSource,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        let source = source::get(source)?;
        get(batch)?.add(1, |_| Input::Source(source.clone()), &packing_options::snapshot(options)?)
    })
}

/// Adds all images of a tensor, in their order. What is in a device's memory becomes the batch's when the tensor's stream
/// has done what it has been given up to now; see image_tensor_set_stream().
///
/// @return 62980096, and nothing is added, when the device does not answer.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_add_tensor(
    batch: *mut ImageBatch,
    tensor: *const ImageTensor,
    options: *const ImagePackingOptions,
) -> ImageStatus {
    run(Family::Data, || {
        get(batch)?.add_tensor(tensor::snapshot(tensor)?, &packing_options::snapshot(options)?)
    })
}

/// Lets the images go into one piece of memory, one behind the other in their order; one that fails takes no bytes. See
/// image_batch_take_arena().
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_to_arena(batch: *mut ImageBatch) -> ImageStatus {
    run(Family::Data, || get(batch)?.set_output(Output::Arena))
}

/// Lets the images go into descriptors, as image_packer_pack_to_file() does. Descriptors are duplicated: they may be closed
/// on return. One that cannot be written to is an error of its image.
///
/// @param fds    one for each image
/// @param count  as many as there will be images
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_to_files(
    batch: *mut ImageBatch,
    fds: *const c_int,
    count: usize,
) -> ImageStatus {
    run(Family::Data, || {
        let fds = array(fds, count, "fds")?;
        get(batch)?.set_output(Output::Descriptors(fds.iter().map(|&fd| fd::duplicate(fd)).collect()))
    })
}

/// Lets the images go into files of a folder. Each is written as image_packer_pack_to_path() does: as a whole or not at
/// all. `names[i]` is the name of what image i was made of; its file is "out_" + stem + "." + the format's extension, where
/// the stem is what Python's os.path.splitext(os.path.basename(name))[0] answers. image_batch_set_names() changes the rule.
///
/// @param folder  must exist when the batch starts
/// @param names   one for each image
/// @param count   as many as there will be images
/// @param same    what happens to images of the same name
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_to_folder(
    batch: *mut ImageBatch,
    folder: *const c_char,
    names: *const *const c_char,
    count: usize,
    same: ImageSameName,
) -> ImageStatus {
    run(Family::Data, || {
        let same = match same {
            IMAGE_SAME_NAME_ERROR => SameName::Error,
            IMAGE_SAME_NAME_NUMBER => SameName::Number,
            IMAGE_SAME_NAME_LAST_WINS => SameName::LastWins,
            _ => bail!(OutOfRange, "{same} is not a rule for equal names"),
        };
        let names = array(names, count, "names")?.iter();
        let names = names.map(|&name| path(name, "a name").map(|name| name.as_os_str().to_owned()));
        let names = names.collect::<Result<Vec<_>>>()?;
        let path = path(folder, "folder")?.to_owned();
        get(batch)?.set_output(Output::Folder { path, names, rule: Rule::default(), same })
    })
}

/// How file names of image_batch_to_folder() are made: prefix + stem + suffix + "." + extension.
///
/// @param prefix     NULL: "out_"
/// @param suffix     NULL: ""
/// @param extension  without its dot; NULL: the format's ("jpg", "png", "webp", ...). It does not choose the format
/// @return 401 for a part with a '/', and before image_batch_to_folder().
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_set_names(
    batch: *mut ImageBatch,
    prefix: *const c_char,
    suffix: *const c_char,
    extension: *const c_char,
) -> ImageStatus {
    run(Family::Data, || {
        let part = |part: *const c_char, name| -> Result<Option<std::ffi::OsString>> {
            if part.is_null() {
                return Ok(None);
            }
            let part = text(part, name)?;
            if part.contains('/') {
                bail!(OutOfRange, "the {name} \"{part}\" would lead into another folder");
            }
            Ok(Some(part.into()))
        };
        let default = Rule::default();
        let new = Rule {
            prefix: part(prefix, "prefix")?.unwrap_or(default.prefix),
            suffix: part(suffix, "suffix")?.unwrap_or(default.suffix),
            extension: part(extension, "extension")?,
        };
        get(batch)?.set_names(|rule, _| *rule = new)
    })
}

/// Starts the batch. Calls `item` once for each image, then `done` with what image_batch_wait() will answer; both may be
/// NULL, and may be called before this returns.
///
/// @return 401 for a batch without images, one that has been started, and a number of descriptors or names that is not the
///         number of images; 62980096 for a folder that is not there.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_start(
    batch: *mut ImageBatch,
    item: ImageItemFn,
    done: ImageDoneFn,
    user: *mut c_void,
) -> ImageStatus {
    run(Family::Data, || {
        let batch = get(batch)?;
        let (each, done) = callbacks(item, done, user, family(&batch));
        batch.start(each, done)
    })
}

/// Waits until all images have ended and `done` has returned.
///
/// @param timeout_ms  0 asks without waiting; negative waits for ever
/// @return IMAGE_OK if all succeeded, else the status of the first by number that failed; 1002 when the time is over and
///         the batch goes on; 401 inside a callback that would have to wait, of a job or of a source.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_wait(batch: *const ImageBatch, timeout_ms: i64) -> ImageStatus {
    ask(batch, |batch| batch.wait(u64::try_from(timeout_ms).ok().map(Duration::from_millis)))
}

/// Asks all images that have not ended to stop soon. They end with 1001.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_cancel(batch: *mut ImageBatch) -> ImageStatus {
    run(Family::Data, || get(batch)?.cancel())
}

/// How far the batch is. Each place may be NULL.
///
/// @param[out] ended   images that have ended, however they did
/// @param[out] failed  those of them that failed
/// @param[out] count   all images
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_get_progress(
    batch: *const ImageBatch,
    ended: *mut usize,
    failed: *mut usize,
    count: *mut usize,
) -> ImageStatus {
    run(Family::Data, || {
        let now = get(batch)?.count()?;
        for (place, value) in [(ended, now.ended), (failed, now.failed), (count, now.all)] {
            out(place, "").into_iter().for_each(|place| place.put(value));
        }
        Ok(())
    })
}

/// How an image ended: makes its message this thread's last error.
///
/// @return the image's status; 1002 before its end; 401 for a number that the batch does not have.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_get_status(batch: *const ImageBatch, index: usize) -> ImageStatus {
    ask(batch, |batch| {
        let result = batch.look(index, |record| record.result.clone())?;
        result.unwrap_or_else(|| bail!(NotReady, "image {index} has not ended"))
    })
}

/// Encoded bytes of an image that has ended well, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_get_size(batch: *const ImageBatch, index: usize) -> u64 {
    value(0, || get(batch)?.look(index, |record| record.bytes))
}

/// Nanoseconds that an image was worked on, without the time in the queue; 0 before its end.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_get_time(batch: *const ImageBatch, index: usize) -> u64 {
    value(0, || get(batch)?.look(index, |record| u64::try_from(record.time.as_nanos()).unwrap_or(u64::MAX)))
}

/// What became of an image that has ended well: fills `report`, as packs with options that name it do.
///
/// @return 1002 before the image's end; its status if it failed.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_get_report(
    batch: *const ImageBatch,
    index: usize,
    report: *mut ImageReport,
) -> ImageStatus {
    ask(batch, |batch| {
        let place = report::get(report)?;
        let (result, report) = batch.look(index, |record| (record.result.clone(), record.report.clone()))?;
        result.unwrap_or_else(|| bail!(NotReady, "image {index} has not ended"))?;
        // An image whose name went to another was never packed.
        let report =
            report.ok_or_else(|| err!(OutOfRange, "image {index} was not written, so there is no report"))?;
        place.put(&report)
    })
}

/// Takes an image that went into memory for itself and to no callback, at any time after its end.
///
/// @param[out] data  the encoded image; release with image_data_release()
/// @return 1002 before its end; its status if it failed; 401 when there is nothing, or nothing any more.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_take_data(
    batch: *mut ImageBatch,
    index: usize,
    data: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let data = out(data, "data")?;
        data.put(data::make(get(batch)?.take(index)?)?);
        Ok(())
    })
}

/// Takes the one piece of memory of image_batch_to_arena() when all images have ended, inside `done` at the earliest.
/// Image i is the bytes from offset i to offset i + 1: the buffers of an Arrow LargeBinary array.
///
/// @param[out] bytes    all images; release with image_data_release()
/// @param[out] offsets  one int64_t more than there are images, in the byte order of the machine, aligned to 8 bytes
/// @return 1002 before the end; 401 when they were taken, or were to go elsewhere.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_take_arena(
    batch: *mut ImageBatch,
    bytes: *mut *mut ImageData,
    offsets: *mut *mut ImageData,
) -> ImageStatus {
    run(Family::Data, || {
        let (bytes, offsets) = (out(bytes, "bytes")?, out(offsets, "offsets")?);
        let (all, begins) = get(batch)?.take_arena()?;
        let all = data::make(all)?;
        match data::make(begins) {
            Ok(begins) => offsets.put(begins),
            Err(error) => {
                data::forget(all)?;
                return Err(error);
            }
        }
        bytes.put(all);
        Ok(())
    })
}

/// Forgets the batch; does not stop it.
#[unsafe(no_mangle)]
pub extern "C" fn image_batch_release(batch: *mut ImageBatch) -> ImageStatus {
    run(Family::Data, || handle::remove::<Batch>(batch.addr()))
}
