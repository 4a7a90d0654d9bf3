'use strict';

const native = require('./native');
const ImageSource = require('./source');
const { packingOptions, sequenceOptions, destination } = require('./options');
const { packBatch } = require('./batch');
const { packFrames, own } = require('./animation');

const SEQUENCE = 3, SOURCE_SEQUENCE = 4;

// Both ways of the platform: a promise, or with a callback(error, result).
function settle(callback, begin) {
  const promise = new Promise(begin);
  if (!callback) return promise;
  promise.then((result) => callback(undefined, result), (error) => callback(error));
}

// [kind, [handle]] of what can be packed.
function only(input) {
  if (Number.isInteger(input?.kind)) return [input.kind, [input.handle]];
  throw new TypeError('expected a PixelMap, an ImageSource or a Picture');
}

class ImagePacker {
  #handle = native.createPacker();

  /** threads, maxPixels, memoryLimit: 0, the default, is the library's. */
  constructor({ threads = 0, maxPixels = 0, memoryLimit = 0 } = {}) {
    native.setLimits(this.#handle, threads, maxPixels, memoryLimit);
  }

  get supportedFormats() {
    return native.supportedFormats();
  }

  /** Encodes a PixelMap, an ImageSource or a Picture; answers an ArrayBuffer. */
  packToData(input, options, callback) {
    return settle(callback, (resolve, reject) => {
      this.#start(...only(input), packingOptions(options), [-1, null], options, resolve, reject);
    });
  }

  packing(input, options, callback) {
    return this.packToData(input, options, callback);
  }

  /** Into a descriptor, which stays open and is the caller's, or into the file of a name. */
  packToFile(input, file, options, callback) {
    return settle(callback, (resolve, reject) => {
      this.#start(...only(input), packingOptions(options), destination(file), options, resolve, reject);
    });
  }

  packToDataFromPixelmapSequence(pixelMaps, options) {
    return this.#sequence(SEQUENCE, pixelMaps.map((map) => map.handle), options, options.frameCount, [-1, null]);
  }

  packToFileFromPixelmapSequence(pixelMaps, file, options) {
    return settle(undefined, (resolve, reject) => {
      this.#sequence(SEQUENCE, pixelMaps.map((map) => map.handle), options, options.frameCount, destination(file)).then(resolve, reject);
    });
  }

  /** All frames of an ImageSource, or those of anything that can be iterated, one at a time. */
  async packAnimation(frames, options = {}) {
    options.signal?.throwIfAborted();
    if (!(frames instanceof ImageSource)) return packFrames(this.#handle, frames, options);
    const to = options.file === undefined ? [-1, null] : destination(options.file);
    return this.#sequence(SOURCE_SEQUENCE, [frames.handle], own(options), options.frameCount ?? 0, to);
  }

  /** Many images; each ends for itself. */
  async packBatch(inputs, options) {
    return packBatch(this.#handle, inputs, options);
  }

  /** Packs that run go on. */
  release(callback) {
    return settle(callback, (resolve) => resolve(native.releasePacker(this.#handle)));
  }

  #sequence(kind, inputs, options, frameCount, to) {
    return new Promise((resolve, reject) => {
      this.#start(kind, inputs, sequenceOptions(options, frameCount), to, options, resolve, reject);
    });
  }

  #start(kind, inputs, options, [fd, path], { signal, onProgress }, resolve, reject) {
    signal?.throwIfAborted();
    let timer;
    const stop = () => native.cancel(job);
    const job = native.pack(this.#handle, kind, inputs, options, fd, path, (error, bytes) => {
      clearInterval(timer);
      signal?.removeEventListener('abort', stop);
      if (!error) {
        onProgress?.(1);
        resolve(bytes);
      } else reject(signal?.aborted && error.code === 1001 ? signal.reason : error);
    });
    signal?.addEventListener('abort', stop, { once: true });
    if (onProgress) timer = setInterval(() => onProgress(native.progress(job)), 50);
  }
}

module.exports = ImagePacker;
