'use strict';

const native = require('./native');

const WORDS = {
  color: { keep: 0, srgb: 1 },
  tail: { auto: 0, cut: 1, keep: 2 },
  dithering: { diffusion: 0, ordered: 1, none: 2 },
};

// Those that are no setters of the library's options.
const PACKING = new Set(['format', 'quality', 'settings', 'report', 'signal', 'onProgress']);
const SEQUENCE = new Set([
  'format', 'frameCount', 'delayTimeList', 'disposalTypes', 'offsets', 'metadata', 'settings', 'report', 'signal', 'onProgress',
]);

/** The number of a word: 'keep' of {keep: 0, srgb: 1}. */
function word(name, words, value) {
  if (Object.hasOwn(words, value)) return words[value];
  throw new RangeError(`${name} ${value} is none of ${Object.keys(words).join(', ')}`);
}

function numbers(name, value) {
  if (name in WORDS) return [word(name, WORDS[name], value), 0];
  if (name === 'density') return Array.isArray(value) ? value : [value, value];
  if (name === 'canvas') return [value.width, value.height];
  return [Number(value), 0];
}

function apply(handle, sequence, options, others) {
  for (const [name, value] of Object.entries(options)) {
    if (!others.has(name) && value !== undefined) native.setOption(handle, sequence, name, ...numbers(name, value));
  }
  for (const [name, value] of Object.entries(options.settings ?? {})) {
    native.setSetting(handle, sequence, name, typeof value === 'boolean' ? String(Number(value)) : String(value));
  }
  if (options.report) native.setReport(handle, sequence, options.report.handle);
  return handle;
}

function packingOptions(options) {
  const format = Array.isArray(options.format) ? options.format[options.format.length - 1] : options.format;
  return apply(native.createOptions(format, options.quality), false, options, PACKING);
}

function sequenceOptions(options, frameCount) {
  const handle = native.createSequenceOptions(options.format ?? 'image/gif', frameCount);
  const list = (name, values) => values?.length && native.setList(handle, name, Int32Array.from(values));
  list('delays', options.delayTimeList);
  list('disposals', options.disposalTypes);
  list('offsets', options.offsets?.flat());
  if (options.metadata) native.setSequenceMetadata(handle, options.metadata.handle);
  return apply(handle, true, options, SEQUENCE);
}

/** A path, or a descriptor: [descriptor or -1, path or null]. */
function destination(file) {
  if (typeof file === 'string') return [-1, file];
  if (Number.isInteger(file) && file >= 0) return [file, null];
  const error = new Error(`file descriptor ${file} is not 0 or above`);
  error.code = 62980115;
  throw error;
}

module.exports = { packingOptions, sequenceOptions, destination, word };
