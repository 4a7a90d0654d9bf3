//! `THIRD_PARTY_NOTICES.md` lists what is linked into the library, and all of it is permissively licensed.
//! `BLESS=1 cargo test --test notices` writes the list anew.

use std::{fs, path::Path, process::Command};

/// One of these is enough: a host of any licence may link us.
const PERMISSIVE: &[&str] =
    &["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Zlib", "0BSD", "ISC", "Unlicense"];

const START: &str = "<!-- list: start -->\n";
const END: &str = "<!-- list: end -->\n";

/// `(package, version, licence)` of everything that is linked.
fn linked() -> Vec<(String, String, String)> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}\t{l}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut list: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('\t')?;
            let (name, version) = package.split_once(" v")?;
            let version = version.split(' ').next()?;
            Some((name.to_owned(), version.to_owned(), licence.trim_end_matches(" (*)").to_owned()))
        })
        .filter(|(name, ..)| name != env!("CARGO_PKG_NAME"))
        .collect();
    list.sort();
    list.dedup();
    assert!(list.len() > 10, "cargo tree was not understood");
    list
}

#[test]
fn every_linked_package_is_listed_and_permissive() {
    let mut table = String::from("| package | version | licence |\n|---|---|---|\n");
    for (name, version, licence) in linked() {
        let mut choices = licence.split([' ', '/', '(', ')']);
        assert!(choices.any(|choice| PERMISSIVE.contains(&choice)), "{name} {version}: {licence}");
        table += &format!("| {name} | {version} | {licence} |\n");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("THIRD_PARTY_NOTICES.md");
    let text = fs::read_to_string(&path).expect("THIRD_PARTY_NOTICES.md");
    let (before, rest) = text.split_once(START).expect("the list's start");
    let (_, after) = rest.split_once(END).expect("the list's end");
    let expected = format!("{before}{START}{table}{END}{after}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed == expected, "THIRD_PARTY_NOTICES.md is stale: run BLESS=1 cargo test --test notices");
}
