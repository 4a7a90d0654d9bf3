//! LZW for pixels that may have one of several colours: of all strings of the dictionary that fit, the longest is taken,
//! and among equals the one whose colours are off least.
//!
//! While the dictionary grows, the longest string is mostly the best: a shorter one teaches the reader nothing new. Once
//! it is full, a shorter one may be better because the next reaches farther (R. N. Horspool, "The effect of non-greedy
//! parsing in Ziv-Lempel compression methods", 1995), so several ends are tried. From when on that pays, and when to
//! start with an empty dictionary again, differs from picture to picture: several ways are tried, and the smallest is
//! kept.

use super::lzw::{Bits, CODES, Judge, WHAT};
use crate::error::{Error, Result, try_extend, try_vec};

/// How pixels become strings.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// How many ends of a string are tried, 1 or more.
    pub ends: usize,
    /// Strings in the dictionary from which on they are: the more, the nearer to full, which is [`CODES`].
    pub from: u32,
    /// See [`Judge`].
    pub patience: u32,
}

/// A colour that a pixel may have, and how far off it is.
#[derive(Clone, Copy)]
pub struct Choice {
    pub index: u8,
    pub off: u16,
}

/// What pixels may be: pixels of one class have the same choices.
pub struct Choices {
    classes: Vec<(u32, u32)>,
    all: Vec<Choice>,
    pixels: Vec<u16>,
}

impl Choices {
    /// Choices for so many pixels to come.
    pub fn new(pixels: usize) -> Result<Self> {
        let mut all = Vec::new();
        all.try_reserve_exact(pixels)
            .map_err(|_| Error::out_of_memory(2 * pixels, "the classes of pixels"))?;
        Ok(Self { classes: Vec::new(), all: Vec::new(), pixels: all })
    }

    /// A class, whose number is how many came before. It has one choice at least, the best first.
    pub fn class(&mut self, choices: &[Choice]) -> Result<()> {
        let start = self.all.len() as u32;
        try_extend(&mut self.all, choices, "the colours of pixels")?;
        try_extend(&mut self.classes, &[(start, self.all.len() as u32)], "the classes of pixels")
    }

    /// Forgets the classes; pixels keep their numbers.
    fn reset(&mut self) {
        self.classes.clear();
        self.all.clear();
    }

    /// The next pixel.
    pub fn push(&mut self, class: u16) {
        self.pixels.push(class);
    }

    fn at(&self, pixel: usize) -> &[Choice] {
        let (start, end) = self.classes[usize::from(self.pixels[pixel])];
        &self.all[start as usize..end as usize]
    }
}

/// No string: none becomes longer by a pixel and is code 0.
const NONE: u16 = 0;

/// The dictionary as a tree: below a code are the strings that are one pixel longer.
struct Tree {
    below: Vec<u16>,
    beside: Vec<u16>,
    pixel: Vec<u8>,
    /// The code of the next string.
    next: u32,
}

impl Tree {
    fn new(depth: u32) -> Result<Self> {
        let size = CODES as usize;
        let (below, beside) = (try_vec(size, WHAT)?, try_vec(size, WHAT)?);
        Ok(Self { below, beside, pixel: try_vec(size, WHAT)?, next: (1 << depth) + 2 })
    }

    fn clear(&mut self, depth: u32) {
        self.below.fill(NONE);
        self.next = (1 << depth) + 2;
    }

    fn find(&self, string: u16, pixel: u8) -> Option<u16> {
        let mut longer = self.below[usize::from(string)];
        while longer != NONE {
            if self.pixel[usize::from(longer)] == pixel {
                return Some(longer);
            }
            longer = self.beside[usize::from(longer)];
        }
        None
    }

    /// Puts `string` and `pixel` under the next code, which stays the next. Whether that is new.
    fn put(&mut self, string: u16, pixel: u8) -> bool {
        let (new, at) = (self.find(string, pixel).is_none(), self.next as usize);
        if new {
            self.pixel[at] = pixel;
            self.beside[at] = self.below[usize::from(string)];
            self.below[usize::from(string)] = at as u16;
        }
        new
    }

    /// Takes back what was put last.
    fn take_back(&mut self, string: u16) {
        self.below[usize::from(string)] = self.beside[self.next as usize];
    }
}

/// A string that fits so far.
#[derive(Clone, Copy)]
struct Fit {
    code: u16,
    first: u8,
    off: u32,
}

/// Strings that are followed at once; more hardly ever fit.
const FRONT: usize = 16;

/// Room for a search.
#[derive(Default)]
struct Search {
    now: Vec<Fit>,
    next: Vec<Fit>,
}

