'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const image = require('..');
const { decodePng, gradient, RGBA, PHOTO, folder } = require('./common');

test('pixels survive a lossless format', async () => {
  const packer = image.createImagePacker();
  const pixels = gradient(61, 43);
  const map = await image.createPixelMap(pixels, { size: { width: 61, height: 43 }, ...RGBA });
  const before = Buffer.from(pixels);
  const promise = packer.packToData(map, { format: 'image/png', quality: 100 });
  pixels.fill(0); // the map has its own copy
  const seen = decodePng(await promise);
  assert.deepStrictEqual([seen.width, seen.height, seen.channels], [61, 43, 4]);
  assert.ok(seen.pixels.equals(before));
  await packer.release();
});

test('a photograph goes into every format at once', async () => {
  const packer = image.createImagePacker();
  const source = image.createImageSource(PHOTO);
  assert.deepStrictEqual(source.getImageInfoSync().size, { width: 512, height: 512 });
  const files = await Promise.all(packer.supportedFormats.map((format) => packer.packToData(source, { format, quality: 90 })));
  packer.supportedFormats.forEach((format, index) => {
    const info = image.createImageSource(files[index]).getImageInfoSync();
    assert.deepStrictEqual([info.mimeType, info.size], [format, { width: 512, height: 512 }]);
  });
  assert.ok(packer.supportedFormats.includes('image/jpeg'));
});

test('files: descriptors stay open, paths are replaced', async () => {
  const packer = image.createImagePacker();
  const source = image.createImageSource(fs.readFileSync(PHOTO));
  const options = { format: ['image/jpeg'], quality: 98, bufferSize: 10 };
  const bytes = Buffer.from(await packer.packToData(source, options));
  const name = path.join(folder, 'a.jpg');
  const fd = fs.openSync(name, 'w');
  await packer.packToFile(source, fd, options);
  fs.closeSync(fd);
  assert.ok(fs.readFileSync(name).equals(bytes));
  await packer.packToFile(source, path.join(folder, 'b.jpg'), options);
  assert.ok(fs.readFileSync(path.join(folder, 'b.jpg')).equals(bytes));
  await new Promise((resolve, reject) => {
    packer.packToFile(source, path.join(folder, 'c.jpg'), options, (error) => (error ? reject(error) : resolve()));
  });
  assert.ok(fs.readFileSync(path.join(folder, 'c.jpg')).equals(bytes));
});

test('errors have the platform\'s numbers and a sentence', async () => {
  const packer = image.createImagePacker();
  const map = image.createPixelMapSync(gradient(8, 8), { size: { width: 8, height: 8 }, ...RGBA });
  const png = { format: 'image/png', quality: 100 };
  await assert.rejects(packer.packToData(map, { format: 'image/xyz', quality: 90 }), { code: 62980113 });
  await assert.rejects(packer.packToData(map, { format: 'image/jpeg', quality: 101 }), { code: 401, message: /101/ });
  await assert.rejects(packer.packToFile(map, 999, png), { code: 62980115 });
  await assert.rejects(packer.packToFile(map, -1, png), { code: 62980115 });
  assert.throws(() => image.createImageSource(Buffer.from('GIF89a??')), { code: 62980101 });
  const half = fs.readFileSync(PHOTO).subarray(0, 5000);
  await assert.rejects(packer.packToData(image.createImageSource(half), png), { code: 62980101 });
  await assert.rejects(packer.packToData(map, { ...png, nonsense: 1 }), TypeError);
  await assert.rejects(packer.packToData({ kind: 0, handle: {} }, png), TypeError);
  await assert.rejects(packer.packToData({ kind: 1, handle: map.handle }, png), { code: 401 }); // a map is no source
  assert.throws(() => image.createPixelMapSync(gradient(8, 8), { size: { width: 9, height: 8 }, ...RGBA }), { code: 401 });
  await packer.release();
  await assert.rejects(packer.packToData(map, png), { code: 401 });
});

test('a signal stops a pack', async () => {
  const packer = image.createImagePacker();
  const map = image.createPixelMapSync(gradient(2000, 1500), { size: { width: 2000, height: 1500 }, ...RGBA });
  const abort = new AbortController();
  const promise = packer.packToData(map, { format: 'image/png', quality: 100, effort: 10, signal: abort.signal });
  abort.abort();
  await assert.rejects(promise, { name: 'AbortError' });
  const late = packer.packToData(map, { format: 'image/png', quality: 100, effort: 10, timeout: 1 });
  await assert.rejects(late, { code: 1001 });
  const told = [];
  await packer.packToData(map, { format: 'image/png', quality: 100, effort: 1, onProgress: (done) => told.push(done) });
  assert.strictEqual(told.at(-1), 1);
});

