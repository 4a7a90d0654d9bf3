//! `score STRIP.png HEIGHT ANIMATION`: mean and lowest SSIMULACRA2 of the decoded frames and their number, as JSON. The
//! strip has the original frames one below the other. A frame that is missing because the one before stays is scored
//! as that one, by the time at which it would be seen, if all originals are shown equally long.

use image::{AnimationDecoder, Frame, RgbImage, RgbaImage, imageops};

#[path = "../quality.rs"]
#[allow(dead_code)]
mod quality;

fn frames(path: &str) -> Vec<Frame> {
    let bytes = std::fs::read(path).expect("an animation");
    let reader = std::io::Cursor::new(&bytes);
    let frames = match image::guess_format(&bytes).expect("a format") {
        image::ImageFormat::Gif => image::codecs::gif::GifDecoder::new(reader).unwrap().into_frames(),
        image::ImageFormat::WebP => image::codecs::webp::WebPDecoder::new(reader).unwrap().into_frames(),
        _ => image::codecs::png::PngDecoder::new(reader).unwrap().apng().unwrap().into_frames(),
    };
    frames.collect_frames().expect("frames")
}

/// What is seen, on black.
fn flat(image: &RgbaImage) -> RgbImage {
    let mut flat = RgbImage::new(image.width(), image.height());
    for (to, from) in flat.pixels_mut().zip(image.pixels()) {
        to.0 = [0, 1, 2].map(|c| (u32::from(from.0[c]) * u32::from(from.0[3]) / 255) as u8);
    }
    flat
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, strip, height, animation] = &args[..] else { panic!("score STRIP.png HEIGHT ANIMATION") };
    let mut reader = image::ImageReader::open(strip).expect("the strip");
    reader.no_limits();
    let strip = reader.decode().expect("an image").to_rgb8();
    let height: u32 = height.parse().expect("a number");
    let count = strip.height() / height;
    let frames = frames(animation);
    let time = |frame: &Frame| {
        let (num, den) = frame.delay().numer_denom_ms();
        f64::from(num) / f64::from(den)
    };
    let total: f64 = frames.iter().map(time).sum();
    let (mut scores, mut shown, mut end) = (Vec::new(), 0, time(&frames[0]));
    for index in 0..count {
        let middle = total * (f64::from(index) + 0.5) / f64::from(count);
        while end < middle && shown + 1 < frames.len() {
            shown += 1;
            end += time(&frames[shown]);
        }
        let original = imageops::crop_imm(&strip, 0, index * height, strip.width(), height).to_image();
        scores.push(quality::compare(&original, &flat(frames[shown].buffer())));
    }
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
    println!("[{mean:.3}, {lowest:.3}, {}]", frames.len());
}
