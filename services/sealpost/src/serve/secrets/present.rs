//! What a standalone has made, for tools that look at it.

use std::path::{Path, PathBuf};

use config::Config;

use super::{CLIENTS, CODES, SECRETS, SecretError, VAULT, read_text};

/// Fills the settings that are missing, as [`super::provide`] does, from the files that are there; makes nothing. Gives the files
/// that the next start would make.
///
/// # Errors
/// [`SecretError`].
pub(crate) fn present(config: &mut Config, data_dir: &Path) -> Result<Vec<PathBuf>, SecretError> {
    let folder = data_dir.join("secrets");
    let mut missing = Vec::new();
    let vault = ("sms_gateway.vault_password", VAULT.1);
    for (setting, name) in SECRETS.iter().map(|(setting, name, _)| (*setting, *name)).chain([vault]) {
        let path = folder.join(name);
        if config.is_set(setting) || (setting == vault.0 && config.is_set("sms_gateway.vault")) {
            continue;
        }
        missing.extend(fill_from(config, setting, path)?);
    }
    if !config.is_set("notify.auth_keys") {
        missing.extend(fill_from(config, "notify.auth_keys.backend", folder.join("notify-api-key"))?);
    }
    config.fill("auth.mail", &data_dir.join("mail").display().to_string(), "made for a standalone");
    if !config.is_set("sms_gateway.vault") {
        missing.extend(present_clients(config, data_dir)?);
    }
    Ok(missing)
}

/// Fills in what [`super::sms_clients`] makes.
fn present_clients(config: &mut Config, data_dir: &Path) -> Result<Vec<PathBuf>, SecretError> {
    let folder = data_dir.join("secrets");
    let path = folder.join(VAULT.0);
    if !path.exists() {
        return Ok(vec![path]);
    }
    let source = path.display().to_string();
    config.fill("sms_gateway.vault", &source, &source);
    let clients = [&CLIENTS[..], &[CODES]].concat().join(",");
    config.fill("sms_gateway.allowed_clients", &clients, "made for a standalone");
    if let Some(line) = read_text(&data_dir.join(format!("public/sms-{CODES}.pub")))? {
        config.fill("auth.phone.key", &line, &source);
    }
    let mut missing = Vec::new();
    if !config.is_set("sms_gateway.http_keys") {
        for client in CLIENTS {
            let path = folder.join(format!("sms-api-key-{client}"));
            match read_text(&path)? {
                Some(key) => {
                    let setting = format!("sms_gateway.http_keys.{}", key.as_str());
                    config.fill(&setting, client, &path.display().to_string());
                }
                None => missing.push(path),
            }
        }
    }
    Ok(missing)
}

/// Fills a setting from a file; gives the file if it is not there.
fn fill_from(config: &mut Config, setting: &str, path: PathBuf) -> Result<Option<PathBuf>, SecretError> {
    let Some(value) = read_text(&path)? else { return Ok(Some(path)) };
    config.fill(setting, &value, &path.display().to_string());
    Ok(None)
}
