//! A table for people: columns as wide as what is in them.

use std::fmt::Write as _;

use crate::console::{self, Outcome};

/// Between two columns.
const GAP: usize = 2;

/// Prints rows under these heads; without rows, nothing but what is said beside the result.
pub(super) fn print<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Outcome {
    if rows.is_empty() {
        console::say("none");
        return Ok(());
    }
    console::print(lines(heads, rows))
}

fn lines<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let heads = heads.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(rows);
    let width = |column: usize| {
        all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            _ = write!(line, "{cell:<width$}", width = width(column) + GAP);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_with_text() {
        let rows = [["ä", "1"], ["long one", ""]].map(|row| row.map(str::to_owned));

        let text = lines(["name", "n"], &rows);

        assert_eq!(text, "name      n\nä         1\nlong one\n");
    }
}
