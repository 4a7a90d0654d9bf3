//! Files, and programs that look at them.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The path of a file of tests/data.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

/// A new path below the build folder, whose name ends so; nobody else's, whatever runs beside.
pub fn scratch(end: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test-{}-{}{end}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    [env!("CARGO_TARGET_TMPDIR"), &name].iter().collect()
}

/// What exiftool prints of a file; none where it is not installed.
pub fn exiftool_bytes(file: &[u8], arguments: &[&str]) -> Option<Vec<u8>> {
    let path = scratch("");
    fs::write(&path, file).unwrap();
    let output = Command::new("exiftool").args(arguments).arg(&path).output();
    fs::remove_file(&path).unwrap();
    Some(output.ok()?.stdout)
}

/// The same as text.
pub fn exiftool(file: &[u8], arguments: &[&str]) -> Option<String> {
    exiftool_bytes(file, arguments).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|bytes| bytes == needle)
}
