'use strict';

// OpenHarmony's image.ImagePacker for Node.js: the same names, options and error codes, and what the library has beyond.

const native = require('./lib/native');
const { AlphaType, AuxiliaryPictureType, FormatFeature, PackingDynamicRange, PixelMapFormat, Warning } = require('./lib/constants');
const { destination } = require('./lib/options');
const ImagePacker = require('./lib/packer');
const ImageSource = require('./lib/source');
const Picture = require('./lib/picture');
const PixelMap = require('./lib/pixelmap');
const { Report } = require('./lib/report');

const createImagePacker = (limits) => new ImagePacker(limits);
const createImageSource = (from) => new ImageSource(from);
const createPicture = (pixelMap) => new Picture(pixelMap);
const createPixelMap = async (pixels, options) => new PixelMap(pixels, options);
const createPixelMapSync = (pixels, options) => new PixelMap(pixels, options);

/** The file of a source with the metadata of a picture, without encoding anew; bytes, or nothing with a file. */
const editMetadata = async (source, picture, file) =>
  native.editMetadata(source.handle, picture.handle, ...(file === undefined ? [-1, null] : destination(file)));

const formatFeatures = (format) => native.formatFeatures(format);
const formatSettings = (format) => native.formatSettings(format);
const version = () => native.version();

module.exports = {
  AlphaType, AuxiliaryPictureType, FormatFeature, ImagePacker, ImageSource, PackingDynamicRange, Picture, PixelMap, PixelMapFormat,
  Report, Warning, createImagePacker, createImageSource, createPicture, createPixelMap, createPixelMapSync, editMetadata,
  formatFeatures, formatSettings, version,
};
