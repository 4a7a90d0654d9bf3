//! Profiles that are tables: of presses, and of cameras and scanners. moxcms reads them; between the points of the table
//! colours are interpolated here, in full precision and with the black of the press made that of the screen.

use moxcms::{ColorProfile, Layout as Order, RenderingIntent, ToneReprCurve, TransformOptions};

use super::{color::Curve, icc, manage};
use crate::error::{Result, try_extend, try_vec};

/// sRGB, 0 to 1, at points of equal distance in 3 or 4 dimensions, the last of which runs fastest.
pub struct Table {
    inputs: usize,
    points: usize,
    nodes: Vec<[f32; 3]>,
}

impl Table {
    /// The table of a profile for RGB or CMYK; none if it has but a matrix and curves.
    pub fn new(profile: &[u8], source: &ColorProfile) -> Option<Result<Self>> {
        // The perceptual table is what makers of presses mean for images that go to a screen, and all that most have.
        let rendering_intent = match (&source.lut_a_to_b_perceptual, &source.lut_a_to_b_colorimetric) {
            (None, None) => return None,
            (None, _) => RenderingIntent::RelativeColorimetric,
            _ => RenderingIntent::Perceptual,
        };
        let (inputs, points, order) = match profile.get(16..20) {
            Some(b"CMYK") => (4, 17, Order::Rgba),
            Some(b"RGB ") => (3, 33, Order::Rgb),
            _ => return None,
        };
        let options = TransformOptions { rendering_intent, ..TransformOptions::default() };
        Some(match of_fitting_version(profile, rendering_intent) {
            Ok(Some(source)) => Self::sampled(profile, &source, (inputs, points, order), options),
            Ok(None) => Self::sampled(profile, source, (inputs, points, order), options),
            Err(why) => Err(why),
        })
    }

    fn sampled(
        profile: &[u8],
        source: &ColorProfile,
        (inputs, points, order): (usize, usize, Order),
        options: TransformOptions,
    ) -> Result<Self> {
        let mut linear = ColorProfile::new_srgb();
        let straight = Some(ToneReprCurve::Lut(Vec::new()));
        linear.cicp = None;
        (linear.red_trc, linear.green_trc, linear.blue_trc) = (straight.clone(), straight.clone(), straight);
        let count = points.pow(inputs as u32);
        let mut places = try_vec::<f32>(count * inputs, "a profile's table")?;
        for (node, place) in places.chunks_exact_mut(inputs).enumerate() {
            for (i, v) in place.iter_mut().rev().enumerate() {
                *v = (node / points.pow(i as u32) % points) as f32 / (points - 1) as f32;
            }
        }
        let mut light = try_vec::<f32>(count * 3, "a profile's table")?;
        source
            .create_transform_f32(order, &linear, Order::Rgb, options)
            .and_then(|transform| transform.transform(&places, &mut light))
            .map_err(|why| manage::unreadable(profile, why))?;
        let light = light.as_chunks::<3>().0;
        // All inks in full, or no light.
        let darkest = light[if inputs == 4 { count - 1 } else { 0 }];
        let black = black_point(profile, darkest, options.rendering_intent);
        let mut nodes = try_vec::<[f32; 3]>(count, "a profile's table")?;
        for (node, light) in nodes.iter_mut().zip(light) {
            for (to, (light, black)) in node.iter_mut().zip(light.iter().zip(black)) {
                let light = (f64::from(*light) - black) / (1.0 - black);
                *to = Curve::SRGB.encode(light.clamp(0.0, 1.0)) as f32;
            }
        }
        Ok(Self { inputs, points, nodes })
    }

    /// Colours of 8 or 16 bits to as many of sRGB. What stands behind them in a pixel, alpha, is taken over.
    pub fn run(&self, from: &[u8], from_samples: usize, to: &mut [u8], to_samples: usize, deep: bool) {
        let bytes = if deep { 2 } else { 1 };
        let max = if deep { 65535.0 } else { 255.0 };
        let pixels = from.chunks_exact(from_samples * bytes).zip(to.chunks_exact_mut(to_samples * bytes));
        for (from, to) in pixels {
            let mut input = [0f32; 4];
            for (i, v) in input.iter_mut().enumerate().take(self.inputs) {
                let code = match deep {
                    true => u16::from_ne_bytes([from[2 * i], from[2 * i + 1]]),
                    false => from[i].into(),
                };
                *v = f32::from(code) / max;
            }
            let rgb = self.at(input);
            for (i, v) in rgb.into_iter().enumerate() {
                let code = (v * max + 0.5) as u16;
                match deep {
                    true => to[2 * i..2 * i + 2].copy_from_slice(&code.to_ne_bytes()),
                    false => to[i] = code as u8,
                }
            }
            if to_samples > 3 {
                to[3 * bytes..].copy_from_slice(&from[self.inputs * bytes..][..bytes]);
            }
        }
    }

