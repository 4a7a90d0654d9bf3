//! How frames of an animated WebP are coded.

use super::*;

const SIZE: u32 = 64;

/// A soft pattern, and a square that moves over it. `shift` is added to every component.
fn scene(square: u32, shift: u32) -> Vec<[u8; 4]> {
    let inside = |x: u32, y: u32| x.wrapping_sub(square) < 12 && y.wrapping_sub(20) < 12;
    (0..SIZE * SIZE)
        .map(|i| match (i % SIZE, i / SIZE) {
            (x, y) if inside(x, y) => [200, 60, 40, 255],
            (x, y) => [(40 + x + shift) as u8, (60 + y + shift) as u8, (90 + x / 2 + shift) as u8, 255],
        })
        .collect()
}

fn maps(scenes: &[Vec<[u8; 4]>]) -> Vec<Map> {
    let one = |scene: &Vec<_>| map(SIZE, SIZE, IMAGE_PIXEL_FORMAT_RGBA_8888, scene.as_flattened());
    scenes.iter().map(one).collect()
}

fn off(a: &[[u8; 4]], b: &[[u8; 4]]) -> f64 {
    let sum: u32 =
        a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / (a.len() * 3) as f64
}

/// Place and size, milliseconds and flags of every frame.
fn frames(file: &[u8]) -> Vec<([u32; 4], u32, u8)> {
    let (mut at, mut frames) = (12, Vec::new());
    while at + 8 <= file.len() {
        let size = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
        if &file[at..at + 4] == b"ANMF" {
            let field = |i: usize| {
                let bytes = &file[at + 8 + 3 * i..][..3];
                u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
            };
            let place = [2 * field(0), 2 * field(1), field(2) + 1, field(3) + 1];
            frames.push((place, field(4), file[at + 8 + 15]));
        }
        at += 8 + size.next_multiple_of(2);
    }
    assert_eq!(at, file.len());
    frames
}

#[test]
fn what_changes_slowly_is_followed() {
    // No step can be seen, the sum of them can.
    let scenes: Vec<_> = (0..16).map(|time| scene(8, 2 * time)).collect();
    let options = options(c"image/webp", 16);
    ok(image_sequence_options_set_quality(options.0, 75));
    let (.., seen) = decode(&pack(&maps(&scenes), &options));
    assert!(seen.len() < 16, "{} frames", seen.len());
    let off = off(&seen.last().unwrap().canvas, &scenes[15]);
    assert!(off < 8.0, "the last frame is off by {off}");
}

#[test]
fn only_what_changes_is_drawn() {
    let scenes: Vec<_> = [8, 8, 8, 11].map(|square| scene(square, 0)).into();
    let options = exact(c"image/webp", 4);
    ok(image_sequence_options_set_delay_times(options.0, [3, 4, 5, 6].as_ptr(), 4));
    let file = pack(&maps(&scenes), &options);
    // The square moves from 8 to 11: the part starts at an even number, and is drawn over what is there.
    assert_eq!(frames(&file), [([0, 0, SIZE, SIZE], 120, 2), ([8, 20, 15, 12], 60, 0)]);
    let (.., seen) = decode(&file);
    assert!(seen[0].canvas == scenes[0] && seen[1].canvas == scenes[3]);
    // The longest time is no limit for a picture that stays.
    let many: Vec<_> = (0..30).map(|_| scene(8, 0)).collect();
    let options = exact(c"image/webp", 30);
    ok(image_sequence_options_set_delay_times(options.0, [65535].as_ptr(), 1));
    let held = frames(&pack(&maps(&many), &options));
    assert_eq!(held.iter().map(|frame| u64::from(frame.1)).sum::<u64>(), 30 * 655_350);
    assert_eq!((held.len(), held[1].0), (2, [0, 0, 1, 1]));
}

#[test]
fn settings_of_animations_do_what_they_say() {
    let scenes: Vec<_> = (0..9).map(|time| scene(8 + 3 * time, 0)).collect();
    let maps = maps(&scenes);
    let with = |lossless: bool, settings: &[(&CStr, &CStr)]| {
        let options = options(c"image/webp", 9);
        ok(image_sequence_options_set_lossless(options.0, lossless));
        for (name, value) in settings {
            ok(image_sequence_options_set(options.0, name.as_ptr(), value.as_ptr()));
        }
        pack(&maps, &options)
    };
    let keyed = with(true, &[(c"webp.key_frames", c"4")]);
    let whole = |file: &[u8]| -> Vec<usize> {
        let frames = frames(file);
        let whole = |&i: &usize| frames[i].0 == [0, 0, SIZE, SIZE] && frames[i].2 == 2;
        (0..frames.len()).filter(whole).collect()
    };
    assert_eq!((whole(&keyed), whole(&with(true, &[]))), (vec![0, 4, 8], vec![0]));
    let (.., seen) = decode(&keyed);
    assert!(seen.iter().zip(&scenes).all(|(seen, scene)| seen.canvas == *scene));
    for lossless in [true, false] {
        let plain = with(lossless, &[]).len();
        let thorough = with(lossless, &[(c"webp.minimize_size", c"1"), (c"webp.mixed", c"1")]);
        assert!(thorough.len() <= plain, "{} bytes, {plain} without", thorough.len());
        let (.., seen) = decode(&thorough);
        let most = if lossless { 0.0 } else { 4.0 };
        let worst =
            seen.iter().zip(&scenes).map(|(seen, scene)| off(&seen.canvas, scene)).fold(0.0, f64::max);
        assert!(worst <= most, "off by {worst}");
    }
}

/// Whether the lossless image of every frame has alpha.
fn with_alpha(file: &[u8]) -> Vec<bool> {
    let starts = file.windows(4).enumerate().filter(|(_, name)| name == b"ANMF");
    starts
        .map(|(at, _)| {
            let image = &file[at + 24..];
            assert!(image.starts_with(b"VP8L") && image[8] == 0x2f);
            image[12] & 0x10 != 0
        })
        .collect()
}

#[test]
fn of_noise_only_what_fills_whole_tiles_stays() {
    let noise = |x: u32, y: u32, time: u32| {
        let mut hash = (x ^ (y << 8) ^ (time << 16)).wrapping_mul(0x9e37_79b1);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x85eb_ca6b);
        let [r, g, b, _] = (hash ^ (hash >> 13)).to_be_bytes();
        [r, g, b, 255]
    };
    // A block of this size stays at this place.
    let scenes = |at: u32, side: u32| -> Vec<Vec<[u8; 4]>> {
        let stays = move |x: u32, y: u32| x.wrapping_sub(at) < side && y.wrapping_sub(at) < side;
        let pixel = move |i: u32, time| match (i % SIZE, i / SIZE) {
            (x, y) if stays(x, y) => noise(x, y, 0),
            (x, y) => noise(x, y, time),
        };
        (0..2).map(|time| (0..SIZE * SIZE).map(|i| pixel(i, time)).collect()).collect()
    };
    for (at, side, alpha) in [(8, 8, false), (32, 32, true)] {
        let scenes = scenes(at, side);
        let file = pack(&maps(&scenes), &exact(c"image/webp", 2));
        assert_eq!(with_alpha(&file), [false, alpha], "a block of {side}");
        let (.., seen) = decode(&file);
        assert!(seen.iter().zip(&scenes).all(|(seen, scene)| seen.canvas == *scene));
    }
}
