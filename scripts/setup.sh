# Shared by run-demo and run-tests: what they need from Debian, and the one build both use.

say() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# give_up SENTENCE
give_up() {
  echo "$*" >&2
  exit 1
}

# need PACKAGE…: installs those that are missing.
need() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "Installing:$missing"
  command -v apt-get >/dev/null || give_up "This is not a Debian; please install the counterparts of:$missing"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    give_up "There is no sudo here; please run as root: apt-get update && apt-get install --no-install-recommends$missing"
  # At first with the lists of packages that are there; a fresh system has none.
  # shellcheck disable=SC2086
  apt_install $missing 2>/dev/null || { as_root apt-get update -qq && apt_install $missing; } ||
    give_up "apt-get could not install:$missing"
}

# Waits for others who are installing something.
apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" \
    >/dev/null
}

# need_tools [PACKAGE…]: what it takes to build and to pack, and what else the caller wants. libheif brings HEIC and AVIF and
# is loaded at run time, nasm makes decoding JPEG fast.
need_tools() {
  need build-essential nasm cmake pkg-config libheif1 "$@"
  # Since Debian 13 the encoders are packages of their own: HEIC's, AVIF's.
  plugins=
  for plugin in libheif-plugin-x265 libheif-plugin-aomenc; do
    if apt-cache show $plugin >/dev/null 2>&1; then plugins="$plugins $plugin"; fi
  done
  # shellcheck disable=SC2086
  (need $plugins) || echo "HEIC and AVIF will be left out"
  PATH=$PATH:${HOME-}/.cargo/bin
  export PATH IMAGE_PACKER_REQUIRE_SIMD=1
  command -v cargo >/dev/null || give_up "Rust is missing: see https://rustup.rs"
  manifest=Cargo.toml
  [ -f "$manifest" ] || manifest=../../Cargo.toml # for bindings/*/run-tests
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$manifest")
  have=$(rustc --version | cut -d ' ' -f 2)
  [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    give_up "Rust $have is too old, $wanted is needed: see https://rustup.rs"
}

# build_fast [--target NAME]: the library as the C programs use it; optimised, without link-time optimisation.
build_fast() {
  cmake -S . -B build/fast -DIMAGE_PACKER_PROFILE=fast >build.log 2>&1 || { cat build.log; exit 1; }
  rm -f build.log
  cmake --build build/fast "$@"
}

# built_library TOP: exports IMAGE_PACKER_LIBRARY, the library that the C tests use or one built now, unless it is set.
built_library() {
  : "${IMAGE_PACKER_LIBRARY:=$(find "$1/build/fast" -name libimage_packer.so 2>/dev/null | head -n 1)}"
  if [ -z "$IMAGE_PACKER_LIBRARY" ]; then
    need_tools
    (cd "$1" && cargo build --quiet --profile fast --lib --target-dir target)
    IMAGE_PACKER_LIBRARY=$1/target/fast/libimage_packer.so
  fi
  export IMAGE_PACKER_LIBRARY
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
