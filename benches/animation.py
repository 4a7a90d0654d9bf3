#!/usr/bin/env python3
"""Animated GIFs beside the peers: bytes, CPU time, wall time, and the mean SSIMULACRA2 of the decoded frames.

    animation.py --library libimage_packer.so --score SCORE --film STRIP.png:HEIGHT --out FOLDER

SCORE is this package's program `score`. The film is a PNG with its frames one below the other. A second film, a
recording of a screen (text that scrolls, a window that moves, flat colours), is made here. Peers that are not installed
are left out. Everything runs in a process of its own, on two threads where a program can be told.
"""

import argparse, json, os, resource, shutil, subprocess, sys, time

DELAY = 8  # 1/100 s


def screen(path, width=640, height=480, count=60):
    """A recording of a screen, as a strip."""
    from PIL import Image, ImageDraw, ImageFont

    small, large = ImageFont.load_default(13), ImageFont.load_default(16)
    words = "the packer takes rows of pixels and pushes bytes while nothing stands still but what does".split()
    lines = [" ".join(words[(i * 7 + j * j) % len(words)] for j in range(4 + i * 5 % 6)) for i in range(200)]
    strip = Image.new("RGB", (width, height * count))
    for frame in range(count):
        image = Image.new("RGB", (width, height), (52, 101, 164))
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, width, 24), (46, 52, 54))
        draw.text((8, 3), "Files   Edit   View", (238, 238, 236), large)
        draw.text((width - 70, 3), f"12:00:{frame // 12:02}", (238, 238, 236), large)
        # A document whose text scrolls by three pixels a frame.
        draw.rectangle((30, 50, 430, 440), (255, 255, 255), (136, 138, 133))
        page = Image.new("RGB", (398, 388), (255, 255, 255))
        text = ImageDraw.Draw(page)
        for i, line in enumerate(lines):
            y = 8 + 18 * i - 3 * frame
            if -20 < y < 390:
                text.text((10, y), line, (204, 0, 0) if i % 9 == 4 else (0, 0, 0), small)
        image.paste(page, (31, 51))
        # A window that moves over it.
        x, y = 200 + 4 * frame, 120 + 2 * (frame % 40)
        draw.rectangle((x, y, x + 180, y + 140), (211, 215, 207), (85, 87, 83))
        draw.rectangle((x + 1, y + 1, x + 179, y + 22), (115, 210, 22))
        draw.text((x + 8, y + 2), "Copying files", (0, 0, 0), large)
        draw.rectangle((x + 12, y + 80, x + 168, y + 96), (255, 255, 255), (136, 138, 133))
        draw.rectangle((x + 13, y + 81, x + 13 + 150 * frame // count, y + 95), (52, 101, 164))
        draw.text((x + 12, y + 50), f"{frame * 17} of {count * 17}", (46, 52, 54), small)
        strip.paste(image, (0, frame * height))
    strip.save(path)


def frames_of(strip, height):
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(strip).convert("RGB")
    return [image.crop((0, y, image.width, y + height)) for y in range(0, image.height, height)]


# -- What runs in a process of its own: `work` is timed, what comes before is not.


def ours(args, strip, height, out, quality, effort):
    import ctypes

    lib = ctypes.CDLL(args.library)
    frames = [frame.convert("RGBA").tobytes() for frame in frames_of(strip, height)]
    width = frames_of(strip, height)[0].width

    def ok(status):
        if status != 0:
            lib.image_packer_last_error_message.restype = ctypes.c_char_p
            sys.exit(f"{status}: {lib.image_packer_last_error_message().decode()}")

    def work():
        packer, options, data = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        ok(lib.image_packer_create(ctypes.byref(packer)))
        ok(lib.image_packer_set_threads(packer, 2))
        ok(lib.image_sequence_options_create(b"image/gif", len(frames), ctypes.byref(options)))
        delays = (ctypes.c_int32 * 1)(DELAY)
        ok(lib.image_sequence_options_set_delay_times(options, delays, ctypes.c_size_t(1)))
        ok(lib.image_sequence_options_set_quality(options, quality))
        ok(lib.image_sequence_options_set_effort(options, effort))
        maps = (ctypes.c_void_p * len(frames))()
        for index, frame in enumerate(frames):
            one = ctypes.c_void_p()
            ok(lib.image_pixelmap_create_from_copy(
                width, height, 3, frame, ctypes.c_size_t(len(frame)), ctypes.c_size_t(0), ctypes.byref(one)))
            maps[index] = one.value
        ok(lib.image_packer_pack_to_data_from_sequence(
            packer, maps, ctypes.c_size_t(len(frames)), options, ctypes.byref(data)))
        lib.image_data_bytes.restype = ctypes.POINTER(ctypes.c_uint8)
        lib.image_data_size.restype = ctypes.c_size_t
        with open(out, "wb") as file:
            file.write(ctypes.string_at(lib.image_data_bytes(data), lib.image_data_size(data)))

    return work


def pillow(args, strip, height, out, **options):
    frames = frames_of(strip, height)
    return lambda: frames[0].save(out, save_all=True, append_images=frames[1:], duration=DELAY * 10, loop=0, **options)


def opencv(args, strip, height, out):
    import cv2, numpy

    frames = [numpy.asarray(frame)[:, :, ::-1].copy() for frame in frames_of(strip, height)]
    animation = cv2.Animation()
    animation.frames, animation.durations = frames, numpy.array([DELAY * 10] * len(frames), dtype=numpy.int32)
    return lambda: cv2.imwriteanimation(out, animation)


def vips(args, strip, height, out, **options):
    import pyvips

    pages = pyvips.Image.new_from_file(strip).copy_memory()
    pages = pages.mutate(lambda image: (
        image.set_type(pyvips.GValue.gint_type, "page-height", height),
        image.set_type(pyvips.GValue.array_int_type, "delay", [DELAY * 10] * (pages.height // height))))
    return lambda: pages.gifsave(out, **options)


def child(args):
    name, options = json.loads(args.child)
    work = globals()[name](args, args.strip, args.height, args.result, **options)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall]))


# -- Programs of their own, timed as they are.


def program(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def contestants(args, strip, height, folder, pngs):
    """Name, and what makes the file: a job for a process of ours, or a command."""
    if args.library:
        for quality, effort in [(100, 5), (95, 5), (90, 5), (85, 5), (80, 5), (90, 1), (90, 9)]:
            yield f"image_packer q{quality} e{effort}", ("ours", {"quality": quality, "effort": effort})
    yield "Pillow", ("pillow", {})
    yield "OpenCV", ("opencv", {})
    yield "libvips", ("vips", {})
    yield "libvips effort 1", ("vips", {"effort": 1})
    yield "libvips reuse, no dither", ("vips", {"reuse": True, "dither": 0.0})
    gifski, magick = args.gifski or shutil.which("gifski"), shutil.which("convert.im6") or shutil.which("magick")
    if gifski:
        for options in ["--quality 90", "--quality 90 --fast", "--quality 80"]:
            yield f"gifski {options}", [gifski, "-q", "--fps", "12", "--no-sort", *options.split(), "-o", "OUT", *pngs]
    if magick:
        yield "ImageMagick", [magick, "-delay", str(DELAY), "-loop", "0", *pngs, "OUT"]
        yield "ImageMagick -layers optimize", [
            magick, "-delay", str(DELAY), "-loop", "0", *pngs, "-layers", "optimize", "OUT"]
    if gifsicle := shutil.which("gifsicle"):
        yield "gifsicle -O3 after Pillow", [gifsicle, "-j2", "-O3", "AFTER:Pillow", "-o", "OUT"]
        yield "gifsicle -O3 --lossy=80 after Pillow", [gifsicle, "-j2", "-O3", "--lossy=80", "AFTER:Pillow", "-o", "OUT"]
        if args.library:
            yield "gifsicle -O3 after image_packer q90", [gifsicle, "-j2", "-O3", "AFTER:image_packer q90 e5", "-o", "OUT"]


def run(args, name, strip, height):
    folder = os.path.join(args.out, name)
    os.makedirs(folder, exist_ok=True)
    pngs = []
    for index, frame in enumerate(frames_of(strip, height)):
        pngs.append(os.path.join(folder, f"{index:03}.png"))
        frame.save(pngs[-1])
    print(f"\n## {name}: {len(pngs)} frames of {frame.width} x {height}\n")
    print("| encoder | bytes | CPU s | wall s | mean SSIMULACRA2 | lowest |\n|---|---:|---:|---:|---:|---:|", flush=True)
    files = {}
    for label, job in contestants(args, strip, height, folder, pngs):
        if args.only and args.only not in label:
            continue
        out = os.path.join(folder, "".join(c if c.isalnum() else "_" for c in label) + ".gif")
        try:
            if isinstance(job, list):
                job = [files[word[6:]] if word.startswith("AFTER:") else word.replace("OUT", out) for word in job]
                cpu, wall = program(job)
            else:
                command = [sys.executable, __file__, "--child", json.dumps(job), "--strip", strip, "--height", str(height),
                           "--result", out, "--library", args.library or ""]
                environment = {**os.environ, "VIPS_CONCURRENCY": "2"}
                cpu, wall = json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
        except (subprocess.CalledProcessError, KeyError, OSError) as error:
            print(f"<!-- {label}: {getattr(error, 'stderr', None) or error} -->", flush=True)
            continue
        files[label] = out
        mean, lowest, count = json.loads(
            subprocess.run([args.score, strip, str(height), out], check=True, capture_output=True).stdout)
        merged = "" if count == len(pngs) else f" ({count} frames)"
        print(f"| {label}{merged} | {os.path.getsize(out)} | {cpu:.2f} | {wall:.2f} | {mean:.2f} | {lowest:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ["library", "score", "film", "out", "gifski", "only", "child", "strip", "result"]:
        parser.add_argument("--" + name)
    parser.add_argument("--height", type=int)
    args = parser.parse_args()
    if args.child:
        return child(args)
    os.makedirs(args.out, exist_ok=True)
    if args.film:
        strip, height = args.film.rsplit(":", 1)
        run(args, "film", strip, int(height))
    strip = os.path.join(args.out, "screen.png")
    screen(strip)
    run(args, "screen", strip, 480)


if __name__ == "__main__":
    main()