impl Search {
    /// The best strings from a pixel on, the shortest first.
    fn run(&mut self, tree: &Tree, choices: &Choices, from: usize, strings: &mut Vec<Fit>) {
        let start =
            |&Choice { index, off }: &Choice| Fit { code: index.into(), first: index, off: off.into() };
        strings.clear();
        self.now.clear();
        self.now.extend(choices.at(from).iter().map(start));
        let mut at = from;
        while let Some(best) = self.now.iter().min_by_key(|fit| fit.off) {
            strings.push(*best);
            at += 1;
            if at == choices.pixels.len() {
                break;
            }
            let here = choices.at(at);
            if let ([fit], [choice]) = (&mut self.now[..], here) {
                let Some(code) = tree.find(fit.code, choice.index) else { break };
                *fit = Fit { code, off: fit.off + u32::from(choice.off), ..*fit };
                continue;
            }
            self.next.clear();
            for fit in self.now.iter().filter(|fit| tree.below[usize::from(fit.code)] != NONE) {
                for choice in here {
                    if let Some(code) = tree.find(fit.code, choice.index) {
                        self.next.push(Fit { code, off: fit.off + u32::from(choice.off), ..*fit });
                    }
                }
                if self.next.len() >= FRONT {
                    break;
                }
            }
            std::mem::swap(&mut self.now, &mut self.next);
        }
    }
}

/// Compresses pixels whose colours have `depth` bits, and keeps the smallest of what it tries. `classes` says what pixels
/// may be, in one manner (true) or, if there are `two`, another; the better one is tried in all `ways`.
pub fn smallest(
    choices: &mut Choices,
    depth: u32,
    ways: &[Way],
    two: bool,
    classes: &dyn Fn(&mut Choices, bool) -> Result<()>,
    check: &dyn Fn() -> Result<()>,
) -> Result<Vec<u8>> {
    choices.reset();
    classes(choices, true)?;
    let mut best = compress(choices, depth, &ways[0], usize::MAX, check)?.unwrap_or_default();
    if two {
        choices.reset();
        classes(choices, false)?;
        match compress(choices, depth, &ways[0], best.len(), check)? {
            Some(data) => best = data,
            None => {
                choices.reset();
                classes(choices, true)?;
            }
        }
    }
    for way in &ways[1..] {
        if let Some(data) = compress(choices, depth, way, best.len(), check)? {
            best = data;
        }
    }
    Ok(best)
}

/// Compresses pixels whose colours have `depth` bits; none if that takes `most` bytes or more.
fn compress(
    choices: &Choices,
    depth: u32,
    way: &Way,
    most: usize,
    check: &dyn Fn() -> Result<()>,
) -> Result<Option<Vec<u8>>> {
    let mut bits = Bits::new(depth)?;
    let mut tree = Tree::new(depth)?;
    let mut width = depth + 1;
    let mut judge = Judge::new(way.patience);
    let mut search = Search::default();
    // Strings from here on, from an end that is tried, and from the best of them.
    let (mut strings, mut tried, mut ahead) = (Vec::new(), Vec::new(), Vec::new());
    let (mut known, mut codes) = (false, 0u32);
    bits.put(1 << depth, width)?;
    // The string before: with the next pixel, it is the reader's next one.
    let mut before: Option<Fit> = None;
    let (mut at, count) = (0, choices.pixels.len());
    while at < count {
        let full = tree.next == CODES;
        if full {
            before = None;
        }
        // Followed by its own first pixel it may be used at once.
        let own = before.filter(|before| choices.at(at).iter().any(|choice| choice.index == before.first));
        let put = own.is_some_and(|before| tree.put(before.code, before.first));
        if !known {
            search.run(&tree, choices, at, &mut strings);
        }
        let longest = strings.len();
        let mut best = longest;
        known = false;
        if way.ends > 1 && tree.next >= way.from && at + longest < count {
            let mut reach = 0;
            for length in (1..=longest).rev().take(way.ends) {
                let end = at + length;
                search.run(&tree, choices, end, &mut tried);
                if end + tried.len() > reach {
                    (best, reach) = (length, end + tried.len());
                    std::mem::swap(&mut ahead, &mut tried);
                }
            }
            // A full dictionary does not change.
            known = full;
        }
        let string = strings[best - 1];
        if let Some(before) = before {
            if !put {
                tree.put(before.code, string.first);
            } else if string.first != before.first {
                tree.take_back(before.code);
                tree.put(before.code, string.first);
            }
            tree.next += 1;
        }
        bits.put(string.code.into(), width)?;
        before = Some(string);
        at += best;
        if known {
            std::mem::swap(&mut strings, &mut ahead);
        }
        judge.note(best as u64, width);
        codes = codes.wrapping_add(1);
        if codes % CODES == 0 {
            check()?;
            if bits.len() >= most {
                return Ok(None);
            }
        }
        if tree.next == CODES && judge.clears() {
            bits.put(1 << depth, width)?;
            tree.clear(depth);
            width = depth + 1;
            before = None;
            known = false;
        } else if tree.next == 1 << width && width < 12 {
            width += 1;
        }
    }
    bits.put((1 << depth) + 1, width)?;
    let data = bits.finish()?;
    Ok((data.len() < most).then_some(data))
}
