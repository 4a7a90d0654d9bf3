//! One table, printed, and written as Markdown and CSV.

use std::{fmt::Write as _, fs, path::Path};

use crate::measure::Paired;

/// One comparison.
pub struct Row {
    pub group: &'static str,
    pub case: String,
    pub peer: String,
    pub paired: Paired,
    pub bytes: (usize, usize),
    pub goal: &'static str,
}

/// Everything a run has found.
#[derive(Default)]
pub struct Report {
    pub rows: Vec<Row>,
    /// Further tables: title, header, lines.
    pub tables: Vec<(String, Vec<&'static str>, Vec<Vec<String>>)>,
    pub notes: Vec<String>,
}

impl Report {
    pub fn add(&mut self, row: Row) {
        println!("{}", line(&row).join(" | "));
        self.rows.push(row);
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "# Benchmark\n\nWritten by `make bench`. Times are medians; ratios are medians of pairs taken in turn, ours over the peer's. One thread unless the case says otherwise.\n\n",
        );
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        let _ = writeln!(text);
        table(&mut text, &HEADER, &self.rows.iter().map(line).collect::<Vec<_>>());
        for (title, header, lines) in &self.tables {
            let _ = writeln!(text, "\n## {title}\n");
            table(&mut text, header, lines);
        }
        text
    }

    pub fn write(&self, folder: &Path) {
        let mut csv = HEADER.join(",") + "\n";
        for row in &self.rows {
            let cells = line(row).into_iter().map(|cell| cell.replace(',', ";"));
            csv += &(cells.collect::<Vec<_>>().join(",") + "\n");
        }
        fs::create_dir_all(folder).expect("the report's folder");
        fs::write(folder.join("benchmark.md"), self.markdown()).expect("benchmark.md");
        fs::write(folder.join("benchmark.csv"), csv).expect("benchmark.csv");
        println!("\nwritten: {0}/benchmark.md {0}/benchmark.csv", folder.display());
    }
}

const HEADER: [&str; 12] = [
    "format",
    "case",
    "peer",
    "CPU ms",
    "peer CPU ms",
    "CPU ratio",
    "wall ms",
    "peer wall ms",
    "wall ratio",
    "bytes",
    "bytes ratio",
    "goal",
];

fn line(row: &Row) -> Vec<String> {
    let p = &row.paired;
    vec![
        row.group.into(),
        row.case.clone(),
        row.peer.clone(),
        format!("{:.2}", p.ours.cpu),
        format!("{:.2}", p.peer.cpu),
        format!("{:.2}", p.ratio.cpu),
        format!("{:.2}", p.ours.wall),
        format!("{:.2}", p.peer.wall),
        format!("{:.2}", p.ratio.wall),
        row.bytes.0.to_string(),
        if row.bytes.1 == 0 { "-".into() } else { format!("{:.4}", row.bytes.0 as f64 / row.bytes.1 as f64) },
        row.goal.into(),
    ]
}

fn table(text: &mut String, header: &[&str], lines: &[Vec<String>]) {
    let _ = writeln!(text, "| {} |\n|{}", header.join(" | "), "---|".repeat(header.len()));
    for line in lines {
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
}
