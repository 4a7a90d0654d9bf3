//! `include/image_packer.h` and `abi/symbols.txt` are what the code says.
//! `BLESS=1 cargo test --test header` writes them anew.

use std::{fs, path::Path};

/// The files of the door in the order of the header, and the title of each one's section.
const DOOR: &[(&str, &str)] = &[
    ("status.rs", "Status"),
    ("callback.rs", "Callbacks"),
    ("version.rs", "Version and errors"),
    ("data.rs", "ImageData"),
    ("pixelmap.rs", "ImagePixelMap"),
    ("source.rs", "ImageSource"),
    ("tensor.rs", "ImageTensor"),
    ("report.rs", "ImageReport"),
    ("packing_options.rs", "ImagePackingOptions"),
    ("packer.rs", "ImagePacker"),
    ("sequence_options.rs", "ImageSequenceOptions"),
    ("job.rs", "ImageJob"),
    ("sequence.rs", "Sequences"),
    ("stream.rs", "ImageSequence"),
    ("batch.rs", "ImageBatch"),
    ("batch_packing.rs", "Batches in one call"),
    ("picture.rs", "ImagePicture"),
    ("picture_metadata.rs", "Metadata"),
    ("picture_packing.rs", "Packing pictures"),
];

const END: &str = "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* IMAGE_PACKER_H */\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The header: a section a file, its items in the order of the source. cbindgen by itself would sort all constants
/// of the library before all types before all functions.
fn generated() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let mut header = config.header.clone().expect("a header comment").trim().to_owned() + "\n\n";
    header += "#ifndef IMAGE_PACKER_H\n#define IMAGE_PACKER_H\n\n";
    header += "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n";
    header += config.after_includes.as_ref().expect("macros").trim();
    header += "\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
    for (file, title) in DOOR {
        header += &format!("\n/* ==== {title} {} */\n\n", "=".repeat(100 - title.len()));
        header += &section(&root().join("src/ffi").join(file), &config);
    }
    header + "\n" + END
}

/// The public items of one file of the door.
fn section(path: &Path, config: &cbindgen::Config) -> String {
    let source = fs::read_to_string(path).expect("a file of the door");
    let mut config = cbindgen::Config { header: None, after_includes: None, ..config.clone() };
    // Named one by one: cbindgen drops types that no function of the same file uses.
    let types = source
        .lines()
        .filter(|line| line.starts_with("pub type Image") || line.starts_with("pub struct Image"));
    config.export.include = types.filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect();
    let mut text = Vec::new();
    cbindgen::Builder::new().with_config(config).with_src(path).generate().expect("C").write(&mut text);
    let text = String::from_utf8(text).expect("UTF-8");

    let mut items: Vec<_> =
        text.split("\n\n").map(str::trim).filter(|item| !item.is_empty()).map(tidy).collect();
    items.sort_by_key(|item| place(&source, name(item)));
    let mut section = String::new();
    for (at, item) in items.iter().enumerate() {
        let constant = |item: &String| item.contains("\n#define");
        let goes_on = constant(item) && items.get(at + 1).is_some_and(constant);
        section += &format!("{item}{}", if goes_on { "\n" } else { "\n\n" });
    }
    section.trim().to_owned() + "\n"
}

/// The name that an item declares.
fn name(item: &str) -> &str {
    let declaration = item.split("*/\n").last().unwrap_or(item);
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if let Some(rest) = declaration.strip_prefix("#define ") {
        &rest[..word(rest)]
    } else if let Some((_, rest)) =
        declaration.split_once("(*").filter(|_| declaration.starts_with("typedef"))
    {
        &rest[..word(rest)]
    } else {
        let end = declaration.find('(').unwrap_or(declaration.trim_end_matches(';').len());
        declaration[..end].rsplit([' ', '*']).next().unwrap_or(declaration)
    }
}

/// Where the source defines a name.
fn place(source: &str, name: &str) -> usize {
    let defined = |keyword| {
        let start = format!("{keyword} {name}");
        source.match_indices(&start).find(|(at, _)| {
            !source[at + start.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let found = ["pub const", "pub type", "pub struct", "fn"].into_iter().filter_map(defined).next();
    found.unwrap_or_else(|| panic!("{name} has no definition")).0
}

/// A one-sentence comment on one line, and a warning for whoever drops what a function made.
fn tidy(item: &str) -> String {
    let mut item = item.to_owned();
    if let Some((comment, declaration)) = item.split_once("\n */\n")
        && let Some(sentence) = comment.strip_prefix("/**\n *").filter(|text| !text.contains('\n'))
    {
        item = format!("/**{sentence} */\n{declaration}");
    }
    let name = name(&item);
    if name.contains("_create") || name.contains("_pack_to_") {
        item = item.replacen("\nIMAGE_PACKER_API", "\nIMAGE_PACKER_API IMAGE_PACKER_NODISCARD", 1);
    }
    item
}

/// The names of the functions that a header declares.
fn functions(header: &str) -> impl Iterator<Item = &str> {
    header.split("\nIMAGE_PACKER_API").skip(1).filter_map(|declaration| {
        declaration.split('(').next()?.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
    })
}

fn check(path: &str, expected: &str) {
    let path = root().join(path);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "{} is stale: run BLESS=1 cargo test --test header", path.display());
}

#[test]
fn the_committed_header_is_up_to_date() {
    check("include/image_packer.h", &generated());
}

#[test]
fn the_list_of_symbols_grows_and_never_shrinks() {
    let header = generated();
    let mut names: Vec<_> = functions(&header).collect();
    names.sort_unstable();
    let committed = fs::read_to_string(root().join("abi/symbols.txt")).unwrap_or_default();
    let lost: Vec<_> = committed.lines().filter(|name| !names.contains(name)).collect();
    assert!(lost.is_empty(), "functions are for ever, but these are gone: {lost:?}");
    check("abi/symbols.txt", &(names.join("\n") + "\n"));
}

#[test]
fn every_file_of_the_door_has_its_section() {
    let files = fs::read_dir(root().join("src/ffi")).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| fs::read_to_string(path).unwrap().contains("#[unsafe(no_mangle)]")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(DOOR.iter().any(|(file, _)| *file == name), "src/ffi/{name} is missing from DOOR");
    }
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
