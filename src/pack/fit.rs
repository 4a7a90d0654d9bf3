//! The best quality whose bytes are not too many.

use super::control::Control;
use crate::{
    bail,
    codec::features,
    error::Result,
    model::{options::Options, report::Report},
    sink::{Sink, memory::Buffer},
};

/// How fast bytes grow with quality before two sizes are known: by 3 % for each step, as photographs' JPEG files do.
const GROWTH: f64 = 0.03;

/// Encodes with the highest quality, up to that of the options, whose bytes are at most `most`.
///
/// `attempt` encodes with the options it is given. Sizes grow almost evenly by logarithm, so two known ones tell where
/// to look next; every third look halves the range instead, for images where they do not.
pub fn fit(
    most: u64,
    options: &Options,
    control: &Control,
    sink: &mut dyn Sink,
    mut attempt: impl FnMut(&Options, &mut dyn Sink) -> Result<Report>,
) -> Result<Report> {
    let can_shrink = !options.lossless && options.format.features & features::LOSSY != 0;
    let mut options = options.clone();
    let mut fitting: Option<(Report, Buffer)> = None;
    // The lowest quality that is known to be too large, and its size.
    let mut above: Option<(u8, u64)> = None;
    for count in 1.. {
        control.attempt(count);
        let mut kept = Kept { most, bytes: 0, buffer: Buffer::with_hint(0) };
        let report = attempt(&options, &mut kept)?;
        if kept.bytes <= most {
            fitting = Some((report, kept.buffer));
        } else {
            above = Some((options.quality, kept.bytes));
        }
        options.quality = match (&fitting, above) {
            (Some((low, _)), Some((high, size))) if low.quality + 1 < high => {
                next(count, most, (low.quality, low.bytes), (high, size))
            }
            (None, Some((high, size))) if high > 0 && can_shrink => {
                // After three guesses that were too high there is only one more.
                let excess = (size as f64 / most.max(1) as f64).ln() / GROWTH;
                let guess = (f64::from(high) - excess.ceil()) as u8;
                if count > 3 { 0 } else { guess }
            }
            (None, Some((high, size))) => bail!(
                Encode,
                "{} at quality {high} takes {size} bytes; at most {most} were asked for",
                options.format.name()
            ),
            _ => break,
        };
    }
    let Some((report, buffer)) = fitting else { bail!(Bug, "no attempt was made to fit {most} bytes") };
    sink.reserve(buffer.as_slice().len());
    sink.write(buffer.as_slice())?;
    Ok(report)
}

/// A quality between two whose sizes lie on either side of `most`.
fn next(count: u32, most: u64, low: (u8, u64), high: (u8, u64)) -> u8 {
    let part = if count.is_multiple_of(3) {
        0.5
    } else {
        let log = |bytes: u64| (bytes.max(1) as f64).ln();
        (log(most) - log(low.1)) / (log(high.1) - log(low.1))
    };
    let step = (part * f64::from(high.0 - low.0)) as u8;
    (low.0 + step).clamp(low.0 + 1, high.0 - 1)
}

/// Keeps bytes as long as they fit, and counts them all.
struct Kept {
    most: u64,
    bytes: u64,
    buffer: Buffer,
}

impl Sink for Kept {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes <= self.most { self.buffer.extend(bytes) } else { Ok(()) }
    }
}
