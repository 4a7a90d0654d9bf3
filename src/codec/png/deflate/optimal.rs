//! The dense search: all matches, then the cheapest way through them.
//!
//! A stretch of data is parsed several times: every pass takes the costs of symbols from the statistics of the
//! pass before.

use super::super::simd::Kernel;
use super::block::{
    DISTANCE_SYMBOLS, Histogram, LITERAL_SYMBOLS, Sequence, distance_slot, extra, length_slot, log2,
};
use super::tree::{Match, Tree};
use super::window::{MAX_MATCH, WINDOW};
use super::{CHECK, Check, OutOfMemory};
use crate::error::Result;

/// Bytes that are parsed at a time.
const STRETCH: usize = 32 << 10;
/// Matches that are kept at a time; a stretch ends early when they are more.
const MATCHES: usize = 4 * STRETCH;
/// Costs are in 16ths of a bit.
const BIT: f32 = 16.0;

/// Memory of the search.
pub struct Optimal {
    tree: Tree,
    matches: Vec<Match>,
    /// Per position: where its matches end in `matches`.
    ends: Vec<u32>,
    /// Per position: cost of everything from here to the end of the stretch.
    costs: Vec<u32>,
    /// Per position: the best step, length | distance << 16; a literal has length 1.
    steps: Vec<u32>,
    model: Model,
}

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub depth: u32,
    pub nice: usize,
    pub passes: u32,
}

/// What symbols cost.
struct Model {
    literals: [u32; 256],
    lengths: [u32; MAX_MATCH + 1],
    distances: [u32; DISTANCE_SYMBOLS],
}

impl Model {
    /// Costs from statistics. Symbols that did not occur cost as if they had, half a time.
    fn set(&mut self, h: &Histogram) {
        fn cost(count: u32, total: u32) -> u32 {
            (BIT * (log2(2 * total.max(1)) - log2((2 * count).max(1)))) as u32
        }
        let total: u32 = h.literals.iter().sum::<u32>() + 1;
        for (symbol, c) in self.literals.iter_mut().enumerate() {
            *c = cost(h.literals[symbol], total).max(BIT as u32);
        }
        let mut lengths = [0; LITERAL_SYMBOLS - 257];
        for (slot, c) in lengths.iter_mut().enumerate() {
            *c = cost(h.literals[257 + slot], total) + BIT as u32 * extra(slot, 0);
        }
        for (length, c) in self.lengths.iter_mut().enumerate().skip(3) {
            *c = lengths[length_slot(length)];
        }
        let total: u32 = h.distances.iter().sum();
        for (slot, c) in self.distances.iter_mut().enumerate() {
            *c = cost(h.distances[slot], total) + BIT as u32 * extra(0, slot);
        }
    }
}

impl Optimal {
    pub fn new() -> Result<Self> {
        Ok(Self {
            tree: Tree::new()?,
            matches: Vec::new(),
            ends: super::zeroed(STRETCH)?,
            costs: super::zeroed(STRETCH + 1)?,
            steps: super::zeroed(STRETCH)?,
            model: Model {
                literals: [0; 256],
                lengths: [0; MAX_MATCH + 1],
                distances: [0; DISTANCE_SYMBOLS],
            },
        })
    }

    #[inline(always)]
    fn parse(&mut self, p: Parse<'_>) -> Result<()> {
        let Parse { data, start, limits, check, out } = p;
        self.tree.clear();
        self.matches.clear();
        self.matches.try_reserve(MATCHES + MAX_MATCH).map_err(|_| OutOfMemory)?;
        // Strings need four bytes to be found.
        let end = data.len();
        let limit = end.saturating_sub(4);
        for at in start.saturating_sub(WINDOW)..start.min(limit) {
            if at % CHECK == 0 {
                check()?;
            }
            self.tree.advance::<false>(data, at, limits.nice, limits.depth, &mut self.matches);
        }
        let mut at = start;
        let mut literals = 0;
        let mut known: Option<Histogram> = None;
        while at < end {
            let count = self.collect(data, at, end, limit, limits, check)?;
            let part = &data[at..at + count];
            let mut histogram = match &known {
                Some(h) => h.clone(),
                None => first_guess(part),
            };
            for _ in 0..limits.passes {
                check()?;
                self.model.set(&histogram);
                self.cheapest(part);
                histogram = self.statistics(part);
            }
            let mut i = 0;
            while i < count {
                let step = self.steps[i];
                let length = (step & 0xffff) as usize;
                if length == 1 {
                    literals += 1;
                } else {
                    out.push(Sequence { literals, length: length as u16, distance: (step >> 16) as u16 });
                    literals = 0;
                }
                i += length;
            }
            known = Some(histogram);
            at += count;
        }
        super::window::push_literals(out, literals as usize);
        Ok(())
    }

