//! Transfer functions of high dynamic range, and the curves that bring its light down to that of standard range.
//!
//! Light is counted in units of diffuse white, 203 nits (ITU-R BT.2408).

/// Diffuse white in nits.
pub const WHITE: f64 = 203.0;

/// How light above diffuse white is brought down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToneMapper {
    /// The EETF of ITU-R BT.2390: nothing changes below its knee.
    #[default]
    Bt2390,
    /// Nothing changes below diffuse white, everything above it is white.
    Clip,
    /// ITU-R BT.2446, method A.
    Bt2446a,
    /// Reinhard's extended operator.
    Reinhard,
}

/// A tone mapper for light of at most some peak.
#[derive(Debug)]
pub struct ToneCurve {
    mapper: ToneMapper,
    peak: f64,
    /// The peak as a signal, and diffuse white as a part of that.
    signal: f64,
    white: f64,
    /// Light below it stays as it is.
    unchanged: f64,
    /// What the peak becomes.
    top: f64,
}

impl ToneCurve {
    /// The curve for light of at most `peak`, 1 or more.
    pub fn new(mapper: ToneMapper, peak: f64) -> Self {
        let signal = nits_to_pq(peak * WHITE);
        let white = nits_to_pq(WHITE) / signal;
        let unchanged = match mapper {
            // A little less, for what is lost on the way to a signal and back.
            ToneMapper::Bt2390 => pq_to_nits(knee(white).clamp(0.0, 1.0) * signal) / WHITE * (1.0 - 1e-6),
            _ => 0.0,
        };
        let mut curve = Self { mapper, peak, signal, white, unchanged, top: 1.0 };
        curve.top = curve.below(peak);
        curve
    }

    /// Light to light of at most 1.
    pub fn map(&self, light: f64) -> f64 {
        if light >= self.peak { self.top } else { self.below(light) }
    }

    fn below(&self, light: f64) -> f64 {
        let mapped = match self.mapper {
            _ if light < self.unchanged => light,
            ToneMapper::Bt2390 => bt2390(light * WHITE, self.signal, self.white) / WHITE,
            ToneMapper::Clip => light,
            ToneMapper::Bt2446a => bt2446a(light / self.peak, self.peak * WHITE),
            ToneMapper::Reinhard => light * (1.0 + light / (self.peak * self.peak)) / (1.0 + light),
        };
        mapped.min(1.0)
    }
}

// SMPTE ST 2084.
const M1: f64 = 2610.0 / 16384.0;
const M2: f64 = 2523.0 / 4096.0 * 128.0;
const C1: f64 = 3424.0 / 4096.0;
const C2: f64 = 2413.0 / 4096.0 * 32.0;
const C3: f64 = 2392.0 / 4096.0 * 32.0;

/// The EOTF of SMPTE ST 2084.
pub fn pq_to_nits(signal: f64) -> f64 {
    let root = signal.powf(1.0 / M2);
    10_000.0 * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

/// Its inverse.
pub fn nits_to_pq(nits: f64) -> f64 {
    let power = (nits / 10_000.0).powf(M1);
    ((C1 + C2 * power) / (1.0 + C3 * power)).powf(M2)
}

/// The inverse OETF of ITU-R BT.2100, HLG: 0 to 1.
pub fn hlg_to_scene(signal: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 0.284_668_92;
    const C: f64 = 0.559_910_73;
    if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - C) / A).exp() + B) / 12.0 }
}

/// What HLG's OOTF multiplies scene light of a luminance with, for a display of 1000 nits: system gamma 1.2.
pub fn hlg_ootf(luminance: f64) -> f64 {
    luminance.powf(0.2) * 1000.0 / WHITE
}

/// From where on BT.2390's EETF changes signals; like diffuse white a part of the peak's.
fn knee(white: f64) -> f64 {
    1.5 * white - 0.5
}

