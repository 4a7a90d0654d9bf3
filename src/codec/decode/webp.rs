//! WebP through libwebp.
#![allow(unsafe_code, reason = "island: calls libwebp's C interface")]

use std::{
    ffi::c_int,
    io::{Read as _, Seek as _, SeekFrom},
    ptr, slice,
};

use libwebp_sys::*;

use super::{
    Decoder, Header, Job, Reader, damaged, exif,
    frames::{self, Animation, Frame, Frames as _},
};
use crate::{
    err,
    error::{Error, ErrorKind, Result, try_vec},
    host,
    limits::Share,
    model::{
        frame::{Delay, Disposal, Rect},
        pixel_format::PixelFormat,
        pixelmap::Pixels,
    },
    pixels::Orientation,
};

pub static DECODER: Decoder = Decoder {
    mime: c"image/webp",
    sniff: |head| head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP"),
    probe,
    decode,
    animation: Some(Animation {
        scan,
        frames: |job| {
            // Two canvases and a frame, all libwebp's.
            let share = job.take(12)?;
            Ok(Box::new(Frames::new(job, Some(share))?))
        },
    }),
};

/// Metadata larger than this is not looked at: EXIF's directories come first and are small.
const MOST_EXIF: u32 = 1 << 20;

/// Steps from chunk to chunk (RFC 9649): the size comes first, frames and EXIF behind it.
fn probe(reader: &mut Reader<'_>) -> Result<Header> {
    let mut header = Header { size: (0, 0), frames: 0, orientation: Orientation::Upright };
    let mut extended = false;
    let mut at = 12;
    loop {
        reader.seek(SeekFrom::Start(at)).map_err(|e| damaged("WebP", e))?;
        let mut head = [0; 8];
        match reader.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(damaged("WebP", e)),
        }
        let [a, b, c, d, e, f, g, h] = head;
        let size = u32::from_le_bytes([e, f, g, h]);
        let mut read = |bytes: &mut [u8]| {
            reader.read_exact(bytes).map_err(|_| damaged("WebP", "it ends before its size"))
        };
        match &[a, b, c, d] {
            b"VP8X" => {
                let mut bytes = [0; 10];
                read(&mut bytes)?;
                let side = |at: usize| 1 + u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0]);
                header.size = (side(4), side(7));
                extended = true;
                // Without metadata, a still image needs no further look.
                if bytes[0] & 0x0a == 0 {
                    header.frames = 1;
                    break;
                }
            }
            b"VP8 " | b"VP8L" => {
                header.frames = 1;
                if !extended {
                    // 30 bytes of the file are enough for either kind.
                    let mut bytes = [0; 30];
                    bytes[12..20].copy_from_slice(&head);
                    bytes[..4].copy_from_slice(b"RIFF");
                    bytes[4..8].copy_from_slice(&size.saturating_add(12).to_le_bytes());
                    bytes[8..12].copy_from_slice(b"WEBP");
                    let there = (size as usize).min(10);
                    read(&mut bytes[20..20 + there])?;
                    let found = features(&bytes[..20 + there])?;
                    header.size = (found.width as u32, found.height as u32);
                    break;
                }
            }
            b"ANMF" => header.frames += 1,
            b"EXIF" if size <= MOST_EXIF => {
                let mut bytes = try_vec(size as usize, "EXIF")?;
                read(&mut bytes)?;
                let tiff = bytes.strip_prefix(b"Exif\0\0").unwrap_or(&bytes);
                header.orientation = exif::orientation(tiff);
            }
            _ => {}
        }
        at += 8 + u64::from(size).next_multiple_of(2);
    }
    Ok(header)
}

fn features(bytes: &[u8]) -> Result<WebPBitstreamFeatures> {
    let mut found = std::mem::MaybeUninit::<WebPBitstreamFeatures>::zeroed();
    // SAFETY: the bytes are readable for their length; the structure is plain numbers and is filled in.
    let (status, found) = unsafe {
        let status = WebPGetFeatures(bytes.as_ptr(), bytes.len(), found.as_mut_ptr());
        (status, found.assume_init())
    };
    if status == VP8StatusCode::VP8_STATUS_OK { Ok(found) } else { Err(explain(status)) }
}

