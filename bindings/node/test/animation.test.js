'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const image = require('..');
const { folder, gradient, plain, RGBA } = require('./common');

const packer = image.createImagePacker();
const size = { width: 32, height: 24 };
const COLORS = [[200, 10, 10, 255], [10, 200, 10, 255], [10, 10, 200, 255], [90, 90, 90, 255]];

async function* frames(durations) {
  for (const [index, duration] of durations.entries()) yield { pixelMap: plain(32, 24, COLORS[index % 4]), duration };
}

// The colour of each frame's middle.
async function middles(bytes) {
  const seen = [];
  for await (const { pixelMap } of image.createImageSource(bytes).frames()) {
    const { size: { width, height } } = pixelMap.getImageInfoSync();
    seen.push([...pixelMap.readPixelsSync().subarray((height / 2 * width + width / 2) * 4).subarray(0, 3)]);
  }
  return seen;
}

const near = (seen, wanted) => seen.forEach((part, index) => assert.ok(Math.abs(part - wanted[index]) < 12, `${seen} ${wanted}`));

for (const format of ['image/gif', 'image/apng', 'image/webp']) {
  test(`frames of a generator become ${format}`, async () => {
    const report = new image.Report(), told = [];
    const bytes = await packer.packAnimation(frames([33, 33, 34, 500]), {
      format, loopCount: 0, quality: 90, report, frameCount: 4, onProgress: (done) => told.push(done),
    });
    const source = image.createImageSource(bytes);
    assert.deepStrictEqual(await source.getImageInfo(), { size, mimeType: format === 'image/apng' ? 'image/png' : format, frameCount: 4, loopCount: 0 });
    assert.deepStrictEqual(await source.getDelayTimeList(), [30, 40, 30, 500]); // 100 ms in all, in units of 10
    assert.strictEqual((await source.getDisposalTypeList()).length, 4);
    (await middles(bytes)).forEach((middle, index) => near(middle, COLORS[index]));
    assert.strictEqual(report.bytes, bytes.byteLength);
    assert.ok(told.length === 5 && told.at(-1) === 1 && told.every((done, index) => index === 0 || done > told[index - 1]), String(told));
  });
}

test('an animated source is packed anew, as a whole or by its frames', async () => {
  const gif = await packer.packAnimation(frames([100, 200, 300, 400]), { loopCount: 2 });
  const source = image.createImageSource(gif);
  const webp = image.createImageSource(await packer.packAnimation(source, { format: 'image/webp', quality: 90 }));
  assert.deepStrictEqual([webp.getImageInfoSync().frameCount, webp.getImageInfoSync().loopCount], [4, 2]);
  assert.deepStrictEqual(await webp.getDelayTimeList(), [100, 200, 300, 400]);

  async function* everySecond() {
    let index = 0;
    for await (const frame of source.frames()) if (index++ % 2 === 1) yield frame;
  }
  const name = path.join(folder, 'half.png');
  assert.strictEqual(await packer.packAnimation(everySecond(), { format: 'image/apng', file: name, lossless: true }), undefined);
  const half = fs.readFileSync(name);
  assert.deepStrictEqual(await image.createImageSource(half).getDelayTimeList(), [200, 400]);
  (await middles(half)).forEach((middle, index) => near(middle, COLORS[index * 2 + 1]));

  const fd = fs.openSync(path.join(folder, 'whole.webp'), 'w');
  await packer.packAnimation(source, { format: 'image/webp', file: fd });
  fs.closeSync(fd);
  assert.strictEqual(image.createImageSource(path.join(folder, 'whole.webp')).getImageInfoSync().frameCount, 4);
  assert.throws(() => source.createPixelMapSync({ index: 4 }), { code: 401 });
  await assert.rejects(source.createPixelMap({ index: 4 }), { code: 401 });
});

