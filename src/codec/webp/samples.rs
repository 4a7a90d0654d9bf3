//! What libwebp reads: the caller's planes as they are, or samples that it converts band by band.
#![allow(unsafe_code, reason = "island: calls libwebp's C interface")]

use std::{
    borrow::Cow,
    ffi::c_int,
    mem::MaybeUninit,
    slice,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use libwebp_sys::*;

use super::encode::explain;
use crate::{
    err,
    error::{Result, try_vec},
    pack::plan::Plan,
    pixels::{Layout, Plane, Rows, Scratch},
};

/// Rows that are imported at a time; even, for chroma.
const BAND: u32 = 64;
/// Share of the import in the progress, of 1000.
pub const IMPORT: u64 = 100;

/// The samples that libwebp reads, in memory of ours or of the caller's.
pub enum Samples<'a> {
    Yuv {
        y: Cow<'a, [u8]>,
        u: Cow<'a, [u8]>,
        v: Cow<'a, [u8]>,
        /// Empty if opaque.
        alpha: Vec<u8>,
        y_stride: usize,
        uv_stride: usize,
    },
    Argb(Vec<u32>),
    /// Rows of a larger picture, so many samples apart.
    Within(&'a mut [u32], usize),
}

impl<'a> Samples<'a> {
    /// Planes that the caller or the darkroom have ready.
    pub fn planes(plan: &Plan<'a>, scratch: &'a mut Scratch) -> Result<Self> {
        let (rows, size) = (plan.rows, (plan.rows.width(), plan.rows.height()));
        let (width, half) = (size.0 as usize, size.0.div_ceil(2) as usize);
        let strides = [0, 1, 2].map(|plane| rows.pixels().plane(plane).1);
        let ready = rows.is_direct()
            && strides[1] == strides[2]
            && strides.iter().all(|&stride| stride <= c_int::MAX as usize);
        if ready {
            let [y, u, v] = rows.band(0..size.1, scratch)?.planes;
            return Ok(Self::Yuv {
                y: y.bytes.into(),
                u: u.bytes.into(),
                v: v.bytes.into(),
                alpha: Vec::new(),
                y_stride: y.stride,
                uv_stride: u.stride,
            });
        }
        let mut planes = Planes::new(size, false)?;
        planes.fill(plan, |rows, scratch, band| {
            let source = plan.rows.band(rows, scratch)?.planes;
            for (plane, target, row) in [
                (source[0], &mut *band.y, width),
                (source[1], &mut *band.u, half),
                (source[2], &mut *band.v, half),
            ] {
                for (y, target) in target.chunks_exact_mut(row).enumerate() {
                    target.copy_from_slice(plane.row(y, row));
                }
            }
            Ok(false)
        })?;
        Ok(planes.into_samples(size.0, false))
    }

    /// Luma and chroma, converted by libwebp in bands.
    pub fn yuv(plan: &Plan<'_>) -> Result<Self> {
        let size = (plan.rows.width(), plan.rows.height());
        let (width, half) = (size.0 as usize, size.0.div_ceil(2) as usize);
        let with_alpha = matches!(plan.rows.layout(), Layout::Rgba8 | Layout::Bgra8);
        let mut planes = Planes::new(size, with_alpha)?;
        let has_alpha = planes.fill(plan, |rows, scratch, band| {
            let part = Picture::import(plan.rows, rows, scratch, false)?;
            for (plane, stride, target, row) in [
                (part.0.y, part.0.y_stride, &mut *band.y, width),
                (part.0.u, part.0.uv_stride, &mut *band.u, half),
                (part.0.v, part.0.uv_stride, &mut *band.v, half),
            ] {
                copy_rows(plane, stride, target, row);
            }
            // Bands without transparency have no plane for it.
            match part.0.a.is_null() {
                true => band.alpha.fill(255),
                false => copy_rows(part.0.a, part.0.a_stride, band.alpha, width),
            }
            Ok(!part.0.a.is_null())
        })?;
        Ok(planes.into_samples(size.0, has_alpha))
    }

    /// Red, green, blue and alpha in one number each.
    pub fn argb(plan: &Plan<'_>) -> Result<Self> {
        let (width, height) = (plan.rows.width() as usize, plan.rows.height() as usize);
        let mut argb: Vec<u32> = try_vec(width * height, "WebP pixels")?;
        let bands = argb.chunks_mut(width * BAND as usize).collect();
        for_each_band(plan, bands, |rows, scratch, target: &mut [u32]| {
            let part = Picture::import(plan.rows, rows, scratch, true)?;
            copy_rows(part.0.argb, part.0.argb_stride, target, width);
            Ok(false)
        })?;
        Ok(Self::Argb(argb))
    }

    /// These samples without anything borrowed, which are gone from here then; `None` if the planes are.
    pub fn owned(&mut self) -> Option<Samples<'static>> {
        match self {
            Self::Argb(argb) => Some(Samples::Argb(std::mem::take(argb))),
            Self::Yuv {
                y: Cow::Owned(y),
                u: Cow::Owned(u),
                v: Cow::Owned(v),
                alpha,
                y_stride,
                uv_stride,
            } => {
                let [y, u, v] = [y, u, v].map(|plane| Cow::Owned(std::mem::take(plane)));
                let alpha = std::mem::take(alpha);
                Some(Samples::Yuv { y, u, v, alpha, y_stride: *y_stride, uv_stride: *uv_stride })
            }
            Self::Yuv { .. } | Self::Within(..) => None,
        }
    }

    /// The picture over these samples. Valid while they are.
    pub fn picture(&mut self, size: (u32, u32)) -> Result<Picture> {
        let mut picture = Picture::new(size)?;
        let target = &mut *picture.0;
        match self {
            Self::Argb(argb) => {
                target.use_argb = 1;
                target.argb = argb.as_mut_ptr();
                target.argb_stride = size.0 as c_int;
            }
            Self::Within(argb, stride) => {
                if (size.1 as usize - 1) * *stride + size.0 as usize > argb.len() {
                    return Err(err!(Bug, "{} samples for {} x {} pixels", argb.len(), size.0, size.1));
                }
                target.use_argb = 1;
                target.argb = argb.as_mut_ptr();
                target.argb_stride = *stride as c_int;
            }
            Self::Yuv { y, u, v, alpha, y_stride, uv_stride } => {
                target.use_argb = 0;
                target.colorspace = WebPEncCSP::WEBP_YUV420;
                (target.y, target.u, target.v) = (samples(y), samples(u), samples(v));
                (target.y_stride, target.uv_stride) = (*y_stride as c_int, *uv_stride as c_int);
                if !alpha.is_empty() {
                    target.colorspace = WebPEncCSP::WEBP_YUV420A;
                    target.a = alpha.as_mut_ptr();
                    target.a_stride = size.0 as c_int;
                }
            }
        }
        Ok(picture)
    }
}

