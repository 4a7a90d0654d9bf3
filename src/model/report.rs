//! What became of an image: size, format, codec, and everything that was dropped, repaired or converted on the way.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    bail,
    codec::Format,
    error::{ErrorKind, Result},
    handle::{Kind, Object},
    log,
    shared::Shared,
};

/// What is not in the output as it was in the input. The numbers are the header's `IMAGE_WARNING_` constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// EXIF that is damaged, too large, or that the format cannot carry.
    ExifDropped = 1,
    /// XMP, likewise.
    XmpDropped = 2,
    /// IPTC, likewise.
    IptcDropped = 3,
    /// A part of EXIF was left out or put right.
    ExifChanged = 4,
    /// Properties of the old file's layout were left out of XMP.
    XmpChanged = 5,
    /// The place where the image was taken was removed, as asked for.
    GpsRemoved = 6,
    /// Provenance data (C2PA, JUMBF), whose signatures a new encoding breaks.
    ProvenanceDropped = 7,
    /// Segments of a vendor's own, which point into the old file.
    VendorDataDropped = 8,
    /// The format cannot carry the density.
    DensityDropped = 9,
    /// A profile that does not go with the pixels.
    ProfileDropped = 10,
    /// Colours were converted to another space.
    ColorConverted = 11,
    /// High dynamic range became standard range.
    ToneMapped = 12,
    /// A gain map that the format or the dynamic range has no place for.
    GainMapDropped = 13,
    /// An auxiliary image that the format has no place for.
    AuxiliaryDropped = 14,
    /// Frames after the first.
    FramesDropped = 15,
    /// More bits per component than the format has.
    DepthReduced = 16,
    /// Alpha was blended on the background.
    AlphaBlended = 17,
    /// Comments and other texts that the format cannot carry.
    TextDropped = 18,
    /// A device was to encode, could not, and the host did.
    DeviceFailed = 30,
}

/// Who encodes. The numbers are the header's `IMAGE_BACKEND_` constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Backend {
    /// The host's processor.
    Cpu = 1,
    /// nvJPEG, on a CUDA device.
    Nvjpeg = 2,
}

/// One thing that is different, with a sentence about it.
#[derive(Clone, Debug)]
pub struct Warning {
    /// What.
    pub code: Code,
    /// In English, with the numbers.
    pub text: Cow<'static, str>,
}

/// What became of one image.
#[derive(Clone, Debug)]
pub struct Report {
    /// Encoded bytes.
    pub bytes: u64,
    /// Width and height of the encoded image in pixels.
    pub size: (u32, u32),
    /// The quality, which a limit of bytes may have lowered.
    pub quality: u8,
    /// The format.
    pub format: &'static Format,
    /// What encoded it.
    pub codec: Cow<'static, str>,
    /// Who encoded it, and where.
    pub backend: Backend,
    /// In the order in which they were found.
    pub warnings: Vec<Warning>,
}

impl Object for Report {
    const KIND: Kind = Kind::Snapshot;
}

/// Collects warnings during a pack. The lock is that of one pack: nobody else can be kept waiting by it.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<Warning>>);

impl Notes {
    /// Notes a warning, once per sentence, and logs it.
    pub fn add(&self, code: Code, text: impl Into<Cow<'static, str>>) {
        let text = text.into();
        {
            let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if warnings.iter().any(|known| known.code == code && known.text == text) {
                return;
            }
            warnings.push(Warning { code, text: text.clone() });
        }
        // Behind the lock: the host's log takes as long as it likes, and may call this library.
        log::write(log::WARNING, || text.into_owned());
    }

    /// Whether there is a warning of this code.
    pub fn has(&self, code: Code) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known.code == code)
    }

    /// The same, to go on from here.
    pub fn copy(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    /// All of them.
    pub fn into_warnings(self) -> Vec<Warning> {
        self.take()
    }

    /// All that have come so far.
    pub fn take(&self) -> Vec<Warning> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place where packs leave their report; the last one stays.
#[derive(Debug)]
pub struct LastReport(pub Shared<Report>);

impl LastReport {
    /// No report yet.
    pub const fn empty() -> Self {
        Self(Shared::empty())
    }

    /// The report of the last pack that left one.
    pub fn last(&self) -> Result<Arc<Report>> {
        match self.0.get() {
            Err(error) if error.kind == ErrorKind::NullPointer => {
                bail!(OutOfRange, "no pack has filled this report yet")
            }
            other => other,
        }
    }

    /// Replaces the report.
    pub fn put(&self, report: &Report) -> Result<()> {
        self.0.set(Some(report.clone()))
    }
}
