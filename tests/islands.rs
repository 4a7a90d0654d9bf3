//! Unsafe code lives on islands: the files listed here, and no others.

use std::{fs, path::Path};

/// Files, and folders with a slash at their end. Each says at its top what it needs unsafe code for.
const ISLANDS: &[&str] = &[
    // Memory, descriptors and callbacks of the caller's, and the table of handles.
    "src/ffi/callback.rs",
    "src/ffi/dlpack.rs",
    "src/handle/mod.rs",
    "src/ffi/pixelmap.rs",
    "src/ffi/pointer.rs",
    "src/ffi/source.rs",
    "src/ffi/tensor.rs",
    "src/model/foreign.rs",
    // Drivers of devices, found at run time.
    "src/device/cuda/driver.rs",
    "src/device/cuda/load.rs",
    "src/device/cuda/nvjpeg.rs",
    // System calls that std lacks, and memory of the C allocator.
    "src/sink/fd.rs",
    "src/sink/file.rs",
    "src/sink/memory.rs",
    "src/host/",
    // Codecs in C.
    "src/codec/decode/jpeg/moz.rs",
    "src/codec/decode/webp.rs",
    "src/codec/heif/library.rs",
    "src/codec/heif/objects.rs",
    "src/codec/heif/reading.rs",
    "src/codec/heif/running.rs",
    "src/codec/heif/tracks.rs",
    "src/codec/webp/encode.rs",
    "src/codec/webp/samples.rs",
    // Instructions that not every processor has.
    "src/codec/jpeg/kernels.rs",
    "src/codec/jpeg/simd/",
    "src/codec/png/simd.rs",
    "src/pixels/hdr/kernels.rs",
    "src/pixels/hdr/lanes.rs",
    "src/pixels/hdr/loops.rs",
    "src/pixels/simd.rs",
    // Tests that compare with a codec's own C interface.
    "src/codec/jpeg/dense_tests.rs",
    "src/codec/jpeg/tests.rs",
    "src/codec/webp/tests.rs",
];

/// `(path from the root, text)` of every Rust file of the library.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Whether the text has unsafe blocks, functions or implementations. `#[unsafe(no_mangle)]` is none of these, and
/// neither is the type of a C function.
fn has_unsafe(text: &str) -> bool {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or(line));
    code.into_iter().any(|line| {
        let function = |word| line.split(word).nth(1).is_some_and(|rest: &str| !rest.starts_with('('));
        line.contains("unsafe {")
            || line.contains("unsafe impl ")
            || line.contains("unsafe trait ")
            || function("unsafe fn ")
            || function("unsafe extern \"C\" fn ")
    })
}

#[test]
fn unsafe_code_lives_on_the_listed_islands() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 30, "the sources were not found");
    let belongs =
        |name: &str, island: &str| name == island || island.ends_with('/') && name.starts_with(island);
    let strangers: Vec<_> = files
        .iter()
        .filter(|(name, text)| has_unsafe(text) && !ISLANDS.iter().any(|island| belongs(name, island)))
        .map(|(name, _)| name)
        .collect();
    assert!(strangers.is_empty(), "unsafe code outside the islands of tests/islands.rs: {strangers:#?}");

    for island in ISLANDS {
        let mut inside = files.iter().filter(|(name, _)| belongs(name, island));
        assert!(
            inside.any(|(_, text)| has_unsafe(text)),
            "{island} has no unsafe code: take it off the list"
        );
    }
}
