#!/bin/sh
# The C and C++ files as .clang-format has them, and words spelt as in a dictionary (.codespellrc names exceptions).
# `--fix` formats the files. The generated header is cbindgen's business.
set -eu
cd "$(dirname "$0")/.."
c_files=$(find bindings examples include tests benches \( -name target -o -name node_modules -o -name build \) -prune -o \( -name '*.c' -o -name '*.h' -o -name '*.hpp' -o -name '*.cpp' \) -print |
  grep -v '^include/image_packer\.h$')
# Its versions differ in what they do; this one is Debian 12's.
version=14
if clang-format --version 2>/dev/null | grep -q "version $version\."; then format=clang-format; else format=clang-format-$version; fi
if command -v "$format" >/dev/null; then
  # shellcheck disable=SC2086
  if [ "${1-}" = --fix ]; then "$format" -i $c_files; else "$format" --dry-run -Werror $c_files; fi
else
  echo "SKIPPED the style of C: there is no clang-format $version here"
fi
codespell
