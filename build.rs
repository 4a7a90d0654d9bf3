//! Gives the shared library its SONAME.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");

    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libimage_packer.so.{major}");
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
    let names = ["libwebp-sys", "libdeflater", "image", "zune-jpeg", "png", "image-webp", "moxcms"];
    names.iter().filter_map(|name| version(name)).collect()
}