test('a limit of bytes lowers the quality', async () => {
  const source = image.createImageSource(PHOTO);
  const bytes = await image.createImagePacker().packToData(source, { format: 'image/jpeg', quality: 95, maxBytes: 30000 });
  assert.ok(bytes.byteLength <= 30000 && bytes.byteLength > 25000, String(bytes.byteLength));
});

test('sequences and pictures', async () => {
  const packer = image.createImagePacker();
  const size = { width: 32, height: 24 };
  const maps = [10, 120, 250].map((gray) => image.createPixelMapSync(Buffer.alloc(32 * 24 * 4, gray), { size, ...RGBA, alphaType: 1 }));
  const gif = await packer.packToDataFromPixelmapSequence(maps, { frameCount: 3, delayTimeList: [5, 7], disposalTypes: [1, 2], loopCount: 3 });
  assert.strictEqual(Buffer.from(gif).toString('latin1', 0, 6), 'GIF89a');
  const info = image.createImageSource(gif).getImageInfoSync();
  assert.deepStrictEqual([info.size, info.frameCount, info.loopCount], [size, 3, 3]);
  const name = path.join(folder, 'a.gif');
  const fd = fs.openSync(name, 'w');
  await packer.packToFileFromPixelmapSequence(maps, fd, { frameCount: 3, delayTimeList: [5, 7], disposalTypes: [1, 2], loopCount: 3 });
  fs.closeSync(fd);
  assert.ok(fs.readFileSync(name).equals(Buffer.from(gif)));
  await assert.rejects(packer.packToDataFromPixelmapSequence(maps, { frameCount: 3, delayTimeList: [0] }), { code: 401 });

  const picture = image.createPicture(maps[1]);
  picture.setProperty('copyright', 'Someone');
  const jpeg = await packer.packing(picture, { format: 'image/jpeg', quality: 90, needsPackProperties: true });
  assert.ok(Buffer.from(jpeg).includes('Someone'));
  const again = await image.createImageSource(jpeg).createPicture();
  assert.ok(Buffer.from(await packer.packing(again, { format: 'image/webp', quality: 90, needsPackProperties: true })).includes('Someone'));
  assert.ok(!Buffer.from(await packer.packing(again, { format: 'image/webp', quality: 90 })).includes('Someone'));
});

test('the process ends while packs run', () => {
  const script = `
    const image = require(${JSON.stringify(path.join(__dirname, '..'))});
    const map = image.createPixelMapSync(Buffer.alloc(3000 * 2000 * 4), { size: { width: 3000, height: 2000 }, srcPixelFormat: 3 });
    for (let n = 0; n < 8; n++) image.createImagePacker().packToData(map, { format: 'image/png', quality: 100, effort: 9 });
    setTimeout(() => process.exit(7), 20);`;
  assert.throws(() => execFileSync(process.execPath, ['-e', script], { stdio: 'pipe' }), { status: 7 });
});

test('colours become sRGB where that is asked for, and density is written', async () => {
  const pixels = Buffer.from([200, 30, 60, 255]);
  const map = new image.PixelMap(pixels, {
    size: { width: 1, height: 1 }, srcPixelFormat: image.PixelMapFormat.RGBA_8888, alphaType: image.AlphaType.OPAQUE, cicp: [12, 13],
  });
  const packer = image.createImagePacker();
  const pack = async (more) => Buffer.from(await packer.packToData(map, { format: 'image/png', quality: 90, ...more }));
  assert.deepStrictEqual([...decodePng(await pack({})).pixels].slice(0, 3), [200, 30, 60]);
  const srgb = await pack({ color: 'srgb', density: 254 });
  assert.ok(srgb.includes('sRGB') && !srgb.includes('iCCP'));
  const [red, green] = decodePng(srgb).pixels;
  assert.ok(red > 210 && green < 10, `${red} ${green}`);
  assert.strictEqual(srgb.readUInt32BE(srgb.indexOf('pHYs') + 4), 10000);
  await assert.rejects(pack({ color: 'adobe' }));
});
