'use strict';

// The numbers of include/image_packer.h, by the platform's names where it has some.

exports.PixelMapFormat = Object.freeze({
  RGB_565: 2, RGBA_8888: 3, BGRA_8888: 4, RGB_888: 5, ALPHA_8: 6, RGBA_F16: 7, NV21: 8, NV12: 9, RGBA_1010102: 10,
  YCBCR_P010: 11, YCRCB_P010: 12, GRAY_8: 1000, GRAY_ALPHA_88: 1001, BGR_888: 1002, RGBX_8888: 1003, BGRX_8888: 1004,
  ARGB_8888: 1005, GRAY_16: 1006, RGB_161616: 1007, RGBA_16161616: 1008, RGBA_F32: 1009, I420: 1010, I422: 1011, I444: 1012,
});
exports.AlphaType = Object.freeze({ UNKNOWN: 0, OPAQUE: 1, PREMUL: 2, UNPREMUL: 3 });
exports.PackingDynamicRange = Object.freeze({ AUTO: 0, SDR: 1 });
exports.AuxiliaryPictureType = Object.freeze({ GAINMAP: 1, DEPTH_MAP: 2, UNREFOCUS_MAP: 3, LINEAR_MAP: 4, FRAGMENT_MAP: 5 });
exports.Warning = Object.freeze({
  EXIF_DROPPED: 1, XMP_DROPPED: 2, IPTC_DROPPED: 3, EXIF_CHANGED: 4, XMP_CHANGED: 5, GPS_REMOVED: 6, PROVENANCE_DROPPED: 7,
  VENDOR_DATA_DROPPED: 8, DENSITY_DROPPED: 9, PROFILE_DROPPED: 10, COLOR_CONVERTED: 11, TONE_MAPPED: 12, GAIN_MAP_DROPPED: 13,
  AUXILIARY_DROPPED: 14, FRAMES_DROPPED: 15, DEPTH_REDUCED: 16, ALPHA_BLENDED: 17, DEVICE_FAILED: 30,
});
exports.FormatFeature = Object.freeze({
  LOSSY: 1, LOSSLESS: 2, ALPHA: 4, ANIMATION: 8, HDR: 16, GAIN_MAP: 32, DEEP: 64, METADATA: 128, PROFILES: 256,
});

// Bytes of a pixel; of the planar formats, of a sample, and what each pair of chroma planes is divided by.
const PACKED = {
  2: 2, 3: 4, 4: 4, 5: 3, 6: 1, 7: 8, 10: 4, 1000: 1, 1001: 2, 1002: 3, 1003: 4, 1004: 4, 1005: 4, 1006: 2, 1007: 6, 1008: 8, 1009: 16,
};
const PLANAR = { 8: [1, 2, 2], 9: [1, 2, 2], 11: [2, 2, 2], 12: [2, 2, 2], 1010: [1, 2, 2], 1011: [1, 2, 1], 1012: [1, 1, 1] };

exports.tightSize = (format, width, height) => {
  if (format in PACKED) return PACKED[format] * width * height;
  const [sample, x, y] = PLANAR[format];
  return sample * (width * height + 2 * Math.ceil(width / x) * Math.ceil(height / y));
};
