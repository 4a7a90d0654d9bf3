//! Spaces of red, green and blue (or gray) that a matrix and a curve describe: all that light can be computed in
//! without a colour management system.

use moxcms::{DataColorSpace, ToneReprCurve};

use super::{
    color::{self, Curve, Matrix, Primaries, inverse, product},
    icc, manage,
};
use crate::{bail, err, error::Result, model::color::Color};

/// A space of standard dynamic range.
pub struct Space {
    /// Linear light to the profile connection space, D50.
    pub to_d50: Matrix,
    /// Light of a signal of 0 to 1.
    pub light: Light,
}

/// A curve.
pub type Light = Box<dyn Fn(f64) -> f64>;

impl Space {
    /// The space of pixels: that of their profile, if they have one, else that of their code points.
    pub fn of(color: &Color) -> Result<Self> {
        match (color::code_points(color), &color.icc) {
            (Some(cicp), _) => {
                let curve = Curve::new(cicp.transfer)?;
                let to_d50 = linear_to_d50(cicp.primaries)?;
                Ok(Self { to_d50, light: Box::new(move |signal| curve.decode(signal)) })
            }
            (None, Some(profile)) => Self::of_profile(profile),
            (None, None) => bail!(Bug, "a colour without code points"),
        }
    }

    fn of_profile(bytes: &[u8]) -> Result<Self> {
        let profile = manage::read(bytes)?;
        let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc].map(Option::as_ref);
        match (profile.color_space, curves, &profile.gray_trc) {
            (DataColorSpace::Gray, _, Some(curve)) => {
                // Gray has no primaries: those of sRGB make the same of it as all others.
                Ok(Self { to_d50: linear_to_d50(1)?, light: light(curve)? })
            }
            (DataColorSpace::Rgb, [Some(red), Some(green), Some(blue)], _) => {
                let light = [light(red)?, light(green)?, light(blue)?];
                let far = |i: usize, signal: f64| (light[0](signal) - light[i](signal)).abs() > 2e-3;
                if (0..=64).map(|step| f64::from(step) / 64.0).any(|signal| far(1, signal) || far(2, signal))
                {
                    bail!(Icc, "the ICC profile has another curve for each of red, green and blue");
                }
                let [light, ..] = light;
                let to_d50 = profile.colorant_matrix().v;
                let [x, y, z] = color::multiply(&to_d50, [1.0; 3]);
                let [to_x, to_y, to_z] = icc::D50;
                if (x - to_x).abs().max((y - to_y).abs()).max((z - to_z).abs()) > 0.02 {
                    bail!(Icc, "the ICC profile's primaries do not make white: {x:.3}, {y:.3}, {z:.3}");
                }
                Ok(Self { to_d50, light })
            }
            _ => bail!(Icc, "the ICC profile is not of primaries and curves"),
        }
    }

    /// From linear light of this space to that of another.
    pub fn to(&self, other_to_d50: &Matrix) -> Matrix {
        product(&inverse(other_to_d50), &self.to_d50)
    }
}

/// Linear light of primaries of H.273 to the profile connection space.
pub fn linear_to_d50(primaries: u8) -> Result<Matrix> {
    let primaries = Primaries::new(primaries)?;
    Ok(product(&primaries.to_d50(), &primaries.to_xyz()))
}

fn light(curve: &ToneReprCurve) -> Result<Light> {
    let curve = curve.make_linear_evaluator().map_err(|e| err!(Icc, "a curve of the ICC profile: {e}"))?;
    Ok(Box::new(move |signal| f64::from(curve.evaluate_value(signal as f32)).clamp(0.0, 1.0)))
}
