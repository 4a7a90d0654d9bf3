#!/bin/sh
# sanitizer_on.sh SHARED ARCHIVE PROGRAM: the library and its C codecs are watched, and what is found is fatal.
set -eu
shared=$1 archive=$2 program=$3
nm -D "$shared" | grep -q ' __asan_init$' || { echo "broken: the library is not watched by ASan"; exit 1; }
nm -D "$shared" | grep -q '__ubsan_handle_' || { echo "broken: its C parts are not watched by UBSan"; exit 1; }
# A C codec's own object: libwebp's encoder calls ASan's checks.
for object in webp_enc; do
  nm -A "$archive" 2>/dev/null | grep "$object" | grep -q '__asan_report' || { echo "broken: $object is not watched"; exit 1; }
done
"$program" || { echo "broken: the right call fails"; exit 1; }
if "$program" overread 2>report; then echo "broken: an overread went unnoticed"; exit 1; fi
grep -q 'AddressSanitizer: heap-buffer-overflow' report || { cat report; exit 1; }
echo "sanitizers are on"