/// The EETF of ITU-R BT.2390-8, 5.4.1, for black at 0, from a peak (a signal) to diffuse white (a part of
/// it); in nits.
fn bt2390(nits: f64, peak: f64, white: f64) -> f64 {
    let e1 = (nits_to_pq(nits) / peak).min(1.0);
    let knee = knee(white);
    let e2 = if e1 < knee {
        return nits;
    } else if knee >= 1.0 {
        white
    } else {
        let t = (e1 - knee) / (1.0 - knee);
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * knee
            + (t3 - 2.0 * t2 + t) * (1.0 - knee)
            + (-2.0 * t3 + 3.0 * t2) * white
    };
    pq_to_nits(e2 * peak)
}

/// ITU-R BT.2446-1, 4.2: light of 0 to 1 of a display of `peak` nits to light of 0 to 1 of one of 100 nits.
fn bt2446a(light: f64, peak: f64) -> f64 {
    let density = |nits: f64| 1.0 + 32.0 * (nits / 10_000.0).powf(1.0 / 2.4);
    let (hdr, sdr) = (density(peak), density(100.0));
    let perceived = (1.0 + (hdr - 1.0) * light.powf(1.0 / 2.4)).ln() / hdr.ln();
    let compressed = if perceived <= 0.7399 {
        1.0770 * perceived
    } else if perceived < 0.9909 {
        (-1.1510 * perceived + 2.7811) * perceived - 0.6302
    } else {
        0.5 * perceived + 0.5
    };
    ((sdr.powf(compressed) - 1.0) / (sdr - 1.0)).powf(2.4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::color::Curve;

    /// 8-bit sRGB codes of neutral patches.
    fn codes(mapper: ToneMapper, peak: f64, nits: &[f64]) -> Vec<i32> {
        let curve = ToneCurve::new(mapper, peak / WHITE);
        let code = |&n: &f64| (Curve::SRGB.encode(curve.map(n / WHITE)) * 255.0).round() as i32;
        nits.iter().map(code).collect()
    }

    #[test]
    fn neutral_patches_of_each_curve() {
        let nits = [20.0, 50.0, 100.0, 203.0, 400.0, 1000.0];
        for (mapper, expected) in [
            (ToneMapper::Bt2390, [88, 136, 186, 229, 250, 255]),
            (ToneMapper::Bt2446a, [68, 100, 131, 171, 210, 255]),
            (ToneMapper::Clip, [88, 136, 186, 255, 255, 255]),
        ] {
            for (code, expected) in codes(mapper, 1000.0, &nits).into_iter().zip(expected) {
                assert!((code - expected).abs() <= 2, "{mapper:?}: {code}, expected {expected}");
            }
        }
        // What libultrahdr makes of HLG, whose peak is 1000 nits, and of PQ.
        assert_eq!(codes(ToneMapper::Reinhard, 1000.0, &nits), [85, 123, 157, 191, 220, 255]);
        assert_eq!(codes(ToneMapper::Reinhard, 10_000.0, &nits[..4]), [84, 123, 155, 188]);
    }

    #[test]
    fn curves_rise_and_end_at_white() {
        use ToneMapper::*;
        for mapper in [Bt2390, Clip, Bt2446a, Reinhard] {
            for peak in [1.1, 2.0, 4.9, 49.26, 300.0] {
                let curve = ToneCurve::new(mapper, peak);
                let mut last = 0.0;
                for step in 1..=1000 {
                    let mapped = curve.map(f64::from(step) / 1000.0 * peak);
                    assert!(mapped >= last && mapped <= 1.0, "{mapper:?} {peak} {step}: {mapped} {last}");
                    last = mapped;
                }
                assert!(last > 0.999, "{mapper:?} {peak}: {last}");
                assert_eq!(curve.map(peak * 2.0), curve.map(peak));
            }
        }
    }

    #[test]
    fn signals_go_there_and_back() {
        for nits in [0.01, 1.0, 100.0, 203.0, 10_000.0] {
            assert!((pq_to_nits(nits_to_pq(nits)) / nits - 1.0).abs() < 1e-9);
        }
        // BT.2408: HLG's 75 % is diffuse white.
        let white = hlg_to_scene(0.75);
        assert!((white * hlg_ootf(white) - 1.0).abs() < 0.003, "{white}");
    }
}
