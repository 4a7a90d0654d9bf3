"""Chromium without a window, as a decoder: images are drawn on a canvas and its pixels come back.

It is spoken to in its DevTools protocol, through a pair of pipes, with Python's own library alone.
"""

import array
import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Width, height and pixels of an image, in base64: bytes of sRGB or Display P3, or half floats of linear light.
DRAW = """
async (url, options) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const {colorSpace, light, headroom} = options;
  const context = canvas.getContext('2d', light ? {colorType: 'float16', colorSpace} : {colorSpace});
  if (headroom !== undefined) context.globalHDRHeadroom = headroom;
  context.drawImage(image, 0, 0);
  const settings = light ? {colorSpace, pixelFormat: 'rgba-float16'} : {colorSpace};
  const data = context.getImageData(0, 0, canvas.width, canvas.height, settings).data;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const whole = await new Promise(done => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(new Blob([bytes]));
  });
  return [canvas.width, canvas.height, whole.slice(whole.indexOf(',') + 1)];
}
"""

TYPES = {".jpg": "jpeg", ".png": "png", ".webp": "webp", ".avif": "avif", ".gif": "gif"}


def find():
    """The program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser with one empty page; `with Chromium() as browser`."""

    def __enter__(self):
        # Its helpers may still write there for a moment when it has been killed.
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-check", ignore_cleanup_errors=True)
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()

        def at_3_and_4():
            # Above both first: either may be the other's place.
            first, second = os.dup(to_browser), os.dup(from_browser)
            os.dup2(first, 3)
            os.dup2(second, 4)

        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-pipe", "--enable-experimental-web-platform-features",
            "--force-color-profile=srgb", f"--user-data-dir={self.profile.name}",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            [find(), *flags], preexec_fn=at_3_and_4, close_fds=False, stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.last, self.session = b"", 0, None
        # A page of our own: that of the command line may not be there yet.
        page = self.call("Target.createTarget", url="about:blank")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        self.profile.cleanup()

    def call(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        rest = memoryview(json.dumps(message).encode() + b"\0")
        while rest:
            rest = rest[os.write(self.commands, rest[:65536]) :]
        while True:
            answer = self.answer()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def answer(self):
        parts = [self.buffer]
        while b"\0" not in parts[-1]:
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            parts.append(part)
        one, self.buffer = b"".join(parts).split(b"\0", 1)
        return json.loads(one)

    def draw(self, path, color_space="srgb", light=False, headroom=None):
        """(width, height, values): R, G, B, A of each pixel, codes or, with `light`, linear light."""
        with open(path, "rb") as file:
            kind = TYPES[os.path.splitext(path)[1]]
            url = f"data:image/{kind};base64,{base64.b64encode(file.read()).decode()}"
        options = {"colorSpace": color_space, "light": light}
        if headroom is not None:
            options["headroom"] = headroom
        result = self.call(
            "Runtime.evaluate",
            expression=f"({DRAW})({json.dumps(url)}, {json.dumps(options)})",
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{path}: {result['exceptionDetails']['exception'].get('description')}")
        width, height, data = result["result"]["value"]
        data = base64.b64decode(data)
        if light:
            return width, height, struct.unpack(f"<{len(data) // 2}e", data)
        return width, height, array.array("B", data)
