#!/bin/sh
# moved_prefix.sh BUILD SOURCE VERSION: installs, moves the installation, and builds a program against what was
# moved: by pkg-config and by find_package, with the shared and with the static library.
set -eu
build=$1 source=$2 version=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "broken: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$work/here" >install.log
mv here "there and moved"
prefix="$work/there and moved"
pc=$(find "$prefix" -name image_packer.pc)
lib=$(dirname "$(dirname "$pc")")
if grep -rIl "$work/here" "$prefix"; then fail "these files name the place of the installation"; fi

[ "$(readlink "$lib/libimage_packer.so")" = "libimage_packer.so.${version%%.*}" ] || fail "the link for the linker"
[ "$(readlink "$lib/libimage_packer.so.${version%%.*}")" = "libimage_packer.so.$version" ] || fail "the link of the SONAME"
[ -f "$prefix/include/image_packer.h" ] && [ -f "$prefix/include/image_packer.hpp" ] || fail "headers"

# pkg-config escapes the blank in its answers; eval takes them as a shell would.
export PKG_CONFIG_PATH="$(dirname "$pc")"
[ "$(pkg-config --modversion image_packer)" = "$version" ] || fail "version of the .pc file"
eval "cc -o pc_shared '$source/examples/c/hello.c' $(pkg-config --cflags --libs image_packer)"
LD_LIBRARY_PATH="$lib" ./pc_shared pc_shared.jpg || fail "pkg-config, shared"
eval "cc -o pc_static '$source/examples/c/hello.c' -Wl,-Bstatic $(pkg-config --cflags --libs image_packer) -Wl,-Bdynamic \
  $(pkg-config --static --libs-only-l image_packer | sed 's/-limage_packer//') -Wl,--gc-sections"
./pc_static pc_static.jpg || fail "pkg-config, static"

cmake -S "$source/tests/packaging/consumer" -B consumer -DCMAKE_PREFIX_PATH="$prefix" \
  -DHELLO="$source/examples/c/hello.c" -DHELLO_CPP="$source/examples/cpp/hello.cpp" >consumer.log || { cat consumer.log; fail "find_package"; }
cmake --build consumer >consumer.log || { cat consumer.log; fail "build after find_package"; }
consumer/shared shared.jpg || fail "find_package, shared"
consumer/static static.jpg || fail "find_package, static"
consumer/cpp >cpp.log || fail "find_package, C++"

for image in pc_static shared static; do cmp pc_shared.jpg $image.jpg || fail "the $image program's image"; done
for program in pc_static consumer/static; do
  if readelf -d $program | grep -q image_packer; then fail "$program is not static"; fi
done
# As a packager does it; and what is installed can be taken away.
DESTDIR="$work/stage" cmake --install "$build" --prefix "/opt/with blank" >stage.log
[ -f "$work/stage/opt/with blank/include/image_packer.h" ] || fail "DESTDIR"
if grep -rIl "$work" "$work/stage"; then fail "these files name the stage"; fi
make -s -C "$source" uninstall PREFIX="$prefix" >uninstall.log
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail "left behind by make uninstall: $left"

echo "moved prefix: pkg-config and find_package, shared and static, C and C++; DESTDIR; uninstall"
