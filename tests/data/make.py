#!/usr/bin/env python3
"""Makes the images in this folder with Pillow; `sources.rs` knows what is in them. Public domain (CC0)."""

import io, os, struct, zlib
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
W, H = 50, 38


def smooth(mode="RGB"):
    """Red grows with x, green with y, blue falls with x; alpha grows with y."""
    image = Image.new("RGBA", (W, H))
    for y in range(H):
        for x in range(W):
            image.putpixel((x, y), (x * 5, y * 6, 250 - x * 5, y * 6))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def cmyk_profile():
    """A printer that is not real: cyan prints red, everything else shades of gray. A lut8Type of 2 points a side."""
    def tag(kind, body):
        return kind + b"\0\0\0\0" + body

    desc = tag(b"desc", struct.pack(">I", 5) + b"test\0" + b"\0" * 78)
    grid = b""
    for i in range(16):  # C, M, Y, K from slowest to fastest
        c, m, y, k = i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1
        light = 255 * (3 - m - y - k) // 3
        lab = (light * 54 // 100, 128 + 81, 128 + 70) if c else (light, 128, 128)
        grid += bytes(lab)
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = tag(b"mft1", bytes([4, 3, 2, 0]) + matrix + ramp * 4 + grid + ramp * 3)
    white = tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061))
    text = tag(b"text", b"CC0\0")
    tags, at, body = [], 128 + 4 + 12 * 5, b""
    for name, data in ((b"desc", desc), (b"cprt", text), (b"wtpt", white), (b"A2B0", lut), (b"A2B1", lut)):
        data += b"\0" * (-len(data) % 4)
        tags.append(struct.pack(">4sII", name, at + len(body), len(data)))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H4s4sIIIIII3i", 2026, 1, 1, 0, 0, 0, b"acsp", b"\0" * 4, 0, 0, 0, 0, 0, 0, 63190, 65536, 54061)
    head += b"\0" * (128 - len(head))
    return head + struct.pack(">I", 5) + b"".join(tags) + body


def frames():
    """A blue ground; square number k of 12 pixels at (8k, 6k); the last frame has it alone."""
    for k in range(4):
        image = Image.new("RGBA", (W, H), (0, 0, 200, 255) if k < 3 else (0, 0, 0, 0))
        for y in range(6 * k, 6 * k + 12):
            for x in range(8 * k, 8 * k + 12):
                image.putpixel((x, y), (200, 100 * (k & 1), 0, 255))
        yield image


def interlaced(image):
    """A PNG of seven passes, which Pillow does not write."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, H, dy):
            rows += b"\0" + bytes(sample for x in range(x0, W, dx) for sample in image.getpixel((x, y)))
    head = struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


rgb = smooth()
rgb.save("rgb.jpg", quality=95, subsampling=0)
rgb.save("420.jpg", quality=90, subsampling=2)
rgb.save("progressive.jpg", quality=95, subsampling=0, progressive=True)
smooth("L").save("gray.jpg", quality=95)
exif = Image.Exif()
exif[0x0112] = 6
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.jpg", quality=95, subsampling=0, exif=exif, dpi=(300, 300))
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
open("interlaced.png", "wb").write(interlaced(rgb))
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.webp", lossless=True, exif=exif.tobytes()[6:])
rgb.transpose(Image.Transpose.ROTATE_90).save("turned.tif", tiffinfo={0x0112: 6})
inks = Image.new("CMYK", (W, H))
for y in range(H):
    for x in range(W):
        inks.putpixel((x, y), (x * 5, y * 6, 0, 0))
inks.save("cmyk.jpg", quality=95)
Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save("cmyk_icc.jpg", quality=95, icc_profile=cmyk_profile())

rgb.save("rgb.bmp")
smooth("RGBA").save("rgba.bmp")
smooth("L").convert("1").save("bits.bmp")
rgb.save("rgb.tif", compression="tiff_lzw")
smooth("RGBA").save("rgba.tif", compression="tiff_adobe_deflate")
inks.save("cmyk.tif", compression="packbits")
deep = Image.new("I;16", (W, H))
for y in range(H):
    for x in range(W):
        deep.putpixel((x, y), x * 1000 + y)
deep.save("gray16.tif")
smooth("RGBA").save("icon.ico", sizes=[(16, 16), (32, 24)])
smooth("RGBA").save("lossy.webp", quality=90)
smooth("RGBA").save("lossless.webp", lossless=True, exact=True)
smooth("RGB").save("opaque.webp", quality=90)

first, *rest = frames()
first.save("anim.png", save_all=True, append_images=rest, duration=50)
first.save("anim.gif", save_all=True, append_images=rest, duration=50, disposal=2)
first.save("anim_keep.gif", save_all=True, append_images=rest[:2], duration=50)
first.save("anim.webp", save_all=True, append_images=rest, duration=50, lossless=True)
Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save("cmyk_icc.tif", icc_profile=cmyk_profile())
