"""parse.py HEADER SYMBOLS LIBRARY: what a foreign-function interface makes of the header.

cffi reads plain C without a preprocessor: directives are dropped but for constants, and the two macros before a function
are taken away. Every function must be understood, and a packer made and used through what cffi understood.
"""

import re
import sys

try:
    import cffi
except ImportError:
    print("SKIPPED: no cffi for this Python")
    sys.exit(77)

header, symbols, library = sys.argv[1:]
text = open(header, encoding="utf-8").read()
assert text.isascii(), "the header is not plain ASCII"
text = re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")
text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
lines = []
for line in text.splitlines():
    if not line.startswith("#") or re.match(r"#define IMAGE_\w+ -?\d\w*$", line.strip()):
        lines.append(line)
text = re.sub(r"\bIMAGE_PACKER_(API|NODISCARD)\b", "", "\n".join(lines))

ffi = cffi.FFI()
ffi.cdef(text)
c = ffi.dlopen(library)
names = open(symbols, encoding="utf-8").read().split()
for name in names:
    getattr(c, name)  # known to cffi and found in the library
assert len(names) > 50, "too few functions"
assert c.image_packer_version() == c.IMAGE_PACKER_VERSION_MAJOR << 16 | c.IMAGE_PACKER_VERSION_MINOR << 8 | c.IMAGE_PACKER_VERSION_PATCH


def made(kind, call, *arguments):
    place = ffi.new(kind + " **")
    status = call(*arguments, place)
    assert status == c.IMAGE_OK, ffi.string(c.image_packer_last_error_message())
    return place[0]


packer = made("ImagePacker", c.image_packer_create)
gray = bytes(range(48))
pixels = made("ImagePixelMap", c.image_pixelmap_create_from_copy, 8, 6, c.IMAGE_PIXEL_FORMAT_GRAY_8, gray, 48, 0)
options = made("ImagePackingOptions", c.image_packing_options_create, b"image/jpeg", 90)
data = made("ImageData", c.image_packer_pack_to_data, packer, pixels, options)
jpeg = ffi.buffer(c.image_data_bytes(data), c.image_data_size(data))[:]
assert jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9", jpeg[:16]

# Handles fit a double, as a JavaScript host would keep them.
for handle in packer, pixels, options, data:
    bits = int(ffi.cast("uintptr_t", handle))
    assert int(float(bits)) == bits, hex(bits)
for release, handle in [
    (c.image_data_release, data),
    (c.image_packing_options_release, options),
    (c.image_pixelmap_release, pixels),
    (c.image_packer_release, packer),
]:
    assert release(handle) == c.IMAGE_OK and release(handle) == c.IMAGE_ERROR_INVALID_ARGUMENT
print(f"cffi: {len(names)} functions, {len(jpeg)} bytes of JPEG")
