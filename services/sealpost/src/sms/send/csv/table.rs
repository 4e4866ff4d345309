//! A file of rows, read whole: whoever sends to thousands wants to know of line 900 before line 1 is sent.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};

use crate::console::Outcome;

/// The columns' names and the rows under them.
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// One row: as many fields as there are columns.
pub(super) struct Row {
    /// The line of the file that it begins on; the header is line 1.
    pub(super) line: u64,
    fields: StringRecord,
}

impl Row {
    /// Gives a field without the blanks around it.
    pub(super) fn field(&self, column: usize) -> &str {
        self.fields.get(column).unwrap_or_default().trim()
    }
}

impl Table {
    /// Reads RFC 4180 with a header, in UTF-8, with or without a byte order mark. Empty lines do not count.
    ///
    /// # Errors
    /// The first line that is no row.
    pub(super) fn read(path: &Path, bytes: &[u8], delimiter: u8) -> Outcome<Self> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        // The reader is flexible so that the fault can be told in our words.
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::Headers).from_reader(bytes);
        let wrong = |line: u64, what: &str| format!("{}:{line}: {what}", path.display());
        let header = reader.byte_headers()?.clone();
        let columns: Vec<String> =
            text(header).map_err(|what| wrong(1, what))?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        let mut lines = Lines { text: bytes, at: 0, line: 1 };
        for record in reader.into_byte_records() {
            let record = record?;
            let line = lines.of(record.position().map_or(0, csv::Position::byte));
            let fields = text(record).map_err(|what| wrong(line, what))?;
            if fields.len() != columns.len() {
                let what = format!("{} fields, where the header has {}", fields.len(), columns.len());
                return Err(wrong(line, &what).into());
            }
            // Spreadsheets leave rows of separators behind.
            if fields.iter().any(|field| !field.trim().is_empty()) {
                rows.push(Row { line, fields });
            }
        }
        if rows.is_empty() {
            return Err(format!("{}: no rows under the header", path.display()).into());
        }
        Ok(Self { columns, rows })
    }
}

/// Counts lines. (The reader's own count is one behind where lines end with CRLF.)
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// Gives the line of the first character from there on; ask in the order of the text.
    fn of(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(octet) = self.text.get(self.at) {
            let line_end = matches!(octet, b'\r' | b'\n');
            if self.at >= byte && !line_end {
                break;
            }
            self.line += u64::from(*octet == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn text(record: ByteRecord) -> Result<StringRecord, &'static str> {
    StringRecord::from_byte_record(record).map_err(|_| "not UTF-8: save the file as \"CSV UTF-8\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Table, String> {
        Table::read(Path::new("f"), text, b',').map_err(|error| error.to_string())
    }

    #[test]
    fn rows_know_their_lines_whatever_is_in_them() {
        let table =
            read(b"\xEF\xBB\xBFnumber, name\r\n+1,\"two\r\nlines\"\r\n\r\n,\r\n +2 ,\"a \"\"b\"\", c\"\r\n")
                .unwrap();

        assert_eq!(table.columns, ["number", "name"]);
        let rows: Vec<_> = table.rows.iter().map(|row| (row.line, row.field(0), row.field(1))).collect();
        assert_eq!(rows, [(2, "+1", "two\r\nlines"), (6, "+2", "a \"b\", c")]);
    }

    #[test]
    fn lines_are_counted_whatever_they_end_with() {
        for end in ["\n", "\r\n"] {
            let text = ["number", "+1", "", "", "+2", "+3"].join(end);

            let lines: Vec<_> = read(text.as_bytes()).unwrap().rows.iter().map(|row| row.line).collect();

            assert_eq!(lines, [2, 5, 6], "{end:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_row_is_named() {
        assert_eq!(read(b"a,b\n1,2\n3\n").err().unwrap(), "f:3: 1 fields, where the header has 2");
        assert!(read(b"a,b\n1,\xE9\n").err().unwrap().starts_with("f:2: not UTF-8"));
        assert_eq!(read(b"a,b\n").err().unwrap(), "f: no rows under the header");
        assert_eq!(read(b"").err().unwrap(), "f: no rows under the header");
    }
}
