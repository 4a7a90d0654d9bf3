//! Quantisation tables, dead zones and their strength, found by search: what gives the fewest bytes at equal
//! SSIMULACRA2 with this encoder's adaptive quantisation.
//!
//! The search (coordinate descent over eight photographs and screenshots, started from jpegli's base matrices, file
//! lib/jpegli/quant.cc of google/jpegli) was run at three operating points; between them everything is interpolated.
//! All arithmetic is plain single precision (no fused operations, no library functions): the same on every machine.

use super::{geometry::Sampling, look::Look};

/// One operating point.
struct Point {
    /// Multiplies the steps.
    scale: f32,
    /// Steps in hundredths for Y, Cb, Cr: the upper triangle of the symmetric 8 x 8 table, row by row.
    steps: [[u16; 36]; 3],
    /// Dead zone beyond half a step in thousandths, by horizontal plus vertical frequency.
    dead: [[u8; 15]; 3],
    /// Growth of the dead zone in steps per octave of activity, luma and chroma.
    gain: [f32; 2],
}

static POINTS: [Point; 3] = [
    Point {
        scale: 0.3,
        steps: [
            [
                346, 553, 938, 1038, 1072, 1112, 1072, 1080, 672, 1050, 868, 1104, 884, 1123, 1126, 950,
                1087, 1010, 1090, 1049, 1183, 943, 1163, 1341, 1335, 1286, 1278, 1195, 1353, 1761, 1320,
                1635, 1559, 1393, 1734, 1616,
            ],
            [
                371, 669, 1039, 1310, 1118, 1554, 1905, 2723, 772, 1005, 1068, 1413, 1448, 2687, 2051, 1110,
                1655, 1503, 2185, 3945, 2378, 1570, 1369, 2384, 2773, 3836, 1679, 1392, 1512, 3945, 2808,
                3945, 1367, 1366, 1364, 3945,
            ],
            [
                334, 463, 821, 704, 861, 731, 948, 1021, 687, 857, 701, 790, 765, 971, 1065, 865, 720, 838,
                903, 980, 1058, 740, 950, 1000, 1038, 1123, 776, 1127, 859, 1081, 967, 1112, 1632, 1764,
                1613, 4945,
            ],
        ],
        dead: [
            [0, 80, 115, 93, 115, 80, 68, 80, 47, 80, 60, 101, 115, 101, 115],
            [0, 0, 16, 47, 47, 36, 28, 10, 0, 47, 47, 47, 47, 47, 47],
            [0, 152, 115, 115, 115, 115, 152, 115, 80, 115, 115, 115, 115, 115, 115],
        ],
        gain: [0.040, 0.062],
    },
    Point {
        scale: 0.8,
        steps: [
            [
                398, 553, 1078, 1194, 1233, 1278, 1418, 1242, 773, 1208, 998, 1270, 1169, 1292, 1295, 1092,
                1250, 1336, 1253, 1206, 1360, 1248, 1338, 1542, 1536, 1478, 1470, 1374, 1556, 2025, 1518,
                1880, 1954, 1746, 1995, 1858,
            ],
            [
                371, 669, 1039, 1310, 1118, 1554, 1905, 2723, 888, 1156, 1229, 1625, 1666, 3090, 2359, 1276,
                1903, 1729, 2513, 4537, 2734, 1806, 1574, 2742, 3189, 4411, 1931, 1600, 1739, 4537, 3229,
                4537, 1572, 1570, 1568, 4537,
            ],
            [
                384, 533, 944, 810, 991, 841, 1090, 1174, 790, 986, 806, 909, 880, 1117, 1224, 994, 827, 964,
                1039, 1127, 1217, 851, 1092, 1150, 1194, 1292, 892, 1296, 988, 1243, 1112, 1279, 1877, 2029,
                1855, 5687,
            ],
        ],
        dead: [
            [0, 80, 115, 59, 115, 80, 68, 80, 47, 80, 80, 101, 115, 101, 115],
            [0, 0, 16, 47, 47, 6, 28, 10, 59, 47, 47, 47, 47, 47, 47],
            [0, 152, 115, 115, 115, 115, 152, 115, 80, 115, 115, 115, 115, 115, 115],
        ],
        gain: [0.040, 0.062],
    },
    Point {
        scale: 2.0,
        steps: [
            [
                398, 636, 1240, 1194, 1630, 1470, 1875, 1643, 773, 1389, 1148, 1680, 1777, 1965, 1713, 1444,
                1653, 2032, 1906, 1834, 1799, 1650, 2035, 2040, 2031, 2248, 2236, 2090, 2366, 2678, 2309,
                2487, 2584, 2308, 2638, 2137,
            ],
            [
                323, 669, 1039, 1310, 1285, 1554, 1905, 3131, 888, 1329, 1413, 1625, 1666, 3554, 2359, 1468,
                1903, 1729, 2890, 4537, 2734, 1806, 1810, 2742, 3189, 4411, 1931, 1600, 1739, 4537, 3229,
                4537, 1572, 1570, 1568, 4537,
            ],
            [
                384, 613, 821, 810, 991, 841, 1090, 1174, 790, 986, 806, 909, 880, 1117, 1224, 865, 827, 964,
                1039, 1127, 1217, 851, 1092, 1150, 1194, 1292, 892, 1296, 988, 1243, 1112, 1279, 1877, 2029,
                1855, 5687,
            ],
        ],
        dead: [
            [0, 80, 115, 93, 115, 115, 68, 80, 80, 152, 152, 137, 191, 137, 152],
            [0, 0, 47, 115, 47, 6, 93, 41, 93, 80, 80, 80, 80, 80, 80],
            [0, 216, 137, 137, 137, 137, 216, 137, 137, 137, 137, 137, 137, 137, 137],
        ],
        gain: [0.050, 0.040],
    },
];