fn explain(status: VP8StatusCode) -> Error {
    use VP8StatusCode::*;
    match status {
        // Nobody can abort here: what libwebp calls so is a frame that it found no memory to set up.
        VP8_STATUS_OUT_OF_MEMORY | VP8_STATUS_USER_ABORT => {
            err!(OutOfMemory, "libwebp could not allocate memory for decoding")
        }
        VP8_STATUS_NOT_ENOUGH_DATA | VP8_STATUS_SUSPENDED => damaged("WebP", "it ends too early"),
        other => damaged("WebP", format!("libwebp answers {other:?}")),
    }
}

fn decode(job: &Job<'_>) -> Result<Pixels> {
    let found = features(job.bytes)?;
    if (found.width as u32, found.height as u32) != job.header.size {
        return Err(damaged("WebP", format!("the image is {} x {} pixels", found.width, found.height)));
    }
    let (alpha, animated) = (found.has_alpha != 0, found.has_animation != 0);
    let format = if alpha || animated { PixelFormat::Rgba8888 } else { PixelFormat::Rgb888 };
    let group = usize::from(format.info().planes[0].bytes);
    // Lossless data, which alpha may be too, is unpacked to 4 bytes a pixel beside ours; an animation has two canvases
    // and a frame.
    let _share = job.take(group as u64 + if animated { 16 } else { 8 })?;
    let (width, height) = job.header.size;
    let mut bytes = try_vec(width as usize * height as usize * group, "decoded pixels")?;
    let attempt = |bytes: &mut [u8]| {
        if !animated {
            return still(job, alpha, width as usize * group, bytes);
        }
        let mut frames = Frames::new(job, None)?;
        let missing = |index| damaged("WebP", format!("frame {index} cannot be decoded"));
        frames::up_to(job, &mut frames, missing)?;
        bytes.copy_from_slice(frames.canvas().as_flattened());
        Ok(())
    };
    match attempt(&mut bytes) {
        Err(error) if error.kind == ErrorKind::BadData => {
            check_room(bytes.len())?;
            attempt(&mut bytes)?;
        }
        result => result?,
    }
    let mut pixels = Pixels::from_vec(width, height, format, bytes)?;
    if let Some(icc) = profile(job.bytes) {
        pixels.set_embedded_profile(icc)?;
    }
    Ok(pixels)
}

/// libwebp takes many an allocation that failed for damage. What it may have needed for so many bytes of pixels tells them
/// apart, and if it is there by now, a second attempt does.
fn check_room(bytes: usize) -> Result<()> {
    let before = host::reserve::uses();
    drop(try_vec::<u64>(bytes / 4 + (1 << 16), "decoding WebP")?);
    host::check_memory(before)
}

/// Pieces of its data in which an image is decoded, and the least bytes of one.
const PIECES: usize = 64;
const LEAST_PIECE: usize = 16 << 10;

fn still(job: &Job<'_>, alpha: bool, row: usize, target: &mut [u8]) -> Result<()> {
    let mut config =
        WebPDecoderConfig::new().map_err(|()| err!(Bug, "libwebp is of another version than declared"))?;
    config.options.use_threads = (job.limits.threads() > 1).into();
    config.output.colorspace = if alpha { WEBP_CSP_MODE::MODE_RGBA } else { WEBP_CSP_MODE::MODE_RGB };
    config.output.is_external_memory = 1;
    config.output.u.RGBA =
        WebPRGBABuffer { rgba: target.as_mut_ptr(), stride: row as c_int, size: target.len() };
    // Data that comes in pieces may lack what is behind the image; all of this is there.
    let whole = job.bytes.get(4..8).and_then(|size| size.first_chunk()).map(|size| u32::from_le_bytes(*size));
    if whole.is_none_or(|size| (job.bytes.len() as u64) < u64::from(size) + 8) {
        return Err(explain(VP8StatusCode::VP8_STATUS_NOT_ENOUGH_DATA));
    }
    let decoder = Incremental::new(&mut config)?;
    // libwebp cannot be told to stop, but it can be told that there is no more data yet.
    let piece = (job.bytes.len() / PIECES).max(LEAST_PIECE);
    let mut status = VP8StatusCode::VP8_STATUS_SUSPENDED;
    let mut end = 0;
    while status == VP8StatusCode::VP8_STATUS_SUSPENDED && end < job.bytes.len() {
        job.control.check()?;
        end = (end + piece).min(job.bytes.len());
        // SAFETY: a live decoder; the bytes are the same ones each time, with more behind them, and stay where they are.
        status = unsafe { WebPIUpdate(decoder.0, job.bytes.as_ptr(), end) };
    }
    drop(decoder);
    match status {
        VP8StatusCode::VP8_STATUS_OK => Ok(()),
        // libwebp says so of damaged alpha, too.
        VP8StatusCode::VP8_STATUS_OUT_OF_MEMORY | VP8StatusCode::VP8_STATUS_USER_ABORT if alpha => {
            Err(damaged("WebP", "its alpha cannot be decoded"))
        }
        status => Err(explain(status)),
    }
}

