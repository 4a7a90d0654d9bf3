'use strict';

const native = require('./native');

const BACKENDS = { 1: 'cpu', 2: 'nvjpeg' };

// What the addon tells of a report, in this module's words.
function told({ width, height, backend, ...more }) {
  return { size: { width, height }, backend: BACKENDS[backend] ?? String(backend), ...more };
}

/** Pass it as `report`; when the pack has succeeded it can be read, until the next pack. */
class Report {
  constructor() {
    this.handle = native.createReport();
  }
  read() {
    return told(native.readReport(this.handle));
  }
}
for (const name of ['bytes', 'size', 'quality', 'format', 'codec', 'backend', 'warnings']) {
  Object.defineProperty(Report.prototype, name, {
    get() {
      return this.read()[name];
    },
  });
}

module.exports = { Report, told };
