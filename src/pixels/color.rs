//! Colour spaces: primaries, transfer curves, and the profile that is written into a file.

use std::sync::Arc;

use super::icc;
use crate::{
    bail,
    error::Result,
    model::color::{Cicp, Color},
};

/// A 3 by 3 matrix.
pub type Matrix = [[f64; 3]; 3];

/// The code points of a colour: those that its profile names, if it has a profile, else its own. None if the
/// profile names none.
pub fn code_points(color: &Color) -> Option<Cicp> {
    match &color.icc {
        Some(profile) => icc::code_points(profile),
        None => Some(color.cicp),
    }
}

/// The profile to write for pixels of a colour: their own, verbatim; else one made from their code points; none
/// for sRGB, which is what readers assume. `gray` says that there is luminance only.
///
/// Answers [`crate::error::ErrorKind::Icc`] for a profile of another kind of pixels, and for code points of which
/// no profile is known.
pub fn icc_to_write(color: &Color, gray: bool) -> Result<Option<Arc<[u8]>>> {
    if let Some(profile) = &color.icc {
        icc::check_kind(profile, gray)?;
        return Ok(Some(profile.clone()));
    }
    let Cicp { primaries, transfer, .. } = color.cicp;
    // PQ and HLG go by their code points: profiles do not tell readers how bright white is.
    if color.cicp.is_hdr() || color.cicp.is_srgb() || (gray && Curve::new(transfer)? == Curve::SRGB) {
        return Ok(None);
    }
    let name = match (primaries, transfer) {
        (12, 13) => "Display P3".into(),
        (9, 13) => "BT.2020 with sRGB transfer".into(),
        (9, 1 | 6 | 14 | 15) => "BT.2020".into(),
        (1 | 2, 8) => "sRGB primaries, linear".into(),
        _ => format!("CICP {primaries}/{transfer}"),
    };
    let curve = Curve::new(transfer)?;
    let profile = if gray {
        icc::write_gray(&name, &curve)?
    } else {
        icc::write_rgb(&name, &Primaries::new(primaries)?, &curve)?
    };
    Ok(Some(profile.into()))
}

/// The profile that goes beside code points of PQ or HLG, for readers that know profiles alone: they show every component
/// tone-mapped from 1000 nits, or from what is known of the brightest pixel, to diffuse white.
pub fn icc_beside(cicp: Cicp, max_cll: u16, gray: bool) -> Result<Vec<u8>> {
    use super::hdr::transfer::{ToneCurve, ToneMapper, WHITE, hlg_ootf, hlg_to_scene, pq_to_nits};
    let (name, peak) = match (cicp.transfer, max_cll) {
        (16, 0) => ("PQ", 1000.0),
        (16, nits) => ("PQ", f64::from(nits).clamp(WHITE, 10_000.0)),
        _ => ("HLG", 1000.0),
    };
    let curve = ToneCurve::new(ToneMapper::Bt2390, peak / WHITE);
    let light = |signal: f64| {
        let light = match cicp.transfer {
            16 => pq_to_nits(signal) / WHITE,
            _ => hlg_to_scene(signal) * hlg_ootf(hlg_to_scene(signal)),
        };
        curve.map(light)
    };
    let name = format!("CICP {}/{}, {name}", cicp.primaries, cicp.transfer);
    icc::write_hdr(&name, cicp, &Primaries::new(cicp.primaries)?, gray, light)
}

/// Whether the profile is for RGB where there is luminance only, or for gray where there is colour.
pub fn is_other_kind(color: &Color, gray: bool) -> bool {
    let kind = color.icc.as_deref().and_then(|profile| profile.get(16..20));
    kind == Some(if gray { b"RGB " } else { b"GRAY" })
}

/// A background given in sRGB, 8 bits, in the colour space of pixels: 0 to 1. Spaces that only a profile describes
/// take it as it is.
pub fn background(rgb: [u8; 3], color: &Color) -> Result<[f32; 3]> {
    let encoded = rgb.map(|c| f64::from(c) / 255.0);
    let cicp = match code_points(color) {
        Some(cicp) if !cicp.is_srgb() && !cicp.is_hdr() => cicp,
        _ => return Ok(encoded.map(|c| c as f32)),
    };
    let curve = Curve::new(cicp.transfer)?;
    let matrix = between(&Primaries::new(1)?, &Primaries::new(cicp.primaries)?);
    let light = multiply(&matrix, encoded.map(|c| Curve::SRGB.decode(c)));
    Ok(light.map(|c| curve.encode(c.clamp(0.0, 1.0)) as f32))
}

/// Chromaticities of red, green, blue and white.
#[derive(Clone, Copy, Debug)]
pub struct Primaries([[f64; 2]; 4]);

const D65: [f64; 2] = [0.3127, 0.3290];
const ILLUMINANT_C: [f64; 2] = [0.310, 0.316];

