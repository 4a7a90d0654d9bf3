//! GIF, read back by decoders that share no code with the encoder.

mod common;

use common::{
    layouts::{Alpha, Layout, Scene, encode_pixels, formats},
    through_c::Pack,
};
use std::sync::Arc;

use image::AnimationDecoder as _;
use image_packer::{
    codec::{
        self,
        animation::{Animation, Delay, Disposal, Frame, Rect, Work},
    },
    model::{metadata::Metadata, options::Options, pixel_format::PixelFormat},
    pack::{control::Control, pool::Pool},
    sink::memory::Buffer,
};

fn rgba() -> Layout {
    formats().into_iter().find(|format| format.info.format == PixelFormat::Rgba8888).unwrap()
}

fn pack(pack: &Pack, width: u32, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let height = bytes.len() as u32 / width / 4;
    pack.run(width, height, rgba(), Alpha::Straight, bytes, width as usize * 4)
}

fn decode(bytes: &[u8]) -> image::RgbaImage {
    image::load_from_memory_with_format(bytes, image::ImageFormat::Gif).expect("a GIF").to_rgba8()
}

/// `count` different opaque colours, each `run` times in a row.
fn colors(count: u32, run: usize) -> Vec<u8> {
    let color = |i: u32| [(i * 7) as u8, (i / 3) as u8, 255 ^ i as u8, 255];
    (0..count).flat_map(|i| std::iter::repeat_n(color(i), run)).flatten().collect()
}

#[test]
fn up_to_256_colours_are_exact() {
    for count in [1, 2, 3, 4, 5, 16, 17, 255, 256] {
        for run in [1, 31] {
            let bytes = colors(count, run);
            let out = pack(&Pack { lossless: true, ..Pack::new("image/gif", 100) }, count, &bytes).unwrap();
            assert_eq!(decode(&out).into_raw(), bytes, "{count} colours");
        }
    }
}

#[test]
fn long_codes_and_full_dictionaries_are_read_back() {
    // Noise fills the dictionary every 4000 pixels, and repeats make strings of thousands.
    let mut state = 1u32;
    let mut noise = |most: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % most
    };
    for most in [2, 4, 200, 256] {
        let mut bytes = Vec::new();
        for y in 0..300 {
            for _ in 0..200 {
                let v = if (100..200).contains(&y) { 0 } else { noise(most) as u8 };
                bytes.extend([v, v ^ 0x55, 7, 255]);
            }
        }
        let out = pack(&Pack::new("image/gif", 100), 200, &bytes).unwrap();
        assert!(decode(&out).into_raw() == bytes, "{most} colours");
    }
}

#[test]
fn lossless_is_exact_or_an_error() {
    let lossless = Pack { lossless: true, ..Pack::new("image/gif", 100) };
    let error = pack(&lossless, 257, &colors(257, 2)).unwrap_err();
    assert!(error.contains("256 colours"), "{error}");
    let error = pack(&lossless, 2, &[1, 2, 3, 255, 4, 5, 6, 77]).unwrap_err();
    assert!(error.contains("77"), "{error}");
    // 256 colours and a hole are one too many.
    let mut bytes = colors(256, 1);
    bytes.extend([0; 4 * 256]);
    assert!(pack(&lossless, 256, &bytes).is_err());
    let out = pack(&lossless, 255, &[colors(255, 1), vec![0; 4 * 255]].concat()).unwrap();
    let image = decode(&out);
    assert_eq!(image.as_raw()[..4 * 255], colors(255, 1)[..]);
    assert!(image.rows().nth(1).unwrap().all(|pixel| pixel.0[3] == 0));
}

