'use strict';

// The addon, which finds the library beside itself.
module.exports = require(process.env.IMAGE_PACKER_ADDON || '../build/image_packer.node');
