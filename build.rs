//! Gives the shared library its SONAME and says loudly when the JPEG decoder's assembly is missing.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");

    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libimage_packer.so.{major}");
    }

    // Without nasm, mozjpeg-sys builds a version without SIMD in silence.
    println!("cargo:rerun-if-env-changed=IMAGE_PACKER_REQUIRE_SIMD");
    let with_simd = env::var("DEP_JPEG_INCLUDE").is_ok_and(|paths| {
        env::split_paths(&paths).any(|path| {
            fs::read_to_string(path.join("jconfig.h")).is_ok_and(|text| text.contains("#define WITH_SIMD 1"))
        })
    });
    if !with_simd {
        let sentence = "mozjpeg was built without SIMD, decoding JPEG will be several times slower: install nasm and build again";
        if env::var_os("IMAGE_PACKER_REQUIRE_SIMD").is_some() {
            panic!("{sentence}");
        }
        println!("cargo:warning={sentence}");
    }

    println!("cargo:rustc-env=IMAGE_PACKER_CODECS={}", codecs().join(", "));
}

/// Names and versions of the codecs inside, as Cargo.lock has them: what a bug report needs.
fn codecs() -> Vec<String> {
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let lock = Path::new(&root).join("Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(lock).unwrap_or_default();
    let version = |name: &str| {
        let package = text.split("[[package]]").find(|p| p.contains(&format!("name = \"{name}\"\n")))?;
        let version = package.lines().find_map(|line| line.strip_prefix("version = \""))?;
        Some(format!("{name} {}", version.trim_end_matches('"')))
    };
    let names = ["libwebp-sys", "mozjpeg-sys", "png", "gif", "image", "tiff", "moxcms"];
    names.iter().filter_map(|name| version(name)).collect()
}
