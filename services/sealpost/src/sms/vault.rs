//! `sealpost sms vault`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use common::crypto::sms_envelope::KeyKind;
use common::crypto::vault::{DEFAULT_BITS, Vault, VaultEntry, VaultFormat};
use common::models::{Clock as _, SystemClock, UnixMillis};
use openssl::pkey::PKey;
use zeroize::Zeroizing;

use super::PasswordSource;
use crate::console::{self, Outcome};
use crate::files;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an empty vault; an existing file is left alone
    Create {
        /// The new file
        vault: PathBuf,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Make a key for a client; earlier keys of the client stay valid
    Add {
        /// The vault's file
        vault: PathBuf,
        /// The client id
        client: String,
        /// rsa: for messages of version 1, which every known client writes; x25519: for version 2, which nobody can
        /// alter or put into another request
        #[arg(long, default_value = "rsa", value_parser = kind())]
        kind: KeyKind,
        /// Size of an RSA key [default: 2048]
        #[arg(long)]
        bits: Option<u32>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Print the keys, one a line: alias, kind, bits, when it was made, age in days, and why it is not to be used, if so
    List {
        /// The vault's file
        vault: PathBuf,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Print the aliases, one a line
    Aliases {
        /// The vault's file
        vault: PathBuf,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Print a client's newest public key: base64 of its DER form, without a line end
    Pubkey {
        /// The vault's file
        vault: PathBuf,
        /// The client id
        client: String,
        /// The newest of this kind, rsa or x25519, instead of the newest of all
        #[arg(long, value_parser = kind())]
        kind: Option<KeyKind>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Take keys from another keystore, with their certificates and ages, or one from a PEM file
    Import {
        /// The vault's file
        vault: PathBuf,
        /// PKCS#12, JKS, or a PEM file with one private key
        source: PathBuf,
        /// The client id: whose keys to take from a keystore (default: all), or the name for the one from a PEM file
        #[arg(long)]
        client: Option<String>,
        /// File with the source's password (default: that of the vault)
        #[arg(long, value_name = "FILE")]
        source_password_file: Option<PathBuf>,
        #[command(flatten)]
        password: PasswordSource,
    },
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Create { vault, password } => create(&vault, &password),
            Self::Add { vault, client, kind, bits, password } => {
                add(&vault, &client, (kind, bits), &password)
            }
            Self::List { vault, password } => list(&vault, &password),
            Self::Aliases { vault, password } => aliases(&vault, &password),
            Self::Pubkey { vault, client, kind, password } => pubkey(&vault, &client, kind, &password),
            Self::Import { vault, source, client, source_password_file, password } => {
                let source = Source { file: source, client, password_file: source_password_file };
                import(&vault, &source, &password)
            }
        }
    }
}

fn create(path: &Path, password: &PasswordSource) -> Outcome {
    let bytes = Vault::new(VaultFormat::Pkcs12).to_bytes(&password.read()?)?;
    files::create(path, &bytes).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{} exists already", path.display()).into(),
        _ => not_written(path, &error),
    })
}

fn kind() -> impl TypedValueParser<Value = KeyKind> {
    PossibleValuesParser::new([KeyKind::Rsa.as_str(), KeyKind::X25519.as_str()])
        .try_map(|word| word.parse::<KeyKind>())
}

fn add(
    path: &Path,
    client: &str,
    (kind, bits): (KeyKind, Option<u32>),
    password: &PasswordSource,
) -> Outcome {
    let password = password.read()?;
    let mut vault = open(path, &password)?;
    let now = SystemClock.now();
    let alias = match (kind, bits) {
        (KeyKind::Rsa, bits) => vault.add(client, bits.unwrap_or(DEFAULT_BITS), now)?,
        (KeyKind::X25519, None) => vault.add_x25519(client, now)?,
        (KeyKind::X25519, Some(_)) => return Err("--bits: an X25519 key has one size".into()),
    }
    .to_owned();
    save(path, &vault, &password)?;
    console::say(&format!("added {alias}"));
    Ok(())
}

