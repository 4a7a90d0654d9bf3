//! Pairs `libimage_packer.so` with the peers' own libraries: same pixels, same run, one thread. `--help` tells how.

mod animations;
mod hdr;
mod images;
mod library;
mod measure;
mod memory;
mod peers;
mod quality;
mod recordings;
mod report;

use std::path::PathBuf;

use image::RgbImage;
use images::Images;
use library::{Format, Library, Options, Pixels};
use report::{Report, Row};

struct Bench {
    library: Library,
    path: PathBuf,
    report: Report,
    only: Option<String>,
}

impl Bench {
    fn wants(&self, group: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == group)
    }

    /// One row: ours against a peer that answers its bytes.
    fn pair(
        &mut self,
        (group, case, goal): (&'static str, String, &'static str),
        pixels: Pixels<'_>,
        options: &Options,
        (name, peer): (&str, &mut dyn FnMut() -> usize),
    ) {
        let size = match self.library.size(pixels, options) {
            Ok(size) => size,
            Err(error) => {
                println!("{group} | {case} | left out: {error}");
                self.report.notes.push(format!("{group}, {case}: left out: {error}"));
                return;
            }
        };
        let peer_size = peer();
        let paired = measure::paired(
            &mut || {
                let _ = self.library.size(pixels, options);
            },
            &mut || {
                peer();
            },
        );
        let bytes = (size, peer_size);
        self.report.add(Row { group, case, peer: name.into(), paired, bytes, goal });
    }
}

fn rgb(image: &RgbImage) -> Pixels<'_> {
    let (width, height) = image.dimensions();
    Pixels { width, height, format: Format::Rgb, opaque: false, bytes: image.as_raw() }
}

const USAGE: &str = "\
usage: image_packer_bench --library PATH (--corpus FOLDER | --photo FILE) [--out FOLDER] [--only GROUP] [--ladder]

  --library PATH   libimage_packer.so
  --corpus FOLDER  photographs and screenshots to encode
  --photo FILE     one photograph instead; the other images are made from it
  --out FOLDER     where benchmark.md goes; out if not given
  --only GROUP     one group of rows: jpeg, png, webp, heif, hdr, memory or animations
  --ladder         also every effort of JPEG, at equal quality
  --help           this text";

/// What `--only` takes.
const GROUPS: [&str; 7] = ["jpeg", "png", "webp", "heif", "hdr", "memory", "animations"];

/// Ends with what is wrong with the arguments.
fn refuse(what: &str) -> ! {
    eprintln!("image_packer_bench: {what}\n\n{USAGE}");
    std::process::exit(2)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut library, mut corpus, mut photo, mut out, mut only, mut ladder) =
        (None, None, None, PathBuf::from("out"), None, false);
    while let Some(arg) = args.next() {
        let mut value =
            || PathBuf::from(args.next().unwrap_or_else(|| refuse(&format!("{arg} needs a value"))));
        match arg.as_str() {
            "--library" => library = Some(value()),
            "--corpus" => corpus = Some(value()),
            "--photo" => photo = Some(value()),
            "--out" => out = value(),
            "--only" => only = Some(value().display().to_string()),
            "--ladder" => ladder = true,
            "--help" | "-h" => return println!("{USAGE}"),
            // A child of this program that measures the peak of one encode.
            "--peak" => {
                let library = library.unwrap_or_else(|| refuse("--peak needs --library before it"));
                return memory::child(&library, &mut args);
            }
            _ => refuse(&format!("unknown argument {arg}")),
        }
    }
    let Some(path) = library else { refuse("--library is missing") };
    if let Some(group) = only.as_deref().filter(|only| !GROUPS.contains(only)) {
        refuse(&format!("unknown group {group}"));
    }
    if only.as_deref() == Some("animations") {
        // Their own run: minutes, and the other images are not needed.
        let mut report = Report::default();
        report.tables.push(animations::table(&Library::open(&path), corpus.as_deref()));
        return report.write(&out);
    }
    let images = match (corpus, photo) {
        (Some(folder), _) => Images::from_corpus(&folder),
        (None, Some(photo)) => Images::from_photo(&photo),
        (None, None) => refuse("--corpus or --photo is missing"),
    };
    let mut bench =
        Bench { library: Library::open(&path), path: path.clone(), report: Report::default(), only };
    bench.report.notes.push(format!("images: {}", images.about));
    jpeg(&mut bench, &images);
    png(&mut bench, &images);
    webp(&mut bench, &images);
    heif(&mut bench, &images);
    hdr::rows(&mut bench, &images.large);
    if bench.wants("memory") {
        bench.report.tables.push(memory::table(&path));
    }
    if ladder {
        effort_ladder(&mut bench, &images);
    }
    bench.report.write(&out);
}