    /// Finds the matches of the next stretch; returns its size.
    #[inline(always)]
    fn collect(
        &mut self,
        data: &[u8],
        start: usize,
        end: usize,
        limit: usize,
        limits: Limits,
        check: &Check<'_>,
    ) -> Result<usize> {
        self.matches.clear();
        let stop = end.min(start + STRETCH);
        let mut skip = 0;
        for at in start..stop {
            if at % CHECK == 0 {
                check()?;
            }
            if at < limit {
                let most = stop - at;
                let Limits { nice, depth, .. } = limits;
                if skip > 0 || most < 3 {
                    self.tree.advance::<false>(data, at, nice, depth, &mut self.matches);
                } else {
                    let known = self.matches.len();
                    let best = self.tree.advance::<true>(data, at, nice, depth, &mut self.matches);
                    if most < MAX_MATCH {
                        // Matches may not pass the end of the stretch.
                        for m in &mut self.matches[known..] {
                            m.length = m.length.min(most as u16);
                        }
                    }
                    if best >= limits.nice {
                        // Inside of a long match nothing better is looked for.
                        skip = best;
                    }
                }
            }
            skip = skip.saturating_sub(1);
            self.ends[at - start] = self.matches.len() as u32;
            if self.matches.len() >= MATCHES && skip == 0 {
                // Nor here.
                let count = at + 1 - start;
                for (i, &from) in [0].iter().chain(&self.ends[..count - 1]).enumerate() {
                    for m in &mut self.matches[from as usize..self.ends[i] as usize] {
                        m.length = m.length.min((count - i) as u16);
                    }
                }
                return Ok(count);
            }
        }
        Ok(stop - start)
    }

    /// The cheapest steps, from the end backwards.
    #[inline(always)]
    fn cheapest(&mut self, part: &[u8]) {
        let n = part.len();
        let costs = &mut self.costs[..n + 1];
        let steps = &mut self.steps[..n];
        costs[n] = 0;
        for i in (0..n).rev() {
            let mut best = self.model.literals[usize::from(part[i])] + costs[i + 1];
            let mut step = 1;
            let first = if i == 0 { 0 } else { self.ends[i - 1] as usize };
            let mut length = 3;
            for m in &self.matches[first..self.ends[i] as usize] {
                let longest = usize::from(m.length);
                if longest < length {
                    continue;
                }
                let distance = self.model.distances[distance_slot(u32::from(m.distance))];
                let ahead = &costs[i + length..=i + longest];
                for (&cost, (&code, l)) in
                    ahead.iter().zip(self.model.lengths[length..=longest].iter().zip(length as u32..))
                {
                    let total = distance + code + cost;
                    if total < best {
                        best = total;
                        step = l | u32::from(m.distance) << 16;
                    }
                }
                length = longest + 1;
            }
            costs[i] = best;
            steps[i] = step;
        }
    }

    /// Counts the symbols of the chosen steps.
    fn statistics(&self, part: &[u8]) -> Histogram {
        let mut h = Histogram::default();
        let mut i = 0;
        while i < part.len() {
            let length = (self.steps[i] & 0xffff) as usize;
            if length == 1 {
                h.literals[usize::from(part[i])] += 1;
            } else {
                h.literals[257 + length_slot(length)] += 1;
                h.distances[distance_slot(self.steps[i] >> 16)] += 1;
            }
            i += length;
        }
        h
    }
}

/// Before anything is known: all bytes are literals, and matches come by the way.
fn first_guess(part: &[u8]) -> Histogram {
    let mut h = Histogram::default();
    super::literals::count(part, &mut h.literals);
    let each = part.len() as u32 / 256 + 1;
    h.literals[257..].fill(each);
    h.distances.fill(1);
    h
}

/// One run of the search.
pub struct Parse<'a> {
    pub data: &'a [u8],
    pub start: usize,
    pub limits: Limits,
    pub check: &'a Check<'a>,
    pub out: &'a mut Vec<Sequence>,
}

impl Kernel for (&mut Optimal, Parse<'_>) {
    type Output = Result<()>;
    #[inline(always)]
    fn run(self) -> Self::Output {
        self.0.parse(self.1)
    }
}
