//! Animations, decoded by another library and compared pixel by pixel and delay by delay.

use std::{sync::Arc, time::Duration};

use image::AnimationDecoder;

use super::*;
use crate::{
    codec::animation::{Delay, Disposal},
    model::{metadata::Metadata, options::Options},
    pack::{control::Control, pool::Pool},
};

const SIZE: (u32, u32) = (61, 43);

type Canvas = Vec<[u8; 4]>;

/// A canvas whose pixels a function makes.
fn paint(pixel: impl Fn(u32, u32) -> [u8; 4]) -> Canvas {
    (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
}

fn noise(x: u32, y: u32, seed: u32) -> u8 {
    let n = (x + 977 * y + 7919 * seed).wrapping_mul(0x9e37_79b1);
    ((n ^ n >> 15).wrapping_mul(0x85eb_ca6b) >> 24) as u8
}

fn encode(frames: &[(Canvas, u32)], effort: i32, threads: usize) -> Vec<u8> {
    let mut options = Options::new("image/png", 100).unwrap();
    options.set_effort(effort).unwrap();
    let (width, height) = SIZE;
    let mut encoder = animate(Animation {
        width,
        height,
        loops: 3,
        frames: None,
        streamed: false,
        options: Arc::new(options),
        icc: None,
        metadata: Metadata::default(),
    })
    .unwrap();
    let (pool, control) = (Pool::new(threads), Control::default());
    let work = Work { pool: &pool, control: &control };
    let mut out = Buffer::default();
    for (canvas, millis) in frames {
        let area = Rect { x: 0, y: 0, width, height };
        let frame = Frame { canvas, area, delay: Delay::millis(*millis), disposal: Disposal::Keep };
        encoder.frame(&frame, work, &mut out).unwrap();
    }
    encoder.finish(work, &mut out).unwrap();
    out.as_slice().to_vec()
}

/// What another decoder shows, with times in milliseconds; equal frames in a row as one.
fn decode(png: &[u8]) -> Vec<(Canvas, u32)> {
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(png)).unwrap();
    let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    let shown = frames.into_iter().map(|frame| {
        let delay = Duration::from(frame.delay()).as_millis() as u32;
        (frame.into_buffer().pixels().map(|pixel| pixel.0).collect(), delay)
    });
    merged(shown)
}

fn merged(frames: impl IntoIterator<Item = (Canvas, u32)>) -> Vec<(Canvas, u32)> {
    let mut out: Vec<(Canvas, u32)> = Vec::new();
    for (canvas, delay) in frames {
        match out.last_mut() {
            Some(last) if last.0 == canvas => last.1 += delay,
            _ => out.push((canvas, delay)),
        }
    }
    out
}

/// Every effort and number of threads shows these frames; answers the colour type at the default effort.
fn check(what: &str, frames: &[(Canvas, u32)]) -> u8 {
    let mut color = 0;
    for effort in [1, 2, 3, 5, 7, 9] {
        let png = encode(frames, effort, 1);
        assert!(decode(&png) == merged(frames.to_vec()), "{what}, effort {effort}");
        if effort == 5 {
            color = png[25];
            assert!(png == encode(frames, effort, 3), "{what}: other bytes with more threads");
        }
    }
    color
}

const BACK: [u8; 4] = [250, 240, 230, 255];

/// A square of 9 pixels that moves over a background.
fn square(at: u32, color: [u8; 4], back: impl Fn(u32, u32) -> [u8; 4]) -> Canvas {
    paint(|x, y| if x.wrapping_sub(at) < 9 && y.wrapping_sub(at / 2) < 9 { color } else { back(x, y) })
}

#[test]
fn few_colours_are_indexed() {
    let frames: Vec<_> =
        (0..12).map(|k| (square(3 * k, [200, 0, 10 * k as u8, 255], |_, _| BACK), 40)).collect();
    assert_eq!(check("few colours", &frames), 3);
}

#[test]
fn many_colours_are_rgb_and_only_what_moves_is_drawn() {
    let back = |x, y| [noise(x, y, 1), noise(x, y, 2), noise(x, y, 3), 255];
    let frames: Vec<_> = (0..12).map(|k| (square(3 * k, [0, 0, 255, 255], back), 40)).collect();
    assert_eq!(check("many colours", &frames), 2);
    let (one, all) = (encode(&frames[..1], 5, 1).len(), encode(&frames, 5, 1).len());
    assert!(all < 2 * one, "{all} bytes for all frames, {one} for the first");
}

#[test]
fn alpha_of_every_degree_comes_and_goes() {
    let clear = |_, _| [0; 4];
    let veil = |x, y| [noise(x, y, 4), 10, 200, noise(x, y, 5)];
    let mut frames: Vec<_> = (0..6).map(|k| (square(6 * k, [9, 9, 9, 255], clear), 40)).collect();
    frames.extend((0..6).map(|k| (square(6 * k, [9, 9, 9, 128], veil), 40)));
    frames.push((paint(clear), 100));
    assert_eq!(check("alpha", &frames), 6);
}

