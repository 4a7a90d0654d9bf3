#!/bin/sh
# Builds the addon into build/, with the library beside it: IMAGE_PACKER_LIBRARY, where that is set, else cargo makes it.
set -eu
cd "$(dirname "$0")"
top=../..

headers=$(node -p 'require("path").resolve(process.execPath, "../../include/node")')
if [ ! -f "$headers/node_api.h" ]; then headers=/usr/include/node; fi
if [ ! -f "$headers/node_api.h" ]; then
  echo "image-packer: Node's headers are missing (Debian: libnode-dev)" >&2
  exit 1
fi

if [ -z "${IMAGE_PACKER_LIBRARY-}" ]; then
  PATH=$PATH:${HOME-}/.cargo/bin
  cargo build --release --lib --manifest-path "$top/Cargo.toml"
  IMAGE_PACKER_LIBRARY=${CARGO_TARGET_DIR:-$top/target}/release/libimage_packer.so
fi

# The library has its version in its SONAME; the addon looks for it beside itself. npm packs no links.
soname=$(objdump -p "$IMAGE_PACKER_LIBRARY" | sed -n 's/ *SONAME *//p')
rm -rf build
mkdir build
cp "$IMAGE_PACKER_LIBRARY" "build/$soname"
${CC:-cc} -std=c11 -O2 -Wall -Wextra -Wpedantic -fPIC -shared -fvisibility=hidden -I"$top/include" -I"$headers" src/*.c \
  "build/$soname" -Wl,-rpath,'$ORIGIN' -o build/image_packer.node
