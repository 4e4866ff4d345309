//! `sealpost sms listen inbound`: what handsets sent, decrypted with a vault.

use std::collections::HashMap;
use std::path::PathBuf;

use bus::Delivered;
use clap::Args;
use common::crypto::sms_envelope::{Opener, decode_payload, encode_payload};
use common::crypto::sms_inbound::{InboundBinding, InboundBody, InboundSms};
use common::crypto::vault::Vault;
use common::models::sms::{ClientId, SmsInbound};
use serde_json::json;

use crate::console::{self, Outcome};
use crate::sms::{PasswordSource, vault};

#[derive(Args)]
pub(super) struct Keys {
    /// The vault with the keys of the clients whose messages are to be read
    #[arg(long, value_name = "FILE")]
    vault: PathBuf,
    #[command(flatten)]
    password: PasswordSource,
}

impl Keys {
    /// Opens the vault.
    pub(super) fn read(&self) -> Outcome<Reader> {
        let vault = vault::open(&self.vault, &self.password.read()?)?;
        Ok(Reader { vault, openers: HashMap::new() })
    }
}

/// Reads records.
pub(super) struct Reader {
    vault: Vault,
    openers: HashMap<ClientId, Option<Opener>>,
}

impl Reader {
    /// Prints a record with its message as one line; tells whether it did.
    pub(super) fn print(&mut self, record: &Delivered) -> Outcome<bool> {
        let Ok(inbound) = serde_json::from_slice::<SmsInbound>(record.bytes()) else {
            console::say(&format!("{}: not a message from a handset", record.position));
            return Ok(false);
        };
        let message = match self.open(&inbound) {
            Ok(message) => message,
            Err(reason) => {
                console::say(&format!("{}: {reason}", record.position));
                return Ok(false);
            }
        };
        let (name, body) = match message.body() {
            InboundBody::Text(text) => ("text", text.to_string()),
            InboundBody::Binary { octets, .. } => ("octets", encode_payload(octets)),
        };
        let mut line = json!(inbound);
        if let Some(fields) = line.as_object_mut() {
            fields.remove("payload");
            fields.insert("from".into(), message.from().into());
            fields.insert(name.into(), body.into());
        }
        console::print_line(&line.to_string())?;
        Ok(true)
    }

    fn open(&mut self, inbound: &SmsInbound) -> Result<InboundSms, String> {
        let vault = &self.vault;
        let made = || Opener::new(&vault.keys(inbound.client_id.as_str())).ok();
        let opener = self.openers.entry(inbound.client_id.clone()).or_insert_with(made);
        let opener =
            opener.as_mut().ok_or_else(|| format!("the vault has no key for {}", inbound.client_id))?;
        let envelope = decode_payload(&inbound.payload).map_err(|error| error.to_string())?;
        let timestamp = inbound.timestamp.to_rfc3339_seconds();
        let binding = InboundBinding {
            client_id: inbound.client_id.as_str(),
            inbound_id: inbound.inbound_id.as_str(),
            timestamp: &timestamp,
            recipient: &inbound.recipient,
        };
        let octets =
            binding.with(|binding| opener.open(&envelope, binding)).map_err(|error| error.to_string())?;
        InboundSms::parse(&octets).map_err(|error| error.to_string())
    }
}
