//! Delays as APNG says them: seconds as a fraction of two 16-bit numbers.

use crate::codec::animation::Delay;

const MOST: u64 = u16::MAX as u64;

/// The nearest that 16 bits allow; exact where they do.
pub fn fraction(delay: Delay) -> [u16; 2] {
    let (num, den) = (u64::from(delay.num), u64::from(delay.den.max(1)));
    exact(num, den).unwrap_or_else(|| {
        let rounded =
            [1000, 100, 10, 1].into_iter().find_map(|ticks| exact((num * ticks + den / 2) / den, ticks));
        rounded.unwrap_or([u16::MAX, 1])
    })
}

/// One delay after the other, if that can be said exactly.
pub fn sum(a: [u16; 2], b: [u16; 2]) -> Option<[u16; 2]> {
    let [[a, a_den], [b, b_den]] = [a, b].map(|delay| delay.map(u64::from));
    exact(a * b_den + b * a_den, a_den * b_den)
}

/// Thousandths and hundredths stay such: that is how delays are read.
fn exact(num: u64, den: u64) -> Option<[u16; 2]> {
    [100, 1000, den / common(num, den)].into_iter().find_map(|to| {
        let scaled = num.checked_mul(to)?;
        (scaled % den == 0 && scaled / den <= MOST && to <= MOST).then(|| [(scaled / den) as u16, to as u16])
    })
}

/// Greatest common divisor; `b` is not 0.
fn common(mut a: u64, mut b: u64) -> u64 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_exact_or_near() {
        for (delay, said) in [
            (Delay::centis(10), [10, 100]),
            (Delay::millis(41), [41, 1000]),
            (Delay { num: 1, den: 24 }, [1, 24]),
            (Delay { num: 1_000_000, den: 24_000_000 }, [1, 24]),
            (Delay { num: 0, den: 7 }, [0, 100]),
            (Delay { num: 100, den: 1 }, [10_000, 100]),
            (Delay { num: 70_000, den: 100 }, [7000, 10]),
            (Delay { num: 65_537, den: 65_539 }, [1000, 1000]),
            (Delay { num: u32::MAX, den: 1 }, [u16::MAX, 1]),
        ] {
            let found = fraction(delay);
            assert_eq!(
                u32::from(found[0]) * u32::from(said[1]),
                u32::from(said[0]) * u32::from(found[1]),
                "{delay:?}: {found:?}"
            );
        }
        assert_eq!(sum([1, 24], [1, 24]), Some([1, 12]));
        assert_eq!(sum([10, 100], [41, 1000]), Some([141, 1000]));
        assert_eq!(sum([65535, 1], [1, 1]), None);
    }
}
