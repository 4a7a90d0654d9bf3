//! Animations beside the programs that people use for them: a film clip and two recordings of screens, bytes, time, and the mean
//! SSIMULACRA2 of the frames as they are seen after decoding. Peers run as programs, where they are installed; their time
//! includes reading the frames as PNG files.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use image::{AnimationDecoder, DynamicImage, RgbImage};

use crate::{
    library::{Library, Options},
    quality, recordings,
};

/// Times a measurement is repeated; the best counts.
const ROUNDS: usize = 1;

struct Clip {
    name: &'static str,
    /// Hundredths of a second per frame.
    delay: i32,
    frames: Vec<RgbImage>,
}

/// One way to encode a clip.
struct Line {
    clip: &'static str,
    encoder: String,
    /// None: the encoder is not on this machine.
    found: Option<Found>,
}

struct Found {
    bytes: usize,
    cpu: f64,
    wall: f64,
    score: f64,
}

/// The table of all clips and encoders.
pub fn table(library: &Library, corpus: Option<&Path>) -> (String, Vec<&'static str>, Vec<Vec<String>>) {
    let letters = Clip { name: "letters 640x400x60", delay: 4, frames: recordings::letters() };
    let work = recordings::work().map(|frames| Clip { name: "screen 800x500x120", delay: 8, frames });
    if work.is_none() {
        println!("animations | screen | left out: no font fonts-dejavu-core here");
    }
    let mut clips: Vec<_> = work.into_iter().chain([letters]).collect();
    clips.extend(corpus.and_then(film));
    let mut lines = Vec::new();
    for clip in &clips {
        let folder = frames_folder(clip);
        ours(library, clip, &mut lines);
        peers(clip, &folder, &mut lines);
        let _ = fs::remove_dir_all(folder);
    }
    let cells = lines.iter().map(|Line { clip, encoder, found }| {
        let numbers = match found {
            Some(Found { bytes, cpu, wall, score }) => {
                [bytes.to_string(), format!("{cpu:.2}"), format!("{wall:.2}"), format!("{score:.2}")]
            }
            None => ["absent", "", "", ""].map(String::from),
        };
        [clip.to_string(), encoder.clone()].into_iter().chain(numbers).collect()
    });
    let header = vec!["clip", "encoder", "bytes", "CPU s", "wall s", "mean SSIMULACRA2"];
    ("Animations".into(), header, cells.collect())
}

/// 30 frames of a film, stacked in one image.
fn film(corpus: &Path) -> Option<Clip> {
    let all = image::open(corpus.join("anim480x270x30.png")).ok()?.to_rgb8();
    let frame = |i: u32| image::imageops::crop_imm(&all, 0, i * 270, 480, 270).to_image();
    Some(Clip { name: "film 480x270x30", delay: 8, frames: (0..30).map(frame).collect() })
}

/// The frames as files, for the peers.
fn frames_folder(clip: &Clip) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("image_packer-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the frames");
    for (index, frame) in clip.frames.iter().enumerate() {
        frame.save(folder.join(format!("frame{index:03}.png"))).expect("a frame");
    }
    folder
}

