//! How hard frames are compressed.
//!
//! A frame is mostly what changed on a screen, of which a longer search makes more than of still images: exact chains
//! from effort 4 on, the cheapest way through all matches from effort 5 on. Of several forms of a frame the smallest is
//! found with a quick search first, so that this is paid once. Where next to nothing repeats, as in film, matches of a
//! quick search can cost more than they save: then there are runs only.

use super::super::{Settings, chain, optimal, stream::Effort};

/// From this effort on a frame is compressed in both ways of blending,
pub const BOTH_BLENDS: u8 = 3;
/// from this one on with all ways of disposal that are any good,
pub const ALL_DISPOSALS: u8 = 7;
/// and from this one on every form is compressed in full.
const EXHAUSTIVE: u8 = 8;
/// The effort of a quick look at forms.
const QUICK: u8 = 3;

/// The share of the bits that matches have to save at quick efforts.
const WORTH: f32 = 0.01;

/// What the settings ask of a frame.
pub fn of(settings: &Settings) -> Effort {
    let mut effort = settings.effort(8);
    match settings.number {
        2 | 3 => effort.worth = WORTH,
        4 => {
            effort.worth = WORTH;
            (effort.flat, effort.mixed) = (chain(16, 64, true, 30), chain(16, 64, true, 30));
        }
        5 => {
            (effort.flat, effort.mixed) = (optimal(4, 32, 1), optimal(4, 32, 1));
            effort.bare = effort.noisy;
        }
        6 => {
            (effort.flat, effort.mixed) = (optimal(6, 32, 1), optimal(6, 32, 1));
            (effort.noisy, effort.bare) = (chain(8, 32, true, 30), chain(8, 32, true, 30));
        }
        7 => (effort.flat, effort.mixed) = (optimal(8, 64, 1), optimal(8, 64, 1)),
        _ => {}
    }
    effort
}

/// What finds the smallest of a frame's forms, if not the compression itself.
pub fn quick(settings: &Settings) -> Option<Effort> {
    let quick = (QUICK + 1..EXHAUSTIVE).contains(&settings.number);
    quick.then(|| Settings { number: QUICK, ..*settings }.effort(8))
}
