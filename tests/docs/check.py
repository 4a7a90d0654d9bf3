"""check.py BUILD SOURCE: the documents name what exists, and README.md's commands and snippets work as they are pasted."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

build, source = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
documents = sorted([*source.glob("*.md"), *source.glob("docs/*.md"), *source.glob("bindings/*/README.md")])
SUFFIXES = {".h", ".hpp", ".rs", ".cmake", ".sh", ".py", ".c", ".js"}
broken = []


def names():
    """Functions, constants, settings, links and paths."""
    folders = ("include", "src", "cmake", "scripts", "bindings/python", "bindings/node")
    files = [source / "build.rs", source / "CMakeLists.txt", *source.glob("tests/c/*.txt"), *source.glob("examples/*.txt")]
    files += [path for folder in folders for path in (source / folder).rglob("*") if path.suffix in SUFFIXES]
    code = "".join(path.read_text(encoding="utf-8") for path in files if path.is_file())
    words = set(re.findall(r"\w+", code))
    for document in documents:
        text = document.read_text(encoding="utf-8")
        where = document.relative_to(source)
        for name in set(re.findall(r"(?<![\w.])(image_[a-z0-9_]+[a-z0-9])\(|\b(IMAGE_[A-Z0-9_]+[A-Z0-9])\b", text)):
            if max(name) not in words:
                broken.append(f"{where}: there is no {max(name)}")
        for name in set(re.findall(r"`((?:jpeg|png|webp|gif|heif|avif|hdr|gain_map)\.[a-z_]+)[`=]", text)):
            if f'"{name}"' not in code and not list(source.glob(f"src/**/{name}")):
                broken.append(f"{where}: there is no setting {name}")
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in link and not (document.parent / link).exists():
                broken.append(f"{where}: nothing is at {link}")
        for path in re.findall(r"`((?:\./)?(?:src|docs|tests|scripts|examples|benches|bindings|include|abi|cmake)/[\w./]+)`", text):
            if not any((top / path).exists() for top in (source, document.parent)) and pathlib.Path(path).stem != "name":
                broken.append(f"{where}: there is no {path}")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", (source / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)


def shell(script, folder, **variables):
    done = subprocess.run(["sh", "-euc", script], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True)
    if done.returncode:
        broken.append(f"README.md: {script}\n{done.stdout}{done.stderr}")


def commands(work):
    """Linking as README.md says; `make install` would build for minutes, the same files are installed from BUILD."""
    [install] = (block for block in blocks("sh") if "make install" in block)
    prefix = work / ".local"
    shell(f"cmake --install '{build}' --prefix '{prefix}'", work)
    link = install.split("\n", 1)[1].replace("examples/", f"'{source}'/examples/")
    shell(link, work, HOME=str(work), PKG_CONFIG_PATH="", LD_LIBRARY_PATH="")
    [snippet] = blocks("c")
    include, body = snippet.split("\n\n", 1)
    (work / "snippet.c").write_text(
        f"#include <stdio.h>\n#include <string.h>\n{include}\nint main(void) {{\nunsigned char rgba[96];\n"
        f'memset(rgba, 200, sizeof rgba);\nFILE *file = fopen("snippet.jpg", "wb");\nif (!file) return 1;\n{body}\n'
        "return fclose(file) != 0 || !data;\n}\n"
    )
    [find] = blocks("cmake")
    (work / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(app LANGUAGES C)\nadd_executable(app snippet.c)\n{find}"
    )
    [argument] = re.findall(r"cmake (-DCMAKE_PREFIX_PATH=\S+)", find)
    shell(f"cmake {argument} -DCMAKE_C_FLAGS='-Wall -Werror' -B out . && cmake --build out && out/app", work, HOME=str(work))
    if not broken and (work / "snippet.jpg").read_bytes()[:2] != b"\xff\xd8":
        broken.append("README.md: the C snippet makes no JPEG")


names()
with tempfile.TemporaryDirectory() as folder:
    commands(pathlib.Path(folder))
for line in broken:
    print("broken:", line)
if broken:
    sys.exit(1)
print(f"docs: {len(documents)} documents, README.md's commands and snippets")