fn ours(library: &Library, clip: &Clip, lines: &mut Vec<Line>) {
    let mut cases = Vec::new();
    for effort in [1, 5, 8] {
        cases.push((format!("GIF q90 effort {effort}"), Options::new("image/gif", 90, effort)));
        cases.push((format!("APNG effort {effort}"), Options::new("image/apng", 90, effort)));
    }
    for quality in [80, 85, 100] {
        cases.push((format!("GIF q{quality} effort 5"), Options::new("image/gif", quality, 5)));
    }
    let two = Options { threads: 2, ..Options::new("image/gif", 90, 5) };
    cases.push(("GIF q90 effort 5, two threads".into(), two));
    cases.push(("WebP q75 effort 5".into(), Options::new("image/webp", 75, 5)));
    let lossless = Options { lossless: true, ..Options::new("image/webp", 75, 5) };
    cases.push(("WebP lossless effort 5".into(), lossless));
    let method = vec![("webp.method", "4".to_owned())];
    let same = Options { settings: method, ..Options::new("image/webp", 75, 5) };
    cases.push(("WebP q75 method 4".into(), same.clone()));
    cases.push(("WebP lossless q75 method 4".into(), Options { lossless: true, ..same }));
    for (name, options) in cases {
        let mut best: Option<(f64, f64)> = None;
        let mut bytes = Vec::new();
        let mut failure = None;
        for _ in 0..ROUNDS {
            let (cpu, wall) = (cpu(libc::RUSAGE_SELF), Instant::now());
            match library.animate(&clip.frames, clip.delay, &options) {
                Ok(made) => bytes = made,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            keep(&mut best, (self::cpu(libc::RUSAGE_SELF) - cpu, wall.elapsed().as_secs_f64()));
        }
        match (failure, best) {
            (None, Some(best)) => add(lines, clip, format!("image_packer {name}"), &bytes, best),
            (failure, _) => println!("animations | {} | {name} | left out: {failure:?}", clip.name),
        }
    }
}

fn keep(best: &mut Option<(f64, f64)>, found: (f64, f64)) {
    *best = Some(best.map_or(found, |best| (best.0.min(found.0), best.1.min(found.1))));
}

/// CPU seconds of this process, or of its children that have ended.
fn cpu(who: i32) -> f64 {
    // SAFETY: the structure is plain numbers and is filled in.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(who, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Every peer as a line for the shell; `$d` is the folder, `$o` the output, `$ms` and `$cs` the delay.
const PEERS: [(&str, &str, &str); 11] = [
    ("img2webp q75 -m 4", "img2webp", "img2webp -loop 0 -d $ms -lossy -q 75 -m 4 $d/frame*.png -o $o.webp"),
    (
        "img2webp lossless -q 75 -m 4",
        "img2webp",
        "img2webp -loop 0 -d $ms -lossless -q 75 -m 4 $d/frame*.png -o $o.webp",
    ),
    ("ffmpeg APNG", "ffmpeg", "ffmpeg -y -loglevel error -i $d/frame%03d.png -plays 0 -f apng $o.png"),
    (
        "ffmpeg GIF",
        "ffmpeg",
        "ffmpeg -y -loglevel error -i $d/frame%03d.png -vf split[a][b];[a]palettegen[p];[b][p]paletteuse $o.gif",
    ),
    ("ImageMagick GIF", "convert", "convert -delay $cs -loop 0 $d/frame*.png -layers Optimize $o.gif"),
    (
        "libvips GIF",
        "vips",
        "vips arrayjoin $list $o.v --across 1 && vips gifsave $o.v $o.gif --page-height $h",
    ),
    ("gifski GIF", "gifski", "gifski --quiet --quality 90 --fps $fps -o $o.gif $d/frame*.png"),
    ("Pillow GIF", "python3", "python3 -c '$pillow' $o.gif"),
    ("Pillow APNG", "python3", "python3 -c '$pillow' $o.png"),
    ("OpenCV APNG", "python3", "python3 -c '$opencv' $o.png"),
    ("OpenCV GIF", "python3", "python3 -c '$opencv' $o.gif"),
];

const PILLOW: &str = "import sys,glob; from PIL import Image; f=[Image.open(p) for p in sorted(glob.glob(\"$d/frame*.png\"))]; f[0].save(sys.argv[1],save_all=True,append_images=f[1:],duration=$ms,loop=0)";
const OPENCV: &str = "import sys,glob,cv2; a=cv2.Animation(); a.frames=[cv2.imread(p,-1) for p in sorted(glob.glob(\"$d/frame*.png\"))]; a.durations=[$ms]*len(a.frames); cv2.imwriteanimation(sys.argv[1],a)";

fn peers(clip: &Clip, folder: &Path, lines: &mut Vec<Line>) {
    let output = folder.join("out");
    let list: Vec<_> =
        (0..clip.frames.len()).map(|i| format!("{}/frame{i:03}.png", folder.display())).collect();
    for (name, program, line) in PEERS {
        let line = line
            .replace("$pillow", PILLOW)
            .replace("$opencv", OPENCV)
            .replace("$list", &format!("\"{}\"", list.join(" ")))
            .replace("$ms", &(clip.delay * 10).to_string())
            .replace("$cs", &clip.delay.to_string())
            .replace("$fps", &(100 / clip.delay).to_string())
            .replace("$h", &clip.frames[0].height().to_string())
            .replace("$d", &folder.display().to_string())
            .replace("$o", &output.display().to_string());
        let made = ["webp", "png", "gif"].map(|end| output.with_extension(end));
        made.iter().for_each(|path| drop(fs::remove_file(path)));
        let mut best = None;
        for _ in 0..ROUNDS {
            let (cpu, wall) = (cpu(libc::RUSAGE_CHILDREN), Instant::now());
            let line = if name == "ffmpeg GIF" {
                line.replace("-vf ", "-vf '").replace("paletteuse ", "paletteuse' ")
            } else {
                line.clone()
            };
            let run =
                Command::new("sh").args(["-c", &line]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !run.is_ok_and(|status| status.success()) {
                best = None;
                break;
            }
            keep(&mut best, (self::cpu(libc::RUSAGE_CHILDREN) - cpu, wall.elapsed().as_secs_f64()));
        }
        let bytes = made.iter().find_map(|path| fs::read(path).ok());
        match (best, bytes) {
            (Some(best), Some(bytes)) => add(lines, clip, name.into(), &bytes, best),
            _ => {
                println!("animations | {} | {name} | left out: no {program} here that can", clip.name);
                lines.push(Line { clip: clip.name, encoder: name.into(), found: None });
            }
        }
    }
}

fn add(lines: &mut Vec<Line>, clip: &Clip, encoder: String, bytes: &[u8], cost: (f64, f64)) {
    let score = score(clip, bytes);
    note(lines, clip, encoder.clone(), bytes.len(), cost, score);
    if bytes.starts_with(b"GIF") {
        optimized(lines, clip, encoder, bytes, score);
    }
}

fn note(
    lines: &mut Vec<Line>,
    clip: &Clip,
    encoder: String,
    bytes: usize,
    (cpu, wall): (f64, f64),
    score: f64,
) {
    println!(
        "animations | {} | {encoder} | {} bytes | {cpu:.2} s CPU | {wall:.2} s | {score:.2}",
        clip.name, bytes
    );
    lines.push(Line { clip: clip.name, encoder, found: Some(Found { bytes, cpu, wall, score }) });
}

/// What gifsicle makes of a GIF, without a loss and in time of its own.
fn optimized(lines: &mut Vec<Line>, clip: &Clip, encoder: String, bytes: &[u8], score: f64) {
    let encoder = encoder + " + gifsicle -O3";
    let path = std::env::temp_dir().join(format!("image_packer-bench-{}.gif", std::process::id()));
    fs::write(&path, bytes).expect("a file for gifsicle");
    let (cpu, wall) = (cpu(libc::RUSAGE_CHILDREN), Instant::now());
    let run = Command::new("gifsicle").args(["-O3", "-b"]).arg(&path).stderr(Stdio::null()).status();
    let cost = (self::cpu(libc::RUSAGE_CHILDREN) - cpu, wall.elapsed().as_secs_f64());
    match run {
        Ok(status) if status.success() => {
            let size = fs::metadata(&path).expect("a GIF").len() as usize;
            note(lines, clip, encoder, size, cost, score);
        }
        _ => lines.push(Line { clip: clip.name, encoder, found: None }),
    }
    let _ = fs::remove_file(path);
}

/// The mean score of every tenth frame, as it is seen at its time: encoders may join equal frames.
fn score(clip: &Clip, bytes: &[u8]) -> f64 {
    let cursor = Cursor::new(bytes);
    let frames = match bytes {
        [b'G', ..] => image::codecs::gif::GifDecoder::new(cursor).map(|d| d.into_frames().collect_frames()),
        [0x89, ..] => image::codecs::png::PngDecoder::new(cursor)
            .and_then(|d| d.apng())
            .map(|d| d.into_frames().collect_frames()),
        _ => image::codecs::webp::WebPDecoder::new(cursor).map(|d| d.into_frames().collect_frames()),
    };
    let Ok(Ok(frames)) = frames else { return f64::NAN };
    let mut ends = Vec::new();
    let mut time = 0;
    for frame in &frames {
        let (num, den) = frame.delay().numer_denom_ms();
        // libvips writes no delays unless it has some.
        time += (num / den.max(1)).max(1);
        ends.push(time);
    }
    let length = f64::from(time) / clip.frames.len() as f64;
    let scored = clip.frames.iter().enumerate().step_by(10).map(|(index, original)| {
        let at = ((index as f64 + 0.5) * length) as u32;
        let shown = ends.iter().position(|&end| at < end).unwrap_or(frames.len() - 1);
        let seen = DynamicImage::from(frames[shown].buffer().clone()).to_rgb8();
        quality::compare(original, &seen)
    });
    let scores: Vec<f64> = scored.collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}
