//! Paired timing: A and B in turn, so that a machine whose speed drifts cannot favour either.

use std::time::{Duration, Instant};

/// Processor and wall time of one call, in milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub cpu: f64,
    pub wall: f64,
}

/// Medians of both sides and of their ratios, pair by pair.
#[derive(Clone, Copy)]
pub struct Paired {
    pub ours: Cost,
    pub peer: Cost,
    pub ratio: Cost,
}

/// How long one comparison may take.
const TIME: Duration = Duration::from_millis(2500);
/// Fewest and most pairs.
const PAIRS: std::ops::RangeInclusive<usize> = 3..=41;

fn cpu_ms() -> f64 {
    // SAFETY: getrusage fills the zeroed struct.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let ms = |t: libc::timeval| t.tv_sec as f64 * 1e3 + t.tv_usec as f64 / 1e3;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}

fn once(work: &mut dyn FnMut()) -> Cost {
    let (cpu, start) = (cpu_ms(), Instant::now());
    work();
    Cost { wall: start.elapsed().as_secs_f64() * 1e3, cpu: cpu_ms() - cpu }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures two pieces of work in turn, after one warm-up of each.
pub fn paired(ours: &mut dyn FnMut(), peer: &mut dyn FnMut()) -> Paired {
    once(ours);
    once(peer);
    let start = Instant::now();
    let mut pairs = Vec::new();
    while pairs.len() < *PAIRS.start() || (start.elapsed() < TIME && pairs.len() < *PAIRS.end()) {
        // Every other pair the other way round: neither always runs on a warm cache.
        let (a, b) = if pairs.len() % 2 == 0 {
            let a = once(ours);
            (a, once(peer))
        } else {
            let b = once(peer);
            (once(ours), b)
        };
        pairs.push((a, b));
    }
    let of = |get: &dyn Fn(&(Cost, Cost)) -> f64| median(pairs.iter().map(get).collect());
    Paired {
        ours: Cost { cpu: of(&|p| p.0.cpu), wall: of(&|p| p.0.wall) },
        peer: Cost { cpu: of(&|p| p.1.cpu), wall: of(&|p| p.1.wall) },
        ratio: Cost {
            cpu: of(&|p| p.0.cpu / p.1.cpu.max(1e-3)),
            wall: of(&|p| p.0.wall / p.1.wall.max(1e-3)),
        },
    }
}
