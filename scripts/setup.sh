# Shared by run-demo and run-tests: what they need from Debian, and the one build both use.

say() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need PACKAGE…: installs those that are missing.
need() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "Installing:$missing"
  if ! command -v apt-get >/dev/null; then
    echo "This is not a Debian; please install the counterparts of:$missing" >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null || {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
  }
}

# To build and to pack; libheif brings HEIC and AVIF and is loaded at run time, nasm makes decoding JPEG fast.
need_tools() {
  need build-essential nasm cmake pkg-config libheif1
  # Since Debian 13 the HEVC encoder is a package of its own.
  if apt-cache show libheif-plugin-x265 >/dev/null 2>&1; then need libheif-plugin-x265; fi
  PATH=$PATH:$HOME/.cargo/bin
  export PATH IMAGE_PACKER_REQUIRE_SIMD=1
  command -v cargo >/dev/null || {
    echo "Rust is missing: see https://rustup.rs or install Debian's rustup" >&2
    exit 1
  }
}

# build_fast [--target NAME]: the library as the C programs use it; optimised, without link-time optimisation.
build_fast() {
  cmake -S . -B build/fast -DIMAGE_PACKER_PROFILE=fast >build.log 2>&1 || { cat build.log; exit 1; }
  rm -f build.log
  cmake --build build/fast "$@"
}

# python_env TOP PACKAGE...: Python packages in an environment of the build folder's own, build/python.
python_env() {
  env=$1/build/python
  shift
  if [ ! -x "$env/bin/python" ]; then
    python=python3
    "$python" -c "import ensurepip, venv" 2>/dev/null || { need python3-venv && python=/usr/bin/python3; }
    "$python" -m venv "$env"
  fi
  "$env/bin/pip" install --quiet --disable-pip-version-check "$@"
}
