'use strict';

// OpenHarmony's image.ImagePacker for Node.js: the same names, options and error codes, more formats.

const native = require(process.env.IMAGE_PACKER_ADDON || './build/image_packer.node');

const PixelMapFormat = Object.freeze({
  RGB_565: 2, RGBA_8888: 3, BGRA_8888: 4, RGB_888: 5, ALPHA_8: 6, RGBA_F16: 7, NV21: 8, NV12: 9, RGBA_1010102: 10,
  YCBCR_P010: 11, YCRCB_P010: 12, GRAY_8: 1000, GRAY_ALPHA_88: 1001, BGR_888: 1002, RGBX_8888: 1003, BGRX_8888: 1004,
  ARGB_8888: 1005, GRAY_16: 1006, RGB_161616: 1007, RGBA_16161616: 1008, RGBA_F32: 1009, I420: 1010, I422: 1011, I444: 1012,
});
const AlphaType = Object.freeze({ UNKNOWN: 0, OPAQUE: 1, PREMUL: 2, UNPREMUL: 3 });
const PackingDynamicRange = Object.freeze({ AUTO: 0, SDR: 1 });
const PROPERTIES = { make: 1, model: 2, software: 3, copyright: 4, date: 5, dateChanged: 6 };

class PixelMap {
  // kind: as the addon counts inputs
  kind = 0;
  constructor(pixels, options) {
    const { width, height } = options.size;
    const format = options.srcPixelFormat ?? options.pixelFormat ?? PixelMapFormat.BGRA_8888;
    this.handle = native.createPixelMap(pixels, width, height, format, options.stride ?? 0);
    if (options.alphaType !== undefined) native.setAlphaType(this.handle, options.alphaType);
    if (options.cicp) {
      const [primaries, transfer, matrix = 0, fullRange = true] = options.cicp;
      native.setColor(this.handle, primaries, transfer, matrix, fullRange);
    }
    if (options.iccProfile) native.setIccProfile(this.handle, options.iccProfile);
  }
}

class ImageSource {
  kind = 1;
  constructor(from) {
    this.handle = native.createSource(from);
  }
  getImageInfoSync() {
    const { width, height, ...more } = native.sourceInfo(this.handle);
    return { size: { width, height }, ...more };
  }
  createPicture() {
    return new Picture(native.pictureOfSource(this.handle));
  }
}

class Picture {
  kind = 2;
  constructor(handle) {
    this.handle = handle;
  }
  /** name: make, model, software, copyright, date, dateChanged; null removes it. */
  setProperty(name, text) {
    if (!(name in PROPERTIES)) throw new TypeError(`${name} is none of ${Object.keys(PROPERTIES).join(', ')}`);
    native.setProperty(this.handle, PROPERTIES[name], text);
  }
}

// Both ways of the platform: a promise, or with a callback(error, result).
function settle(callback, begin) {
  const promise = new Promise(begin);
  if (!callback) return promise;
  promise.then((result) => callback(undefined, result), (error) => callback(error));
}

const COLORS = { keep: 0, srgb: 1 };
const OWN = new Set(['format', 'quality', 'settings', 'signal', 'onProgress']);

function packingOptions(options) {
  const format = Array.isArray(options.format) ? options.format[options.format.length - 1] : options.format;
  const handle = native.createOptions(format, options.quality);
  for (const [name, value] of Object.entries(options)) {
    if (!OWN.has(name) && value !== undefined) native.setOption(handle, name, Number(name === 'color' ? COLORS[value] : value));
  }
  for (const [name, value] of Object.entries(options.settings ?? {})) {
    native.setSetting(handle, name, typeof value === 'boolean' ? String(Number(value)) : String(value), false);
  }
  return handle;
}

function sequenceOptions(options) {
  const handle = native.createSequenceOptions(
    options.format ?? 'image/gif', options.frameCount, options.delayTimeList ?? [], options.disposalTypes ?? [],
    options.loopCount ?? -1, options.quality ?? -1, options.effort ?? -1);
  for (const [name, value] of Object.entries(options.settings ?? {})) native.setSetting(handle, name, String(value), true);
  return handle;
}

class ImagePacker {
  #handle = native.createPacker();

  get supportedFormats() {
    return native.supportedFormats();
  }

  /** Encodes a PixelMap, an ImageSource or a Picture; answers an ArrayBuffer. */
  packToData(input, options, callback) {
    return settle(callback, (resolve, reject) => {
      this.#start(input.kind, [input.handle], packingOptions(options), -1, null, options, resolve, reject);
    });
  }

  packing(input, options, callback) {
    return this.packToData(input, options, callback);
  }

  /** Into a descriptor, which stays open and is the caller's, or into the file of a name. */
  packToFile(input, file, options, callback) {
    return settle(callback, (resolve, reject) => {
      const [fd, path] = typeof file === 'string' ? [-1, file] : [descriptor(file), null];
      this.#start(input.kind, [input.handle], packingOptions(options), fd, path, options, resolve, reject);
    });
  }

  packToDataFromPixelmapSequence(pixelMaps, options) {
    return new Promise((resolve, reject) => {
      this.#start(3, pixelMaps.map((map) => map.handle), sequenceOptions(options), -1, null, options, resolve, reject);
    });
  }

  packToFileFromPixelmapSequence(pixelMaps, fd, options) {
    return new Promise((resolve, reject) => {
      this.#start(3, pixelMaps.map((map) => map.handle), sequenceOptions(options), descriptor(fd), null, options, resolve, reject);
    });
  }

  /** Packs that run go on. */
  release(callback) {
    return settle(callback, (resolve) => resolve(native.releasePacker(this.#handle)));
  }

  #start(kind, inputs, options, fd, path, { signal, onProgress }, resolve, reject) {
    signal?.throwIfAborted();
    let timer;
    const stop = () => native.cancel(job);
    const job = native.pack(this.#handle, kind, inputs, options, fd, path, (error, bytes) => {
      clearInterval(timer);
      signal?.removeEventListener('abort', stop);
      if (!error) {
        onProgress?.(1);
        resolve(bytes);
      } else reject(signal?.aborted ? signal.reason : error);
    });
    signal?.addEventListener('abort', stop, { once: true });
    if (onProgress) timer = setInterval(() => onProgress(native.progress(job)), 50);
  }
}

function descriptor(fd) {
  if (Number.isInteger(fd) && fd >= 0) return fd;
  const error = new Error(`file descriptor ${fd} is not 0 or above`);
  error.code = 62980115;
  throw error;
}

module.exports = {
  AlphaType,
  ImagePacker,
  ImageSource,
  PackingDynamicRange,
  Picture,
  PixelMap,
  PixelMapFormat,
  createImagePacker: () => new ImagePacker(),
  createImageSource: (from) => new ImageSource(from),
  createPicture: (pixelMap) => new Picture(native.pictureOfPixelMap(pixelMap.handle)),
  createPixelMap: async (pixels, options) => new PixelMap(pixels, options),
  createPixelMapSync: (pixels, options) => new PixelMap(pixels, options),
  version: native.version,
};
