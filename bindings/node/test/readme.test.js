'use strict';

// The examples of README.md, as they are there.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const image = require('..');
const { folder, gradient, plain, RGBA } = require('./common');

const text = fs.readFileSync(path.join(__dirname, '../README.md'), 'utf8');
const examples = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
const AsyncFunction = (async () => {}).constructor;
const size = { width: 64, height: 48 }, maps = [0, 90, 180].map((gray) => plain(64, 48, [gray, gray, 40, 255]));
const hdr = image.createPixelMapSync(Buffer.from(new Uint16Array(64 * 48 * 4).fill(0x4200).buffer), // 3 times white
  { size, srcPixelFormat: image.PixelMapFormat.RGBA_F16, cicp: [1, 8] });
const packer = image.createImagePacker();
const heic = packer.supportedFormats.includes('image/heic');

// What an example finds around it. `…` stands for the reader's own statement.
async function run(code) {
  const signal = new AbortController().signal;
  const names = {
    require: (name) => (assert.strictEqual(name, 'image-packer'), image), console: { log() {} }, image, ...size, size, signal,
    rgba: gradient(64, 48), camera: [gradient(64, 48), gradient(64, 48)], layout: { size, ...RGBA }, maps, map: maps[0],
    packer, source: image.createImageSource('photo.jpg'), sdr: maps[1], hdr, fd: fs.openSync('descriptor.webp', 'w+'), onProgress() {},
  };
  for (const [, name] of code.matchAll(/const (\w+) =/g)) delete names[name]; // the example's own
  try {
    return await new AsyncFunction(...Object.keys(names), `'use strict'; ${code.replaceAll('…', '{}')}`)(...Object.values(names));
  } finally {
    fs.closeSync(names.fd);
  }
}

test('there are examples', () => assert.ok(examples.length >= 4));

for (const code of examples) {
  test(`README: ${code.split('\n')[0].slice(0, 50)}`, { skip: code.includes('heic') && !heic && 'no HEIC here' }, async () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      await packer.packToFile(hdr, 'photo.jpg', { format: 'image/jpeg', quality: 90 }); // with a gain map
      if (heic) await packer.packToFile(maps[0], 'photo.heic', { format: 'image/heic', quality: 60 });
      await packer.packAnimation(maps, { format: 'image/gif', file: 'film.gif' });
      for (const name of ['a.tif', 'b.tif']) fs.copyFileSync(path.join(__dirname, '../../../tests/data/rgb.tif'), name);
      fs.mkdirSync('out', { recursive: true });
      await run(code);
    } finally {
      process.chdir(before);
    }
  });
}
