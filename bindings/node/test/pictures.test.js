'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const image = require('..');
const { folder, gradient, plain, RGBA } = require('./common');

const XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
  '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="of a test"/></rdf:RDF></x:xmpmeta>';
const jpeg = { format: 'image/jpeg', quality: 90, needsPackProperties: true };
const size = { width: 64, height: 48 };
const packer = image.createImagePacker();

function described() {
  const picture = image.createPicture(image.createPixelMapSync(gradient(64, 48), { size, ...RGBA, alphaType: image.AlphaType.OPAQUE }));
  picture.setProperty('model', 'Box');
  picture.setProperty('date', '2024:05:06 07:08:09');
  picture.gps = { latitude: 48.137, longitude: -11.575, altitude: 519 };
  picture.xmp = XMP;
  picture.density = [300, 150];
  return picture;
}

test('metadata is written and read', async () => {
  const picture = described();
  assert.strictEqual(picture.getProperty('model'), 'Box');
  assert.strictEqual(picture.getProperty('make'), null);
  for (const format of ['image/jpeg', 'image/png', 'image/webp']) {
    const bytes = await packer.packToData(picture, { ...jpeg, format });
    const again = await image.createImageSource(bytes).createPicture();
    assert.strictEqual(again.getProperty('model'), 'Box', format);
    assert.strictEqual(again.getProperty('date'), '2024:05:06 07:08:09');
    assert.ok(Math.abs(again.gps.latitude - 48.137) < 1e-6 && Math.abs(again.gps.longitude + 11.575) < 1e-6 && again.gps.altitude === 519);
    assert.ok(Buffer.from(again.xmp).includes('of a test'));
    assert.deepStrictEqual(again.density.map(Math.round), [300, 150]);
    assert.deepStrictEqual(again.getMainPixelmap().getImageInfoSync().size, size);
    const exif = Buffer.from(again.exif);
    assert.ok(['II*\0', 'MM\0*'].includes(exif.toString('latin1', 0, 4)));
    again.exif = null;
    again.xmp = null;
    assert.deepStrictEqual([again.exif, again.xmp, again.gps], [null, null, null]);
    again.exif = exif;
    assert.strictEqual(again.getProperty('model'), 'Box');
  }
  const name = path.join(folder, 'gps.jpg');
  await packer.packToFile(picture, name, jpeg);
  const tool = spawnSync('exiftool', ['-n', '-j', '-Model', '-GPSLatitude', '-GPSLongitude', '-XResolution', '-YResolution', name]);
  if (tool.status === 0) {
    const [seen] = JSON.parse(tool.stdout);
    assert.deepStrictEqual([seen.Model, seen.XResolution, seen.YResolution], ['Box', 300, 150]);
    assert.ok(Math.abs(seen.GPSLatitude - 48.137) < 1e-6 && Math.abs(seen.GPSLongitude + 11.575) < 1e-6);
  }
  assert.throws(() => { picture.gps = { latitude: 91, longitude: 0 }; }, { code: 401, message: /91/ });
  assert.throws(() => { picture.exif = Buffer.from('nonsense'); }, { code: 401 });
  assert.throws(() => picture.setProperty('toString', 'x'), TypeError);
});

test('reports tell what was left out', async () => {
  const report = new image.Report();
  assert.throws(() => report.bytes, { code: 401 });
  const bytes = await packer.packToData(described(), { ...jpeg, keepGps: false, report });
  assert.strictEqual(report.bytes, bytes.byteLength);
  assert.deepStrictEqual([report.size, report.quality, report.format, report.backend], [size, 90, 'image/jpeg', 'cpu']);
  assert.ok(report.warnings.some(({ code, text }) => code === image.Warning.GPS_REMOVED && text.length > 10), JSON.stringify(report.warnings));
  assert.ok(report.codec.length > 3);
  assert.strictEqual((await image.createImageSource(bytes).createPicture()).gps, null);
});

test('metadata is edited without encoding anew', async () => {
  const bytes = await packer.packToData(described(), jpeg);
  const source = image.createImageSource(bytes);
  const picture = await source.createMetadata();
  assert.strictEqual(picture.getMainPixelmap(), null);
  picture.gps = null;
  picture.setProperty('copyright', 'Jemand ©');
  const edited = image.createImageSource(await image.editMetadata(source, picture));
  const seen = await edited.createPicture();
  assert.strictEqual(seen.gps, null);
  assert.strictEqual(seen.getProperty('copyright'), 'Jemand ©');
  assert.deepStrictEqual(edited.createPixelMapSync().readPixelsSync(), source.createPixelMapSync().readPixelsSync());
  const name = path.join(folder, 'edited.jpg');
  fs.writeFileSync(name, Buffer.from(bytes));
  assert.strictEqual(await image.editMetadata(image.createImageSource(name), picture, name), undefined);
  assert.strictEqual(image.createImageSource(name).createMetadataSync().getProperty('copyright'), 'Jemand ©');
});

test('pixels are read and written', async () => {
  const pixels = gradient(5, 3);
  const map = await image.createPixelMap(pixels, { size: { width: 5, height: 3 }, ...RGBA });
  assert.deepStrictEqual(map.getImageInfoSync(), { size: { width: 5, height: 3 }, pixelFormat: image.PixelMapFormat.RGBA_8888 });
  assert.deepStrictEqual(Buffer.from(map.readPixelsSync()), pixels);
  const padded = Buffer.alloc(3 * 24);
  map.readPixelsToBufferSync(padded, 24);
  assert.ok(padded.subarray(24, 44).equals(pixels.subarray(20, 40)));
  map.writeBufferToPixelsSync(Buffer.alloc(60, 7));
  assert.ok(map.readPixelsSync().every((part) => part === 7));
  assert.throws(() => map.readPixelsToBufferSync(Buffer.alloc(59)), { code: 401 });
  await map.release();
  assert.throws(() => map.readPixelsSync(), { code: 401 });
  for (const format of Object.values(image.PixelMapFormat)) {
    const any = new image.PixelMap(Buffer.alloc(7 * 5 * 16), { size: { width: 7, height: 5 }, srcPixelFormat: format });
    const tight = any.getPixelBytesNumber();
    any.readPixelsToBufferSync(Buffer.alloc(tight));
    assert.throws(() => any.readPixelsToBufferSync(Buffer.alloc(tight - 1)), { code: 401 }, String(format));
  }
});

