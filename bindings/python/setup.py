"""Puts the shared library and cffi's reading of the public header into the wheel."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import cffi
from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
# A source archive carries the header beside this file; a checkout has it at the top.
TOP = HERE.parent.parent
HEADER = TOP / "include" / "image_packer.h"
LIBRARY = "libimage_packer.dylib" if sys.platform == "darwin" else "libimage_packer.so"


def library() -> pathlib.Path:
    """The shared library: IMAGE_PACKER_LIBRARY, or a fresh release build."""
    given = os.environ.get("IMAGE_PACKER_LIBRARY")
    if given:
        return pathlib.Path(given)
    subprocess.run(["cargo", "build", "--release", "--lib"], cwd=TOP, check=True)
    return TOP / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / LIBRARY


def declarations(header: str) -> str:
    """The header without what only a preprocessor understands."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S).replace("\\\n", " ")
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
    constant = re.compile(r"#define IMAGE_\w+ -?\d\w*$")
    lines = [line for line in text.splitlines() if not line.startswith("#") or constant.match(line.strip())]
    lines.append("void free(void *);")
    return re.sub(r"\bIMAGE_PACKER_(API|NODISCARD)\b", "", "\n".join(lines))


def version() -> str:
    manifest = (TOP / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(r'^version = "([^"]+)"', manifest, flags=re.M).group(1)


class Build(build_py):
    def run(self) -> None:
        super().run()
        package = pathlib.Path(self.build_lib) / "image_packer"
        shutil.copy(library(), package / LIBRARY)
        ffi = cffi.FFI()
        ffi.cdef(declarations(HEADER.read_text(encoding="utf-8")))
        ffi.set_source("image_packer._declarations", None)
        ffi.emit_python_code(str(package / "_declarations.py"))


class Wheel(bdist_wheel):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple:
        # The code is plain Python; only the shared library belongs to a platform.
        return "py3", "none", super().get_tag()[2]


setup(version=version(), cmdclass={"build_py": Build, "bdist_wheel": Wheel})
