'use strict';

const native = require('./native');
const PixelMap = require('./pixelmap');
const Picture = require('./picture');

class ImageSource {
  constructor(from) {
    this.handle = native.createSource(from);
  }

  get kind() {
    return 1;
  }

  getImageInfoSync() {
    const { width, height, ...more } = native.sourceInfo(this.handle);
    return { size: { width, height }, ...more };
  }

  async getImageInfo() {
    return this.getImageInfoSync();
  }

  async getFrameCount() {
    return native.sourceInfo(this.handle).frameCount;
  }

  /** Milliseconds. */
  async getDelayTimeList() {
    return this.#ofFrames(0);
  }

  async getDisposalTypeList() {
    return this.#ofFrames(1);
  }

  #ofFrames(part) {
    const { frameCount } = native.sourceInfo(this.handle);
    return Array.from({ length: frameCount }, (_, index) => native.frameInfo(this.handle, index)[part]);
  }

  async createPixelMap({ index = 0 } = {}) {
    return PixelMap.of(await native.decodeFrame(this.handle, index, false));
  }

  createPixelMapSync({ index = 0 } = {}) {
    return PixelMap.of(native.decodeFrame(this.handle, index, true));
  }

  /** One frame after the other, decoded when it is asked for. */
  async *frames() {
    const { frameCount } = native.sourceInfo(this.handle);
    for (let index = 0; index < frameCount; index++) {
      const [duration, disposalType] = native.frameInfo(this.handle, index);
      yield { pixelMap: await this.createPixelMap({ index }), duration, disposalType };
    }
  }

  async createPicture() {
    return Picture.of(await native.openPicture(this.handle, false));
  }

  createPictureSync() {
    return Picture.of(native.openPicture(this.handle, true));
  }

  /** A picture of the metadata alone: no pixel is decoded. */
  async createMetadata() {
    return Picture.of(await native.openMetadata(this.handle, false));
  }

  createMetadataSync() {
    return Picture.of(native.openMetadata(this.handle, true));
  }

  async release() {
    native.releaseSource(this.handle);
  }
}

module.exports = ImageSource;
