"""Image.save() through image_packer."""

import io
import subprocess
import sys

import numpy as np
from PIL import Image

import image_packer as ip


def test_save_goes_through_image_packer(photo, tmp_path):
    # In a process of its own: registering is for the whole process.
    script = f"""
import io, numpy as np, image_packer as ip, image_packer.pillow
from PIL import Image
image = Image.open({str(tmp_path / "in.png")!r}); image.load()
image_packer.pillow.register()
pixels = np.asarray(image)
file = io.BytesIO(); image.save(file, "JPEG", quality=90, subsampling=0, optimize=True)
assert file.getvalue() == bytes(ip.pack(pixels, "jpeg", 90, subsampling="444")), "JPEG"
image.save({str(tmp_path / "out.png")!r}, effort=2, dpi=(72, 72))
image.save({str(tmp_path / "out.webp")!r}, lossless=True)
if "image/heic" in ip.formats():
    image.save({str(tmp_path / "out.heic")!r}, quality=60)
"""
    Image.fromarray(photo).save(tmp_path / "in.png")
    subprocess.run([sys.executable, "-c", script], check=True)
    for name in ["out.png", "out.webp"]:
        with Image.open(tmp_path / name) as saved:
            assert (np.asarray(saved.convert("RGB")) == photo).all()
            assert name != "out.png" or round(saved.info["dpi"][0]) == 72
    if "image/heic" in ip.formats():
        assert (tmp_path / "out.heic").read_bytes()[4:8] == b"ftyp"
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    assert file.getvalue() != bytes(ip.pack(photo, "png"))


def test_save_all_writes_every_frame(photo, tmp_path):
    script = f"""
from PIL import Image
import image_packer.pillow
image_packer.pillow.register()
frames = [Image.new("RGB", (32, 24), color) for color in ("red", "green", "blue")]
for name in ("a.gif", "a.png", "a.webp"):
    more = {{"lossless": True}} if name == "a.webp" else {{}}
    frames[0].save({str(tmp_path)!r} + "/" + name, save_all=True, append_images=frames[1:], duration=[40, 50, 60], loop=2, **more)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    for name in ["a.gif", "a.png", "a.webp"]:
        with Image.open(tmp_path / name) as seen:
            assert seen.n_frames == 3
            for index, color in enumerate([(255, 0, 0), (0, 128, 0), (0, 0, 255)]):
                seen.seek(index)
                assert seen.convert("RGB").getpixel((5, 5)) == color
        source = ip.Source(tmp_path / name)
        assert source.durations == (40, 50, 60) and source.loop == 2
