//! What a backup says about itself, and whether that is true.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use common::models::UnixMillis;
use openssl::sha::Sha256;
use serde::{Deserialize, Serialize};

use super::named;
use crate::console::{self, Outcome};
use crate::interrupt::Interrupt;

/// The form of backups that this program writes and reads.
const FORMAT: u32 = 1;

/// The manifest, `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// The form of the backup.
    format: u32,
    /// The version that wrote it.
    pub(crate) version: String,
    /// When it was begun, before the first file was read.
    pub(crate) begun_at: UnixMillis,
    /// The files, by their paths below the backup.
    pub(crate) files: BTreeMap<String, Entry>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A SQLite file.
    Database,
    /// Anything else.
    Plain,
}

/// One file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its length.
    bytes: u64,
    /// SHA-256 of its content, in hexadecimal.
    sha256: String,
    /// A database: the rows of each table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rows: BTreeMap<String, i64>,
    /// A service's database: the migrations that have made its tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<String>,
}

impl PartialEq for Entry {
    /// By all but the migrations, which earlier manifests do not name, and which follow from the content.
    fn eq(&self, other: &Self) -> bool {
        let of = |entry: &Self| (entry.kind, entry.bytes, entry.sha256.clone(), entry.rows.clone());
        of(self) == of(other)
    }
}

impl Manifest {
    /// Its file.
    pub(crate) const FILE: &'static str = "manifest.json";

    /// Begins one without files.
    pub(crate) fn begun(now: UnixMillis) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, begun_at: now, files: BTreeMap::new() }
    }

    /// Takes up a file of the backup at `root`.
    ///
    /// # Errors
    /// A file that cannot be read, or is no sound database.
    pub(crate) fn add(&mut self, root: &Path, name: &str, kind: Kind) -> Outcome {
        self.files.insert(name.to_owned(), describe(&root.join(name), kind)?);
        Ok(())
    }

    /// All rows of all databases.
    pub(crate) fn rows(&self) -> i64 {
        self.files.values().flat_map(|entry| entry.rows.values()).sum()
    }

    /// Reads the manifest of the backup at `root`, and compares each file with it.
    ///
    /// # Errors
    /// The first thing that is not as it was written.
    pub(crate) fn verified(root: &Path, interrupt: &Interrupt) -> Outcome<Self> {
        let path = root.join(Self::FILE);
        let manifest: Self = serde_json::from_slice(&console::read(&path)?)
            .map_err(|error| format!("{}: no manifest of a backup: {error}", path.display()))?;
        if manifest.format != FORMAT {
            return Err(format!(
                "a backup of form {}, written by version {}: this program reads form {FORMAT}",
                manifest.format, manifest.version
            )
            .into());
        }
        let bar = console::progress(manifest.files.len(), "verifying");
        for (name, entry) in &manifest.files {
            interrupt.check()?;
            if !is_below(name) {
                return Err(format!("{name:?} is no path within a backup").into());
            }
            let found = describe(&root.join(name), entry.kind)?;
            if found != *entry {
                return Err(format!("{name} is not what was backed up").into());
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        match manifest.lacks() {
            Some(name) => Err(format!("{name} is not in this backup").into()),
            None => Ok(manifest),
        }
    }

    /// A file without which this is no backup.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        REQUIRED.into_iter().find(|name| !self.files.contains_key(*name))
    }

    /// The settings of those keys that are not in the backup, neither made by a standalone nor in a file that settings named:
    /// without them an installation is another one.
    pub(crate) fn keys_elsewhere(&self) -> impl Iterator<Item = &'static str> {
        let held = |secret: &str, setting: &str| {
            let named = format!("{}/{setting}_file", named::FOLDER);
            self.files.contains_key(&format!("secrets/{secret}")) || self.files.contains_key(&named)
        };
        KEYS.into_iter().filter(move |(secret, setting)| !held(secret, setting)).map(|(_, setting)| setting)
    }
}

/// Without these an installation is another one. Services that came later than the backup begin with empty tables.
const REQUIRED: [&str; 2] = ["auth.sqlite", "mailbox.sqlite"];

/// What cannot be made anew without losing accounts, each as the file of a standalone and as its setting.
const KEYS: [(&str, &str); 5] = [
    ("token-signing-key", "auth.signing_key"),
    ("auth-data-key", "auth.data_key"),
    ("sync-private-key", "sync.private_key"),
    ("sync-data-key", "sync.data_key"),
    ("relay-data-key", "relay.data_key"),
];

/// Whether a path of a manifest stays within the backup.
fn is_below(name: &str) -> bool {
    let path = Path::new(name);
    !name.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn describe(path: &Path, kind: Kind) -> Outcome<Entry> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut file = File::open(path).map_err(|error| told(&error))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(|error| told(&error))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        bytes += part.len() as u64;
    }
    let mut entry = Entry {
        kind,
        bytes,
        sha256: hex::encode(hash.finish()),
        rows: BTreeMap::new(),
        migrations: Vec::new(),
    };
    if kind == Kind::Database {
        let db::Inspection { rows, migrations } = db::inspect(path).map_err(|error| told(&error))?;
        (entry.rows, entry.migrations) = (rows, migrations);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_leads_to_no_file_outside() {
        for good in ["auth.sqlite", "secrets/admin-token"] {
            assert!(is_below(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "secrets/../../x", "./x/.."] {
            assert!(!is_below(bad), "{bad}");
        }
    }
}
