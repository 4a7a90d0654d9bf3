//! `include/image_packer.h` is what the code says. `BLESS=1 cargo test --test header` writes it anew.

use std::{fs, path::Path};

/// The files of the door, in the order of the header.
const DOOR: &[&str] = &[
    "version.rs",
    "status.rs",
    "callback.rs",
    "data.rs",
    "pixelmap.rs",
    "source.rs",
    "packing_options.rs",
    "packer.rs",
];

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in DOOR {
        builder = builder.with_src(root.join("src/ffi").join(file));
    }
    let mut text = Vec::new();
    builder.generate().expect("header").write(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/image_packer.h");
    let header = generated();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &header).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == header, "include/image_packer.h is stale: run BLESS=1 cargo test --test header");
}

#[test]
fn version_macros_are_those_of_the_package() {
    let header = generated();
    for (part, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define IMAGE_PACKER_VERSION_{part} {value}\n");
        assert!(header.contains(&line), "{line}");
    }
}
