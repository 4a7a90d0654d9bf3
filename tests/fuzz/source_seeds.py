"""source_seeds.py LIBRARY: writes source_seeds/, small files of the kinds that tests/data has none of, by this library.

Still AVIF and HEIC; JPEG, AVIF and HEIC of HDR pixels, with a gain map or the HDR signal inside; animations. A format that
LIBRARY cannot write here is left out: moving AVIF and HEIC want a libheif that is newer than most.
"""

import ctypes
import pathlib
import sys

WIDTH, HEIGHT = 24, 16
RGBA_8888, RGBA_1010102 = 3, 10
HANDLE = ctypes.c_void_p

library = ctypes.CDLL(sys.argv[1])
library.image_packer_last_error_message.restype = ctypes.c_char_p
library.image_data_bytes.restype = ctypes.c_void_p
library.image_data_size.restype = ctypes.c_size_t
library.image_data_bytes.argtypes = library.image_data_size.argtypes = [ctypes.c_void_p]
folder = pathlib.Path(__file__).with_name("source_seeds")


def made(function, *arguments):
    """The handle that a function makes; None where it fails."""
    handle = HANDLE()
    if function(*arguments, ctypes.byref(handle)) != 0:
        print("left out:", library.image_packer_last_error_message().decode())
        return None
    return handle


def pixels(pixel_format, shift):
    """A gradient, moved by `shift` pixels."""
    count = WIDTH * HEIGHT
    values = (ctypes.c_uint32 * count)()
    for i in range(count):
        x, y = (i + shift) % WIDTH, i // WIDTH
        if pixel_format == RGBA_8888:
            values[i] = 255 << 24 | 100 << 16 | y * 15 << 8 | x * 10
        else:
            values[i] = 3 << 30 | 400 << 20 | y * 50 << 10 | x * 35
    return made(library.image_pixelmap_create_from_copy, WIDTH, HEIGHT, pixel_format, values, ctypes.c_size_t(count * 4),
                ctypes.c_size_t(0))  # fmt: skip


def save(name, data):
    if data:
        (folder / name).write_bytes(ctypes.string_at(library.image_data_bytes(data), library.image_data_size(data)))


packer = made(library.image_packer_create)
sdr, hdr = pixels(RGBA_8888, 0), pixels(RGBA_1010102, 0)
library.image_pixelmap_set_cicp(hdr, 9, 16, 9, ctypes.c_bool(True))  # PQ

for kind, name, pixelmap in [
    ("avif", "still.avif", sdr),
    ("heic", "still.heic", sdr),
    ("jpeg", "gain_map.jpg", hdr),
    ("avif", "hdr.avif", hdr),
    ("heic", "hdr.heic", hdr),
]:
    options = made(library.image_packing_options_create, f"image/{kind}".encode(), 60)
    save(name, options and made(library.image_packer_pack_to_data, packer, pixelmap, options))

frames = (HANDLE * 3)(*(pixels(RGBA_8888, shift) for shift in range(3)))
for kind in "gif", "png", "webp", "avif", "heic":
    options = made(library.image_sequence_options_create, f"image/{kind}".encode(), 3)
    save(f"moving.{kind}", options and made(library.image_packer_pack_to_data_from_sequence, packer, frames,
                                            ctypes.c_size_t(3), options))  # fmt: skip