fn jpeg(bench: &mut Bench, images: &Images) {
    if !bench.wants("jpeg") {
        return;
    }
    let turbo = peers::Turbo::new();
    let shot_opaque = image::DynamicImage::from(images.shot.clone()).to_rgb8();
    let named =
        [("12 MP photo", &images.large), ("1080p photo", &images.photo), ("1080p screenshot", &shot_opaque)];
    for (name, image) in named {
        for quality in [75, 90] {
            let (w, h) = image.dimensions();
            let case = format!("{name}, q{quality} 4:2:0, effort 1");
            let mut peer = || turbo.encode(image.as_raw(), w, h, 3, quality).len();
            let options = Options::new("image/jpeg", quality, 1);
            bench.pair(
                ("jpeg", case, "CPU <= 1.05, bytes within 1 %"),
                rgb(image),
                &options,
                ("libjpeg-turbo 3", &mut peer),
            );
        }
        for effort in [2, 5, 7, 10] {
            let (w, h) = image.dimensions();
            let case = format!("{name}, q75 4:2:0, effort {effort}");
            let mut peer = || turbo.encode(image.as_raw(), w, h, 3, 75).len();
            let goal = if effort == 5 { "CPU <= 3" } else { "" };
            let options = Options::new("image/jpeg", 75, effort);
            bench.pair(("jpeg", case, goal), rgb(image), &options, ("libjpeg-turbo 3", &mut peer));
        }
    }
    let (rgba, nv12) = (images::rgba(&images.large), images::nv12(&images.large));
    let (width, height) = images.large.dimensions();
    let from_rgba = Pixels { width, height, format: Format::Rgba, opaque: true, bytes: &rgba };
    let from_nv12 = Pixels { width, height, format: Format::Nv12, opaque: true, bytes: &nv12 };
    let options = Options::new("image/jpeg", 75, 1);
    let again = Library::open(&bench.path);
    let mut peer = || again.size(from_rgba, &options).unwrap_or(0);
    let case = "12 MP photo, q75 4:2:0, effort 1, from NV12".to_string();
    bench.pair(("jpeg", case, "CPU <= 0.85"), from_nv12, &options, ("ours from RGBA", &mut peer));
    for (case, effort) in [("effort 1", 1), ("effort 5", 5)] {
        let two = Options { threads: 2, ..Options::new("image/jpeg", 75, effort) };
        let one = Options { threads: 1, ..two.clone() };
        let mut peer = || again.size(rgb(&images.large), &one).unwrap_or(0);
        let goal = if effort == 1 { "wall <= 0.6, same bytes" } else { "same bytes" };
        let case = format!("12 MP photo, q75 4:2:0, {case}, two threads");
        bench.pair(("jpeg", case, goal), rgb(&images.large), &two, ("ours, one thread", &mut peer));
    }
}

fn png(bench: &mut Bench, images: &Images) {
    if !bench.wants("png") {
        return;
    }
    let (width, height) = images.shot.dimensions();
    let shot = Pixels { width, height, format: Format::Rgba, opaque: false, bytes: images.shot.as_raw() };
    let cases = [
        ("12 MP photo", rgb(&images.large), 3),
        ("1080p photo", rgb(&images.photo), 3),
        ("1080p screenshot", shot, 4),
    ];
    for (name, pixels, channels) in cases {
        let ladder = [
            (1, png::Compression::Fast, "Fast", "CPU <= 1.0, bytes <= 1.0"),
            (5, png::Compression::Balanced, "Balanced", "CPU <= 0.25, bytes <= 1.02"),
            (9, png::Compression::High, "High", "bytes < 1.0"),
        ];
        for (effort, compression, peer_name, goal) in ladder {
            if effort == 9 && name == "12 MP photo" {
                continue;
            }
            let mut peer =
                || peers::png(pixels.bytes, pixels.width, pixels.height, channels, compression).len();
            let case = format!("{name}, effort {effort}");
            let options = Options::new("image/png", 75, effort);
            bench.pair(("png", case, goal), pixels, &options, (&format!("png crate {peer_name}"), &mut peer));
        }
    }
    let two = Options { threads: 2, ..Options::new("image/png", 75, 5) };
    let one = Options { threads: 1, ..two.clone() };
    let again = Library::open(&bench.path);
    let mut peer = || again.size(rgb(&images.large), &one).unwrap_or(0);
    let case = "12 MP photo, effort 5, two threads".to_string();
    bench.pair(
        ("png", case, "wall <= 0.65, same bytes"),
        rgb(&images.large),
        &two,
        ("ours, one thread", &mut peer),
    );
}

