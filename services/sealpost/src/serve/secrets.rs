//! What a standalone needs and no setting gives: made at the first start, kept in the data directory, used again later.
//!
//! Every file is complete or not there, so a start that was killed is continued by the next. A setting of the operator
//! wins, and then nothing is made in its place. Values go into files and settings, never into logs.

mod present;

use std::io;
use std::path::{Path, PathBuf};

use common::crypto::jws::SigningKey;
use common::crypto::oaep::OaepPrivateKey;
use common::crypto::sms_envelope::SealError;
use common::crypto::token::{NoRandomness, PlainToken};
use common::crypto::vault::{DEFAULT_BITS, Vault, VaultError, VaultFormat};
use common::models::{Clock as _, SystemClock};
use config::Config;
use zeroize::Zeroizing;

use crate::data_dir::make;
use crate::files;

pub(crate) use present::present;

/// The SMS clients that have a key in the vault that is made: the loop-back client, and one for trying things out.
const CLIENTS: [&str; 2] = ["test", "demo"];

/// The SMS client as which auth sends codes. Nobody else has an API key for it.
const CODES: &str = "auth";

/// Makes a secret.
type Maker = fn() -> Result<Zeroizing<String>, NoRandomness>;

/// The settings that are secrets, each with its file and what makes it.
const SECRETS: [(&str, &str, Maker); 8] = [
    ("internal.token", "internal-token", token),
    ("internal.admin_token", "admin-token", token),
    ("auth.signing_key", "token-signing-key", signing_key),
    ("auth.data_key", "auth-data-key", token),
    ("sync.private_key", "sync-private-key", OaepPrivateKey::generate_pem),
    ("sync.data_key", "sync-data-key", token),
    ("relay.data_key", "relay-data-key", token),
    ("notify.push.vapid_key", "notify-vapid-key", token),
];

/// The vault, and the file with its password.
const VAULT: (&str, &str) = ("sms-vault.p12", "sms-vault-password");

