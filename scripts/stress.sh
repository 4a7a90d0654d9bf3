#!/bin/sh
# Every function of the header at random, with a new seed again and again: scripts/stress.sh SECONDS [BUILD]. Ends with the
# first seed that breaks something. BUILD is a build folder of CMake; without it, one with the sanitizers is made.
set -eu
cd "$(dirname "$0")/.."
end=$(($(date +%s) + ${1:-600}))
build=${2:-build/asan}
if [ $# -lt 2 ]; then cmake -S . -B "$build" -DIMAGE_PACKER_PROFILE=fast -DIMAGE_PACKER_SANITIZE=ON >/dev/null; fi
cmake --build "$build"
export LSAN_OPTIONS="suppressions=$PWD/tests/c/lsan.supp" ASAN_OPTIONS="allocator_may_return_null=1"
while [ "$(date +%s)" -lt "$end" ]; do
  "$build/tests/c/stress" 0 40000 tests/data tests/fuzz/blocks_seeds
done
