//! `sealpost sms encrypt` and `decrypt`.

use std::path::{Path, PathBuf};

use clap::Args;
use common::crypto::sms_envelope::{
    Binding, KeyKind, Opener, SealingKey, Version, decode_payload, encode_payload, seal,
};
use common::crypto::sms_payload::SmsPayload;
use common::models::sms::SmsRequest;

use super::{PasswordSource, deadline, vault};
use crate::console::{self, Outcome};

#[derive(Args)]
pub(crate) struct Encrypt {
    /// File with the client's public key: base64 of its DER form, DER, or PEM. Its kind decides the version: RSA the
    /// first, X25519 the second
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
    /// The request's client-id; of use with an X25519 key only, as are the next two
    #[arg(long, value_name = "ID", requires_all = ["correl_id", "deadline"])]
    client: Option<String>,
    /// The request's correl-id
    #[arg(long, value_name = "ID", requires_all = ["client", "deadline"])]
    correl_id: Option<String>,
    /// The request's deadline, letter for letter
    #[arg(long, value_name = "INSTANT", requires_all = ["client", "correl_id"], value_parser = deadline)]
    deadline: Option<String>,
}

impl Encrypt {
    pub(super) fn run(self) -> Outcome {
        let key = public_key(&self.public_key)?;
        let binding = match (&self.client, &self.correl_id, &self.deadline) {
            (Some(client_id), Some(correl_id), Some(deadline)) => Binding { client_id, correl_id, deadline },
            _ if key.kind() == KeyKind::X25519 => {
                return Err("a message for an X25519 key belongs to one request: \
                            give --client, --correl-id and --deadline"
                    .into());
            }
            _ => Binding { client_id: "", correl_id: "", deadline: "" },
        };
        let message = match (self.to, self.text) {
            (Some(to), Some(text)) => SmsPayload::new(&to, self.sender.as_deref(), &text)?.to_octets(),
            (Some(to), None) => {
                SmsPayload::new(&to, self.sender.as_deref(), &console::stdin_text()?)?.to_octets()
            }
            (None, _) => console::stdin()?,
        };
        console::print(encode_payload(&seal(&key, &binding, &message)?))
    }
}

#[derive(Args)]
pub(crate) struct Decrypt {
    /// The vault's file
    vault: PathBuf,
    /// The client id
    client: String,
    /// The request's correl-id; needed for a message of version 2 that comes without its request
    #[arg(long, value_name = "ID", requires = "deadline")]
    correl_id: Option<String>,
    /// The request's deadline, letter for letter; needed likewise
    #[arg(long, value_name = "INSTANT", requires = "correl_id")]
    deadline: Option<String>,
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
        let input = console::stdin()?;
        let request = match input.trim_ascii_start().first() {
            Some(b'{') => SmsRequest::parse(&input)?,
            _ => self.request(&input)?,
        };
        let envelope = decode_payload(request.payload.as_deref().ok_or("payload is missing")?)?;
        if Version::of(&envelope) == Ok(Version::V2) && request.deadline.is_none() {
            return Err("a message of version 2 belongs to a request: \
                        give that on stdin, or --correl-id and --deadline"
                .into());
        }
        let binding = Binding {
            client_id: request.client_id.as_str(),
            correl_id: request.correl_id.as_str(),
            deadline: request.deadline.as_deref().unwrap_or_default(),
        };
        console::print(&*Opener::new(&keys)?.open(&envelope, &binding)?)
    }

    /// Makes a request around a payload that came alone.
    fn request(&self, payload: &[u8]) -> Outcome<SmsRequest> {
        let text = std::str::from_utf8(payload).map_err(|_| "stdin is not base64")?;
        Ok(SmsRequest {
            client_id: self.client.as_str().into(),
            correl_id: self.correl_id.as_deref().unwrap_or_default().into(),
            deadline: self.deadline.clone(),
            payload: Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            class: None,
        })
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
