'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');
const image = require('..');

const PHOTO = path.join(__dirname, '../../../examples/data/astronaut.png');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image_packer-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true }));

// The rows of an 8-bit RGB(A) PNG without interlacing, by zlib and the filters' definitions alone.
function decodePng(buffer) {
  const file = Buffer.from(buffer);
  const data = [];
  let at = 8, width, height, channels;
  while (at < file.length) {
    const size = file.readUInt32BE(at), type = file.toString('latin1', at + 4, at + 8), body = file.subarray(at + 8, at + 8 + size);
    if (type === 'IHDR') {
      [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
      channels = { 2: 3, 6: 4 }[body[9]];
      assert.strictEqual(body[8], 8);
    } else if (type === 'IDAT') data.push(body);
    at += size + 12;
  }
  const raw = zlib.inflateSync(Buffer.concat(data)), row = width * channels, out = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const a = x >= channels ? out[y * row + x - channels] : 0, b = y ? out[(y - 1) * row + x] : 0;
      const c = x >= channels && y ? out[(y - 1) * row + x - channels] : 0, p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      const guess = [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][filter];
      out[y * row + x] = raw[y * (row + 1) + 1 + x] + guess;
    }
  }
  return { width, height, channels, pixels: out };
}

function gradient(width, height) {
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) pixels.set([x * 3, y * 5, (x * y) & 255, 255 - (x & 31)], (y * width + x) * 4);
  return pixels;
}

const RGBA = { srcPixelFormat: image.PixelMapFormat.RGBA_8888, alphaType: image.AlphaType.UNPREMUL };

// A map of one colour.
function plain(width, height, rgba) {
  const pixels = Buffer.alloc(width * height * 4);
  for (let at = 0; at < pixels.length; at += 4) pixels.set(rgba, at);
  return image.createPixelMapSync(pixels, { size: { width, height }, ...RGBA });
}

module.exports = { PHOTO, RGBA, decodePng, folder, gradient, plain };
