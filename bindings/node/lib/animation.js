'use strict';

const native = require('./native');
const PixelMap = require('./pixelmap');
const { sequenceOptions, destination } = require('./options');

/**
 * Milliseconds as whole units of 10, such that the sum of many keeps its length.
 */
function rounding() {
  let time = 0, units = 0;
  return (duration) => {
    time += duration;
    const delay = Math.min(Math.max(Math.round(time / 10) - units, 1), 65535);
    units += delay;
    return delay;
  };
}

/** Frames one at a time, from whatever can be iterated; only one is held. */
async function packFrames(packer, frames, options) {
  const { file, signal, onProgress } = options;
  const total = options.frameCount ?? frames.length;
  const sequence = native.beginSequence(
    packer, sequenceOptions(own(options), options.frameCount ?? 0), ...(file === undefined ? [-1, null] : destination(file)));
  const iterator = (frames[Symbol.asyncIterator] ?? frames[Symbol.iterator]).call(frames);
  const delay = rounding();
  let stop;
  const aborted = signal && new Promise((_, reject) => {
    stop = () => {
      native.cancelSequence(sequence);
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  aborted?.catch(() => {});
  // Whichever comes first: a source of frames may hang.
  const unlessAborted = (promise) => (aborted ? Promise.race([promise, aborted]) : promise);
  let ended = false;
  try {
    for (let count = 1; ; count++) {
      const { done, value } = await unlessAborted(iterator.next());
      ended = done;
      if (done) break;
      const frame = value instanceof PixelMap ? { pixelMap: value } : value;
      const { pixelMap, duration, disposalType = -1, x, y } = frame;
      const placed = x !== undefined || y !== undefined;
      await unlessAborted(native.addFrame(
        sequence, pixelMap.handle, placed ? x ?? 0 : -1, placed ? y ?? 0 : 0, duration === undefined ? 0 : delay(duration), disposalType));
      if (total) onProgress?.(Math.min(count / total, 1) * 0.999);
    }
    const bytes = await unlessAborted(native.finishSequence(sequence));
    onProgress?.(1);
    return bytes;
  } finally {
    signal?.removeEventListener('abort', stop);
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

// The options without what this file understands by itself.
function own({ file, ...options }) {
  return options;
}

module.exports = { packFrames, own };
