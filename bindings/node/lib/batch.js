'use strict';

const native = require('./native');
const { packingOptions, word } = require('./options');
const { told } = require('./report');

const SAME = { error: 0, number: 1, last: 2 };

/** Many images as one; answers [{data} or {error}] in their order. */
function packBatch(packer, inputs, options) {
  const { files, folder, names, sameName = 'error', prefix, suffix, extension, reports, signal, onImage, onProgress, ...common } = options;
  signal?.throwIfAborted();
  const batch = native.createBatch(packer);
  const shared = packingOptions(common);
  const results = [];
  for (const entry of inputs) {
    const [input, own] = entry?.input ? [entry.input, packingOptions({ ...common, ...entry.options })] : [entry, shared];
    if (!Number.isInteger(input?.kind)) throw new TypeError('expected PixelMaps, ImageSources or Pictures');
    native.addToBatch(batch, input.kind, input.handle, own);
    results.push({});
  }
  if (files) native.batchToFiles(batch, Int32Array.from(files));
  if (folder !== undefined) {
    native.batchToFolder(batch, folder, names ?? [], word('sameName', SAME, sameName), prefix, suffix, extension);
  }
  if (results.length === 0) return Promise.resolve(results);
  return new Promise((resolve, reject) => {
    let ended = 0;
    const stop = () => native.cancelBatch(batch);
    native.startBatch(batch, (index, error, data) => {
      if (index >= 0) {
        const result = results[index];
        if (error) result.error = error;
        else if (data) result.data = data;
        if (!error && reports) result.report = told(native.batchReport(batch, index));
        ended += 1;
        onImage?.(index, result);
        onProgress?.(ended / results.length);
      } else {
        signal?.removeEventListener('abort', stop);
        if (signal?.aborted && results.some((result) => result.error?.code === 1001)) reject(signal.reason);
        else resolve(results);
      }
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}

module.exports = { packBatch };
