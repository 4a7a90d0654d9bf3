'use strict';

const native = require('./native');
const { PixelMapFormat, tightSize } = require('./constants');

// Luminances in nits, chromaticities as x and y; the library counts in units of 0.0001 and 0.00002.
const LUMINANCE = 10000;
const POINT = 50000;

class PixelMap {
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
    if (options.contentLightLevel) {
      native.setLight(this.handle, options.contentLightLevel.maxCll ?? 0, options.contentLightLevel.maxFall ?? 0);
    }
    if (options.masteringDisplay) {
      const { primaries, whitePoint, maxLuminance, minLuminance } = options.masteringDisplay;
      const points = [...primaries.flat(), ...whitePoint].map((part) => Math.round(part * POINT));
      native.setDisplay(this.handle, ...points, Math.round(maxLuminance * LUMINANCE), Math.round(minLuminance * LUMINANCE));
    }
  }

  // One that the library made; null stays null.
  static of(handle) {
    return handle && Object.assign(Object.create(PixelMap.prototype), { handle });
  }

  // As the addon counts inputs.
  get kind() {
    return 0;
  }

  getImageInfoSync() {
    const [width, height, pixelFormat, maxCll, maxFall, ...display] = native.pixelMapInfo(this.handle);
    const info = { size: { width, height }, pixelFormat };
    if (maxCll || maxFall) info.contentLightLevel = { maxCll, maxFall };
    if (display[8]) {
      const [rx, ry, gx, gy, bx, by, x, y] = display.map((part) => part / POINT);
      info.masteringDisplay = {
        primaries: [[rx, ry], [gx, gy], [bx, by]], whitePoint: [x, y],
        maxLuminance: display[8] / LUMINANCE, minLuminance: display[9] / LUMINANCE,
      };
    }
    return info;
  }

  /** Bytes of the pixels where rows are tight. */
  getPixelBytesNumber() {
    const { size, pixelFormat } = this.getImageInfoSync();
    return tightSize(pixelFormat, size.width, size.height);
  }

  /** A copy of the pixels, rows tight. */
  readPixelsSync() {
    const pixels = new Uint8Array(this.getPixelBytesNumber());
    native.readPixels(this.handle, pixels, 0);
    return pixels;
  }

  readPixelsToBufferSync(buffer, stride = 0) {
    native.readPixels(this.handle, buffer, stride);
  }

  async readPixelsToBuffer(buffer, stride = 0) {
    native.readPixels(this.handle, buffer, stride);
  }

  /** Packs that run go on with the old pixels. */
  writeBufferToPixelsSync(buffer, stride = 0) {
    native.writePixels(this.handle, buffer, stride);
  }

  async writeBufferToPixels(buffer, stride = 0) {
    native.writePixels(this.handle, buffer, stride);
  }

  /** Gives the memory back now; packs that run go on. */
  async release() {
    native.releasePixelMap(this.handle);
  }
}

module.exports = PixelMap;
