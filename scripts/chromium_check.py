#!/usr/bin/env python3
"""Has Chromium draw the images of tests/c/gallery.c, and compares what it shows with what was packed: gain maps at several
headrooms, HDR signals, orientations, colour spaces.

    chromium_check.py GALLERY [FILE.jpg FRAME.p010]

The last two are those of examples/c/hdr_camera.c. Without Chromium the check is left out: status 77, which ctest shows as
skipped.
"""

import array
import math
import os
import sys

import chromium

WHITE = 203.0
NITS = (0.1, 0.5, 1, 5, 20, 50, 100, 203, 400, 1000)
TINTS = ((1, 1, 1), (1, 0.5, 0.25))
failures = 0


def check(holds, text):
    global failures
    failures += not holds
    print(("  " if holds else "WRONG ") + text)


def pq_to_nits(signal):
    root = max(signal, 0) ** (1 / 78.84375)
    return 1e4 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def nits_to_pq(nits):
    power = (max(nits, 0) / 1e4) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def pixel(values, width, x, y):
    place = 4 * (width * y + x)
    return values[place : place + 3]


def light(browser, path, headroom):
    """(width, function of x and y to R, G, B) in Display P3, 1.0 is diffuse white."""
    width, height, values = browser.draw(path, "display-p3-linear", True, headroom)
    return width, height, lambda x, y: pixel(values, width, x, y)


def code_of(nits):
    """How far apart 8-bit codes of sRGB's transfer are, as a part of the light."""
    part = nits / WHITE
    return max(1 / 12.92, 2.275 * math.sqrt(min(part, 1))) / 255 / part


def patches(browser, path, gate, tinted, is_signal):
    """Neutral patches come back within `gate`, tinted ones within `tinted`, from half a nit on, beside half a code of an
    8-bit base, or one code where its luma and chroma are rounded; darker ones within a quarter and that code."""
    _, _, at = light(browser, path, 6)
    worst = [0, 0]
    wrong = []
    for row, tint in enumerate(TINTS):
        for column, nits in enumerate(NITS):
            for value, factor in zip(at(48 * column + 24, 48 * row + 24), tint):
                expected = nits * factor
                error = abs(WHITE * value / expected - 1)
                code = 0 if is_signal else code_of(expected) * (1 if row else 0.5)
                allowed = code + (0.25 if expected < 0.5 else tinted if row else gate)
                if expected >= 20:
                    worst[row] = max(worst[row], error)
                if error > allowed:
                    wrong.append(f"; {expected:g} nits are {WHITE * value:.3g}")
    check(
        not wrong,
        f"{os.path.basename(path)}: patches from 20 nits on within {100 * worst[0]:.2f} % (gate {100 * gate:.0f} %), "
        f"tinted {100 * worst[1]:.2f} % ({100 * tinted:.0f} %){''.join(wrong)}",
    )


def headroom_law(browser, path, sdr):
    def largest(headroom):
        width, height, at = light(browser, path, headroom)
        return max(max(at(x, 24)) for x in range(24, width, 48))

    # Nits above diffuse white by stops.
    top = math.log2(NITS[-1] / WHITE)
    for headroom, tolerance in ((0, 0.01), (1, 0.01), (2, 0.01), (top, 0.01), (6, 0.01)):
        expected = 2 ** min(headroom, top)
        seen = largest(headroom)
        check(
            abs(seen / expected - 1) <= tolerance,
            f"{os.path.basename(path)}: brightest at headroom {headroom:.2f} is {seen:.3f}, to be {expected:.3f}",
        )
    (_, _, plain), (_, _, base) = (browser.draw(p, "display-p3", headroom=0) for p in (sdr, path))
    worst = max(abs(a - b) for a, b in zip(plain, base))
    check(worst <= 1, f"{os.path.basename(path)}: without headroom within {worst} codes of the SDR image")


def base_codes(browser, path):
    """Neutral patches have the codes of BT.2390 for a peak of 1000 nits."""
    width, _, codes = browser.draw(path, "display-p3")
    for nits, expected in ((20, 88), (50, 136), (100, 186), (203, 229), (400, 250), (1000, 255)):
        x = 48 * NITS.index(nits) + 24
        seen = list(pixel(codes, width, x, 24))
        check(max(abs(v - expected) for v in seen) <= 2, f"{nits} nits are {seen} in the SDR image, to be {expected}")


# Which pixel of the stored image is shown at (x, y), of an image shown with this width and height (EXIF 2.32, 4.6.5).
ORIENTATIONS = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - 1 - x, y),
    3: lambda x, y, w, h: (w - 1 - x, h - 1 - y),
    4: lambda x, y, w, h: (x, h - 1 - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (y, w - 1 - x),
    7: lambda x, y, w, h: (h - 1 - y, w - 1 - x),
    8: lambda x, y, w, h: (h - 1 - y, x),
}
CORNERS = (((220, 30, 30), (30, 200, 30)), ((30, 30, 220), (240, 240, 240)))


