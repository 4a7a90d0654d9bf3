# The short way in. The work is done by cargo and by CMake; see CMakeLists.txt.
#
#   make                  the library, ready to ship, under build/release
#   make install PREFIX=… library, headers, pkg-config and CMake files; DESTDIR=… puts them below another root
#   make uninstall PREFIX=… takes them away
#   make demo             packs a photograph into every format
#   make test             all tests
#   make soak             random images through every format and effort, SECONDS long
#   make fuzz             the readers of images and metadata under libFuzzer, SECONDS long
#   make stress           every function at random from several threads under the sanitizers, SECONDS long
#   make hdr-check         gain maps as libultrahdr and Chromium see them, and all that Chromium draws
#   make bench            speed beside the peers' own libraries, into out/benchmark.md

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build/release

all:
	cmake -S . -B $(BUILD) -DIMAGE_PACKER_PROFILE=release -DIMAGE_PACKER_TESTS=OFF -DCMAKE_INSTALL_LIBDIR=lib
	cmake --build $(BUILD)

# `sudo make install` installs what `make` has built: root has no Rust.
install:
	[ -n "$$SUDO_USER" -a -e $(BUILD)/lib/libimage_packer.a ] || $(MAKE) all
	rm -f $(BUILD)/install_manifest.txt
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"
	@[ -n "$(DESTDIR)" -o "$$(id -u)" != 0 ] || ldconfig 2>/dev/null || true

INSTALLED = $(DESTDIR)$(PREFIX)

uninstall:
	rm -f "$(INSTALLED)"/lib/libimage_packer.so* "$(INSTALLED)/lib/libimage_packer.a" "$(INSTALLED)/lib/pkgconfig/image_packer.pc"
	rm -f "$(INSTALLED)/include/image_packer.h" "$(INSTALLED)/include/image_packer.hpp"
	rm -rf "$(INSTALLED)/lib/cmake/image_packer" "$(INSTALLED)/share/doc/image_packer"

demo:
	./run-demo

test:
	./run-tests

clean:
	cargo clean
	rm -rf build

# IMAGES='--corpus FOLDER' for other photographs than the one that is shipped.
IMAGES ?= --photo '$(CURDIR)/examples/data/astronaut.png'

bench: all
	cd benches && cargo run --release -- --library "$(CURDIR)/$(BUILD)/lib/libimage_packer.so" $(IMAGES) --out "$(CURDIR)/out"

SECONDS ?= 600

soak:
	bindings/python/run-tests tests/test_pack.py
	build/python/bin/python bindings/python/tests/soak.py $(SECONDS)

fuzz:
	scripts/fuzz.sh $(SECONDS)

stress:
	scripts/stress.sh $(SECONDS)

# The HDR image of a JPEG with a gain map, reconstructed by libultrahdr, for which PYTHON must have imagecodecs; HDR,
# orientations and colours as Chromium draws them.
PYTHON ?= python3

PROGRAM = $(CC) $(1) -Iinclude -L$(BUILD)/lib '-Wl,-rpath,$(CURDIR)/$(BUILD)/lib' -limage_packer -lm -o $(2)

hdr-check: all
	mkdir -p out
	$(call PROGRAM,examples/c/hdr_camera.c,out/hdr_camera)
	out/hdr_camera out/hdr_camera.jpg out/hdr_camera.p010
	$(call PROGRAM,tests/c/scenes.c,out/scenes)
	out/scenes out/scenes.images examples/data/astronaut.png
	$(PYTHON) scripts/hdr_check.py out/scenes.images; [ $$? = 0 -o $$? = 77 ]
	$(call PROGRAM,tests/c/gallery.c,out/gallery)
	out/gallery out/gallery.images
	$(PYTHON) scripts/chromium_check.py out/gallery.images out/hdr_camera.jpg out/hdr_camera.p010; [ $$? = 0 -o $$? = 77 ]

.PHONY: all install uninstall demo test soak fuzz stress hdr-check bench clean