fn webp(bench: &mut Bench, images: &Images) {
    if !bench.wants("webp") {
        return;
    }
    let (width, height) = images.shot.dimensions();
    let shot = Pixels { width, height, format: Format::Rgba, opaque: false, bytes: images.shot.as_raw() };
    let goal = "CPU <= 1.05";
    for (name, pixels, channels) in [("1080p photo", rgb(&images.photo), 3), ("1080p screenshot", shot, 4)] {
        for (method, lossless) in [(0, false), (4, false), (0, true), (4, true)] {
            let mut peer = || {
                peers::webp(pixels.bytes, pixels.width, pixels.height, channels, 75.0, method, lossless).len()
            };
            let mut options = Options::new("image/webp", 75, 5);
            options.lossless = lossless;
            options.settings.push(("webp.method", method.to_string()));
            let kind = if lossless { "lossless" } else { "lossy q75" };
            let case = format!("{name}, {kind}, method {method}");
            bench.pair(("webp", case, goal), pixels, &options, ("libwebp", &mut peer));
        }
    }
}

fn heif(bench: &mut Bench, images: &Images) {
    if !bench.wants("heif") {
        return;
    }
    let Some(peer) = peers::Heif::open() else {
        bench.report.notes.push("heif: left out: libheif.so.1 is not on this machine".into());
        return;
    };
    let mut options = Options::new("image/heic", 50, 5);
    options.settings.push(("heif.preset", "ultrafast".into()));
    let (w, h) = images.photo.dimensions();
    let mut encode = || peer.encode(images.photo.as_raw(), w, h, 50, "ultrafast").len();
    let case = "1080p photo, q50 4:2:0, ultrafast".to_string();
    bench.pair(("heif", case, "CPU <= 1.05"), rgb(&images.photo), &options, ("libheif", &mut encode));
}

/// Every effort of JPEG: bytes at equal score and CPU, relative to libjpeg-turbo; and what a quality number means.
fn effort_ladder(bench: &mut Bench, images: &Images) {
    let turbo = peers::Turbo::new();
    let shot = image::DynamicImage::from(images.shot.clone()).to_rgb8();
    let qualities = [50, 60, 70, 75, 80, 85, 90, 95];
    let targets = [70.0, 75.0, 80.0, 85.0];
    let (mut lines, mut meaning) = (Vec::new(), Vec::new());
    for (name, image) in [("photo 1080p", &images.photo), ("photo 512", &images.small), ("screenshot", &shot)]
    {
        let (w, h) = image.dimensions();
        let base: Vec<(f64, usize)> = qualities
            .iter()
            .map(|&q| {
                let bytes = turbo.encode(image.as_raw(), w, h, 3, q);
                (quality::score(image, &bytes), bytes.len())
            })
            .collect();
        for effort in 1..=10 {
            let curve: Vec<(f64, usize)> = qualities
                .iter()
                .map(|&q| {
                    let options = Options::new("image/jpeg", q, effort);
                    let encode = |bytes: &[u8]| (quality::score(image, bytes), bytes.len());
                    bench.library.encode(rgb(image), &options, encode).expect("encoded")
                })
                .collect();
            let options = Options::new("image/jpeg", 75, effort);
            let paired = measure::paired(
                &mut || {
                    let _ = bench.library.size(rgb(image), &options);
                },
                &mut || {
                    turbo.encode(image.as_raw(), w, h, 3, 75);
                },
            );
            let mut line = vec![name.to_string(), effort.to_string(), format!("{:.2}", paired.ratio.cpu)];
            for target in targets {
                let ratio = quality::bytes_at(&curve, target).zip(quality::bytes_at(&base, target));
                line.push(ratio.map_or("-".into(), |(ours, theirs)| format!("{:.3}", ours / theirs)));
            }
            println!("{}", line.join(" | "));
            lines.push(line);
            let mut line = vec![name.to_string(), effort.to_string()];
            line.extend(curve.iter().zip(&base).map(|(a, b)| format!("{:+.1}", a.0 - b.0)));
            meaning.push(line);
        }
    }
    let header = vec!["image", "effort", "CPU x at q75", "bytes x at 70", "at 75", "at 80", "at 85"];
    bench.report.tables.push((
        "JPEG efforts: bytes at equal SSIMULACRA2 over libjpeg-turbo 4:2:0".into(),
        header,
        lines,
    ));
    let header = vec!["image", "effort", "q50", "q60", "q70", "q75", "q80", "q85", "q90", "q95"];
    bench.report.tables.push((
        "JPEG efforts: SSIMULACRA2 minus libjpeg-turbo's at the same quality".into(),
        header,
        meaning,
    ));
}
