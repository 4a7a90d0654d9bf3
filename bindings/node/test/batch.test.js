'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const image = require('..');
const { PHOTO, RGBA, decodePng, folder, gradient, plain } = require('./common');

const png = { format: 'image/png', quality: 100 };
const packer = image.createImagePacker({ threads: 2 });

// Of too many colours for a palette; `red` is the first byte.
function marked(width, height, red) {
  const pixels = gradient(width, height);
  pixels[0] = red;
  return image.createPixelMapSync(pixels, { size: { width, height }, ...RGBA });
}

test('images of a batch end each for itself', async () => {
  const half = image.createImageSource(fs.readFileSync(PHOTO).subarray(0, 5000));
  const maps = Array.from({ length: 20 }, (_, index) => marked(20 + index, 20, index));
  const picture = image.createPicture(maps[3]);
  const told = [], order = [];
  const results = await packer.packBatch([...maps, half, { input: picture, options: { format: 'image/jpeg', quality: 80 } }], {
    ...png, reports: true, onProgress: (done) => told.push(done), onImage: (index, result) => order.push([index, result]),
  });
  assert.strictEqual(results.length, 22);
  for (const [index, { data, error, report }] of results.slice(0, 20).entries()) {
    assert.strictEqual(error, undefined);
    const { width, pixels } = decodePng(data);
    assert.deepStrictEqual([width, pixels[0], report.size.width, report.bytes], [20 + index, index, 20 + index, data.byteLength]);
    assert.ok(report.milliseconds > 0);
  }
  assert.strictEqual(results[20].error.code, 62980101);
  assert.ok(results[20].error instanceof Error && results[20].data === undefined && results[20].report === undefined);
  assert.strictEqual(image.createImageSource(results[21].data).getImageInfoSync().mimeType, 'image/jpeg');
  assert.deepStrictEqual(told.length, 22);
  assert.strictEqual(told.at(-1), 1);
  assert.deepStrictEqual(order.map(([index]) => index).sort((a, b) => a - b), [...results.keys()]);
  assert.strictEqual(order[0][1], results[order[0][0]]);
  assert.deepStrictEqual(await packer.packBatch([], png), []);
});

test('batches go into folders and descriptors', async () => {
  const maps = [10, 20, 30].map((red) => marked(20, 20, red));
  const names = ['a/one.tif', 'b/one.bmp', 'two'];
  await packer.packBatch(maps, { ...png, folder, names, sameName: 'number', prefix: 'x-', extension: 'PNG' });
  const red = (name) => decodePng(fs.readFileSync(path.join(folder, name))).pixels[0];
  assert.deepStrictEqual(['x-one.PNG', 'x-one_1.PNG', 'x-two.PNG'].map(red), [10, 20, 30]);
  const results = await packer.packBatch(maps, { ...png, folder, names });
  assert.ok(results[1].error && !results[0].error && !results[2].error && red('out_one.png') === 10);

  const fds = maps.map((_, index) => fs.openSync(path.join(folder, `fd${index}`), 'w'));
  const done = packer.packBatch(maps, { ...png, files: fds });
  fds.forEach((fd) => fs.closeSync(fd)); // they are duplicated
  assert.deepStrictEqual(await done, [{}, {}, {}]);
  assert.deepStrictEqual(['fd0', 'fd1', 'fd2'].map(red), [10, 20, 30]);
  await assert.rejects(packer.packBatch(maps, { ...png, folder, names: ['one'] }), { code: 401 });
  await assert.rejects(packer.packBatch(maps, { ...png, folder: path.join(folder, 'not here'), names }), { code: 62980096 });
  await assert.rejects(packer.packBatch(maps, { ...png, folder, names, sameName: 'nobody' }), RangeError);
  await assert.rejects(packer.packBatch([{}], png), TypeError);
});

test('a signal stops a batch', async () => {
  const map = image.createPixelMapSync(gradient(1500, 1000), { size: { width: 1500, height: 1000 }, ...RGBA });
  const abort = new AbortController();
  const promise = packer.packBatch(Array(40).fill(map), { ...png, effort: 10, signal: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 20);
  await assert.rejects(promise, { message: 'enough' });
  await assert.rejects(packer.packBatch([map], { ...png, signal: abort.signal }), { message: 'enough' });
});

test('limits of a packer hold', async () => {
  const small = image.createImagePacker({ maxPixels: 100 });
  await assert.rejects(small.packToData(plain(20, 20, [0, 0, 0, 255]), png), { code: 62980106 });
  assert.throws(() => image.createImagePacker({ threads: -1 }), RangeError);
});
