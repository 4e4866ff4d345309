//! On which line of a settings file a setting stands.

use std::path::Path;

use toml_edit::{ImDocument, Item, TableLike, Value};

/// A settings file, read once more for the places in it.
pub(super) struct Lines(Option<ImDocument<String>>);

impl Lines {
    /// Reads a file; one that cannot be read has no lines, which the settings have told already.
    pub(super) fn of(file: Option<&Path>) -> Self {
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        Self(text.and_then(|text| ImDocument::parse(text).ok()))
    }

    /// Finds the line of a dotted name, counted from 1.
    pub(super) fn of_setting(&self, path: &str) -> Option<usize> {
        let document = self.0.as_ref()?;
        let parts: Vec<&str> = path.split('.').collect();
        let start = in_table(document.as_table(), &parts)?;
        Some(document.raw().get(..start)?.matches('\n').count() + 1)
    }
}

/// Finds where the key of a setting begins.
fn in_table(table: &dyn TableLike, path: &[&str]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, item) = table.get_key_value(first)?;
    match rest {
        [] => Some(key.span()?.start),
        rest => in_item(item, rest),
    }
}

fn in_item(item: &Item, path: &[&str]) -> Option<usize> {
    match item {
        Item::ArrayOfTables(tables) => {
            let (place, rest) = path.split_first()?;
            in_table(tables.get(place.parse().ok()?)?, rest)
        }
        Item::Value(Value::Array(items)) => {
            let (place, rest) = path.split_first()?;
            let item = items.get(place.parse().ok()?)?;
            match (item, rest) {
                (Value::InlineTable(table), [_, ..]) => in_table(table, rest),
                (item, _) => Some(item.span()?.start),
            }
        }
        item => in_table(item.as_table_like()?, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_tables_lists_and_inline_tables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        let text = "# one\n[mailbox]\nttl = \"1d\"\n\n[auth]\nphone.sender = \"x\"\npassword_attempts = { size = 3,\n  \
                    refill = \"1m\" }\n[[sms_gateway.smsc]]\nhost = \"a\"\n[[sms_gateway.smsc]]\nhost = \"b\"\n";
        std::fs::write(&file, text.replace(",\n  ", ", ")).unwrap();

        let lines = Lines::of(Some(&file));

        let found = [
            "mailbox.ttl",
            "auth.phone.sender",
            "auth.password_attempts.refill",
            "sms_gateway.smsc.0.host",
            "sms_gateway.smsc.1.host",
        ]
        .map(|path| lines.of_setting(path));
        assert_eq!(found, [Some(3), Some(6), Some(7), Some(9), Some(11)]);
        assert_eq!(lines.of_setting("mailbox.window"), None);
        assert_eq!(Lines::of(None).of_setting("mailbox.ttl"), None);
    }
}