#[test]
fn flat_areas_of_a_screen_stay_exact_and_edges_near() {
    // Boxes of flat colours with soft edges: some 700 colours, hardly any pixels of most.
    let flats = [[52, 101, 164], [255, 255, 255], [211, 215, 207], [46, 52, 54], [115, 210, 22]];
    let (width, height) = (320, 300);
    let flat = |x: usize, y: usize| flats[(x / 40 * 7 + y / 30 * 3) % flats.len()];
    let mut bytes = Vec::new();
    let mut edges = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let [r, g, b] = flat(x, y);
            let edge = x % 40 == 39 && y % 30 > 4;
            let soft =
                |v: i32| if edge { (v * 3 + (y as i32 * 5 + x as i32 * 3) % 199) / 4 } else { v } as u8;
            bytes.extend([soft(r), soft(g), soft(b), 255]);
            edges.push(edge);
        }
    }
    let mut sizes = Vec::new();
    for (quality, effort, most) in [(100, 5, 12), (90, 4, 45), (90, 9, 45)] {
        let out = pack(&Pack { effort, ..Pack::new("image/gif", quality) }, width as u32, &bytes).unwrap();
        let got = decode(&out).into_raw();
        for ((got, wanted), edge) in got.as_chunks::<4>().0.iter().zip(bytes.as_chunks::<4>().0).zip(&edges) {
            let off = (0..4).map(|c| got[c].abs_diff(wanted[c])).max().unwrap();
            assert!(off <= if *edge { most } else { 0 }, "quality {quality}: {got:?}, not {wanted:?}");
        }
        sizes.push(out.len());
    }
    assert!(sizes[1] * 10 < sizes[0] * 9 && sizes[2] <= sizes[1], "{sizes:?} bytes");
}

#[test]
fn every_layout_shows_in_256_colours() {
    for format in formats() {
        for alpha in format.alpha_types() {
            for (width, height, padding) in [(1, 1, 0), (33, 17, 13), (64, 48, 0)] {
                let scene = Scene::new(width, height);
                let (bytes, stride) = encode_pixels(&scene, format, alpha, padding);
                let what = format!("{} {alpha:?} {width}x{height}", format.name);
                let out = Pack::new("image/gif", 100)
                    .run(width, height, format, alpha, &bytes, stride)
                    .expect(&what);
                let got = decode(&out);
                let mut squares = 0.0;
                for (pixel, wanted) in got.pixels().zip(scene.seen_through(format, alpha)) {
                    // One bit of alpha: half is opaque.
                    assert!((f64::from(pixel.0[3]) / 255.0 - wanted[3]).abs() < 0.51, "{what}");
                    if pixel.0[3] == 255 {
                        squares +=
                            (0..3).map(|c| (f64::from(pixel.0[c]) / 255.0 - wanted[c]).powi(2)).sum::<f64>();
                    }
                }
                let psnr = -10.0 * (squares / f64::from(width * height * 3)).max(1e-12).log10();
                assert!(psnr > 35.0, "{what}: {psnr:.1} dB");
            }
        }
    }
}

#[test]
fn settings_do_what_they_say() {
    let scene = Scene::new(64, 48);
    let (mut bytes, _) = encode_pixels(&scene, rgba(), Alpha::Straight, 0);
    bytes.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
    let with = |settings: &[(&str, &str)]| {
        pack(&Pack { settings, ..Pack::new("image/gif", 100) }, 64, &bytes).unwrap()
    };
    let distinct = |gif: &[u8]| {
        let mut colors: Vec<_> = decode(gif).pixels().map(|pixel| pixel.0).collect();
        colors.sort_unstable();
        colors.dedup();
        colors.len()
    };
    assert!(distinct(&with(&[("gif.colors", "2")])) <= 2);
    let few = distinct(&with(&[("gif.colors", "16")]));
    assert!((3..=16).contains(&few), "{few}");
    let exact = with(&[]);
    let lossy = with(&[("gif.lossy", "100")]);
    assert!(lossy.len() * 10 < exact.len() * 9, "{} and {} bytes", lossy.len(), exact.len());
    let kinds =
        ["none", "ordered", "diffusion"].map(|kind| with(&[("gif.dither", kind), ("gif.colors", "16")]));
    assert!(kinds[0] != kinds[1] && kinds[1] != kinds[2] && kinds[0] != kinds[2]);
    assert!(kinds[0].len() < kinds[1].len() && kinds[0].len() < kinds[2].len());
}

