//! Thumbnails for EXIF: small JPEGs of the pixels as they are packed.

use std::sync::Arc;

use super::{control::Control, plan::Plan, pool::Pool};
use crate::{
    codec::{self, features},
    error::{Result, try_vec},
    model::{
        metadata::Metadata, options::Options, pixel_format::PixelFormat, pixelmap::Pixels, report::Notes,
    },
    pixels::{Layout, Rows, Scratch},
    sink::memory::Buffer,
};

/// Small enough for EXIF's 64 KB with room to spare.
const QUALITY: i32 = 70;

/// A JPEG of at most `side` pixels a side; smaller images keep their size. Each pixel is the mean of those it covers.
pub fn make(rows: &Rows, side: u32, pool: &Pool) -> Result<Vec<u8>> {
    let mut options = Options::new("image/jpeg", QUALITY)?;
    options.effort = 4;
    debug_assert!(options.format.features & features::LOSSY != 0);
    let rows = rows.in_layout(Layout::Rgb8, &options)?;
    let (width, height) = (rows.width(), rows.height());
    let longest = u64::from(width.max(height));
    let scaled = |v: u32| match u64::from(v) * u64::from(side) {
        _ if longest <= u64::from(side) => v,
        product => (product / longest).max(1) as u32,
    };
    let (w, h) = (scaled(width), scaled(height));
    let mut small: Vec<u8> = try_vec(w as usize * h as usize * 3, "a thumbnail")?;
    let mut sums: Vec<[u64; 3]> = try_vec(w as usize, "a thumbnail")?;
    let mut scratch = Scratch::default();
    let edge = |i: u32, from: u32, to: u32| (u64::from(i) * u64::from(from) / u64::from(to)) as u32;
    for y in 0..h {
        let (top, bottom) = (edge(y, height, h), edge(y + 1, height, h));
        sums.fill([0; 3]);
        for line in top..bottom {
            let band = rows.band(line..line + 1, &mut scratch)?;
            let row = band.planes[0].row(0, width as usize * 3).as_chunks::<3>().0;
            for (x, sum) in (0..w).zip(&mut sums) {
                for pixel in &row[edge(x, width, w) as usize..edge(x + 1, width, w) as usize] {
                    (0..3).for_each(|c| sum[c] += u64::from(pixel[c]));
                }
            }
        }
        let row = &mut small[y as usize * w as usize * 3..][..w as usize * 3];
        for (x, (pixel, sum)) in (0..w).zip(row.as_chunks_mut::<3>().0.iter_mut().zip(&sums)) {
            let count = u64::from(edge(x + 1, width, w) - edge(x, width, w)) * u64::from(bottom - top);
            (0..3).for_each(|c| pixel[c] = ((sum[c] + count / 2) / count) as u8);
        }
    }
    let pixels = Arc::new(Pixels::from_vec(w, h, PixelFormat::Rgb888, small)?);
    let rows = Rows::new(pixels.clone(), (options.format.layout)(&pixels, &options)?, &options)?;
    let (control, metadata, notes) = (Control::default(), Metadata::default(), Notes::default());
    let plan = Plan {
        rows: &rows,
        options: &options,
        pool,
        control: &control,
        gain_map: None,
        auxiliaries: &[],
        metadata: &metadata,
        notes: &notes,
    };
    let mut file = Buffer::default();
    (codec::find("image/jpeg")?.encode)(&plan, &mut file)?;
    let mut bytes = try_vec(file.as_slice().len(), "a thumbnail")?;
    bytes.copy_from_slice(file.as_slice());
    Ok(bytes)
}
