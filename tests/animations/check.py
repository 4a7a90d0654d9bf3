"""check.py LIBRARY FOLDER: animations as other programs see them.

Writes GIF, APNG, WebP and AVIF through the library into FOLDER and has them read by every tool that is here: gifsicle, webpinfo,
webpmux with dwebp, pngcheck, ffmpeg, Pillow, Chromium. Frames, delays, disposal and loops have to be what was asked for,
and pixels what they were, exactly or within what the format's loss allows. Tools that are not here are named.
"""

import base64
import ctypes
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading

LIBRARY, FOLDER = sys.argv[1:]
WIDTH, HEIGHT, FRAMES, LOOPS = 96, 64, 14, 3
# In units of 10 ms; none that browsers lengthen.
DELAYS = [4 + 3 * (i % 5) for i in range(FRAMES)]
failures, skipped, done = [], set(), []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    return result.returncode, result.stdout, result.stderr


def tool(name):
    found = shutil.which(name)
    if not found:
        skipped.add(name)
    return found


# ---- What is packed.


def screen(time, soft=False):
    """Flat areas, a window that moves, stripes that scroll; `soft`: edges of some 600 colours."""
    rows = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            left, top = 5 + 4 * time, 10 + time
            if left <= x < left + 30 and top <= y < top + 20:
                pixel = (52, 120, 210) if y < top + 4 else (236, 240, 241)
                if soft and x == left:
                    pixel = (52 + 5 * (y - top), (120 + 37 * time + y) % 256, (11 * y * time) % 256)
            elif y < 8:
                pixel = (44, 62, 80)
            else:
                pixel = (30, 30, 34) if (x * 7 + (y + 2 * time) // 3 * 5) % 11 < 3 and x > 8 else (255, 255, 255)
            rows.append((*pixel, 255))
    return rows


def gradient(time):
    """Thousands of colours that change everywhere."""
    return [
        ((2 * x + 23 * time) % 256, (3 * y + x) % 256, (x + y + 45 * time) // 2 % 256, 255)
        for y in range(HEIGHT)
        for x in range(WIDTH)
    ]


def holes(time):
    """A disc that moves over nothing: pixels become transparent again."""
    middle = 12 + 5 * time
    inside = lambda x, y: (x - middle) ** 2 + (y - 30) ** 2 < 100
    return [(200, 30 + 8 * time, 90, 255) if inside(x, y) else (0, 0, 0, 0) for y in range(HEIGHT) for x in range(WIDTH)]


CLIPS = {
    "screen": [screen(time) for time in range(FRAMES)],
    "soft": [screen(time, True) for time in range(FRAMES)],
    "gradient": [gradient(time) for time in range(FRAMES)],
    "holes": [holes(time) for time in range(FRAMES)],
}
# Name: clip, type, ending, quality, effort, lossless, mean difference that is allowed per colour component.
FILES = {
    "screen-gif": ("screen", "image/gif", "gif", 100, 5, True, 0),
    "screen-gif-9": ("screen", "image/gif", "gif", 90, 9, False, 0),
    "soft-gif": ("soft", "image/gif", "gif", 90, 5, False, 1.0),
    "gradient-gif": ("gradient", "image/gif", "gif", 90, 3, False, 8),
    "holes-gif": ("holes", "image/gif", "gif", 90, 5, True, 0),
    "screen-png": ("screen", "image/apng", "png", 90, 5, True, 0),
    "gradient-png": ("gradient", "image/apng", "png", 90, 2, True, 0),
    "holes-png": ("holes", "image/apng", "png", 90, 5, True, 0),
    "screen-webp": ("screen", "image/webp", "webp", 75, 5, True, 0),
    "gradient-webp": ("gradient", "image/webp", "webp", 75, 5, False, 6),
    "holes-webp": ("holes", "image/webp", "webp", 75, 5, True, 0),
    "screen-webp-8": ("screen", "image/webp", "webp", 75, 8, False, 8),
}
SEQUENCES = {
    "screen-avif": ("screen", "image/avif", "avif", 90, 5, False, 4),
    "gradient-avif": ("gradient", "image/avif", "avif", 90, 5, False, 6),
    "exact-avif": ("gradient", "image/avif", "avif", 90, 5, True, 0),
    "holes-avif": ("holes", "image/avif", "avif", 90, 5, True, 0),
}

c = ctypes.CDLL(LIBRARY)
# Where the loaded libheif codes sequences: IMAGE_FORMAT_ANIMATION.
if c.image_packer_get_format_features(b"image/avif") & 8:
    FILES.update(SEQUENCES)
c.image_packer_last_error_message.restype = ctypes.c_char_p


def ok(status):
    assert status == 0, c.image_packer_last_error_message()


def pack(name, path):
    clip, mime, _, quality, effort, lossless, _ = FILES[name]
    packer, options, sequence = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    ok(c.image_packer_create(ctypes.byref(packer)))
    ok(c.image_sequence_options_create(mime.encode(), ctypes.c_uint32(FRAMES), ctypes.byref(options)))
    ok(c.image_sequence_options_set_loop_count(options, ctypes.c_uint32(LOOPS)))
    ok(c.image_sequence_options_set_quality(options, ctypes.c_int32(quality)))
    ok(c.image_sequence_options_set_effort(options, ctypes.c_int32(effort)))
    ok(c.image_sequence_options_set_lossless(options, ctypes.c_bool(lossless)))
    ok(c.image_sequence_begin_to_path(packer, path.encode(), options, ctypes.byref(sequence)))
    for frame, delay in zip(CLIPS[clip], DELAYS):
        pixels = b"".join(map(bytes, frame))
        pixelmap = ctypes.c_void_p()
        ok(c.image_pixelmap_create_from_copy(
            ctypes.c_uint32(WIDTH), ctypes.c_uint32(HEIGHT), ctypes.c_int32(3), pixels,
            ctypes.c_size_t(len(pixels)), ctypes.c_size_t(0), ctypes.byref(pixelmap)))
        # A disc on nothing is cleared, all else stays.
        disposal = 2 if clip == "holes" else 1
        ok(c.image_sequence_add_frame(sequence, pixelmap, ctypes.c_int32(delay), ctypes.c_int32(disposal)))
        ok(c.image_pixelmap_release(pixelmap))
    ok(c.image_sequence_finish(sequence, None))
    ok(c.image_sequence_release(sequence))
    ok(c.image_sequence_options_release(options))
    ok(c.image_packer_release(packer))


def same(name, who, index, rgba, over=None):
    """Frame `index` as seen by `who`; `over`: the colour that stands for nothing there."""
    clip, most = FILES[name][0], FILES[name][6]
    # Chromium shows AVIF sequences, libavif's as well, with the transfer curve of video: darks are darker.
    most += 12 if (who, FILES[name][2]) == ("Chromium", "avif") else 0
    wanted, off = CLIPS[clip][index], 0
    for at, pixel in enumerate(wanted):
        seen = rgba[4 * at : 4 * at + 4]
        if pixel[3] == 0:
            if seen[3] != 0 and tuple(seen[:3]) != over:
                check(False, f"{name}, {who}: frame {index} has {tuple(seen)} at {at} where nothing is")
                return
        else:
            if seen[3] != 255:
                check(False, f"{name}, {who}: frame {index} has alpha {seen[3]} at {at}")
                return
            off += sum(abs(a - b) for a, b in zip(pixel, seen)) / 3
    off /= len(wanted)
    check(off <= most, f"{name}, {who}: frame {index} is off by {off:.2f} on average, {most} at most")


# ---- Who looks at it.


def gifsicle(name, path):
    status, text, warnings = run("gifsicle", "--info", path)
    text = text.decode()
    check(status == 0 and not warnings, f"{name}: gifsicle says {warnings}")
    check(f"{FRAMES} images" in text, f"{name}: gifsicle sees other frames: {text.splitlines()[0]}")
    check(f"loop count {LOOPS}" in text, f"{name}: gifsicle sees another loop count")
    delays = [float(delay) for delay in re.findall(r"delay ([\d.]+)s", text)]
    check(delays == [delay / 100 for delay in DELAYS], f"{name}: gifsicle sees the delays {delays}")
    kinds = re.findall(r"disposal (\w+)", text)
    kind = "background" if name.startswith("holes") else "asis"
    check(kinds == [kind] * FRAMES, f"{name}: gifsicle sees the disposals {kinds}")


def webpinfo(name, path):
    status, text, _ = run("webpinfo", path)
    check(status == 0 and b"No error detected" in text and b"Warning" not in text, f"{name}: webpinfo says {text[-300:]}")


def webpmux(name, path):
    """Frame by frame through dwebp, put together here."""
    _, text, _ = run("webpmux", "-info", path)
    text = text.decode()
    check(f"Loop Count : {LOOPS}" in text, f"{name}: webpmux sees another loop count")
    rows = re.findall(r"^\s*(\d+):\s+(\d+)\s+(\d+)\s+\S+\s+(\d+)\s+(\d+)\s+(\d+)\s+(\w+)\s+(\w+)", text, re.M)
    check(len(rows) == FRAMES, f"{name}: webpmux sees {len(rows)} frames")
    check([int(row[5]) for row in rows] == [10 * delay for delay in DELAYS], f"{name}: webpmux sees other delays")
    if not tool("dwebp"):
        return
    canvas, part, pam = [(0, 0, 0, 0)] * (WIDTH * HEIGHT), path + ".frame", path + ".pam"
    for number, width, height, x, y, _, disposal, blend in rows:
        width, height, x, y = int(width), int(height), int(x), int(y)
        run("webpmux", "-get", "frame", number, path, "-o", part)
        status, _, text = run("dwebp", "-pam", part, "-o", pam)
        check(status == 0, f"{name}: dwebp says {text}")
        data = open(pam, "rb").read().split(b"ENDHDR\n", 1)[1]
        for row in range(height):
            for column in range(width):
                at = 4 * (row * width + column)
                red, green, blue, alpha = data[at : at + 4]
                if blend == "no" or alpha == 255:
                    canvas[(y + row) * WIDTH + x + column] = (red, green, blue, alpha)
                else:
                    check(alpha == 0, f"{name}: frame {number} blends alpha {alpha}")
        same(name, "dwebp", int(number) - 1, b"".join(map(bytes, canvas)))
        if disposal == "background":
            for row in range(y, y + height):
                canvas[row * WIDTH + x : row * WIDTH + x + width] = [(0, 0, 0, 0)] * width


def pngcheck(name, path):
    status, text, _ = run("pngcheck", "-q", path)
    check(status == 0, f"{name}: pngcheck says {text}")


def ffmpeg(name, path):
    once = ["-ignore_loop", "1"] if path.endswith("gif") else []
    status, data, errors = run("ffmpeg", "-loglevel", "error", *once, "-i", path, "-vsync", "passthrough", "-f", "rawvideo",
                               "-pix_fmt", "rgba", "-")
    check(status == 0, f"{name}: ffmpeg says {errors}")
    size = WIDTH * HEIGHT * 4
    # ffmpeg has alpha of an AVIF as a stream of its own.
    if name == "holes-avif":
        return
    check(status == 0 and len(data) == FRAMES * size, f"{name}: ffmpeg makes {len(data)} bytes of {FRAMES} frames")
    for index in range(min(FRAMES, len(data) // size)):
        same(name, "ffmpeg", index, data[index * size :][:size])


def pillow(name, path):
    from PIL import Image, ImageSequence

    try:
        image = Image.open(path)
    except Image.UnidentifiedImageError:
        skipped.add(f"Pillow's reader of {FILES[name][1]}")
        return
    check(image.n_frames == FRAMES, f"{name}: Pillow sees {image.n_frames} frames")
    # GIF counts repetitions in a way of its own.
    loop = image.info.get("loop")
    check(loop in (LOOPS, LOOPS - 1) or path.endswith("avif"), f"{name}: Pillow sees the loop count {loop}")
    delays = []
    for index, frame in enumerate(ImageSequence.Iterator(image)):
        same(name, "Pillow", index, frame.convert("RGBA").tobytes())
        delays.append(frame.info.get("duration", image.info.get("duration")))
    check(delays == [10 * delay for delay in DELAYS], f"{name}: Pillow sees the delays {delays}")


PAGE = """<body></body><script>
const files = %s;
(async () => {
  const out = {};
  for (const [name, [type, text]] of Object.entries(files)) {
    try {
      const data = Uint8Array.from(atob(text), c => c.charCodeAt(0));
      const decoder = new ImageDecoder({data, type});
      await decoder.tracks.ready;
      await decoder.completed;
      const track = decoder.tracks.selectedTrack, frames = [];
      for (let frameIndex = 0; frameIndex < track.frameCount; ++frameIndex) {
        const {image} = await decoder.decode({frameIndex});
        const pixels = new Uint8Array(image.allocationSize({format: "RGBA"}));
        await image.copyTo(pixels, {format: "RGBA"});
        let string = "";
        for (const value of pixels) string += String.fromCharCode(value);
        frames.push([image.duration, btoa(string)]);
        image.close();
      }
      out[name] = [track.repetitionCount, frames];
    } catch (error) { out[name] = String(error); }
  }
  await fetch("/seen", {method: "POST", body: JSON.stringify(out)});
})();
</script>"""


def chromium(program, paths):
    """All files at once: a browser takes seconds to start."""
    types = {"gif": "image/gif", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}
    files = {
        name: (types[FILES[name][2]], base64.b64encode(open(path, "rb").read()).decode()) for name, path in paths.items()
    }
    page, answers = (PAGE % json.dumps(files)).encode(), queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self):
            answers.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    # Decoding takes time that a browser without a window does not wait for, so the page sends what it saw.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = os.path.join(FOLDER, "profile")
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
               "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = answers.get(timeout=120)
    except queue.Empty:
        skipped.add("chromium (it does not start here)")
        return
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()
        shutil.rmtree(profile, ignore_errors=True)
    for name, seen in json.loads(answer).items():
        if isinstance(seen, str):
            check("is not defined" in seen, f"{name}: Chromium says {seen}")
            skipped.add("chromium (without ImageDecoder)")
            continue
        loops, frames = seen
        check(len(frames) == FRAMES, f"{name}: Chromium sees {len(frames)} frames")
        check(loops == LOOPS - (FILES[name][2] != "gif"), f"{name}: Chromium repeats {loops} times")
        delays = [frame[0] / 10000 for frame in frames]
        check(delays == DELAYS, f"{name}: Chromium sees the delays {delays}")
        for index, frame in enumerate(frames):
            same(name, "Chromium", index, base64.b64decode(frame[1]))
    done.append("Chromium")


os.makedirs(FOLDER, exist_ok=True)
paths = {name: os.path.join(FOLDER, f"{name}.{FILES[name][2]}") for name in FILES}
for name, path in paths.items():
    pack(name, path)
LOOKERS = {"gif": [gifsicle, ffmpeg], "png": [pngcheck, ffmpeg], "webp": [webpinfo, webpmux], "avif": [ffmpeg]}
for name, path in paths.items():
    for look in LOOKERS[FILES[name][2]]:
        if tool(look.__name__):
            look(name, path)
            done.append(look.__name__)
try:
    import PIL  # noqa: F401

    for name, path in paths.items():
        pillow(name, path)
    done.append("Pillow")
except ImportError:
    skipped.add("Pillow")
browser = shutil.which("chromium") or shutil.which("google-chrome") or tool("chromium")
if browser:
    chromium(browser, paths)
print("read back by:", ", ".join(sorted(set(done))) or "nobody")
if skipped:
    print("SKIPPED, not here:", ", ".join(sorted(skipped)))
sys.exit(1 if failures else 0 if done else 77)
