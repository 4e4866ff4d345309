//! The files that the settings name: secrets, the vault, certificates.

use std::path::{Path, PathBuf};

use config::Config;

use super::manifest::{Kind, Manifest};
use crate::console::{self, Outcome};
use crate::files;

/// Where they are in a backup, each by the name of its setting.
pub(crate) const FOLDER: &str = "settings";

/// A setting that names a file although its own name does not say so.
const VAULT: &str = "sms_gateway.vault";

/// Lists them by their settings; those in the folders of the data directory, which are copied anyway, are left out.
pub(super) fn files_outside(config: &Config, folders: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let inside = |file: &Path| {
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        folders.iter().any(|folder| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder)))
    };
    config.files(&[VAULT]).into_iter().filter(|(_, file)| !inside(file)).collect()
}

/// Copies them.
pub(super) fn copy(named: &[(String, PathBuf)], to: &Path, manifest: &mut Manifest) -> Outcome {
    if named.is_empty() {
        return Ok(());
    }
    super::make_folder(&to.join(FOLDER))?;
    for (setting, file) in named {
        let content = console::read(file)
            .map_err(|error| format!("{setting} names a file that cannot be backed up: {error}"))?;
        // Names of clients and webhooks are part of it, and may have anything in them.
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let name = format!("{FOLDER}/{}", setting.chars().map(plain).collect::<String>());
        files::create(&to.join(&name), &content)
            .map_err(|error| format!("{name} in the backup, for {setting}: {error}"))?;
        manifest.add(to, &name, Kind::Plain)?;
    }
    Ok(())
}
