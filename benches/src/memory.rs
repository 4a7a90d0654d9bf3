//! Peak memory of one encode beside its input and output, measured in a process of its own.

use std::{fs, path::Path, process::Command};

use crate::library::{Format, Library, Options, Pixels};

/// 12 megapixels.
const SIDES: (u32, u32) = (4608, 2592);

const CASES: [(&str, &str, i32); 10] = [
    ("JPEG effort 1 with a gain map, of RGBA_1010102", "image/jpeg+hdr", 1),
    ("JPEG effort 1", "image/jpeg", 1),
    ("JPEG effort 2", "image/jpeg", 2),
    ("JPEG effort 5", "image/jpeg", 5),
    ("JPEG effort 10", "image/jpeg", 10),
    ("PNG effort 1", "image/png", 1),
    ("PNG effort 5", "image/png", 5),
    ("PNG effort 9", "image/png", 9),
    ("WebP effort 1", "image/webp", 1),
    ("HEIC effort 5", "image/heic", 5),
];

fn status(field: &str) -> i64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// PQ of up to 2000 nits.
fn ten(rgb: [u8; 3]) -> [u8; 4] {
    let [r, g, b] = rgb.map(|c| u32::from(c) * 850 / 255);
    (r | g << 10 | b << 20 | 3 << 30).to_ne_bytes()
}

/// Encodes once and prints the growth of the peak in KiB and the bytes of the result.
pub fn child(library: &Path, args: &mut dyn Iterator<Item = String>) {
    let mime: &'static str = args.next().expect("MIME type").leak();
    let (mime, format) = match mime.strip_suffix("+hdr") {
        Some(mime) => (mime, Format::Ten),
        None => (mime, Format::Rgb),
    };
    let effort = args.next().and_then(|text| text.parse().ok()).expect("effort");
    let library = Library::open(library);
    let (width, height) = SIDES;
    // Waves with a little noise: compresses like a photograph, and every page of it is touched.
    let mut state = 1u32;
    let bytes: Vec<u8> = (0..width * height * 3)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = ((i / 3) % width, i / 3 / width);
            (128.0 + 80.0 * (x as f32 / 90.0).sin() * (y as f32 / 70.0).cos()) as u8 + (state >> 29) as u8
        })
        .collect();
    let bytes = match format {
        Format::Ten => bytes.as_chunks::<3>().0.iter().flat_map(|&rgb| ten(rgb)).collect(),
        _ => bytes,
    };
    let encode = |width, height, bytes| {
        let pixels = Pixels { width, height, format, opaque: true, bytes };
        library.size(pixels, &Options::new(mime, 75, effort))
    };
    // A small one first: code and tables are not the encode's memory.
    let _ = encode(64, 64, &bytes);
    let before = status("VmRSS:");
    // Forgets the peak so far (proc(5), clear_refs).
    let _ = fs::write("/proc/self/clear_refs", "5");
    match encode(width, height, &bytes) {
        Ok(size) => println!("{} {size}", status("VmHWM:") - before),
        Err(error) => println!("failed {error}"),
    }
}

/// The table of the report.
pub fn table(path: &Path) -> (String, Vec<&'static str>, Vec<Vec<String>>) {
    let raw = f64::from(SIDES.0) * f64::from(SIDES.1) * 3.0;
    let mut lines = Vec::new();
    for (name, mime, effort) in CASES {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .args(["--library".as_ref(), path.as_os_str(), "--peak".as_ref(), mime.as_ref()])
            .arg(effort.to_string())
            .output()
            .expect("a child");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace();
        let numbers = words
            .next()
            .zip(words.next())
            .and_then(|(kib, size)| Some((kib.parse::<f64>().ok()? * 1024.0, size.parse::<f64>().ok()?)));
        let mut line = vec![name.to_string()];
        match numbers {
            Some((peak, size)) => {
                let beside = (peak - size).max(0.0);
                line.push(format!("{:.1}", peak / 1e6));
                line.push(format!("{:.1}", size / 1e6));
                line.push(format!("{:.1}", beside / 1e6));
                line.push(format!("{:.1} %", 100.0 * beside / raw));
            }
            None => line.extend([text.trim().to_string(), "-".into(), "-".into(), "-".into()]),
        }
        println!("memory | {}", line.join(" | "));
        lines.push(line);
    }
    let header = vec!["case", "peak growth MB", "output MB", "beside output MB", "of raw size"];
    ("Peak memory, 12 MP RGB, one thread".into(), header, lines)
}