/// Steps of full-resolution chroma in hundredths, in the scale of [`FULL_LUMA`] times the luma steps.
static FULL_CHROMA: [[u16; 36]; 2] = [
    [
        687, 790, 1884, 2362, 2544, 2414, 2702, 2559, 1201, 2362, 1884, 2414, 2143, 2559, 2940, 2500, 2062,
        2384, 2258, 2757, 2616, 1831, 2258, 2594, 2616, 2616, 2864, 2717, 4052, 4052, 2717, 4052, 4052, 3845,
        3845, 3845,
    ],
    [
        618, 750, 1500, 1500, 2312, 2010, 1725, 1725, 940, 1500, 1500, 2010, 2010, 1725, 1671, 1934, 1682,
        2100, 2100, 1663, 1717, 1682, 2100, 2034, 1717, 1717, 2051, 2117, 1762, 1762, 2117, 1762, 1762, 1812,
        1812, 1812,
    ],
];

/// What luma steps are multiplied with when chroma has full resolution.
const FULL_LUMA: f32 = 0.694;

/// How to quantise Y, Cb and Cr; natural order.
pub struct Tuning {
    pub steps: [[u16; 64]; 3],
    /// Dead zones in steps.
    pub dead: [[f32; 64]; 3],
    /// Their growth in steps per octave of activity.
    pub gain: [f32; 3],
}

/// The tuning at a scale; 0.3, 0.8 and 2 are about qualities 94, 80 and 45.
pub fn tuning(scale: f32, sampling: Sampling) -> Tuning {
    let after = if scale < POINTS[1].scale { 1 } else { 2 };
    let (a, b) = (&POINTS[after - 1], &POINTS[after]);
    let t = ((scale - a.scale) / (b.scale - a.scale)).clamp(0.0, 1.0);
    let mix = |a: f32, b: f32| a + (b - a) * t;
    let full = matches!(sampling, Sampling::S444);
    let mut tuning = Tuning { steps: [[1; 64]; 3], dead: [[0.5; 64]; 3], gain: [0.0; 3] };
    for c in 0..3 {
        tuning.gain[c] = mix(a.gain[c.min(1)], b.gain[c.min(1)]);
        for i in 0..64 {
            let (low, high) = ((i / 8).min(i % 8), (i / 8).max(i % 8));
            let triangle = low * (17 - low) / 2 + high - low;
            let steps = if full && c > 0 {
                f32::from(FULL_CHROMA[c - 1][triangle])
            } else {
                let steps = mix(f32::from(a.steps[c][triangle]), f32::from(b.steps[c][triangle]));
                if full { steps * FULL_LUMA } else { steps }
            };
            tuning.steps[c][i] = (steps * scale / 100.0 + 0.5).clamp(1.0, 255.0) as u16;
            let sum = low + high;
            tuning.dead[c][i] = 0.5 + mix(f32::from(a.dead[c][sum]), f32::from(b.dead[c][sum])) / 1000.0;
        }
    }
    tuning
}

/// Scales that give photographs the SSIMULACRA2 score that libjpeg has at a quality.
static SCALES: [(u8, f32); 18] = [
    (0, 120.0),
    (5, 28.0),
    (10, 12.9),
    (20, 6.1),
    (30, 3.85),
    (40, 2.8),
    (50, 2.24),
    (60, 1.91),
    (70, 1.52),
    (75, 1.355),
    (80, 1.16),
    (85, 0.96),
    (90, 0.72),
    (93, 0.565),
    (95, 0.45),
    (97, 0.325),
    (99, 0.2),
    (100, 0.01),
];

/// By how much flat images (see [`scale`]) may be scaled more: they score higher at the same scale.
static FLAT: [(u8, f32); 6] = [(0, 0.0), (40, 0.17), (50, 0.2), (75, 0.33), (90, 0.4), (100, 0.6)];

/// The same for images with edges against white, which gain from [`super::overshoot`]: pages of text.
static EDGES: [(u8, f32); 10] = [
    (0, 0.5),
    (50, 0.5),
    (60, 0.42),
    (70, 0.3),
    (75, 0.2),
    (80, 0.15),
    (85, 0.1),
    (90, 0.05),
    (95, 0.0),
    (100, 0.0),
];

/// What the scale is multiplied with when chroma has full resolution.
static FULL: [(u8, f32); 7] =
    [(0, 1.13), (50, 1.13), (75, 1.13), (85, 1.08), (90, 1.05), (95, 0.98), (100, 1.0)];

/// The scale for a quality of 0 to 100 and an image that looks like this.
pub fn scale(quality: u8, look: Look, sampling: Sampling) -> f32 {
    let full = if matches!(sampling, Sampling::S444) { between(&FULL, quality) } else { 1.0 };
    let flat = 1.0 + between(&FLAT, quality) * (2.0 * look.flat).min(1.0);
    let edges = 1.0 + between(&EDGES, quality) * look.edges;
    between(&SCALES, quality) * full * flat * edges
}

/// Linear interpolation.
fn between(points: &[(u8, f32)], at: u8) -> f32 {
    let after = points.iter().position(|point| point.0 >= at).unwrap_or(points.len() - 1).max(1);
    let ((x0, y0), (x1, y1)) = (points[after - 1], points[after]);
    y0 + (y1 - y0) * (f32::from(at) - f32::from(x0)) / (f32::from(x1) - f32::from(x0))
}