    /// Between the points: tetrahedra of the last three inputs, a straight line of a fourth.
    fn at(&self, input: [f32; 4]) -> [f32; 3] {
        let last = (self.points - 1) as f32;
        let mut base = 0;
        // Distance to the next point, and how far that is in the table.
        let mut steps = [(0f32, 0usize); 4];
        let mut stride = 1;
        for i in (0..self.inputs).rev() {
            let place = input[i] * last;
            let below = (place as usize).min(self.points - 2);
            steps[i] = (place - below as f32, stride);
            base += below * stride;
            stride *= self.points;
        }
        if self.inputs == 3 {
            return self.tetrahedron(base, [steps[0], steps[1], steps[2]]);
        }
        let (part, stride) = steps[0];
        let rest = [steps[1], steps[2], steps[3]];
        let near = self.tetrahedron(base, rest);
        if part == 0.0 {
            return near;
        }
        let far = self.tetrahedron(base + stride, rest);
        [0, 1, 2].map(|c| near[c] + (far[c] - near[c]) * part)
    }

    fn tetrahedron(&self, base: usize, mut steps: [(f32, usize); 3]) -> [f32; 3] {
        // From the near corner to the far one along the edges, the longest way first.
        if steps[0].0 < steps[1].0 {
            steps.swap(0, 1);
        }
        if steps[1].0 < steps[2].0 {
            steps.swap(1, 2);
        }
        if steps[0].0 < steps[1].0 {
            steps.swap(0, 1);
        }
        let mut at = base;
        let mut before = 1.0;
        let mut sum = [0f32; 3];
        for (part, stride) in steps {
            (0..3).for_each(|c| sum[c] += self.nodes[at][c] * (before - part));
            (at, before) = (at + stride, part);
        }
        (0..3).for_each(|c| sum[c] += self.nodes[at][c] * before);
        sum
    }
}

/// L*a*b* in 16-bit tables, `mft2`, is encoded as in version 2 in profiles of version 4, too, and in all others as in
/// version 4 (ICC.1:2022, 10.10 and 10.11); moxcms goes by the version alone. The profile with the version that makes
/// it right, if it has another.
fn of_fitting_version(profile: &[u8], intent: RenderingIntent) -> Result<Option<ColorProfile>> {
    let name = if intent == RenderingIntent::Perceptual { b"A2B0" } else { b"A2B1" };
    let kind = icc::tag(profile, name).and_then(|tag| tag.get(..4));
    let fitting = if kind == Some(b"mft2") { 2 } else { 4 };
    if (profile[8] < 4) == (fitting < 4) {
        return Ok(None);
    }
    let mut copy = Vec::new();
    try_extend(&mut copy, profile, "a profile")?;
    copy[8] = fitting;
    manage::read(&copy).map(Some)
}

/// The light that black has, where paper white is 1, for black-point compensation (ISO 18619): perceptual tables of
/// version 4 share that of the perceptual reference medium (ICC.1:2022, 6.3.4.2), of others it is their darkest colour.
fn black_point(profile: &[u8], darkest: [f32; 3], intent: RenderingIntent) -> [f64; 3] {
    const REFERENCE_MEDIUM: f64 = 0.003_473_1;
    /// Half-way in lightness: what is brighter is no black.
    const BRIGHTEST: f32 = 0.184;
    if profile[8] >= 4 && intent == RenderingIntent::Perceptual {
        [REFERENCE_MEDIUM; 3]
    } else if darkest.iter().all(|v| *v < BRIGHTEST) {
        darkest.map(|v| f64::from(v).max(0.0))
    } else {
        [0.0; 3]
    }
}
