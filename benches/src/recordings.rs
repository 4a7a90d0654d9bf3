//! Recordings of screens, made here so that everyone has the same.

use std::{collections::HashMap, fs};

use fontdue::{Font, FontSettings};
use image::{Rgb, RgbImage};

/// The hostile one: a bar, a page of random letters without gray levels that scrolls in every frame, and a window that
/// moves over it. Nothing but the window comes twice.
pub fn letters() -> Vec<RgbImage> {
    let frames = (0..60).map(|time: u32| {
        RgbImage::from_fn(640, 400, |x, y| {
            let window = (100 + 4 * time, 80 + time);
            let inside = |(left, top): (u32, u32), (w, h): (u32, u32)| {
                x >= left && x < left + w && y >= top && y < top + h
            };
            Rgb(if y < 24 {
                [44, 62, 80]
            } else if inside(window, (160, 16)) {
                [52, 120, 210]
            } else if inside(window, (160, 110)) {
                [236, 240, 241]
            } else if letter(x, y + 2 * time) {
                [30, 30, 34]
            } else if x < 120 {
                [225, 228, 232]
            } else {
                [255, 255, 255]
            })
        })
    });
    frames.collect()
}

/// Ink of a line of letters: a pattern of strokes that differs from letter to letter.
fn letter(x: u32, y: u32) -> bool {
    let (column, row) = (x / 7, y / 13);
    let hash = column.wrapping_mul(0x9e37_79b9) ^ row.wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ hash >> 15).wrapping_mul(0x2c1b_3c6d);
    let (in_x, in_y) = (x % 7, y % 13);
    let margin = x < 16 || x > 620 || hash >> 28 == 0 || column > 60 + (hash_row(row) % 28);
    !margin && in_x < 5 && in_y > 2 && in_y < 11 && (hash >> (in_x + 5 * (in_y / 3))) & 1 == 1
}

fn hash_row(row: u32) -> u32 {
    row.wrapping_mul(0xc2b2_ae35) >> 16
}

/// Somebody at work, 120 frames at 12.5 a second: an editor with source text in colours, whose caret blinks; a line is
/// typed; the wheel scrolls by three lines a notch, twice six notches; a terminal is dragged over the editor and the
/// desktop, then a build prints its lines there. Letters are smooth (gray levels), all else is flat. None where the
/// font is not installed.
pub fn work() -> Option<Vec<RgbImage>> {
    let mut type_case = TypeCase::open()?;
    let code: Vec<&str> = include_str!("../../src/codec/gif/quantize.rs").lines().collect();
    let log: Vec<String> = build_log();
    let mut frames = Vec::new();
    let mut state = State { top: 20, typed: 0, terminal: (456, 262), printed: 3, pointer: (300, 200) };
    for time in 0..120 {
        state.advance(time);
        let mut screen = Screen { image: RgbImage::from_pixel(800, 500, Rgb(DESKTOP)), case: &mut type_case };
        screen.draw(&state, &code, &log, time);
        frames.push(screen.image);
    }
    Some(frames)
}

/// Lines of a build, from the names that this program is built of.
fn build_log() -> Vec<String> {
    let value = |line: &'static str, key: &str| line.strip_prefix(key)?.strip_suffix('"');
    let mut name = "";
    let mut log = Vec::new();
    for line in include_str!("../Cargo.lock").lines() {
        name = value(line, "name = \"").unwrap_or(name);
        if let Some(version) = value(line, "version = \"") {
            log.push(format!("   Compiling {name} v{version}"));
        }
    }
    log
}

const DESKTOP: [u8; 3] = [52, 84, 106];
const PANEL: [u8; 3] = [29, 31, 33];
const FRAME: [u8; 3] = [90, 94, 98];
const TITLE: [u8; 3] = [60, 63, 65];
const PAPER: [u8; 3] = [43, 43, 43];
const GUTTER: [u8; 3] = [49, 51, 53];
const CURRENT: [u8; 3] = [50, 50, 54];
const NUMBER: [u8; 3] = [96, 99, 102];
const TEXT: [u8; 3] = [169, 183, 198];
const COMMENT: [u8; 3] = [128, 128, 128];
const KEYWORD: [u8; 3] = [204, 120, 50];
const STRING: [u8; 3] = [106, 135, 89];
const FIGURE: [u8; 3] = [104, 151, 187];
const TYPE: [u8; 3] = [255, 198, 109];
const CONSOLE: [u8; 3] = [16, 16, 20];
const GREEN: [u8; 3] = [78, 190, 90];
const LIGHT: [u8; 3] = [222, 222, 222];

