#!/bin/sh
# exports.sh LIBRARIES SYMBOLS MAJOR: both libraries show the functions of the header and nothing else.
set -eu
lib=$1 symbols=$2 major=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sort "$symbols" >"$work/header"

same() {
  sort -u "$work/$1" >"$work/sorted"
  diff "$work/header" "$work/sorted" || { echo "broken: $1: < the header, > the library"; exit 1; }
}
nm -D --defined-only "$lib/libimage_packer.so" | awk '{print $3}' >"$work/shared"
same shared
nm --defined-only --extern-only "$lib/libimage_packer.a" | awk 'NF == 3 {print $3}' >"$work/static"
same static

readelf -d "$lib/libimage_packer.so" >"$work/dynamic"
grep -q "SONAME.*\[libimage_packer.so.$major\]" "$work/dynamic" || { echo "broken: SONAME"; cat "$work/dynamic"; exit 1; }
if grep NEEDED "$work/dynamic" | grep -vE '\[(libc|libm|libgcc_s|libdl|libpthread|ld-linux-[a-z0-9_-]+)\.so'; then
  echo "broken: the library needs more than the C library"
  exit 1
fi
if grep -E 'TEXTREL' "$work/dynamic"; then echo "broken: text relocations"; exit 1; fi
echo "exports: $(wc -l <"$work/header") functions, shared and static"
