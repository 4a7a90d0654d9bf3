#!/bin/sh
# stage.sh FROM TO VERSION SYMBOLS: cargo's libraries under their installed names.
#
# The shared library gets its version and links. The static one, as cargo leaves it, would offer the host every
# jpeg_*, WebP* and Rust symbol inside it and so replace the host's own libjpeg; it becomes one object whose only
# global symbols are those listed in SYMBOLS.
set -eu
from=$1 to=$2 version=$3 symbols=$4
major=${version%%.*}

if [ ! "$to/libimage_packer.so.$version" -nt "$from/libimage_packer.so" ]; then
  rm -f "$to"/libimage_packer.so*
  cp "$from/libimage_packer.so" "$to/libimage_packer.so.$version"
  ln -s "libimage_packer.so.$version" "$to/libimage_packer.so.$major"
  ln -s "libimage_packer.so.$major" "$to/libimage_packer.so"
fi

if [ ! "$to/libimage_packer.a" -nt "$from/libimage_packer.a" ] || [ "$symbols" -nt "$to/libimage_packer.a" ]; then
  work=$to/.localise
  rm -rf "$work" "$to/libimage_packer.a"
  mkdir -p "$work"
  ld -r --whole-archive "$from/libimage_packer.a" -o "$work/all.o"
  # Without the bitcode sections: GNU ar hands such an object to LLVM's plugin, where one is installed, and dies.
  objcopy -R .llvmbc -R .llvmcmd --strip-debug --keep-global-symbols="$symbols" "$work/all.o" "$work/image_packer.o"
  ar rcs "$work/libimage_packer.a" "$work/image_packer.o"
  mv "$work/libimage_packer.a" "$to/libimage_packer.a"
  rm -rf "$work"
fi
