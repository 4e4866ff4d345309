//! Files and folders: there, with room on the disk, and nobody else's.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use config::Config;
use serde_json::Value;
use service::SECTIONS;

use super::Finding;
use crate::installation::Installation;

/// Looks at the settings file and at the data directory with the files in it.
pub(super) fn examine(installation: &Installation, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = &installation.config
        && mode(path).is_some_and(|mode| mode & 0o007 != 0)
    {
        findings.push(Finding::warning(
            "files",
            format!("{}: everybody on this machine may read the settings", path.display()),
            // The unit that we ship runs as a user of its own: it reads the file as everybody does.
            "if there are secrets in it: move them to /etc/sealpost/environment (mode 600) or to credentials, as \
             deploy/README.md says; chmod 640 only where the server's user or group owns it",
        ));
    }
    findings.extend(named(config).iter().filter_map(|path| read_by_all(path)));
    let data = &installation.data_dir;
    if !data.is_dir() {
        // With the tables elsewhere none is needed.
        if !config.is_set("database.url") {
            let says = format!("{} is not there", data.display());
            findings.push(Finding::failed(
                "files",
                says,
                "name it with --data-dir; the first start makes it",
            ));
        }
        return findings;
    }
    findings.extend(super::disk::examine(data));
    let before = findings.len();
    for folder in [data.to_owned(), data.join("secrets")] {
        findings.extend(open(&folder, "700"));
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        findings.extend(files.iter().filter(|path| holds_data(path)).filter_map(|path| open(path, "600")));
    }
    if findings.len() == before {
        findings.push(Finding::ok("files", format!("{}: its owner's alone", data.display())));
    }
    findings
}

/// The files that settings name: secrets given as `…_file`, keys of certificates, the vault.
fn named(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for section in SECTIONS {
        // What cannot be read is told with the settings.
        if let Ok(settings) = config.section::<Value>(section) {
            gather(&settings, &mut files);
        }
    }
    files
}

fn gather(settings: &Value, files: &mut Vec<PathBuf>) {
    match settings {
        Value::Object(table) => {
            for (name, value) in table {
                match value {
                    Value::String(path) if holds_secret(name) => files.push(path.into()),
                    inner => gather(inner, files),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, files)),
        _ => {}
    }
}

/// Certificates and authorities are public.
fn holds_secret(name: &str) -> bool {
    name == "vault" || (name.ends_with("_file") && name != "ca_file" && name != "certificate_file")
}

fn read_by_all(path: &Path) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & 0o007 != 0)?;
    Some(Finding::failed(
        "files",
        format!("{}: everybody on this machine may use it (mode {mode:o})", path.display()),
        format!("chmod o= {}; a secret that others may have read is to be replaced", path.display()),
    ))
}

/// The locks beside the data tell nothing.
fn holds_data(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "lock")
}

/// Tells of a file or folder that others may use.
fn open(path: &Path, wanted: &str) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & 0o077 != 0)?;
    Some(Finding::failed(
        "files",
        format!("{}: others on this machine may use it (mode {mode:o})", path.display()),
        format!("chmod {wanted} {}; a secret that others may have read is to be replaced", path.display()),
    ))
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|found| found.permissions().mode() & 0o777)
}
