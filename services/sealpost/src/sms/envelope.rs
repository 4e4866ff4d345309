//! `sealpost sms encrypt` and `decrypt`.

use std::path::{Path, PathBuf};

use clap::Args;
use common::crypto::sms_envelope::{SealingKey, decode_payload, encode_payload, open_v1, seal_v1};
use common::crypto::sms_payload::SmsPayload;

use super::{PasswordSource, vault};
use crate::console::{self, Outcome};

#[derive(Args)]
pub(crate) struct Encrypt {
    /// File with the client's public key: base64 of its DER form, DER, or PEM
    public_key: PathBuf,
    /// Text of the SMS; without it stdin. Without --to, stdin is encrypted as it is, headers and all
    #[arg(requires = "to")]
    text: Option<String>,
    /// Recipient: + and digits
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Sender id: a number, a short code, or up to 11 letters and digits
    #[arg(long, requires = "to")]
    sender: Option<String>,
}

impl Encrypt {
    pub(super) fn run(self) -> Outcome {
        let key = public_key(&self.public_key)?;
        let message = match (self.to, self.text) {
            (Some(to), Some(text)) => SmsPayload::new(&to, self.sender.as_deref(), &text)?.to_octets(),
            (Some(to), None) => {
                SmsPayload::new(&to, self.sender.as_deref(), &console::stdin_text()?)?.to_octets()
            }
            (None, _) => console::stdin()?,
        };
        console::print(encode_payload(&seal_v1(&key, &message)?))
    }
}

#[derive(Args)]
pub(crate) struct Decrypt {
    /// The vault's file
    vault: PathBuf,
    /// The client id
    client: String,
    #[command(flatten)]
    password: PasswordSource,
}

impl Decrypt {
    pub(super) fn run(self) -> Outcome {
        let vault = vault::open(&self.vault, &self.password.read()?)?;
        let keys = vault.keys(&self.client);
        if keys.is_empty() {
            return Err(format!("the vault has no key for {}", self.client).into());
        }
        let text = console::stdin()?;
        let text = std::str::from_utf8(&text).map_err(|_| "stdin is not base64")?;
        let envelope = decode_payload(text.trim_end_matches(['\r', '\n']))?;
        let mut refusal = None;
        for key in &keys {
            match open_v1(key, &envelope) {
                Ok(message) => return console::print(&*message),
                // That of the newest key tells most.
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        refusal.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Reads a public key in any of the usual forms.
pub(super) fn public_key(path: &Path) -> Outcome<SealingKey> {
    let bytes = console::read(path)?;
    let key = match std::str::from_utf8(&bytes) {
        Ok(text) => SealingKey::parse(text.trim()),
        Err(_) => SealingKey::from_der(&bytes),
    };
    Ok(key.map_err(|error| format!("{}: {error}", path.display()))?)
}
