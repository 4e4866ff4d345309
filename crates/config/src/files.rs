//! The files that settings name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Value};

use crate::Config;
use crate::layers::{find, segments};

impl Config {
    /// Lists the files that the settings name, by the dotted paths of their fields: each text in a field whose name ends in
    /// `_file`, whatever section it is in, and those in the fields `also`. They need not be there.
    #[must_use]
    pub fn files(&self, also: &[&str]) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        gather_table(&self.root, "", &mut files);
        for path in also {
            if let Some(Value::String(_, file)) = find(&self.root, &segments(path)) {
                files.insert((*path).to_owned(), file.into());
            }
        }
        files
    }
}

fn gather_table(table: &Dict, place: &str, files: &mut BTreeMap<String, PathBuf>) {
    for (name, value) in table {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        gather(value, place, files);
    }
}

fn gather(value: &Value, place: String, files: &mut BTreeMap<String, PathBuf>) {
    match value {
        Value::Dict(_, table) => gather_table(table, &place, files),
        Value::Array(_, values) => {
            for (number, value) in values.iter().enumerate() {
                gather(value, format!("{place}.{number}"), files);
            }
        }
        Value::String(_, file) if place.ends_with("_file") => {
            files.insert(place, file.into());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_layers_and_lists_are_found_by_their_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let text =
            "[http]\nlisten = \"x_file\"\n[relay]\nvault = \"v.p12\"\n[[relay.peer]]\nkey_file = \"k\"\n";
        std::fs::write(&path, text).unwrap();
        let env = [("SEALPOST__INTERNAL__TOKEN_FILE".to_owned(), "/run/token".to_owned())];

        let config = Config::load(Some(&path), env, []).unwrap();

        let expected =
            [("internal.token_file", "/run/token"), ("relay.peer.0.key_file", "k"), ("relay.vault", "v.p12")];
        let expected = expected.map(|(place, file)| (place.to_owned(), PathBuf::from(file)));
        assert_eq!(config.files(&["relay.vault", "relay.none"]), BTreeMap::from(expected));
    }
}
