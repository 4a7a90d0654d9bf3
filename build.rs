//! Gives the shared library its SONAME and says loudly when the JPEG assembly is missing.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=IMAGE_PACKER_REQUIRE_SIMD");

    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libimage_packer.so.{major}");
    }

    // Without nasm, mozjpeg-sys builds a version without SIMD in silence.
    let with_simd = env::var("DEP_JPEG_INCLUDE").is_ok_and(|paths| {
        env::split_paths(&paths).any(|path| {
            fs::read_to_string(Path::new(&path).join("jconfig.h"))
                .is_ok_and(|text| text.contains("#define WITH_SIMD 1"))
        })
    });
    if !with_simd {
        let sentence = "mozjpeg was built without SIMD, its JPEG paths will be several times slower: install nasm and build again";
        if env::var_os("IMAGE_PACKER_REQUIRE_SIMD").is_some() {
            panic!("{sentence}");
        }
        println!("cargo:warning={sentence}");
    }
}