/// Frames of an animation and how they were asked for.
struct Film {
    width: u32,
    canvases: Vec<Vec<[u8; 4]>>,
    delays: Vec<u16>,
    disposals: Vec<Disposal>,
    loops: u16,
}

impl Film {
    /// Frames of 100 ms that stay.
    fn new(width: u32, canvases: Vec<Vec<[u8; 4]>>) -> Self {
        let count = canvases.len();
        Self { width, canvases, delays: vec![10; count], disposals: vec![Disposal::Keep; count], loops: 0 }
    }

    fn pack(&self, options: &Options, threads: usize) -> Vec<u8> {
        let height = self.canvases[0].len() as u32 / self.width;
        let frames = Some(self.canvases.len() as u32);
        let options = Arc::new(options.clone());
        let animation = Animation {
            width: self.width,
            height,
            loops: self.loops,
            frames,
            streamed: false,
            options,
            icc: None,
            metadata: Metadata::default(),
        };
        let mut gif = (codec::find("image/gif").unwrap().animate)().unwrap()(animation).unwrap();
        let (pool, control, mut out) = (Pool::new(threads), Control::default(), Buffer::default());
        let work = Work { pool: &pool, control: &control };
        for (index, canvas) in self.canvases.iter().enumerate() {
            let area = Rect { x: 0, y: 0, width: self.width, height };
            let delay = Delay::centis(self.delays[index].into());
            let frame = Frame { canvas, area, delay, disposal: self.disposals[index] };
            gif.frame(&frame, work, &mut out).unwrap();
        }
        gif.finish(work, &mut out).unwrap();
        out.as_slice().to_vec()
    }
}

/// What is seen, frame by frame.
fn seen(bytes: &[u8]) -> Vec<Vec<[u8; 4]>> {
    let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes)).expect("a GIF");
    let frames = decoder.into_frames().map(|frame| frame.expect("a frame").into_buffer());
    frames
        .map(|image| image.pixels().map(|pixel| if pixel.0[3] == 0 { [0; 4] } else { pixel.0 }).collect())
        .collect()
}

/// The frames as they are stored.
fn stored(bytes: &[u8]) -> (gif::Repeat, Vec<gif::Frame<'static>>) {
    let mut decoder = gif::DecodeOptions::new().read_info(bytes).expect("a GIF");
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().expect("a frame") {
        frames.push(frame.clone());
    }
    (decoder.repeat(), frames)
}

fn random(state: &mut u32, most: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 16) % most
}

const DISPOSALS: [Disposal; 4] = [Disposal::Unspecified, Disposal::Keep, Disposal::Clear, Disposal::Restore];

#[test]
fn any_canvas_may_follow_any_other() {
    let mut state = 7;
    for round in 0..60 {
        let (width, height) = (1 + random(&mut state, 9), 1 + random(&mut state, 9));
        let mut canvas = vec![[0; 4]; (width * height) as usize];
        let mut film = Film::new(width, Vec::new());
        for _ in 0..10 {
            // Little or much changes, and pixels may become transparent.
            let changes = random(&mut state, [2, 5, width * height][round % 3]);
            for _ in 0..changes {
                let at = random(&mut state, width * height) as usize;
                let color = random(&mut state, 4) as u8;
                canvas[at] = if color == 0 { [0; 4] } else { [color * 80, 0, 255 - color, 255] };
            }
            film.canvases.push(canvas.clone());
            film.delays.push(10);
            film.disposals.push(DISPOSALS[random(&mut state, 4) as usize]);
        }
        let out = film.pack(&Options::new("image/gif", 100).unwrap(), 2);
        assert!(seen(&out) == film.canvases, "round {round}");
    }
}

