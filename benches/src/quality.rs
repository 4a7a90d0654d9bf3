//! Bytes at equal SSIMULACRA2.

use image::RgbImage;
use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

fn floats(image: &RgbImage) -> Rgb {
    let data = image.pixels().map(|p| p.0.map(|v| f32::from(v) / 255.0)).collect();
    let (width, height) = (image.width() as usize, image.height() as usize);
    Rgb::new(data, width, height, TransferCharacteristic::SRGB, ColorPrimaries::BT709).expect("image")
}

/// SSIMULACRA2 of an encoded image against its original; 100 is the same.
pub fn score(original: &RgbImage, encoded: &[u8]) -> f64 {
    compare(original, &image::load_from_memory(encoded).expect("decodable").to_rgb8())
}

/// SSIMULACRA2 of an image against its original.
pub fn compare(original: &RgbImage, decoded: &RgbImage) -> f64 {
    compute_frame_ssimulacra2(floats(original), floats(decoded)).expect("scored")
}

/// Bytes at `target` on a curve of (score, bytes), linear in log bytes; none outside the curve.
pub fn bytes_at(curve: &[(f64, usize)], target: f64) -> Option<f64> {
    let mut curve = curve.to_vec();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    curve.windows(2).find(|pair| pair[0].0 <= target && target <= pair[1].0).map(|pair| {
        let [(s0, b0), (s1, b1)] = [pair[0], pair[1]].map(|(s, b)| (s, (b as f64).ln()));
        (b0 + (b1 - b0) * (target - s0) / (s1 - s0).max(1e-9)).exp()
    })
}