/// libwebp's decoder of data that comes in pieces, which writes into the output of a configuration.
struct Incremental<'a>(*mut WebPIDecoder, std::marker::PhantomData<&'a mut WebPDecoderConfig>);

impl<'a> Incremental<'a> {
    fn new(config: &'a mut WebPDecoderConfig) -> Result<Self> {
        // SAFETY: no data yet; the configuration and its output outlive the decoder, and libwebp checks the output's size
        // against the image's.
        let decoder = unsafe { WebPIDecode(ptr::null(), 0, config) };
        if decoder.is_null() {
            return Err(err!(OutOfMemory, "libwebp could not allocate memory for decoding"));
        }
        Ok(Self(decoder, std::marker::PhantomData))
    }
}

impl Drop for Incremental<'_> {
    fn drop(&mut self) {
        // SAFETY: made by WebPIDecode.
        unsafe { WebPIDelete(self.0) }
    }
}

/// libwebp's decoder of animations, which composes the frames itself.
struct Frames<'a> {
    decoder: *mut WebPAnimDecoder,
    /// The bytes that the decoder reads.
    bytes: std::marker::PhantomData<&'a [u8]>,
    /// libwebp's canvas, until its next call.
    canvas: *const [u8; 4],
    pixels: usize,
    /// Frames that have been drawn, and all.
    drawn: usize,
    total: usize,
    _share: Option<Share>,
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        // SAFETY: made by WebPAnimDecoderNew.
        unsafe { WebPAnimDecoderDelete(self.decoder) }
    }
}

impl<'a> Frames<'a> {
    fn new(job: &Job<'a>, share: Option<Share>) -> Result<Self> {
        let data = WebPData { bytes: job.bytes.as_ptr(), size: job.bytes.len() };
        let mut options = std::mem::MaybeUninit::<WebPAnimDecoderOptions>::zeroed();
        // SAFETY: the options are filled in by libwebp; the data outlives the decoder.
        let mut attempt = || unsafe {
            WebPAnimDecoderOptionsInit(options.as_mut_ptr());
            let mut options = options.assume_init();
            options.color_mode = WEBP_CSP_MODE::MODE_RGBA;
            options.use_threads = (job.limits.threads() > 1).into();
            WebPAnimDecoderNew(&data, &options)
        };
        let mut decoder = attempt();
        if decoder.is_null() {
            check_room(job.header.size.0 as usize * job.header.size.1 as usize * 4)?;
            decoder = attempt();
        }
        if decoder.is_null() {
            return Err(damaged("WebP", "libwebp does not take the animation"));
        }
        let mut frames = Self {
            decoder,
            bytes: std::marker::PhantomData,
            canvas: ptr::null(),
            pixels: 0,
            drawn: 0,
            total: job.header.frames,
            _share: share,
        };
        let mut info = std::mem::MaybeUninit::<WebPAnimInfo>::zeroed();
        // SAFETY: a live decoder; the structure is plain numbers and is filled in.
        let info = unsafe {
            WebPAnimDecoderGetInfo(decoder, info.as_mut_ptr());
            info.assume_init()
        };
        if (info.canvas_width, info.canvas_height) != job.header.size {
            return Err(damaged("WebP", "its canvas is not as large as its header says"));
        }
        frames.pixels = info.canvas_width as usize * info.canvas_height as usize;
        Ok(frames)
    }

