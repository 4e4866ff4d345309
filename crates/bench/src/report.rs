//! What the person at the terminal reads: results on stdout, progress on stderr.

use std::fmt::Write as _;
use std::time::Duration;

/// Writes lines of the result.
#[expect(clippy::print_stdout, reason = "the result of a bench is its output")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Tells what is being done.
#[expect(clippy::print_stderr, reason = "kept apart from the result")]
pub(crate) fn progress(text: &str) {
    eprintln!("bench: {text}");
}

/// A table: the first column is text, the others are numbers.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table with its heads.
    pub(crate) fn new(title: impl Into<String>, heads: &[&str]) -> Self {
        Self { title: title.into(), rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Writes it to stdout.
    pub(crate) fn print(&self) {
        say(&self.text());
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = format!("\n{}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::from(" ");
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a string cannot fail.
                let _ = if column == 0 {
                    write!(line, " {cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if number == 0 {
                let rule = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
                text.push_str(&format!("  {}\n", "-".repeat(rule)));
            }
        }
        text.pop();
        text
    }
}

/// A whole number, with thousands set apart.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digit.is_ascii_digit() && (digits.len() - place) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A ratio.
pub(crate) fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// Microseconds for each of `count`.
pub(crate) fn micros_each(time: Duration, count: u64) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6 / count as f64)
}

/// Milliseconds.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1024.0 * 1024.0))
}

/// The one in the middle; 0 of none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new("Things", &["what", "n/s"]);
        table.row(["a", "12 345"]);
        table.row(["longer", "1"]);

        assert_eq!(
            table.text(),
            "\nThings\n  what       n/s\n  --------------\n  a       12 345\n  longer       1"
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(whole(999.6), "1 000");
        assert_eq!(whole(1_234_567.0), "1 234 567");
        assert_eq!(whole(12.0), "12");
    }

    #[test]
    fn an_even_count_has_a_median_between_two() {
        assert!((median([4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median([9.0, 1.0, 5.0]) - 5.0).abs() < 1e-9);
        assert!(median([]).abs() < 1e-9);
    }
}
