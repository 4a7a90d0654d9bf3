#!/bin/sh
# Fuzzes the readers with libFuzzer: scripts/fuzz.sh SECONDS [CORPUS]. Needs clang with its fuzzer runtime.
#
# The library is built apart, in build/fuzz, with coverage in the Rust code and AddressSanitizer in the C code of the
# decoders; without libheif, which is not ours. What is found is left beside the corpus, as crash-… and the like.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
corpus=${2:-build/fuzz/corpus}
. scripts/setup.sh
need clang
need "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
host=$(rustc -vV | sed -n 's/^host: //p')

cover="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
for part in inline-8bit-counters pc-table trace-compares; do
  cover="$cover -Cllvm-args=-sanitizer-coverage-$part"
done
# With a target of its own name, build scripts and macros stay as they are.
RUSTFLAGS="$cover" CC=clang CFLAGS="-g -fsanitize=fuzzer-no-link,address" \
  cargo build --quiet --profile fast --lib --target "$host" --target-dir build/fuzz \
  --no-default-features --features reserve-allocator
library=build/fuzz/$host/fast/libimage_packer.a

mkdir -p "$corpus/source" "$corpus/blocks"
cp tests/data/*.* tests/fuzz/source_seeds/*.* "$corpus/source"
cp tests/fuzz/blocks_seeds/* "$corpus/blocks"
for name in source blocks; do
  clang -g -O1 -fsanitize=fuzzer,address -Iinclude "tests/fuzz/$name.c" "$library" -o "build/fuzz/$name" -lm -ldl -lpthread
done
for name in source blocks; do
  "build/fuzz/$name" -max_total_time=$((seconds / 2 + 1)) -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=20 \
    -max_len=65536 -dict=tests/fuzz/words.dict -artifact_prefix="$corpus/" -print_final_stats=1 "$corpus/$name"
done