def turned(browser, gallery, suffix):
    wrong = []
    for orientation, stored in ORIENTATIONS.items():
        width, height, codes = browser.draw(f"{gallery}/turned_{orientation}.{suffix}")
        if (width, height) != ((96, 64) if orientation < 5 else (64, 96)):
            wrong.append(f"{orientation}: {width} x {height}")
            continue
        for y, x in ((y, x) for y in (16, height - 16) for x in (16, width - 16)):
            from_x, from_y = stored(x, y, width, height)
            expected = CORNERS[from_y >= 32][from_x >= 48]
            seen = pixel(codes, width, x, y)
            if max(abs(a - b) for a, b in zip(seen, expected)) > 8:
                wrong.append(f"{orientation}: {list(seen)} at {x}, {y}, to be {expected}")
    check(not wrong, f"{suffix}: eight orientations{''.join('; ' + text for text in wrong)}")


def curve(code):
    signal = code / 255
    return signal / 12.92 if signal <= 0.04045 else ((signal + 0.055) / 1.055) ** 2.4


def p3_to_srgb(rgb):
    """Codes, or None for a colour that sRGB does not have."""
    r, g, b = map(curve, rgb)
    linear = (
        1.2249401 * r - 0.2249401 * g,
        -0.0420570 * r + 1.0420570 * g,
        -0.0196376 * r - 0.0786361 * g + 1.0982736 * b,
    )
    if not all(-0.001 <= v <= 1.001 for v in linear):
        return None
    linear = [min(max(v, 0), 1) for v in linear]
    return [255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055) for v in linear]


def colors(browser, gallery, suffix):
    levels = (40, 110, 180, 250)
    grid = [(i, j, (levels[i], levels[j], levels[(i + 2 * j) % 4])) for i in range(4) for j in range(4)]
    tolerance = 255 * 0.02
    for space, canvas, convert in (
        ("srgb", "srgb", lambda rgb: rgb),
        ("p3", "display-p3", lambda rgb: rgb),
        ("p3", "srgb", p3_to_srgb),
    ):
        # GIF is sRGB: colours outside are gone.
        if suffix == "gif" and canvas == "display-p3":
            continue
        width, _, codes = browser.draw(f"{gallery}/colors_{space}.{suffix}", canvas)
        worst, count = 0, 0
        for i, j, rgb in grid:
            expected = convert(rgb)
            if expected is None:
                continue
            seen = pixel(codes, width, 32 * j + 16, 32 * i + 16)
            worst = max([worst, *(abs(a - b) for a, b in zip(seen, expected))])
            count += 1
        check(
            worst <= tolerance and count > 4,
            f"{suffix}: {count} colours of {space} on a canvas of {canvas} within {worst:.1f} codes ({tolerance:.1f})",
        )


# Linear Display P3 in BT.2020's primaries.
P3_TO_BT2020 = (
    (0.7538330, 0.1985974, 0.0475696),
    (0.0457438, 0.9417772, 0.0124789),
    (-0.0012103, 0.0176017, 0.9836086),
)


def camera(browser, path, frame, gate):
    """PSNR of PQ signals in BT.2020's primaries, of one pixel in 21 of a P010 frame, but for those of less than a tenth of
    a nit, which 8 bits do not tell apart."""
    width, height, at = light(browser, path, 6)
    codes = array.array("H", open(frame, "rb").read())
    chroma = codes[width * height :]
    squares = count = 0
    for y in range(0, height, 3):
        for x in range(y % 7, width, 7):
            luma = (codes[width * y + x] / 64 - 64) / 876
            place = width * (y // 2) + x // 2 * 2
            cb, cr = ((chroma[place + i] / 64 - 512) / 896 for i in (0, 1))
            red, blue = luma + 1.4746 * cr, luma + 1.8814 * cb
            green = (luma - 0.2627 * red - 0.0593 * blue) / 0.6780
            if max(red, green, blue) < nits_to_pq(0.1):
                continue
            shown = at(x, y)
            for row, signal in zip(P3_TO_BT2020, (red, green, blue)):
                seen = WHITE * sum(m * v for m, v in zip(row, shown))
                squares += (nits_to_pq(seen) - min(max(signal, 0), 1)) ** 2
                count += 1
    decibels = -10 * math.log10(squares / count)
    check(decibels >= gate, f"{os.path.basename(path)}: {decibels:.2f} dB of PQ ({gate})")


def main(gallery, *rest):
    if not chromium.find():
        print(f"left out: no Chromium here ({', '.join(chromium.NAMES)})")
        return 77
    suffixes = [s for s in ("jpg", "png", "webp", "avif", "gif") if os.path.exists(f"{gallery}/colors_srgb.{s}")]
    with chromium.Chromium() as browser:
        patches(browser, f"{gallery}/patches.jpg", 0.02, 0.02, False)
        patches(browser, f"{gallery}/patches_half.jpg", 0.02, 0.02, False)
        patches(browser, f"{gallery}/patches_two.jpg", 0.02, 0.02, False)
        headroom_law(browser, f"{gallery}/patches.jpg", f"{gallery}/patches_sdr.jpg")
        base_codes(browser, f"{gallery}/patches_sdr.jpg")
        patches(browser, f"{gallery}/patches_signal.png", 0.02, 0.02, True)
        if "avif" in suffixes:
            patches(browser, f"{gallery}/patches.avif", 0.02, 0.04, False)
            headroom_law(browser, f"{gallery}/patches.avif", f"{gallery}/patches_sdr.avif")
            # Luma and chroma of 10 bits each.
            patches(browser, f"{gallery}/patches_signal.avif", 0.03, 0.1, True)
        for suffix in suffixes:
            turned(browser, gallery, suffix)
            colors(browser, gallery, suffix)
        if rest:
            camera(browser, *rest, 46)
    print("failed" if failures else "passed")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
