//! What is encoded: photographs and a screenshot, at the sizes that are compared.

use std::path::Path;

use image::{RgbImage, RgbaImage, imageops};

/// The images of a run.
pub struct Images {
    /// About 12 megapixels.
    pub large: RgbImage,
    /// 1920 x 1080.
    pub photo: RgbImage,
    /// 512 x 512.
    pub small: RgbImage,
    /// 1920 x 1080 with alpha.
    pub shot: RgbaImage,
    /// Where they come from, for the report.
    pub about: String,
}

impl Images {
    /// From a folder with photo1080.png, photo512.png and shot1080.png.
    pub fn from_corpus(folder: &Path) -> Self {
        let open = |name: &str| {
            image::open(folder.join(name)).unwrap_or_else(|e| panic!("{}: {e}", folder.join(name).display()))
        };
        let photo = open("photo1080.png").to_rgb8();
        // 4096 x 2304 is 9.4 MP, 4608 x 2592 is 11.9 MP.
        let large = imageops::resize(&photo, 4608, 2592, imageops::FilterType::Lanczos3);
        Self {
            large,
            photo,
            small: open("photo512.png").to_rgb8(),
            shot: open("shot1080.png").to_rgba8(),
            about: "photo1080 (also scaled to 4608 x 2592 by Lanczos), photo512, shot1080".into(),
        }
    }

    /// From the one photograph that the project ships: mirrored copies side by side, and a drawn screenshot.
    pub fn from_photo(path: &Path) -> Self {
        let small = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8();
        Self {
            large: tile(&small, 4608, 2592),
            photo: tile(&small, 1920, 1080),
            shot: screenshot(&small),
            small,
            about: "the shipped photograph, tiled by mirrored copies to 1920 x 1080 and 4608 x 2592, and a drawn screenshot".into(),
        }
    }
}

fn tile(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let fold = |x: u32, n: u32| if (x / n) % 2 == 0 { x % n } else { n - 1 - x % n };
    RgbImage::from_fn(width, height, |x, y| *image.get_pixel(fold(x, image.width()), fold(y, image.height())))
}

/// Windows with text-like strokes, shadows with real alpha, and a photograph in one of them.
fn screenshot(photo: &RgbImage) -> RgbaImage {
    let mut shot = RgbaImage::from_pixel(1920, 1080, image::Rgba([0, 0, 0, 0]));
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    for (left, top, width, height) in [(40u32, 40u32, 1100u32, 700u32), (600, 300, 1240, 720)] {
        for y in top..(top + height + 24).min(1080) {
            for x in left..(left + width + 24).min(1920) {
                let inside = x < left + width && y < top + height;
                let depth = (x + y).saturating_sub(left + top + width.min(height)) % 24;
                let shade = image::Rgba([20, 20, 24, (96 - depth * 4) as u8]);
                shot.put_pixel(x, y, if inside { image::Rgba([250, 250, 248, 255]) } else { shade });
            }
        }
        for line in 0..(height - 80) / 18 {
            let mut x = left + 20;
            while x + 10 < left + width * 2 / 3 {
                if random() % 6 != 0 {
                    for stroke in 0..3 {
                        let (dx, long) = (random() % 6, random() % 10);
                        for dy in 0..=long {
                            let gray = (40 + 30 * stroke) as u8;
                            shot.put_pixel(
                                x + dx,
                                top + 50 + line * 18 + dy,
                                image::Rgba([gray, gray, gray, 255]),
                            );
                        }
                    }
                }
                x += 8;
            }
        }
    }
    for (x, y, pixel) in photo.enumerate_pixels().filter(|(x, y, _)| *x < 400 && *y < 400) {
        let [r, g, b] = pixel.0;
        shot.put_pixel(1400 + x, 400 + y, image::Rgba([r, g, b, 255]));
    }
    shot
}

/// RGB with a fourth byte.
pub fn rgba(image: &RgbImage) -> Vec<u8> {
    image.pixels().flat_map(|p| [p[0], p[1], p[2], 255]).collect()
}

/// A half float of a number from 0 on, rounded down.
pub fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let exponent = (bits >> 23).saturating_sub(112);
    if exponent == 0 { 0 } else { (exponent << 10 | bits >> 13 & 0x3ff) as u16 }
}

/// BT.601 full-range NV12 (sides even).
pub fn nv12(image: &RgbImage) -> Vec<u8> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut out = vec![0u8; width * height * 3 / 2];
    let ycc = |x: usize, y: usize| {
        let [r, g, b] = image.get_pixel(x as u32, y as u32).0.map(f32::from);
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        [luma, (b - luma) / 1.772 + 128.0, (r - luma) / 1.402 + 128.0]
    };
    for y in 0..height {
        for x in 0..width {
            out[y * width + x] = ycc(x, y)[0].round() as u8;
        }
    }
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            for c in 0..2 {
                let sum: f32 = [(0, 0), (1, 0), (0, 1), (1, 1)]
                    .iter()
                    .map(|(i, j)| ycc(2 * x + i, 2 * y + j)[c + 1])
                    .sum();
                out[width * height + y * width + 2 * x + c] = (sum / 4.0).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    out
}
