//! Oklab: a colour space in which distances are about as large as they look (B. Ottosson, "A perceptual color space
//! for image processing", 2020). All arithmetic is our own, so that the bytes are the same on every machine.

/// Lightness 0 to 1, green to red, blue to yellow.
pub type Lab = [f32; 3];

/// Linear light of the sRGB codes.
static LINEAR: [f32; 256] = linear();

/// IEC 61966-2-1, in 64 bits: ((v + 0.055) / 1.055)^2.4 above 0.04045.
const fn linear() -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        let v = code as f64 / 255.0;
        table[code] = if v <= 0.04045 {
            v / 12.92
        } else {
            let base = (v + 0.055) / 1.055;
            let fifth = fifth_root(base);
            base * base * fifth * fifth
        } as f32;
        code += 1;
    }
    table
}

/// Newton's method; `x` in 0.05 to 1.
const fn fifth_root(x: f64) -> f64 {
    let mut root = 1.0;
    let mut step = 0;
    while step < 32 {
        root -= (root * root * root * root * root - x) / (5.0 * root * root * root * root);
        step += 1;
    }
    root
}

/// Cube root of 0 to 1, by a guess from the exponent and two steps of Halley's method: exact to 2 in 10 million.
fn cube_root(x: f32) -> f32 {
    let mut root = f32::from_bits(x.to_bits() / 3 + 0x2a51_37a0);
    for _ in 0..2 {
        let cube = root * root * root;
        root *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    root
}

/// The Lab of an sRGB colour.
pub fn from_rgb([r, g, b]: [u8; 3]) -> Lab {
    let [r, g, b] = [r, g, b].map(|code| LINEAR[usize::from(code)]);
    let l = cube_root(0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b);
    let m = cube_root(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
    let s = cube_root(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// The nearest sRGB colour.
pub fn to_rgb([lightness, a, b]: Lab) -> [u8; 3] {
    let cube = |v: f32| v * v * v;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
    .map(code)
}

/// The sRGB code whose light is nearest.
fn code(light: f32) -> u8 {
    let above = LINEAR.partition_point(|&entry| entry < light);
    match above {
        0 => 0,
        256 => 255,
        above if light - LINEAR[above - 1] < LINEAR[above] - light => (above - 1) as u8,
        above => above as u8,
    }
}

/// Squared distance.
pub fn distance(a: Lab, b: Lab) -> f32 {
    let [l, m, s] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    l * l + m * m + s * s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        // From the reference above: white is lightness 1, and pure sRGB red.
        let near = |a: Lab, b: Lab| distance(a, b) < 1e-6;
        assert!(near(from_rgb([255; 3]), [1.0, 0.0, 0.0]));
        assert!(near(from_rgb([0; 3]), [0.0; 3]));
        assert!(near(from_rgb([255, 0, 0]), [0.627_96, 0.224_86, 0.125_85]));
    }

    #[test]
    fn there_and_back() {
        for r in (0..=255).step_by(5) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(17) {
                    let rgb = [r, g, b].map(|v: i32| v as u8);
                    assert_eq!(to_rgb(from_rgb(rgb)), rgb);
                }
            }
        }
    }
}
