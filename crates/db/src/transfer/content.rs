//! What a table holds, as a number of rows and a sum over them.

use ring::digest::{Context, SHA256};

use super::cell::Cell;

/// Equal for two tables with the same rows, in whatever order: the two backends sort text differently, and some tables
/// have no order of their own. Each row's SHA-256 counts, added up; it finds faults, and is no proof against forgery.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    rows: i64,
    sum: [u64; 4],
}

impl Content {
    /// Takes a row up.
    pub(super) fn add(&mut self, row: &[Cell]) {
        let mut hash = Context::new(&SHA256);
        for cell in row {
            // The length goes first, so that bytes cannot move from one column to the next unseen; null is not empty.
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Integer(number) => (1, &number.to_le_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
                Cell::Odd(problem) => (4, problem.as_bytes()),
            };
            hash.update(&[kind]);
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let digest = hash.finish();
        for (sum, part) in self.sum.iter_mut().zip(digest.as_ref().as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*part));
        }
        self.rows += 1;
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> i64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[&[Cell]]) -> Content {
        let mut content = Content::default();
        rows.iter().for_each(|row| content.add(row));
        content
    }

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let text = |text: &str| Cell::Text(text.into());
        let (one, two) = ([text("ab"), text("c")], [text("a"), text("bc")]);

        assert_eq!(content(&[&one, &two]), content(&[&two, &one]));

        assert_ne!(content(&[&one]), content(&[&two]), "bytes of the next column");
        assert_ne!(content(&[&one, &one]), content(&[&two, &two]), "the same row twice");
        assert_ne!(content(&[&[Cell::Null]]), content(&[&[text("")]]), "null is not empty");
        assert_ne!(content(&[&[text("a")]]), content(&[&[Cell::Bytes(b"a".into())]]), "text is not bytes");
    }
}
