//! The one table of pixel formats.

use crate::{bail, error::Result};

/// Memory layout of a pixel map. The numbers are the ABI's; those below 1000 are the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum PixelFormat {
    Rgb565 = 2,
    Rgba8888 = 3,
    Bgra8888 = 4,
    Rgb888 = 5,
    Alpha8 = 6,
    RgbaF16 = 7,
    Nv21 = 8,
    Nv12 = 9,
    Rgba1010102 = 10,
    YcbcrP010 = 11,
    YcrcbP010 = 12,
    Gray8 = 1000,
    GrayAlpha88 = 1001,
    Bgr888 = 1002,
    Rgbx8888 = 1003,
    Bgrx8888 = 1004,
    Argb8888 = 1005,
    Gray16 = 1006,
    Rgb161616 = 1007,
    Rgba16161616 = 1008,
    RgbaF32 = 1009,
    I420 = 1010,
    I422 = 1011,
    I444 = 1012,
}

/// One plane of a format.
#[derive(Clone, Copy, Debug)]
pub struct PlaneInfo {
    /// Bytes of one sample group: 4 for RGBA, 2 for interleaved 8-bit CbCr.
    pub bytes: u8,
    /// log2 of the horizontal subsampling.
    pub shift_x: u8,
    /// log2 of the vertical subsampling.
    pub shift_y: u8,
}

/// What there is to know of a format.
#[derive(Clone, Copy, Debug)]
pub struct FormatInfo {
    /// The format.
    pub format: PixelFormat,
    /// As in the header, without the prefix.
    pub name: &'static str,
    /// One to three planes.
    pub planes: &'static [PlaneInfo],
    /// Whether a sample for alpha exists.
    pub alpha: bool,
    /// Luma and chroma rather than red, green, blue or gray.
    pub yuv: bool,
    /// Bits of the deepest component; 16 and 32 for half and single floats.
    pub bits: u8,
}

const fn one(bytes: u8) -> PlaneInfo {
    PlaneInfo { bytes, shift_x: 0, shift_y: 0 }
}
const fn sub(bytes: u8, shift_x: u8, shift_y: u8) -> PlaneInfo {
    PlaneInfo { bytes, shift_x, shift_y }
}

macro_rules! table {
    ($($format:ident $name:literal [$($plane:expr),+] $kind:ident $alpha:literal $bits:literal;)+) => {
        /// Every format, in the order of the header.
        pub static FORMATS: &[FormatInfo] = &[$(FormatInfo {
            format: PixelFormat::$format, name: $name, planes: &[$($plane),+],
            alpha: $alpha, yuv: table!(@$kind), bits: $bits,
        }),+];
    };
    (@rgb) => { false };
    (@yuv) => { true };
}

table! {
    Rgb565       "RGB_565"        [one(2)] rgb false 6;
    Rgba8888     "RGBA_8888"      [one(4)] rgb true 8;
    Bgra8888     "BGRA_8888"      [one(4)] rgb true 8;
    Rgb888       "RGB_888"        [one(3)] rgb false 8;
    Alpha8       "ALPHA_8"        [one(1)] rgb true 8;
    RgbaF16      "RGBA_F16"       [one(8)] rgb true 16;
    Nv21         "NV21"           [one(1), sub(2, 1, 1)] yuv false 8;
    Nv12         "NV12"           [one(1), sub(2, 1, 1)] yuv false 8;
    Rgba1010102  "RGBA_1010102"   [one(4)] rgb true 10;
    YcbcrP010    "YCBCR_P010"     [one(2), sub(4, 1, 1)] yuv false 10;
    YcrcbP010    "YCRCB_P010"     [one(2), sub(4, 1, 1)] yuv false 10;
    Gray8        "GRAY_8"         [one(1)] rgb false 8;
    GrayAlpha88  "GRAY_ALPHA_88"  [one(2)] rgb true 8;
    Bgr888       "BGR_888"        [one(3)] rgb false 8;
    Rgbx8888     "RGBX_8888"      [one(4)] rgb false 8;
    Bgrx8888     "BGRX_8888"      [one(4)] rgb false 8;
    Argb8888     "ARGB_8888"      [one(4)] rgb true 8;
    Gray16       "GRAY_16"        [one(2)] rgb false 16;
    Rgb161616    "RGB_161616"     [one(6)] rgb false 16;
    Rgba16161616 "RGBA_16161616"  [one(8)] rgb true 16;
    RgbaF32      "RGBA_F32"       [one(16)] rgb true 32;
    I420         "I420"           [one(1), sub(1, 1, 1), sub(1, 1, 1)] yuv false 8;
    I422         "I422"           [one(1), sub(1, 1, 0), sub(1, 1, 0)] yuv false 8;
    I444         "I444"           [one(1), one(1), one(1)] yuv false 8;
}

impl PixelFormat {
    /// The format of an ABI number.
    pub fn from_abi(number: i32) -> Result<Self> {
        match FORMATS.iter().find(|info| info.format as i32 == number) {
            Some(info) => Ok(info.format),
            None => bail!(OutOfRange, "{number} is not a pixel format"),
        }
    }

    /// Its row in the table.
    pub fn info(self) -> &'static FormatInfo {
        // Every variant has a row: the test below walks them.
        FORMATS.iter().find(|info| info.format == self).unwrap_or(&FORMATS[0])
    }
}

impl FormatInfo {
    /// Whether there is no colour in it.
    pub fn is_gray(&self) -> bool {
        use PixelFormat::*;
        matches!(self.format, Gray8 | GrayAlpha88 | Gray16 | Alpha8)
    }
}

impl PlaneInfo {
    /// Columns of the plane for an image `width` pixels wide.
    pub fn columns(&self, width: u32) -> u64 {
        (u64::from(width) + (1 << self.shift_x) - 1) >> self.shift_x
    }

    /// Rows of the plane for an image `height` pixels high.
    pub fn rows(&self, height: u32) -> u64 {
        (u64::from(height) + (1 << self.shift_y) - 1) >> self.shift_y
    }

    /// Bytes of one tight row.
    pub fn row_bytes(&self, width: u32) -> u64 {
        self.columns(width) * u64::from(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_own_row() {
        for info in FORMATS {
            assert_eq!(PixelFormat::from_abi(info.format as i32).unwrap().info().name, info.name);
        }
        assert_eq!(FORMATS.len(), 24);
        assert!(PixelFormat::from_abi(1).is_err() && PixelFormat::from_abi(1013).is_err());
    }
}