/// Why secrets cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file has nothing in it, or no text.
    #[error("{}: holds no secret; put the right one back, or remove the file to have a new one made", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// The vault cannot be opened with the password beside it.
    #[error("{}: {source}", path.display())]
    Vault {
        /// The vault's file.
        path: PathBuf,
        /// What is wrong with it.
        source: VaultError,
    },
    /// A public key cannot be written down.
    #[error(transparent)]
    Key(#[from] SealError),
    /// The system gives no random numbers.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Fills the settings that are missing, from files in `data_dir`; makes what is not there yet. Gives the files made.
///
/// # Errors
/// [`SecretError`].
pub(super) fn provide(config: &mut Config, data_dir: &Path) -> Result<Vec<PathBuf>, SecretError> {
    let mut store = Store::open(data_dir)?;
    for (setting, name, make) in SECRETS {
        store.setting(config, setting, name, make)?;
    }
    if !config.is_set("notify.auth_keys") {
        store.setting(config, "notify.auth_keys.backend", "notify-api-key", token)?;
    }
    config.fill("auth.mail", &data_dir.join("mail").display().to_string(), "made for a standalone");
    if !config.is_set("sms_gateway.vault") {
        sms_clients(&mut store, config)?;
    }
    Ok(store.made)
}

fn token() -> Result<Zeroizing<String>, NoRandomness> {
    Ok(Zeroizing::new(PlainToken::generate()?.expose().to_owned()))
}

fn signing_key() -> Result<Zeroizing<String>, NoRandomness> {
    Ok(Zeroizing::new(SigningKey::generate()?.to_text().expose().clone()))
}

/// The vault, the public keys out of it, and an API key for each client.
fn sms_clients(store: &mut Store, config: &mut Config) -> Result<(), SecretError> {
    let password = store.text(VAULT.1, token)?;
    let path = store.secrets.join(VAULT.0);
    let source = path.display().to_string();
    let vault = store.vault(&path, &password)?;
    config.fill("sms_gateway.vault", &source, &source);
    config.fill("sms_gateway.vault_password", &password, &source);
    for client in CLIENTS {
        // A client that the operator has removed from the vault stays removed.
        if let Ok(key) = vault.sealing_key(client) {
            store.export(client, &key.to_line()?)?;
        }
    }

    if let Ok(key) = vault.sealing_key(CODES) {
        let line = key.to_line()?;
        store.export(CODES, &line)?;
        config.fill("auth.phone.key", &line, &source);
    }

    let clients = [&CLIENTS[..], &[CODES]].concat().join(",");
    config.fill("sms_gateway.allowed_clients", &clients, "made for a standalone");
    if !config.is_set("sms_gateway.http_keys") {
        for client in CLIENTS {
            let key = store.text(&format!("sms-api-key-{client}"), token)?;
            config.fill(&format!("sms_gateway.http_keys.{}", key.as_str()), client, &source);
        }
    }
    Ok(())
}

/// The folders of a standalone's secrets.
struct Store {
    secrets: PathBuf,
    public: PathBuf,
    made: Vec<PathBuf>,
}

impl Store {
    fn open(data_dir: &Path) -> Result<Self, SecretError> {
        let (secrets, public) = (data_dir.join("secrets"), data_dir.join("public"));
        for folder in [&secrets, &public] {
            make(folder).and_then(|()| files::sweep(folder)).map_err(at(folder))?;
        }
        Ok(Self { secrets, public, made: Vec::new() })
    }

    /// Fills the setting at `path` from the file `name`, unless the operator has set it.
    fn setting(
        &mut self,
        config: &mut Config,
        path: &str,
        name: &str,
        make: Maker,
    ) -> Result<(), SecretError> {
        if !config.is_set(path) {
            let value = self.text(name, make)?;
            config.fill(path, &value, &self.secrets.join(name).display().to_string());
        }
        Ok(())
    }

    /// Reads a secret, or makes it.
    fn text(&mut self, name: &str, make: Maker) -> Result<Zeroizing<String>, SecretError> {
        let path = self.secrets.join(name);
        if let Some(value) = read_text(&path)? {
            return Ok(value);
        }
        let value = make()?;
        self.write(&path, format!("{}\n", value.as_str()).as_bytes())?;
        Ok(value)
    }

    /// Opens the vault, or makes it.
    fn vault(&mut self, path: &Path, password: &str) -> Result<Vault, SecretError> {
        let failed = |source| SecretError::Vault { path: path.to_owned(), source };
        if let Some(bytes) = read(path)? {
            return Vault::open(&bytes, password).map_err(failed);
        }
        let mut vault = Vault::new(VaultFormat::Pkcs12);
        for client in CLIENTS {
            vault.add(client, DEFAULT_BITS, SystemClock.now()).map_err(failed)?;
        }
        vault.add_x25519(CODES, SystemClock.now()).map_err(failed)?;
        self.write(path, &vault.to_bytes(password).map_err(failed)?)?;
        Ok(vault)
    }

    /// Writes a public key where it is not written yet, or an earlier one is.
    fn export(&mut self, client: &str, line: &str) -> Result<(), SecretError> {
        let path = self.public.join(format!("sms-{client}.pub"));
        if read(&path)?.is_none_or(|bytes| bytes.as_slice() != line.as_bytes()) {
            self.write(&path, line.as_bytes())?;
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
        files::replace(path, bytes).map_err(at(path))?;
        self.made.push(path.to_owned());
        Ok(())
    }
}

/// Reads a secret; none if its file is not there.
fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, SecretError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok(text) if !text.is_empty() => Ok(Some(Zeroizing::new(text.to_owned()))),
        _ => Err(SecretError::Unusable { path: path.to_owned() }),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    move |source| SecretError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::crypto::Secret;
    use serde::Deserialize;

    use super::*;

    /// As much of the section as this module fills.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Gateway {
        vault: PathBuf,
        vault_password: Secret<String>,
        allowed_clients: Vec<String>,
        http_keys: BTreeMap<String, String>,
    }

    fn provided(data: &Path, settings: &[(&str, &str)]) -> (Gateway, Vec<String>) {
        let settings = settings.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
        let mut config = Config::load(None, [], settings).unwrap();
        let made = provide(&mut config, data).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        (config.section("sms_gateway").unwrap(), made.iter().map(name).collect())
    }

    #[test]
    fn what_is_made_is_used_again() {
        let data = tempfile::tempdir().unwrap();

        let (first, made) = provided(data.path(), &[]);
        let (second, made_later) = provided(data.path(), &[]);

        assert_eq!(made.len(), 16, "{made:?}");
        assert!(made_later.is_empty(), "{made_later:?}");
        assert_eq!(first.allowed_clients, ["test", "demo", "auth"]);
        assert_eq!(first.http_keys, second.http_keys);
        assert_eq!(first.http_keys.values().collect::<Vec<_>>().len(), 2);
        let vault = std::fs::read(&second.vault).unwrap();
        let vault = Vault::open(&vault, second.vault_password.expose()).unwrap();
        let exported = std::fs::read_to_string(data.path().join("public/sms-demo.pub")).unwrap();
        assert_eq!(vault.sealing_key("demo").unwrap().to_line().unwrap(), exported);
    }

    #[test]
    fn a_part_that_is_missing_is_made_and_the_rest_kept() {
        let data = tempfile::tempdir().unwrap();
        let (first, _) = provided(data.path(), &[]);
        for name in ["secrets/sms-api-key-demo", "public/sms-test.pub"] {
            std::fs::remove_file(data.path().join(name)).unwrap();
        }

        let (second, made) = provided(data.path(), &[]);

        assert_eq!(made, ["sms-test.pub", "sms-api-key-demo"]);
        let key = |keys: &BTreeMap<String, String>, client: &str| {
            keys.iter().find(|(_, owner)| *owner == client).unwrap().0.clone()
        };
        assert_eq!(key(&first.http_keys, "test"), key(&second.http_keys, "test"));
        assert_ne!(key(&first.http_keys, "demo"), key(&second.http_keys, "demo"));
    }

    #[test]
    fn settings_win_over_what_would_be_made() {
        let data = tempfile::tempdir().unwrap();

        let (gateway, made) = provided(
            data.path(),
            &[
                ("internal.token_file", "/run/token"),
                ("notify.auth_keys.shop", "a key of the shop's own"),
                ("sms_gateway.vault", "/etc/vault.p12"),
            ],
        );

        let expected = [
            "admin-token",
            "token-signing-key",
            "auth-data-key",
            "sync-private-key",
            "sync-data-key",
            "relay-data-key",
            "notify-vapid-key",
        ];
        assert_eq!(made, expected);
        assert_eq!(gateway.vault, Path::new("/etc/vault.p12"));
        assert!(gateway.http_keys.is_empty() && gateway.allowed_clients.is_empty());
    }

    #[test]
    fn a_tool_finds_what_the_start_has_filled_in_and_makes_nothing() {
        let (data, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [mut first, mut started, mut found] = [(); 3].map(|()| Config::load(None, [], []).unwrap());
        let files = provide(&mut first, data.path()).unwrap().len();
        provide(&mut started, data.path()).unwrap();

        let missing = present(&mut found, data.path()).unwrap();
        let all_missing = present(&mut Config::load(None, [], []).unwrap(), empty.path()).unwrap();

        assert_eq!(missing, Vec::<PathBuf>::new());
        for section in ["internal", "auth", "sync", "relay", "notify", "sms_gateway"] {
            let read = |config: &Config| config.section::<serde_json::Value>(section).unwrap();
            assert_eq!(read(&started), read(&found), "{section}");
        }
        // Two public keys of the clients go along with the vault, and API keys are for those in it.
        assert_eq!((files, all_missing.len()), (16, 11));
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_empty_secret_is_refused_by_name() {
        let data = tempfile::tempdir().unwrap();
        provided(data.path(), &[]);
        std::fs::write(data.path().join("secrets/admin-token"), "\n").unwrap();

        let mut config = Config::load(None, [], []).unwrap();
        let error = provide(&mut config, data.path()).unwrap_err().to_string();

        assert!(error.contains("secrets/admin-token: holds no secret"), "{error}");
    }
}