fn list(path: &Path, password: &PasswordSource) -> Outcome {
    let vault = open(path, &password.read()?)?;
    let (exposed, now) = (vault.exposed(), SystemClock.now());
    vault.entries().into_iter().try_for_each(|entry| {
        let why = exposed.iter().find(|exposed| exposed.alias == entry.alias);
        console::print_line(&line(&entry, now, &why.map_or(String::new(), |why| format!("\t{}", why.why))))
    })
}

/// What is not known shows as `-`.
fn line(entry: &VaultEntry<'_>, now: UnixMillis, note: &str) -> String {
    const DAY: u64 = 86_400;
    let (kind, bits) = match entry.key {
        Some((kind, bits)) => (kind.as_str(), bits.to_string()),
        None => ("-", "-".to_owned()),
    };
    let (made, age) = match entry.created {
        Some(made) => (made.to_rfc3339_seconds(), ((now - made).as_secs() / DAY).to_string()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    format!("{}\t{kind}\t{bits}\t{made}\t{age}{note}", entry.alias)
}

fn aliases(path: &Path, password: &PasswordSource) -> Outcome {
    let vault = open(path, &password.read()?)?;
    vault.aliases().into_iter().try_for_each(console::print_line)
}

fn pubkey(path: &Path, client: &str, kind: Option<KeyKind>, password: &PasswordSource) -> Outcome {
    let vault = open(path, &password.read()?)?;
    let key = match kind {
        Some(kind) => vault.sealing_key_of(client, kind),
        None => vault.sealing_key(client),
    };
    console::print(key.map_err(|error| format!("{client}: {error}"))?.to_line()?)
}

struct Source {
    file: PathBuf,
    client: Option<String>,
    password_file: Option<PathBuf>,
}

impl Source {
    /// Puts what the source has into `vault`; gives the aliases.
    fn give_to(&self, vault: &mut Vault, vault_password: &str) -> Outcome<Vec<String>> {
        let bytes = console::read(&self.file)?;
        let refused = |reason: &dyn std::fmt::Display| format!("{}: {reason}", self.file.display());
        let now = SystemClock.now();
        if bytes.starts_with(b"-----BEGIN") {
            let client = self.client.as_deref().ok_or("a PEM file names no client: give --client")?;
            // With an answer for the passphrase, OpenSSL does not ask at the terminal.
            let key = PKey::private_key_from_pem_passphrase(&bytes, b"")
                .map_err(|_| refused(&"no private key in PEM form without a passphrase"))?;
            let pkcs8 = Zeroizing::new(key.private_key_to_pkcs8()?);
            let alias = vault.import(client, &pkcs8, now).map_err(|error| refused(&error))?;
            return Ok(vec![alias.to_owned()]);
        }
        let password = self.password_file.as_deref().map(console::read_line).transpose()?;
        let password = password.as_ref().map_or(vault_password, |password| password.as_str());
        let other = Vault::open(&bytes, password).map_err(|error| refused(&error))?;
        Ok(vault.merge(&other, self.client.as_deref(), now).map_err(|error| refused(&error))?)
    }
}

fn import(path: &Path, source: &Source, password: &PasswordSource) -> Outcome {
    let password = password.read()?;
    let mut vault = open(path, &password)?;
    let aliases = source.give_to(&mut vault, &password)?;
    if aliases.is_empty() {
        console::say("nothing to import: the vault has these keys already");
        return Ok(());
    }
    save(path, &vault, &password)?;
    for alias in aliases {
        console::say(&format!("imported {alias}"));
    }
    Ok(())
}

/// Opens a vault's file.
pub(super) fn open(path: &Path, password: &str) -> Outcome<Vault> {
    let bytes = console::read(path)?;
    Ok(Vault::open(&bytes, password).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn save(path: &Path, vault: &Vault, password: &str) -> Outcome {
    files::replace(path, &vault.to_bytes(password)?).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &io::Error) -> Box<dyn std::error::Error + Send + Sync> {
    format!("{}: {error}", path.display()).into()
}