    /// What the container says of frame `index`.
    fn header(&self, index: usize) -> Option<Frame> {
        let mut iterator = std::mem::MaybeUninit::<WebPIterator>::zeroed();
        // SAFETY: a live decoder, whose demuxer lives as long; the iterator is filled in if libwebp answers so, and is
        // released once.
        let found = unsafe {
            let demuxer = WebPAnimDecoderGetDemuxer(self.decoder);
            let number = c_int::try_from(index + 1).ok()?;
            if WebPDemuxGetFrame(demuxer, number, iterator.as_mut_ptr()) == 0 {
                return None;
            }
            let mut iterator = iterator.assume_init();
            WebPDemuxReleaseIterator(&mut iterator);
            iterator
        };
        let [x, y, width, height, millis] =
            [found.x_offset, found.y_offset, found.width, found.height, found.duration]
                .map(|number| number.max(0) as u32);
        let disposal = match found.dispose_method {
            WebPMuxAnimDispose::WEBP_MUX_DISPOSE_BACKGROUND => Disposal::Clear,
            _ => Disposal::Keep,
        };
        Some(Frame { area: Rect { x, y, width, height }, delay: Delay::millis(millis), disposal })
    }
}

impl frames::Frames for Frames<'_> {
    fn advance(&mut self) -> Result<Option<Frame>> {
        if self.drawn == self.total {
            return Ok(None);
        }
        let (mut canvas, mut time) = (ptr::null_mut(), 0);
        // SAFETY: a live decoder; both places are ours. A frame that fails is the next one still.
        let mut attempt = || unsafe { WebPAnimDecoderGetNext(self.decoder, &mut canvas, &mut time) };
        let mut done = attempt();
        if done == 0 {
            check_room(self.pixels * 4)?;
            done = attempt();
        }
        let header = self.header(self.drawn);
        let (true, Some(header)) = (done != 0, header) else {
            return Err(damaged("WebP", format!("frame {} cannot be decoded", self.drawn)));
        };
        self.canvas = canvas.cast();
        self.drawn += 1;
        Ok(Some(header))
    }

    fn canvas(&self) -> &[[u8; 4]] {
        if self.canvas.is_null() {
            return &[];
        }
        // SAFETY: the decoder's canvas, which is as large as `new` found, until its next call, for which `advance` needs
        // this decoder alone.
        unsafe { slice::from_raw_parts(self.canvas, self.pixels) }
    }
}

/// Steps from chunk to chunk: ANIM says how often, ANMF what a frame is.
fn scan(reader: &mut Reader<'_>, each: &mut dyn FnMut(Frame)) -> Result<u16> {
    let (mut at, mut loops) = (12, 1);
    loop {
        reader.seek(SeekFrom::Start(at)).map_err(|e| damaged("WebP", e))?;
        let mut head = [0; 8];
        if reader.read_exact(&mut head).is_err() {
            return Ok(loops);
        }
        let [a, b, c, d, size @ ..] = head;
        let size = u32::from_le_bytes(size);
        let mut body = [0; 16];
        let wanted = body.len().min(size as usize);
        match &[a, b, c, d] {
            b"ANIM" | b"ANMF" if reader.read_exact(&mut body[..wanted]).is_err() => return Ok(loops),
            b"ANIM" => loops = u16::from_le_bytes([body[4], body[5]]),
            b"ANMF" => {
                let number = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], 0]);
                let area =
                    Rect { x: 2 * number(0), y: 2 * number(3), width: 1 + number(6), height: 1 + number(9) };
                let disposal = if body[15] & 1 != 0 { Disposal::Clear } else { Disposal::Keep };
                each(Frame { area, delay: Delay::millis(number(12)), disposal });
            }
            _ => {}
        }
        at += 8 + u64::from(size).next_multiple_of(2);
    }
}

/// The profile's chunk, which comes before the image.
fn profile(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (head, inside) = rest.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *head;
        let size = u32::from_le_bytes([e, f, g, h]) as usize;
        match &[a, b, c, d] {
            b"ICCP" => return inside.get(..size),
            b"VP8X" => rest = inside.get(size.next_multiple_of(2)..)?,
            _ => return None,
        }
    }
}
