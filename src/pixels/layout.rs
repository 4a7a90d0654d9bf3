//! The layouts that encoders read.

/// How an encoder wants its rows. Alpha is always straight. 16-bit components are in the machine's byte order,
/// at any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Layout {
    Gray8,
    GrayA8,
    Rgb8,
    Bgr8,
    /// Four bytes, the fourth without meaning.
    Rgbx8,
    Bgrx8,
    /// Four bytes, the first without meaning.
    Xrgb8,
    Rgba8,
    Bgra8,
    Gray16,
    GrayA16,
    Rgb16,
    Rgba16,
    Yuv(YuvLayout),
}

/// Luma and chroma planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YuvLayout {
    /// Chroma subsampling.
    pub sampling: Sampling,
    /// Where the chroma samples are.
    pub packing: YuvPacking,
    /// 8: bytes. 10: `u16` with the value in the low bits.
    pub bits: u8,
    /// Matrix coefficients of H.273.
    pub matrix: u8,
    /// Range of codes.
    pub full_range: bool,
}

/// Chroma subsampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Half the columns and rows.
    Yuv420,
    /// Half the columns.
    Yuv422,
    /// Full resolution.
    Yuv444,
}

impl Sampling {
    /// log2 of horizontal and vertical subsampling.
    pub fn shifts(self) -> (u32, u32) {
        match self {
            Self::Yuv420 => (1, 1),
            Self::Yuv422 => (1, 0),
            Self::Yuv444 => (0, 0),
        }
    }
}

/// Where chroma samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YuvPacking {
    /// Y, Cb, Cr in three planes.
    Planar,
    /// Y, and CbCr interleaved.
    CbCr,
    /// Y, and CrCb interleaved.
    CrCb,
}

impl Layout {
    /// Bytes of a packed pixel; 0 for planes.
    pub fn pixel_bytes(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::GrayA8 | Self::Gray16 => 2,
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgbx8 | Self::Bgrx8 | Self::Xrgb8 | Self::Rgba8 | Self::Bgra8 | Self::GrayA16 => 4,
            Self::Rgb16 => 6,
            Self::Rgba16 => 8,
            Self::Yuv(_) => 0,
        }
    }

    /// Bits of a component.
    pub fn bits(self) -> u8 {
        match self {
            Self::Gray16 | Self::GrayA16 | Self::Rgb16 | Self::Rgba16 => 16,
            Self::Yuv(yuv) => yuv.bits,
            _ => 8,
        }
    }

    /// Whether there is an alpha component.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayA8 | Self::Rgba8 | Self::Bgra8 | Self::GrayA16 | Self::Rgba16)
    }

    /// Whether there is luminance only.
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Gray8 | Self::GrayA8 | Self::Gray16 | Self::GrayA16)
    }
}