/// libwebp writes to a picture's samples only below transparent pixels, and borrowed planes come without alpha.
fn samples(plane: &mut Cow<'_, [u8]>) -> *mut u8 {
    match plane {
        Cow::Borrowed(bytes) => bytes.as_ptr().cast_mut(),
        Cow::Owned(bytes) => bytes.as_mut_ptr(),
    }
}

/// Planes of our own, rows tight.
struct Planes {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
    alpha: Vec<u8>,
    width: usize,
}

/// The part of [`Planes`] that one band fills. Without alpha, `alpha` is empty.
struct PlanesBand<'a> {
    y: &'a mut [u8],
    u: &'a mut [u8],
    v: &'a mut [u8],
    alpha: &'a mut [u8],
}

impl Planes {
    fn new((width, height): (u32, u32), alpha: bool) -> Result<Self> {
        let luma = width as usize * height as usize;
        let chroma = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
        let plane = |len: usize| try_vec::<u8>(len, "a WebP plane");
        let alpha = plane(if alpha { luma } else { 0 })?;
        Ok(Self { y: plane(luma)?, u: plane(chroma)?, v: plane(chroma)?, alpha, width: width as usize })
    }

    /// Calls `work` for every band, on several threads; answers whether it answered true for any.
    fn fill(
        &mut self,
        plan: &Plan<'_>,
        work: impl Fn(std::ops::Range<u32>, &mut Scratch, PlanesBand<'_>) -> Result<bool> + Sync,
    ) -> Result<bool> {
        let luma = self.width * BAND as usize;
        let chroma = self.width.div_ceil(2) * BAND as usize / 2;
        let (us, vs) = (self.u.chunks_mut(chroma), self.v.chunks_mut(chroma));
        let mut alphas = self.alpha.chunks_mut(luma);
        let bands = self.y.chunks_mut(luma).zip(us.zip(vs));
        let bands = bands
            .map(|(y, (u, v))| PlanesBand { y, u, v, alpha: alphas.next().unwrap_or_default() })
            .collect();
        for_each_band(plan, bands, work)
    }

    fn into_samples<'a>(self, width: u32, alpha: bool) -> Samples<'a> {
        Samples::Yuv {
            y: self.y.into(),
            u: self.u.into(),
            v: self.v.into(),
            alpha: if alpha { self.alpha } else { Vec::new() },
            y_stride: width as usize,
            uv_stride: width.div_ceil(2) as usize,
        }
    }
}

/// Hands every band of rows, with its part of the target, to a thread. Answers whether any work answered true.
fn for_each_band<T: Send>(
    plan: &Plan<'_>,
    targets: Vec<T>,
    work: impl Fn(std::ops::Range<u32>, &mut Scratch, T) -> Result<bool> + Sync,
) -> Result<bool> {
    let (height, count) = (plan.rows.height(), targets.len());
    let targets: Vec<_> = targets.into_iter().map(|target| Mutex::new(Some(target))).collect();
    let (scratches, done, any) = (Mutex::new(Vec::new()), AtomicU64::new(0), AtomicU64::new(0));
    plan.pool.for_each(count, &|index| {
        let Some(target) = lock(&targets[index]).take() else { return Ok(()) };
        let mut scratch: Scratch = lock(&scratches).pop().unwrap_or_default();
        let first = index as u32 * BAND;
        let answer = work(first..(first + BAND).min(height), &mut scratch, target)?;
        any.fetch_add(answer.into(), Relaxed);
        lock(&scratches).push(scratch);
        let done = done.fetch_add(1, Relaxed) + 1;
        plan.control.checkpoint(done * IMPORT, count as u64 * 1000)
    })?;
    Ok(any.load(Relaxed) != 0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A picture; frees what libwebp allocated for it, not what we point it to.
pub struct Picture(pub Box<WebPPicture>);

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: initialised by WebPPictureInit.
        unsafe { WebPPictureFree(&mut *self.0) }
    }
}

impl Picture {
    pub fn new((width, height): (u32, u32)) -> Result<Self> {
        let mut picture = MaybeUninit::uninit();
        // SAFETY: WebPPictureInit writes the whole structure, or answers false when the versions differ.
        let mut picture = unsafe {
            if !WebPPictureInit(picture.as_mut_ptr()) {
                return Err(err!(Bug, "libwebp is of another version than its declarations"));
            }
            picture.assume_init()
        };
        (picture.width, picture.height) = (width as c_int, height as c_int);
        Ok(Self(Box::new(picture)))
    }

