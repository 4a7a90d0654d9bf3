#!/bin/sh
# compile.sh INCLUDE: the headers, included twice, under every compiler and standard, without a single warning.
set -u
include=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/c.c" <<END
#include <image_packer.h>
#include <image_packer.h>
ImageStatus use(ImagePacker *packer);
ImageStatus use(ImagePacker *packer) { return image_packer_release(packer); }
END
cp "$work/c.c" "$work/c.cpp"
printf '#include <image_packer.hpp>\n#include <image_packer.h>\n#include <image_packer.hpp>\n' >"$work/hpp.cpp"
broken=0 cases=0
compile() {
  cases=$((cases + 1))
  "$@" -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Werror \
    -I"$include" 2>"$work/log" || { broken=1; echo "broken: $*"; cat "$work/log"; }
}
for compiler in gcc clang; do
  command -v $compiler >/dev/null || { echo "SKIPPED: no $compiler here"; continue; }
  for std in c99 c11 c17 c2x gnu11; do compile $compiler -Wstrict-prototypes -std=$std -x c "$work/c.c"; done
  for std in c++11 c++14 c++17 c++20; do compile $compiler -std=$std -x c++ "$work/c.cpp"; done
  for std in c++17 c++20; do compile $compiler -std=$std -x c++ "$work/hpp.cpp"; done
done
echo "headers: $cases compilations"
[ $cases -ge 11 ] || { echo "too few"; exit 1; }
exit $broken