/// A line of text: its height, and the width of a letter.
const LINE: i32 = 17;
const CELL: i32 = 8;
/// The editor's left, top, width and height, then the terminal's width and height.
const EDITOR: [i32; 4] = [24, 40, 620, 440];
const TERMINAL: [i32; 2] = [330, 214];
const BAR: i32 = 24;
/// What is typed, in which line of the editor.
const TYPED: &str = "let spread = high[axis] - low[axis];";
const TYPED_LINE: usize = 10;

struct State {
    /// The editor's first line.
    top: usize,
    /// Letters of what is typed.
    typed: usize,
    /// The terminal's corner, and how many lines it has.
    terminal: (i32, i32),
    printed: usize,
    pointer: (i32, i32),
}

impl State {
    fn advance(&mut self, time: i32) {
        match time {
            // Letters come unevenly.
            10..46 if time * 7 % 10 < 7 => self.typed = (self.typed + 1 + usize::from(time % 9 == 0)).min(36),
            // Two flicks of the wheel, with time to read between and after them.
            52..60 | 70..78 if time % 4 != 3 => self.top += 3,
            46..52 => self.pointer = (self.pointer.0 + 11, self.pointer.1 + 9),
            82..84 => self.pointer = (self.pointer.0 + 90, self.pointer.1 + 10),
            // Slow, fast, slow.
            84..102 => {
                let speed = (time - 83).min(102 - time).min(6);
                self.terminal = (self.terminal.0 - 4 * speed, self.terminal.1 - 2 * speed);
                self.pointer = (self.terminal.0 + 100, self.terminal.1 + 11);
            }
            102.. if time % 3 != 0 => self.printed += 1 + usize::from(time % 5 == 0),
            _ => {}
        }
    }
}

/// Letters of DejaVu Sans Mono, as coverage.
struct TypeCase {
    font: Font,
    letters: HashMap<char, (fontdue::Metrics, Vec<u8>)>,
}

impl TypeCase {
    fn open() -> Option<Self> {
        let bytes = fs::read("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf").ok()?;
        let font = Font::from_bytes(bytes, FontSettings::default()).ok()?;
        Some(Self { font, letters: HashMap::new() })
    }
}

struct Screen<'a> {
    image: RgbImage,
    case: &'a mut TypeCase,
}

