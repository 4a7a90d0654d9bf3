//! The content light level of an image, as CTA-861.3 (Annex P) defines it.

use std::sync::{Mutex, PoisonError};

use super::{
    BAND,
    kernels::Kernels,
    reader::{Reader, Work},
    tables::Decoder,
    transfer::WHITE,
};
use crate::{
    error::{Result, try_vec},
    model::{color::Cicp, pixelmap::Pixels},
    pack::{control::Control, pool::Pool},
    pixels::{convert::TILE, space::linear_to_d50},
};

/// Nits of the brightest component of the brightest pixel, and the average of all pixels' brightest components, in
/// these primaries: MaxCLL and MaxFALL of a still image. Every pixel counts; numbers below half a nit are 0, which is
/// "unknown".
pub fn level(
    pixels: &Pixels,
    cicp: Cicp,
    primaries: u8,
    linear_white: f64,
    pool: &Pool,
    control: &Control,
) -> Result<[u16; 2]> {
    let decoder = Decoder::new(cicp, &linear_to_d50(primaries)?, linear_white)?;
    let reader = Reader::new(pixels, cicp, decoder, Kernels::best(), None)?;
    let (width, height) = (pixels.width() as usize, pixels.height());
    // By bands, so that the sum does not depend on threads.
    let mut found: Vec<(f32, f64)> = try_vec((height as usize).div_ceil(BAND), "light of bands")?;
    let bands: Vec<_> = found.iter_mut().map(Mutex::new).collect();
    pool.for_each(bands.len(), &|index| {
        let mut work = Work::new()?;
        let (mut most, mut sum) = (0f32, 0f64);
        let first = (index * BAND) as u32;
        for y in first..(first + BAND as u32).min(height) {
            for x in (0..width).step_by(TILE) {
                let n = TILE.min(width - x);
                reader.read(y, x, n, &mut work);
                let [r, g, b] = &work.light;
                for i in 0..n {
                    let largest = r[i].max(g[i]).max(b[i]).max(0.0);
                    most = most.max(largest);
                    sum += f64::from(largest);
                }
            }
        }
        **bands[index].lock().unwrap_or_else(PoisonError::into_inner) = (most, sum);
        control.checkpoint(0, 1)
    })?;
    drop(bands);
    let most = found.iter().fold(0f32, |most, band| most.max(band.0));
    let sum: f64 = found.iter().map(|band| band.1).sum();
    let count = f64::from(pixels.width()) * f64::from(height);
    // Numbers above the largest become that.
    Ok([f64::from(most), sum / count].map(|light| (light * WHITE).round() as u16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::pixel_format::PixelFormat, pixels::hdr::transfer::nits_to_pq};

    fn level_of(pixels: &Pixels, transfer: u8, primaries: u8, threads: usize) -> [u16; 2] {
        let cicp = Cicp { primaries: 9, transfer, matrix: 0, full_range: true };
        level(pixels, cicp, primaries, 203.0, &Pool::new(threads), &Control::default()).unwrap()
    }

    #[test]
    fn one_bright_pixel_is_found_and_all_are_averaged() {
        // Blue of 100 nits but for one pixel, whose green has 4000.
        let [blue, green] = [100.0, 4000.0].map(|nits| (nits_to_pq(nits) * 65535.0).round() as u16);
        let mut codes = [0, 0, blue].repeat(67 * 70);
        codes[3 * (67 * 41 + 13) + 1] = green;
        let bytes = codes.into_iter().flat_map(u16::to_ne_bytes).collect();
        let pixels = Pixels::from_vec(67, 70, PixelFormat::Rgb161616, bytes).unwrap();
        for threads in [1, 3] {
            assert_eq!(level_of(&pixels, 16, 9, threads), [4000, 101]);
        }
        // BT.2020's green has 1.0758 of Display P3's.
        let [most, _] = level_of(&pixels, 16, 12, 1);
        assert!(most.abs_diff(4303) <= 2, "{most}");
    }

    #[test]
    fn what_is_no_light_of_a_display_is_the_largest_number_or_none() {
        let floats = |values: [f32; 3]| {
            let values = [values[0], values[1], values[2], 1.0];
            let bytes = values.into_iter().flat_map(f32::to_ne_bytes).collect();
            level_of(&Pixels::from_vec(1, 1, PixelFormat::RgbaF32, bytes).unwrap(), 8, 9, 1)
        };
        assert_eq!(floats([f32::INFINITY, 0.0, 0.0]), [65535; 2]);
        assert_eq!(floats([f32::NAN, -1.0, 0.001]), [0; 2]);
        assert_eq!(floats([1.0, f32::NEG_INFINITY, 0.5]), [203; 2]);
    }
}