test('frames have places on a canvas, and options of every kind', async () => {
  const picture = image.createPicture(plain(1, 1, [0, 0, 0, 255]));
  picture.setProperty('copyright', 'Someone');
  const dot = plain(4, 4, [255, 255, 255, 255]);
  const bytes = await packer.packAnimation(
    [plain(32, 24, COLORS[0]), { pixelMap: dot, x: 14, y: 10 }, { pixelMap: dot, x: 28, disposalType: 2 }],
    { format: 'image/png', canvas: { width: 40, height: 24 }, delayTimeList: [5, 7], metadata: picture, lossless: true, effort: 2, timeout: 60000 });
  const source = image.createImageSource(bytes);
  assert.deepStrictEqual(source.getImageInfoSync().size, { width: 40, height: 24 });
  assert.deepStrictEqual(await source.getDelayTimeList(), [50, 70, 70]);
  const pixels = (await source.createPixelMap({ index: 1 })).readPixelsSync();
  const at = (x, y) => [...pixels.subarray((y * 40 + x) * 4, (y * 40 + x) * 4 + 4)];
  assert.deepStrictEqual([at(15, 11), at(13, 11), at(39, 11)], [[255, 255, 255, 255], COLORS[0], [0, 0, 0, 0]]);
  assert.strictEqual(source.createMetadataSync().getProperty('copyright'), 'Someone');

  const two = await packer.packToDataFromPixelmapSequence([plain(8, 8, COLORS[0]), dot], {
    frameCount: 2, offsets: [[0, 0], [2, 2]], dithering: 'none', tail: 'keep', sync: true, keepGps: false, needsPackProperties: true,
  });
  assert.strictEqual(image.createImageSource(two).getImageInfoSync().frameCount, 2);
  await assert.rejects(packer.packAnimation([dot], { dithering: 'much' }), RangeError);
  await assert.rejects(packer.packAnimation([dot], { nonsense: 1 }), { name: 'TypeError', message: /nonsense/ });
  await assert.rejects(packer.packAnimation([], {}), { code: 7800301 });
  await assert.rejects(packer.packAnimation([{ pixelMap: dot, x: 30 }, dot], { canvas: size }), { code: 401 });
});

test('what is iterated is told to end', async () => {
  let closed = 0;
  async function* endless(stuck) {
    try {
      for (let index = 0; ; index++) {
        if (stuck && index === 2) await new Promise(() => {});
        yield plain(32, 24, COLORS[index % 4]);
      }
    } finally {
      closed += 1;
    }
  }
  const name = path.join(folder, 'none.gif');
  const abort = new AbortController();
  const promise = packer.packAnimation(endless(false), { file: name, signal: abort.signal });
  setTimeout(() => abort.abort(), 30);
  await assert.rejects(promise, { name: 'AbortError' });
  assert.strictEqual(fs.existsSync(name), false);
  await assert.rejects(packer.packAnimation(endless(false), { frameCount: 3 }), { code: 7800301 }); // more than announced
  await new Promise(setImmediate);
  assert.strictEqual(closed, 2);
  const late = new AbortController();
  setTimeout(() => late.abort(new Error('too late')), 30);
  await assert.rejects(packer.packAnimation(endless(true), { signal: late.signal }), { message: 'too late' });
  async function* broken() {
    yield plain(32, 24, COLORS[0]);
    throw new Error('no more film');
  }
  await assert.rejects(packer.packAnimation(broken(), {}), { message: 'no more film' });
});

test('a worker of JavaScript packs as well', async () => {
  const { Worker } = require('node:worker_threads');
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    const image = require(${JSON.stringify(path.join(__dirname, '..'))});
    const map = image.createPixelMapSync(Buffer.alloc(4096, 90), { size: { width: 32, height: 32 } });
    const packer = image.createImagePacker();
    packer.packToData(map, { format: 'image/png', quality: 90 }).then((bytes) => {
      parentPort.postMessage(bytes.byteLength);
      // And the worker ends in the middle of these.
      for (let n = 0; n < 8; n++) packer.packToData(new image.PixelMap(Buffer.alloc(4e6), { size: { width: 1000, height: 1000 } }),
        { format: 'image/png', quality: 90, effort: 9, onProgress: () => {} });
      packer.packBatch(Array(50).fill(new image.PixelMap(Buffer.alloc(4e6), { size: { width: 1000, height: 1000 } })),
        { format: 'image/png', quality: 90, effort: 9, onImage: () => process.exit() });
    });`, { eval: true });
  const size = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  assert.ok(size > 50);
  await new Promise((resolve) => worker.once('exit', resolve));
  const map = image.createPixelMapSync(gradient(8, 8), { size: { width: 8, height: 8 }, ...RGBA });
  assert.ok((await packer.packToData(map, { format: 'image/png', quality: 90 })).byteLength > 50);
});
