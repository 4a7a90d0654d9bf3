//! Adaptive quantisation: where the image is busy, small coefficients vanish that would be kept where it is smooth.
//! A JPEG has one table of steps per component, so what adapts is each block's dead zone, an idea of jpegli's.

use super::{
    kernels::Kernels,
    tables::{Block, Quantizer},
};
use crate::error::{Result, try_resize};

/// Activity is in sixteenths of an octave; this is the medium one.
pub const MEDIUM: u8 = 48;

/// How one component is quantised.
#[derive(Clone)]
pub struct Zone {
    pub quantizer: Quantizer,
    /// Half a step in the scale of the transform's output, 8. 0 for DC, which is never dropped.
    half: [u16; 64],
    /// The dead zone beyond half a step, in 2^-16 steps, for a block of medium activity.
    extra: [i16; 64],
    /// What one sixteenth of an octave of activity adds to it.
    gain: i32,
    /// 2^14 / step: weights of the activity; 0 for DC.
    weight: [i16; 64],
}

impl Zone {
    /// `dead` is the dead zone in steps, `gain` its growth in steps per octave of activity.
    pub fn new(steps: &[u16; 64], dead: &[f32; 64], gain: f32) -> Zone {
        let mut zone = Zone {
            quantizer: Quantizer::new(steps),
            half: steps.map(|step| 4 * step),
            extra: dead.map(|dead| ((dead - 0.5) * 65536.0) as i16),
            gain: (gain * 4096.0) as i32,
            weight: steps.map(|step| (16384 / step.max(1)) as i16),
        };
        (zone.half[0], zone.extra[0], zone.weight[0]) = (0, 0, 0);
        zone
    }

    /// Rounds to nearest everywhere.
    pub fn plain(steps: &[u16; 64]) -> Zone {
        Zone::new(steps, &[0.5; 64], 0.0)
    }

    pub fn steps(&self) -> &[u16; 64] {
        &self.quantizer.steps
    }

    /// log2(1 + sum of |coefficient| / step) in sixteenths, for each block.
    #[inline(always)]
    pub fn activity(&self, blocks: &[Block], out: &mut [u8]) {
        for (block, out) in blocks.iter().zip(out) {
            let mut sum = 0i32;
            // At most 2^16 (the transform of 64 samples of 8 bits) times 2^14.
            for (&value, &weight) in block.0.iter().zip(&self.weight) {
                sum += i32::from(value.wrapping_abs()) * i32::from(weight);
            }
            // One step of one coefficient is 8 * 2^14.
            let sum = sum as u32 + (1 << 17);
            let octave = sum.ilog2();
            *out = (16 * (octave - 17) + (sum >> (octave - 4) & 15)) as u8;
        }
    }

    /// Quantises blocks of known activity.
    #[inline(always)]
    pub fn quantize(&self, raw: &[Block], activity: &[u8], out: &mut [Block]) {
        for ((raw, &activity), out) in raw.iter().zip(activity).zip(out) {
            let shift = (self.gain * (i32::from(activity) - i32::from(MEDIUM))).clamp(-32768, 32767) as i16;
            for i in 0..64 {
                let extra = self.extra[i].saturating_add(shift).max(0) as u16;
                // `extra` of a step of 2 * half.
                let limit = self.half[i] + ((u32::from(2 * self.half[i]) * u32::from(extra)) >> 16) as u16;
                let rounded = self.quantizer.divide(i, raw.0[i]);
                out.0[i] = if raw.0[i].unsigned_abs() >= limit { rounded } else { 0 };
            }
        }
    }
}

/// The activity of the blocks of a strip: half their own, half the least of it and its four neighbours', so that a
/// busy block beside a smooth one is not treated as carelessly as one among its like.
#[derive(Default)]
pub struct Field {
    across: usize,
    down: usize,
    own: Vec<u8>,
    levels: Vec<u8>,
}

impl Field {
    /// Makes room for a strip of `down` rows of `across` blocks.
    pub fn reserve(&mut self, across: usize, down: usize) -> Result<()> {
        (self.across, self.down) = (across, down);
        try_resize(&mut self.own, across * down, "JPEG block activity")?;
        try_resize(&mut self.levels, across, "JPEG block activity")
    }

    /// Measures row `y`.
    pub fn measure(&mut self, kernels: &Kernels, zone: &Zone, y: usize, row: &[Block]) {
        kernels.activity(zone, row, &mut self.own[y * self.across..][..self.across]);
    }

    /// The activity of row `y`; it and its neighbours have been measured.
    pub fn row(&mut self, y: usize) -> &[u8] {
        let across = self.across;
        let row = |y: usize| &self.own[y * across..][..across];
        let (above, own, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(self.down - 1)));
        for (x, level) in self.levels.iter_mut().enumerate() {
            let (left, right) = (own[x.saturating_sub(1)], own[(x + 1).min(across - 1)]);
            let least = own[x].min(above[x]).min(below[x]).min(left).min(right);
            *level = own[x].midpoint(least);
        }
        &self.levels
    }
}
