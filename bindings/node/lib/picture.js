'use strict';

const native = require('./native');
const PixelMap = require('./pixelmap');
const { AuxiliaryPictureType, PixelMapFormat } = require('./constants');

const PROPERTIES = { make: 1, model: 2, software: 3, copyright: 4, date: 5, dateChanged: 6 };
const BLOCKS = { exif: 1, xmp: 1000, iptc: 1001 };
const HDR_RENDITION = -1;

function property(name) {
  if (!Object.hasOwn(PROPERTIES, name)) throw new TypeError(`${name} is none of ${Object.keys(PROPERTIES).join(', ')}`);
  return PROPERTIES[name];
}

class Picture {
  constructor(pixelMap) {
    this.handle = native.createPicture(pixelMap.handle);
  }

  static of(handle) {
    return Object.assign(Object.create(Picture.prototype), { handle });
  }

  get kind() {
    return 2;
  }

  // ---- images ----

  getMainPixelmap() {
    return PixelMap.of(native.pictureMap(this.handle, 0));
  }

  getAuxiliaryPicture(type) {
    return PixelMap.of(native.pictureMap(this.handle, type));
  }

  setAuxiliaryPicture(type, pixelMap) {
    native.setPictureMap(this.handle, type, pixelMap && pixelMap.handle);
  }

  getGainmapPixelmap() {
    return this.getAuxiliaryPicture(AuxiliaryPictureType.GAINMAP);
  }

  /** A gain map and its numbers; null removes it. */
  setGainmap(pixelMap, params) {
    this.setAuxiliaryPicture(AuxiliaryPictureType.GAINMAP, pixelMap);
    if (pixelMap && params) this.gainMapParams = params;
  }

  get gainMapParams() {
    if (!this.getGainmapPixelmap()) return null;
    const n = native.gainMapParams(this.handle);
    const three = (from) => n.slice(from, from + 3);
    return {
      baseHeadroom: n[0], alternateHeadroom: n[1], gainMin: three(2), gainMax: three(5), gamma: three(8),
      baseOffset: three(11), alternateOffset: three(14), useBaseColor: n[17] !== 0,
    };
  }

  set gainMapParams(params) {
    if (params === null) return this.setGainmap(null);
    const three = (value) => (typeof value === 'number' ? [value, value, value] : value);
    const numbers = [
      params.baseHeadroom ?? 0, params.alternateHeadroom, ...three(params.gainMin ?? 0), ...three(params.gainMax),
      ...three(params.gamma ?? 1), ...three(params.baseOffset ?? 1 / 64), ...three(params.alternateOffset ?? 1 / 64),
    ];
    native.setGainMapParams(this.handle, numbers, params.useBaseColor ?? true);
  }

  /** The HDR rendition of the same scene, from which the gain map is computed. */
  get hdrRendition() {
    return PixelMap.of(native.pictureMap(this.handle, HDR_RENDITION));
  }

  set hdrRendition(pixelMap) {
    native.setPictureMap(this.handle, HDR_RENDITION, pixelMap && pixelMap.handle);
  }

  /** The main image with its gain map applied. */
  async getHdrComposedPixelmap({ pixelFormat = PixelMapFormat.RGBA_1010102, headroom = Infinity } = {}) {
    return PixelMap.of(await native.composeHdr(this.handle, pixelFormat, headroom));
  }

  // ---- metadata ----

  getProperty(name) {
    return native.getProperty(this.handle, property(name));
  }

  /** null removes it. */
  setProperty(name, text) {
    native.setProperty(this.handle, property(name), text);
  }

  get gps() {
    const [latitude, longitude, altitude] = native.getGps(this.handle);
    if (Number.isNaN(latitude)) return null;
    return Number.isNaN(altitude) ? { latitude, longitude } : { latitude, longitude, altitude };
  }

  set gps(place) {
    if (place) native.setGps(this.handle, place.latitude, place.longitude, place.altitude ?? NaN);
    else native.removeGps(this.handle);
  }

  get density() {
    const [x, y] = native.pictureFacts(this.handle);
    return x ? [x, y] : null;
  }

  set density(dpi) {
    const [x, y] = Array.isArray(dpi) ? dpi : [dpi ?? 0, dpi ?? 0];
    native.setDensity(this.handle, x, y);
  }

  get orientation() {
    return native.pictureFacts(this.handle)[2];
  }

  set orientation(orientation) {
    native.setOrientation(this.handle, orientation);
  }

  get hasProvenance() {
    return native.pictureFacts(this.handle)[3] !== 0;
  }

  async release() {
    native.releasePicture(this.handle);
  }
}

for (const [name, type] of Object.entries(BLOCKS)) {
  Object.defineProperty(Picture.prototype, name, {
    get() {
      return native.getMetadata(this.handle, type);
    },
    set(bytes) {
      native.setMetadata(this.handle, type, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    },
  });
}

module.exports = Picture;
