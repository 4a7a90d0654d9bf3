//! A look at an image before it is encoded.

use super::{
    band::Source,
    geometry::Geometry,
    kernels::Kernels,
    raw::{Chroma, RawStrip},
    zone::Zone,
};
use crate::{
    error::{Result, try_resize},
    pixels::Scratch,
};

/// MCU rows that are looked at.
const SAMPLES: usize = 8;

/// What an image is like.
#[derive(Clone, Copy, Default)]
pub struct Look {
    /// How much of it is flat, as large parts of screens and drawings are, 0 to 1: the share of luma blocks without
    /// texture.
    pub flat: f32,
    /// How much of the rest borders on white, as text does, 0 to 1.
    pub edges: f32,
}

/// Looks at a few rows. `raw` is for use in between.
pub fn at(kernels: &Kernels, source: &Source, geometry: &Geometry, raw: &mut RawStrip) -> Result<Look> {
    let zone = Zone::plain(&[16; 64]);
    let rows = geometry.mcu_rows();
    let samples = SAMPLES.min(rows);
    let (mut activity, mut scratch) = (Vec::new(), Scratch::default());
    raw.begin(geometry, Chroma::Ignored, zone.steps())?;
    let (mut flat, mut all) = (0, 0);
    for sample in 0..samples {
        // The middles of equal parts.
        let band = source.band(geometry, (2 * sample + 1) * rows / (2 * samples), &mut scratch)?;
        raw.load(kernels, geometry, 0, &band, Chroma::Ignored);
        let plane = &raw.planes[0];
        try_resize(&mut activity, plane.across, "JPEG block activity")?;
        for y in 0..plane.down {
            kernels.activity(&zone, plane.row(y), &mut activity);
            flat += activity.iter().filter(|&&activity| activity < 4).count();
            all += activity.len();
        }
    }
    let edges = raw.edges as f32 / (all - flat).max(1) as f32;
    Ok(Look { flat: flat as f32 / all as f32, edges: edges.min(1.0) })
}