impl Primaries {
    /// Colour primaries of H.273, table 2.
    pub fn new(code: u8) -> Result<Self> {
        Ok(Self(match code {
            1 | 2 => [[0.640, 0.330], [0.300, 0.600], [0.150, 0.060], D65],
            4 => [[0.670, 0.330], [0.210, 0.710], [0.140, 0.080], ILLUMINANT_C],
            5 => [[0.640, 0.330], [0.290, 0.600], [0.150, 0.060], D65],
            6 | 7 => [[0.630, 0.340], [0.310, 0.595], [0.155, 0.070], D65],
            8 => [[0.681, 0.319], [0.243, 0.692], [0.145, 0.049], ILLUMINANT_C],
            9 => [[0.708, 0.292], [0.170, 0.797], [0.131, 0.046], D65],
            11 => [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], [0.314, 0.351]],
            12 => [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], D65],
            22 => [[0.630, 0.340], [0.295, 0.605], [0.155, 0.077], D65],
            _ => bail!(Icc, "colour primaries {code} of H.273 have no known profile"),
        }))
    }

    /// Linear red, green, blue to XYZ where white has Y = 1.
    pub fn to_xyz(self) -> Matrix {
        let [r, g, b, white] = self.0.map(|[x, y]| [x / y, 1.0, (1.0 - x - y) / y]);
        let columns = transposed([r, g, b]);
        let scale = multiply(&inverse(&columns), white);
        columns.map(|row| [row[0] * scale[0], row[1] * scale[1], row[2] * scale[2]])
    }

    /// The Bradford adaptation of white to that of profiles, D50 (ICC.1:2022, annex E).
    pub fn to_d50(self) -> Matrix {
        const CONES: Matrix =
            [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
        let [x, y] = self.0[3];
        let from = multiply(&CONES, [x / y, 1.0, (1.0 - x - y) / y]);
        let to = multiply(&CONES, icc::D50);
        let mut scaled = CONES;
        for (row, (from, to)) in scaled.iter_mut().zip(from.into_iter().zip(to)) {
            *row = row.map(|v| v * to / from);
        }
        product(&inverse(&CONES), &scaled)
    }
}

/// Linear light of one set of primaries to another's; white stays white.
pub fn between(from: &Primaries, to: &Primaries) -> Matrix {
    let [from, to] = [from, to].map(|primaries| product(&primaries.to_d50(), &primaries.to_xyz()));
    product(&inverse(&to), &from)
}

/// A transfer curve, as profiles write it: `(a x + b)^gamma` from `d` on, `c x` below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// Exponent.
    pub gamma: f64,
    /// Factor above the line.
    pub a: f64,
    /// Offset above the line.
    pub b: f64,
    /// Slope of the line.
    pub c: f64,
    /// End of the line.
    pub d: f64,
}

impl Curve {
    /// IEC 61966-2-1.
    pub const SRGB: Self = Self { gamma: 2.4, a: 1.0 / 1.055, b: 0.055 / 1.055, c: 1.0 / 12.92, d: 0.04045 };
    const BT_709: Self = Self { gamma: 1.0 / 0.45, a: 1.0 / 1.099, b: 0.099 / 1.099, c: 1.0 / 4.5, d: 0.081 };

    const fn power(gamma: f64) -> Self {
        Self { gamma, a: 1.0, b: 0.0, c: 0.0, d: 0.0 }
    }

    /// Transfer characteristics of H.273, table 3.
    pub fn new(code: u8) -> Result<Self> {
        Ok(match code {
            2 | 13 => Self::SRGB,
            1 | 6 | 11 | 14 | 15 => Self::BT_709,
            4 => Self::power(2.2),
            5 => Self::power(2.8),
            8 => Self::power(1.0),
            17 => Self::power(2.6),
            _ => bail!(Icc, "transfer characteristics {code} of H.273 have no known profile"),
        })
    }

    /// Signal to light, both 0 to 1.
    pub fn decode(&self, signal: f64) -> f64 {
        if signal < self.d { signal * self.c } else { (self.a * signal + self.b).powf(self.gamma) }
    }

    /// Light to signal.
    pub fn encode(&self, light: f64) -> f64 {
        if light < self.c * self.d {
            light / self.c
        } else {
            (light.powf(1.0 / self.gamma) - self.b) / self.a
        }
    }
}

/// The same in single precision.
pub fn single(matrix: Matrix) -> [[f32; 3]; 3] {
    matrix.map(|row| row.map(|v| v as f32))
}

/// Matrix times vector.
pub fn multiply(m: &Matrix, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// Matrix times matrix.
pub fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = transposed(*b);
    transposed(columns.map(|column| multiply(a, column)))
}

fn transposed(m: Matrix) -> Matrix {
    [0, 1, 2].map(|i| [m[0][i], m[1][i], m[2][i]])
}

/// The matrix that undoes one; not of numbers if nothing does.
pub fn inverse(m: &Matrix) -> Matrix {
    let cofactor = |i: usize, j: usize| {
        let (r, c) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| cofactor(j, i) / determinant))
}
