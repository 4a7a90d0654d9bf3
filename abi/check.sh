#!/bin/sh
# abi/check.sh [bless]: the binary interface that the header declares, compared with abi/image_packer.abi.
#
# Types come from a stub compiled out of the header, which is what hosts compile against; that the library agrees
# with the header is what tests/header.rs and the list of symbols show. New functions are welcome, a change of an old
# one is not. `bless` writes the baseline anew, which is for releases.
set -eu
cd "$(dirname "$0")"
for tool in abidw abidiff cc; do
  command -v $tool >/dev/null || { echo "SKIPPED: no $tool here (Debian: abigail-tools)"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Each declaration becomes a definition.
awk '/^IMAGE_PACKER_API/ {declaration = 1}
     declaration && /\);$/ {sub(/;$/, " { __builtin_trap(); }"); declaration = 0}
     {print}' ../include/image_packer.h >"$work/image_packer.c"
cc -g -O0 -w -shared -fPIC -Wl,-soname,libimage_packer.so.1 -o "$work/stub.so" "$work/image_packer.c"
nm -D --defined-only "$work/stub.so" | awk '$3 ~ /^image_/ {print $3}' | sort | diff - symbols.txt || {
  echo "broken: the stub and symbols.txt differ"
  exit 1
}
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$work/now.abi" "$work/stub.so"
if [ "${1-}" = bless ]; then
  cp "$work/now.abi" image_packer.abi
  echo "abi/image_packer.abi written"
else
  abidiff --no-added-syms image_packer.abi "$work/now.abi" || { echo "broken: the binary interface changed"; exit 1; }
  echo "abi: $(wc -l <symbols.txt) functions as they were"
fi