#[test]
fn delays_disposals_and_loops_are_read_back() {
    let canvas = |shade: u8| vec![[shade, 9, 9, 255]; 60];
    let mut film = Film::new(10, (0..8).map(|shade| canvas(shade * 30)).collect());
    film.delays = vec![1, 2, 3, 100, 65535, 0, 7, 8];
    film.disposals = [DISPOSALS, DISPOSALS].concat();
    for loops in [0, 1, 65535] {
        film.loops = loops;
        let out = film.pack(&Options::new("image/gif", 90).unwrap(), 1);
        let (repeat, frames) = stored(&out);
        let wanted = if loops == 0 { gif::Repeat::Infinite } else { gif::Repeat::Finite(loops) };
        assert_eq!(repeat, wanted);
        assert_eq!(frames.iter().map(|frame| frame.delay).collect::<Vec<_>>(), film.delays);
        let disposals: Vec<_> = frames.iter().map(|frame| frame.dispose as u8).collect();
        assert_eq!(disposals, [0, 1, 2, 3, 0, 1, 2, 3]);
        assert!(seen(&out) == film.canvases);
    }
}

/// Grain of thousands of colours, and a square that moves over it.
fn grainy(frame: usize, width: usize) -> Vec<[u8; 4]> {
    let (mut state, mut canvas) = (1, Vec::new());
    for at in 0..width * width {
        let grain = random(&mut state, 32) as usize;
        let (x, y) = (at % width, at / width);
        let square = (frame * 5..frame * 5 + 8).contains(&x) && (20..28).contains(&y);
        let shade = |v: usize| (v * 200 / width + grain) as u8;
        canvas.push(if square {
            [255, 0, 0, 255]
        } else {
            [shade(x), shade(y), shade(2 * width - x - y), 255]
        });
    }
    canvas
}

#[test]
fn what_stands_still_does_not_flicker() {
    let film = Film::new(96, (0..8).map(|frame| grainy(frame, 96)).collect());
    for quality in [100, 80] {
        let out = film.pack(&Options::new("image/gif", quality).unwrap(), 1);
        let frames = seen(&out);
        for index in 1..film.canvases.len() {
            let pair = film.canvases[index - 1].iter().zip(&film.canvases[index]);
            let shown = frames[index - 1].iter().zip(&frames[index]);
            assert!(pair.zip(shown).all(|((a, b), (c, d))| a != b || c == d), "frame {index}");
        }
        let (_, stored) = stored(&out);
        assert!(stored[1..].iter().all(|frame| frame.width <= 13 && frame.height == 8));
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let film = Film::new(64, (0..11).map(|frame| grainy(3 * frame % 11, 64)).collect());
    let options = Options::new("image/gif", 85).unwrap();
    let one = film.pack(&options, 1);
    assert!([2, 3, 16].iter().all(|&threads| film.pack(&options, threads) == one));
}

#[test]
fn nothing_new_costs_next_to_nothing() {
    let few: Vec<[u8; 4]> = (0..5000).map(|i| [(i / 40) as u8, 0, 0, 255]).collect();
    for canvas in [few, grainy(0, 100)] {
        let film = |count| Film::new(100, vec![canvas.clone(); count]);
        let options = Options::new("image/gif", 100).unwrap();
        let (one, many) = (film(1).pack(&options, 1), film(101).pack(&options, 1));
        let (_, frames) = stored(&many);
        assert_eq!(frames.len(), 101);
        assert!(many.len() <= one.len() + 100 * 32, "{} and {} bytes", one.len(), many.len());
    }
}

#[test]
fn lossless_animations_are_exact() {
    let mut options = Options::new("image/gif", 0).unwrap();
    options.lossless = true;
    // 200 colours in each frame, other ones every time.
    let canvas = |frame: usize| -> Vec<[u8; 4]> {
        (0..2000).map(|i| [(i % 200) as u8, (frame * 20) as u8, 0, 255]).collect()
    };
    let film = Film::new(50, (0..9).map(canvas).collect());
    assert!(seen(&film.pack(&options, 2)) == film.canvases);
}