// A rendition in linear floats, four times as bright where the main image is white.
function renditions() {
  const sdr = Buffer.alloc(64 * 48 * 4, 255), hdr = new Float32Array(64 * 48 * 4).fill(1);
  for (let at = 0; at < hdr.length; at += 4) {
    const bright = (at / 4) % 64 >= 32;
    sdr.fill(bright ? 255 : 128, at, at + 3);
    hdr.fill(bright ? 4 : 0.2158605, at, at + 3);
  }
  return [
    image.createPixelMapSync(sdr, { size, ...RGBA, alphaType: image.AlphaType.OPAQUE }),
    image.createPixelMapSync(hdr, { size, srcPixelFormat: image.PixelMapFormat.RGBA_F32, alphaType: image.AlphaType.OPAQUE, cicp: [1, 8] }),
  ];
}

test('HDR renditions become a gain map and come back', async () => {
  const [sdr, hdr] = renditions();
  const picture = image.createPicture(sdr);
  assert.deepStrictEqual([picture.hdrRendition, picture.getGainmapPixelmap(), picture.gainMapParams], [null, null, null]);
  picture.hdrRendition = hdr;
  assert.strictEqual(picture.hdrRendition.getImageInfoSync().pixelFormat, image.PixelMapFormat.RGBA_F32);
  const bytes = await packer.packToData(picture, { ...jpeg, quality: 98 });
  const seen = await image.createImageSource(bytes).createPicture();
  const params = seen.gainMapParams;
  assert.ok(Math.abs(params.alternateHeadroom - 2) < 0.05, JSON.stringify(params));
  const composed = await seen.getHdrComposedPixelmap({ pixelFormat: image.PixelMapFormat.RGBA_F32 });
  const light = new Float32Array(composed.readPixelsSync().buffer);
  const at = (x) => light[(24 * 64 + x) * 4];
  assert.ok(Math.abs(at(50) - 4) < 0.3 && Math.abs(at(10) - 0.216) < 0.03, `${at(50)} ${at(10)}`);
  const dim = await seen.getHdrComposedPixelmap({ pixelFormat: image.PixelMapFormat.RGBA_F32, headroom: 0 });
  assert.ok(Math.abs(new Float32Array(dim.readPixelsSync().buffer)[(24 * 64 + 50) * 4] - 1) < 0.05);

  // The same map, put on another picture by hand.
  const made = image.createPicture(sdr);
  made.setGainmap(seen.getGainmapPixelmap(), params);
  assert.deepStrictEqual(made.gainMapParams, params);
  const report = new image.Report();
  await packer.packToData(made, { format: 'image/gif', quality: 90, report });
  assert.ok(report.warnings.some(({ code }) => code === image.Warning.GAIN_MAP_DROPPED));
  made.gainMapParams = null;
  assert.strictEqual(made.getGainmapPixelmap(), null);
});

test('HDR pixels carry light levels and mastering display', async () => {
  const masteringDisplay = { primaries: [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06]], whitePoint: [0.3127, 0.329], maxLuminance: 1000, minLuminance: 0.005 };
  const map = image.createPixelMapSync(new Uint16Array(64 * 48 * 4).fill(40000), {
    size, srcPixelFormat: image.PixelMapFormat.RGBA_16161616, alphaType: image.AlphaType.OPAQUE, cicp: [9, 16],
    contentLightLevel: { maxCll: 900, maxFall: 300 }, masteringDisplay,
  });
  const info = map.getImageInfoSync();
  assert.deepStrictEqual([info.contentLightLevel, info.masteringDisplay], [{ maxCll: 900, maxFall: 300 }, masteringDisplay]);
  const options = { format: 'image/png', quality: 90, settings: { 'hdr.form': 'signal' } };
  const png = Buffer.from(await packer.packToData(map, options));
  assert.ok(png.includes('cICP') && png.includes('mDCV') && png.includes('cLLI'));
  const report = new image.Report();
  const sdr = Buffer.from(await packer.packToData(map, { ...options, desiredDynamicRange: image.PackingDynamicRange.SDR, report }));
  assert.ok(!sdr.includes('mDCV') && report.warnings.some(({ code }) => code === image.Warning.TONE_MAPPED));
});

test('auxiliary images are set, read and removed', () => {
  const picture = image.createPicture(plain(8, 8, [1, 2, 3, 255]));
  const { DEPTH_MAP } = image.AuxiliaryPictureType;
  picture.setAuxiliaryPicture(DEPTH_MAP, plain(4, 4, [9, 9, 9, 255]));
  assert.deepStrictEqual(picture.getAuxiliaryPicture(DEPTH_MAP).getImageInfoSync().size, { width: 4, height: 4 });
  picture.setAuxiliaryPicture(DEPTH_MAP, null);
  assert.strictEqual(picture.getAuxiliaryPicture(DEPTH_MAP), null);
  picture.orientation = 6;
  assert.strictEqual(picture.orientation, 6);
  assert.strictEqual(picture.hasProvenance, false);
});
