//! `sealpost sms`: the tools of an SMS client and of whoever keeps the gateway's keys.
//!
//! Keystores, RSA keys and the envelopes for them are those of the Java tools, byte for byte: either side reads what the
//! other wrote. X25519 keys are for envelopes of version 2.

mod channel;
mod envelope;
mod http;
mod listen;
mod respond;
mod route;
mod send;
pub(crate) mod smsc;
mod vault;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use common::models::sms::parse_deadline;
use zeroize::Zeroizing;

use crate::console::{self, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Keep the private keys of SMS clients in a keystore file (PKCS#12 or JKS)
    #[command(subcommand)]
    Vault(vault::Command),
    /// Encrypt a message to a client's public key; prints base64 without a line end
    Encrypt(envelope::Encrypt),
    /// Decrypt a base64 envelope, or a whole request, from stdin with a key of the vault
    Decrypt(envelope::Decrypt),
    /// Encrypt SMS and submit them, over Kafka or HTTP; prints a line for each that was accepted
    Send(Box<send::Send>),
    /// Say which way SMS would go and what they would cost, by the gateway's settings; nothing is sent
    Route(route::Route),
    /// Print requests, statuses or correlations as they come, one JSON object a line
    Listen(listen::Listen),
    /// Publish a status by hand, as the gateway would
    Respond(respond::Respond),
    /// Try an operator's SMSC before a gateway uses it
    #[command(subcommand)]
    Smsc(smsc::Command),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Vault(command) => command.run(),
            Self::Encrypt(command) => command.run(),
            Self::Decrypt(command) => command.run(),
            Self::Send(command) => console::block_on(command.run()),
            Self::Route(command) => command.run(),
            Self::Listen(command) => console::block_on(command.run()),
            Self::Respond(command) => console::block_on(command.run()),
            Self::Smsc(command) => console::block_on(command.run()),
        }
    }
}

/// Checks a deadline, and leaves it as it is written.
fn deadline(text: &str) -> Result<String, String> {
    parse_deadline(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Where the vault's password comes from; never from the command line, where every user of the machine can read it.
#[derive(Args)]
pub(crate) struct PasswordSource {
    /// File with the vault's password; else the variable SEALPOST_VAULT_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    fn read(&self) -> Outcome<Zeroizing<String>> {
        if let Some(path) = &self.password_file {
            return console::read_line(path);
        }
        let password = std::env::var("SEALPOST_VAULT_PASSWORD");
        Ok(Zeroizing::new(password.map_err(|_| "give --password-file, or set SEALPOST_VAULT_PASSWORD")?))
    }
}