    /// Rows converted by libwebp, into one number a pixel or into luma and chroma.
    fn import(rows: &Rows, range: std::ops::Range<u32>, scratch: &mut Scratch, argb: bool) -> Result<Self> {
        type Import = unsafe extern "C" fn(*mut WebPPicture, *const u8, c_int) -> c_int;
        let (import, bytes): (Import, usize) = match rows.layout() {
            Layout::Rgb8 => (WebPPictureImportRGB, 3),
            Layout::Bgr8 => (WebPPictureImportBGR, 3),
            Layout::Rgba8 => (WebPPictureImportRGBA, 4),
            Layout::Bgra8 => (WebPPictureImportBGRA, 4),
            Layout::Rgbx8 => (WebPPictureImportRGBX, 4),
            Layout::Bgrx8 => (WebPPictureImportBGRX, 4),
            other => return Err(err!(Bug, "libwebp was given rows of {other:?}")),
        };
        let (row, height) = (rows.width() as usize * bytes, (range.end - range.start) as usize);
        let mut picture = Self::new((rows.width(), height as u32))?;
        picture.0.use_argb = argb.into();
        let plane = rows.band(range, scratch)?.planes[0];
        let tight =
            if plane.stride > c_int::MAX as usize { Some(tighten(plane, row, height)?) } else { None };
        let (bytes, stride) = match &tight {
            Some(bytes) => (&bytes[..], row),
            None => (&plane.bytes[..(height - 1) * plane.stride + row], plane.stride),
        };
        // SAFETY: the slice above covers `height` rows of `row` bytes, `stride` bytes apart.
        let done = unsafe { import(&mut *picture.0, bytes.as_ptr(), stride as c_int) };
        match done {
            0 => Err(explain(picture.0.error_code, (rows.width(), height as u32))),
            _ => Ok(picture),
        }
    }
}

/// Rows without anything between them, where a stride is larger than libwebp can count.
fn tighten(plane: Plane<'_>, row: usize, height: usize) -> Result<Vec<u8>> {
    let mut bytes = try_vec(row * height, "WebP rows")?;
    for (y, target) in bytes.chunks_exact_mut(row).enumerate() {
        target.copy_from_slice(plane.row(y, row));
    }
    Ok(bytes)
}

/// Copies rows of `row` samples out of a plane that libwebp allocated.
fn copy_rows<T: Copy>(plane: *const T, stride: c_int, target: &mut [T], row: usize) {
    for (y, target) in target.chunks_exact_mut(row).enumerate() {
        // SAFETY: libwebp made the plane for as many rows as the band has, `stride` samples apart, each at least as
        // long as the image is wide.
        target.copy_from_slice(unsafe { slice::from_raw_parts(plane.add(y * stride as usize), row) });
    }
}