#[test]
fn what_has_been_written_is_widened_when_a_frame_needs_it() {
    let flat = |k: u32| (square(6 * k, [1, 2, 3, 255], |_, _| BACK), 40);
    let colourful = (paint(|x, y| [noise(x, y, 1), noise(x, y, 2), noise(x, y, 3), 255]), 40);
    // The colour that stands for transparency in the first of these files, as a colour of its own in the next.
    let key = (square(20, [KEY_RED, KEY_GREEN, 0, 255], |_, _| BACK), 40);
    let glass = (square(9, [1, 2, 3, 77], |_, _| BACK), 40);
    let indexed = [flat(1), flat(2), flat(1), glass.clone()];
    assert_eq!(check("a palette that grows", &indexed), 3);
    assert_eq!(check("a palette that overflows", &[flat(1), flat(2), colourful.clone(), flat(3)]), 2);
    let with_key = [flat(1), flat(2), colourful.clone(), key.clone(), flat(3)];
    assert_eq!(check("the colour of the key", &with_key), 6);
    assert_eq!(check("the key is known", &[flat(1), key, colourful.clone(), flat(3)]), 2);
    assert_eq!(check("glass in a palette", &[glass.clone(), flat(2), colourful.clone()]), 6);
    assert_eq!(check("colours, then glass", &[colourful, flat(1), glass, flat(2)]), 6);
}

const KEY_RED: u8 = 1;
const KEY_GREEN: u8 = 254;

#[test]
fn a_visitor_that_leaves_costs_little() {
    // The background comes back: restoring it takes no bytes at all.
    let back = |x, y| [noise(x, y, 1), noise(x, y, 2), noise(x, y, 3), 255];
    let visitor = (paint(|x, y| if x > 20 && y > 10 { [7, 7, 7, 255] } else { back(x, y) }), 40);
    let frames = [(paint(back), 40), (paint(|_, y| [y as u8, 0, 0, 255]), 40), (paint(back), 40)];
    check("two scenes", &frames);
    let frames = [(paint(|_, _| BACK), 40), (paint(back), 40), visitor, (paint(back), 40)];
    check("a visitor", &frames);
    let (short, long) = (encode(&frames[..3], 5, 1).len(), encode(&frames, 5, 1).len());
    assert!(long < short + 200, "{long} bytes, and {short} without the way back");
}

#[test]
fn equal_frames_become_one_that_stays_longer() {
    let frame = (square(5, [1, 2, 3, 255], |_, _| BACK), 30_000);
    let mut frames = vec![frame; 3];
    frames[1].1 = 1;
    let png = encode(&frames, 5, 1);
    // acTL: one frame, since 60.001 s is a delay that 16 bits can say, and three plays.
    let at = png.windows(4).position(|name| name == b"acTL").unwrap() + 4;
    assert_eq!(png[at..at + 8], [0, 0, 0, 1, 0, 0, 0, 3]);
    check("equal frames", &frames);
    frames.push((square(5, [1, 2, 3, 255], |_, _| BACK), 30_000));
    let png = encode(&frames, 5, 1);
    assert_eq!(png[at..at + 4], [0, 0, 0, 2]);
    check("equal frames of more than a delay", &frames);
}

#[test]
fn what_others_get_wrong_is_not_written() {
    let noisy = |x, y| [noise(x, y, 1), noise(x, y, 2), noise(x, y, 3), 255];
    // Single pixels of `color` here and there, which are best drawn over what is there.
    let dots = |color: [u8; 4], back: &dyn Fn(u32, u32) -> [u8; 4]| {
        paint(|x, y| if noise(x, y, 9) < 9 { color } else { back(x, y) })
    };
    let clear = |_, _| [0; 4];
    let glass = |x: u32, _| if x < 40 { [0; 4] } else { [9, 9, 9, 128] };
    let scenes = [
        [paint(noisy), dots([7, 7, 7, 255], &noisy), paint(noisy)],
        [dots([1, 1, 1, 255], &clear), dots([7, 7, 7, 255], &clear), paint(clear)],
        [paint(glass), dots([7, 7, 7, 128], &glass), paint(glass)],
    ];
    for (scene, frames) in scenes.iter().enumerate() {
        let frames: Vec<_> = [&frames[0], &frames[1], &frames[0], &frames[2], &frames[1]]
            .map(|frame| (frame.clone(), 40))
            .to_vec();
        check("dots", &frames);
        for effort in [1, 3, 5, 7, 9] {
            let png = encode(&frames, effort, 1);
            let controls = png.windows(4).enumerate().filter(|(_, name)| *name == b"fcTL");
            for (at, _) in controls {
                let [dispose, over] = [png[at + 28], png[at + 29]];
                assert!(dispose == 0 || over == 0, "scene {scene}, effort {effort}");
                assert!(scene < 2 || over == 0, "half transparent over others, effort {effort}");
            }
        }
    }
}