impl Screen<'_> {
    fn fill(&mut self, [left, top, width, height]: [i32; 4], color: [u8; 3]) {
        for y in top.max(0)..(top + height).min(self.image.height() as i32) {
            for x in left.max(0)..(left + width).min(self.image.width() as i32) {
                self.image.put_pixel(x as u32, y as u32, Rgb(color));
            }
        }
    }

    /// A letter in a line whose top is at `y`.
    fn letter(&mut self, letter: char, (x, y): (i32, i32), color: [u8; 3]) {
        let TypeCase { font, letters } = &mut *self.case;
        let (metrics, coverage) = letters.entry(letter).or_insert_with(|| font.rasterize(letter, 13.0));
        let (left, top) = (x + metrics.xmin, y + 13 - metrics.ymin - metrics.height as i32);
        for (index, &coverage) in coverage.iter().enumerate() {
            let (x, y) = (left + (index % metrics.width) as i32, top + (index / metrics.width) as i32);
            if (0..self.image.width() as i32).contains(&x) && (0..self.image.height() as i32).contains(&y) {
                let below = self.image.get_pixel_mut(x as u32, y as u32);
                for (below, above) in below.0.iter_mut().zip(color) {
                    let (part, below_part) = (u32::from(coverage), 255 - u32::from(coverage));
                    *below = ((u32::from(above) * part + u32::from(*below) * below_part + 127) / 255) as u8;
                }
            }
        }
    }

    fn text(&mut self, text: &str, (x, y): (i32, i32), color: [u8; 3]) {
        for (column, letter) in text.chars().enumerate() {
            self.letter(letter, (x + CELL * column as i32, y), color);
        }
    }

    /// A window with its title.
    fn window(&mut self, [left, top, width, height]: [i32; 4], title: &str, inside: [u8; 3]) {
        self.fill([left - 1, top - 1, width + 2, height + 2], FRAME);
        self.fill([left, top, width, BAR], TITLE);
        self.fill([left, top + BAR, width, height - BAR], inside);
        self.text(title, (left + 10, top + 4), LIGHT);
        for (index, color) in [[255, 95, 86], [255, 189, 46], [39, 201, 63]].into_iter().enumerate() {
            self.fill([left + width - 20 * (index as i32 + 1), top + 7, 10, 10], color);
        }
    }

    fn draw(&mut self, state: &State, code: &[&str], log: &[String], time: i32) {
        self.fill([0, 0, 800, 26], PANEL);
        self.text("Files  Editor  Terminal", (12, 5), LIGHT);
        self.text("10:42", (748, 5), LIGHT);
        let blink = time / 6 % 2 == 0;
        self.editor(state, code, blink);
        self.terminal(state, log, blink);
        self.pointer(state.pointer);
    }

    fn editor(&mut self, state: &State, code: &[&str], blink: bool) {
        let [left, top, width, height] = EDITOR;
        self.window(EDITOR, "quantize.rs - editor", PAPER);
        self.fill([left, top + BAR, 44, height - BAR], GUTTER);
        let rows = (height - BAR) / LINE;
        for row in 0..rows {
            let (line, y) = (state.top + row as usize, top + BAR + LINE * row + 2);
            // The line that is typed has a place of its own among the others.
            let current = line == 20 + TYPED_LINE;
            if current {
                self.fill([left + 44, y, width - 44, LINE], CURRENT);
            }
            self.text(&format!("{:4}", line + 1), (left + 4, y), NUMBER);
            let x = left + 52;
            if current {
                let typed = format!("        {}", &TYPED[..state.typed]);
                self.code(&typed, (x, y));
                if blink {
                    self.fill([x + CELL * typed.len() as i32, y + 1, 2, LINE - 2], LIGHT);
                }
            } else {
                let line = line - usize::from(line > 20 + TYPED_LINE);
                self.code(code.get(line).copied().unwrap_or(""), (x, y));
            }
        }
    }

    /// A line of source in colours.
    fn code(&mut self, line: &str, (x, y): (i32, i32)) {
        let letters: Vec<char> = line.chars().take(70).collect();
        let mut at = 0;
        while at < letters.len() {
            let run = |fits: &dyn Fn(char) -> bool| {
                letters[at..].iter().position(|&c| !fits(c)).map_or(letters.len(), |found| at + found)
            };
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let (end, color) = match letters[at] {
                '/' if letters.get(at + 1) == Some(&'/') => (letters.len(), COMMENT),
                '"' => match letters[at + 1..].iter().position(|&c| c == '"') {
                    Some(found) => (at + found + 2, STRING),
                    None => (letters.len(), STRING),
                },
                '0'..='9' => (run(&|c| word(c) || c == '.'), FIGURE),
                'A'..='Z' => (run(&word), TYPE),
                c if word(c) => {
                    let end = run(&word);
                    let name: String = letters[at..end].iter().collect();
                    (end, if KEYWORDS.contains(&name.as_str()) { KEYWORD } else { TEXT })
                }
                _ => (at + 1, TEXT),
            };
            let part: String = letters[at..end].iter().collect();
            self.text(&part, (x + CELL * at as i32, y), color);
            at = end;
        }
    }

    fn terminal(&mut self, state: &State, log: &[String], blink: bool) {
        let ((left, top), [width, height]) = (state.terminal, TERMINAL);
        self.window([left, top, width, height], "terminal", CONSOLE);
        let rows = ((height - BAR) / LINE) as usize;
        let shown = 1 + state.printed;
        for row in 0..rows.min(shown + 1) {
            let (line, y) = (shown.saturating_sub(rows - 1) + row, top + BAR + LINE * row as i32 + 2);
            let x = left + 6;
            match line {
                0 => self.text("$ cargo build", (x, y), LIGHT),
                line if line < shown => {
                    let line = &log[line % log.len()];
                    self.text(&line[..12], (x, y), GREEN);
                    self.text(&line[12..], (x + 12 * CELL, y), LIGHT);
                }
                _ if blink => self.fill([x, y + 1, CELL, LINE - 2], LIGHT),
                _ => {}
            }
        }
    }

    /// An arrow: black, with a white edge.
    fn pointer(&mut self, (x, y): (i32, i32)) {
        for row in 0..16 {
            let width = if row < 11 { row + 1 } else { 16 - row };
            self.fill([x, y + row, width, 1], [255; 3]);
            self.fill([x + 1, y + row, width - 2, 1], [0; 3]);
        }
    }
}

const KEYWORDS: [&str; 19] = [
    "as", "const", "else", "fn", "for", "if", "impl", "in", "let", "match", "mod", "move", "mut", "pub",
    "return", "self", "struct", "use", "while",
];
