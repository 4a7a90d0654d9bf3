//! File names of a batch: where image `path/to/cat.png` goes.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::{err, error::Result};

/// How a name is made of the name of what an image was made of.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Before the stem.
    pub prefix: OsString,
    /// Behind the stem.
    pub suffix: OsString,
    /// Without its dot; `None`: the format's.
    pub extension: Option<OsString>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { prefix: "out_".into(), suffix: OsString::new(), extension: None }
    }
}

/// What happens when several images of a batch have the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameName {
    /// The first one gets it, the others are errors.
    #[default]
    Error,
    /// The others get `_1`, `_2` and so on behind their stem.
    Number,
    /// The last one gets it, the others are not written.
    LastWins,
}

/// What becomes of an image.
#[derive(Clone, Debug)]
pub enum Place {
    /// It goes here.
    At(PathBuf),
    /// A later image has its name.
    Superseded,
}

/// The last part of a path, split as Python's `os.path.splitext(os.path.basename(path))` does: at the last dot that is
/// not among the leading ones.
fn stem(path: &OsStr) -> &OsStr {
    let bytes = path.as_encoded_bytes();
    let base = bytes.rsplit(|&byte| byte == b'/').next().unwrap_or(bytes);
    let leading = base.iter().take_while(|&&byte| byte == b'.').count();
    let dot = base[leading..].iter().rposition(|&byte| byte == b'.');
    let len = dot.map_or(base.len(), |dot| leading + dot);
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::from_bytes(&base[..len]);
    #[cfg(not(unix))]
    std::str::from_utf8(&base[..len]).map_or(path, OsStr::new)
}

/// The common extension of files of a MIME type.
fn extension(mime: &str) -> &str {
    match mime.rsplit('/').next().unwrap_or(mime) {
        "jpeg" => "jpg",
        subtype => subtype,
    }
}

impl Rule {
    /// The name of the image of MIME type `mime` that was made of `path`, with `number` behind its stem if it is not 0.
    pub fn name(&self, path: &OsStr, mime: &str, number: usize) -> OsString {
        let mut name = self.prefix.clone();
        name.push(stem(path));
        name.push(&self.suffix);
        if number > 0 {
            name.push(format!("_{number}"));
        }
        name.push(".");
        name.push(self.extension.as_deref().unwrap_or(OsStr::new(extension(mime))));
        name
    }

    /// The places of images in `folder`, each given by path and MIME type.
    pub fn places(&self, folder: &Path, images: &[(OsString, &str)], same: SameName) -> Vec<Result<Place>> {
        let mut names: Vec<_> = images.iter().map(|(path, mime)| self.name(path, mime, 0)).collect();
        let mut last = HashMap::new();
        let mut first = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            last.insert(name.clone(), index);
            first.entry(name.clone()).or_insert(index);
        }
        if same == SameName::Number {
            let mut next: HashMap<OsString, usize> = HashMap::new();
            for (index, (path, mime)) in images.iter().enumerate() {
                if first.get(&names[index]) == Some(&index) {
                    continue;
                }
                let number = next.entry(names[index].clone()).or_insert(0);
                names[index] = loop {
                    *number += 1;
                    let name = self.name(path, mime, *number);
                    if !first.contains_key(&name) {
                        break name;
                    }
                };
                first.insert(names[index].clone(), index);
            }
        }
        let place = |(index, name): (usize, OsString)| match same {
            SameName::Error if first.get(&name) != Some(&index) => {
                let other = first.get(&name).copied().unwrap_or_default();
                Err(err!(OutOfRange, "images {other} and {index} are both named {}", name.display()))
            }
            SameName::LastWins if last.get(&name) != Some(&index) => Ok(Place::Superseded),
            _ => Ok(Place::At(folder.join(name))),
        };
        names.into_iter().enumerate().map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_python_does() {
        for (path, stem_is) in [
            ("/data/cat.jpg", "cat"),
            ("cat", "cat"),
            ("a/b.c/cat", "cat"),
            ("cat.tar.gz", "cat.tar"),
            (".hidden", ".hidden"),
            ("..x.png", "..x"),
            ("...", "..."),
            ("dir/", ""),
            ("cat.", "cat"),
        ] {
            assert_eq!(stem(OsStr::new(path)), stem_is, "{path}");
        }
        let rule = Rule::default();
        assert_eq!(rule.name("x/cat.png".as_ref(), "image/jpeg", 0), "out_cat.jpg");
        assert_eq!(rule.name("cat.png".as_ref(), "image/webp", 2), "out_cat_2.webp");
        let rule = Rule { prefix: "".into(), suffix: "_mask".into(), extension: Some("jpeg".into()) };
        assert_eq!(rule.name("cat.png".as_ref(), "image/jpeg", 0), "cat_mask.jpeg");
    }

    #[test]
    fn the_same_name_twice() {
        let images: Vec<_> = ["a/x.png", "b/x.png", "x_1.png", "y", "c/x.gif"]
            .map(|path| (OsString::from(path), "image/jpeg"))
            .into();
        let places = |same| -> Vec<String> {
            let places = Rule::default().places(Path::new("d"), &images, same).into_iter();
            places
                .map(|place| match place {
                    Ok(Place::At(path)) => path.to_str().unwrap().to_owned(),
                    Ok(Place::Superseded) => "-".into(),
                    Err(error) => error.message.into_owned(),
                })
                .collect()
        };
        assert_eq!(
            places(SameName::Error),
            [
                "d/out_x.jpg",
                "images 0 and 1 are both named out_x.jpg",
                "d/out_x_1.jpg",
                "d/out_y.jpg",
                "images 0 and 4 are both named out_x.jpg"
            ]
        );
        assert_eq!(
            places(SameName::Number),
            ["d/out_x.jpg", "d/out_x_2.jpg", "d/out_x_1.jpg", "d/out_y.jpg", "d/out_x_3.jpg"]
        );
        assert_eq!(places(SameName::LastWins), ["-", "-", "d/out_x_1.jpg", "d/out_y.jpg", "d/out_x.jpg"]);
    }
}
