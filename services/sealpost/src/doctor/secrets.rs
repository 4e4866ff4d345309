//! Secrets of a standalone, and the keys in the gateway's vault: kinds and ages, never a key.

use common::crypto::vault::Vault;
use common::models::{Clock as _, SystemClock, UnixMillis};
use config::Config;

use super::Finding;
use crate::installation::Installation;
use crate::serve::secrets;

/// A key that has been in use for so long should have a successor.
const OLD: u64 = 2 * 365;
/// What a shorter RSA key is not enough for.
const RSA_BITS: u32 = 2048;

/// Fills in what the standalone has made, and tells what is missing of it.
pub(super) fn fill(config: &mut Config, installation: &Installation) -> Vec<Finding> {
    if !installation.data_dir.is_dir() {
        return Vec::new();
    }
    match secrets::present(config, &installation.data_dir) {
        Ok(missing) => missing
            .iter()
            .map(|path| {
                Finding::warning(
                    "secrets",
                    format!("{} is not there", path.display()),
                    "put it back if it was lost: the next start makes a new one, and what the old one protects is \
                     worthless then",
                )
            })
            .collect(),
        Err(error) => vec![Finding::failed(
            "secrets",
            error.to_string(),
            "make it readable for the user that serves, or put back the right one from a backup",
        )],
    }
}

/// Opens the vault as the gateway does.
pub(super) fn examine_vault(config: &Config) -> Vec<Finding> {
    let Ok(settings) = config.section::<sms_gateway::Settings>("sms_gateway") else {
        return Vec::new();
    };
    let Some(path) = &settings.vault else {
        return vec![Finding::warning(
            "vault",
            "sms_gateway.vault is not set",
            "without it every SMS request is INVALID: make one with `sealpost sms vault create`",
        )];
    };
    let opened = std::fs::read(path).map_err(|error| error.to_string()).and_then(|file| {
        Vault::open(&file, settings.vault_password.expose()).map_err(|error| error.to_string())
    });
    let vault = match opened {
        Ok(vault) => vault,
        Err(error) => {
            return vec![Finding::failed(
                "vault",
                format!("{}: {error}", path.display()),
                "correct sms_gateway.vault or sms_gateway.vault_password",
            )];
        }
    };
    let mut findings = keys(&vault, SystemClock.now());
    for client in &settings.allowed_clients {
        if vault.keys(client.as_str()).is_empty() {
            findings.push(Finding::failed(
                "vault",
                format!("client {client} may send, and has no key"),
                format!("sealpost sms vault add {} {client}", path.display()),
            ));
        }
    }
    findings
}

fn keys(vault: &Vault, now: UnixMillis) -> Vec<Finding> {
    let exposed = vault.exposed();
    let entries = vault.entries();
    let described = entries.iter().map(|entry| {
        let check = format!("key {}", entry.alias);
        if let Some(found) = exposed.iter().find(|exposed| exposed.alias == entry.alias) {
            return Finding::failed(check, found.why.to_string(), "make another one, and tell the client");
        }
        let Some((kind, bits)) = entry.key else {
            return Finding::warning(check, "of a kind that is not used here", "make one for this client");
        };
        let days = entry.created.map(|created| (now - created).as_secs() / 86_400);
        let age = days.map_or("age unknown".to_owned(), |days| format!("{days} days old"));
        let says = format!("{} of {bits} bits, {age}", kind.as_str());
        let short = kind.as_str() == "rsa" && bits < RSA_BITS;
        if short || days.is_some_and(|days| days > OLD) {
            return Finding::warning(check, says, "add a new key for this client; the old one stays valid");
        }
        Finding::ok(check, says)
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use common::crypto::vault::VaultFormat;

    use super::super::State;
    use super::*;

    #[test]
    fn an_old_key_is_told_by_its_age() {
        let mut vault = Vault::new(VaultFormat::Pkcs12);
        let made = UnixMillis(1_700_000_000_000);
        vault.add_x25519("acme", made).unwrap();
        let day = 86_400_000;

        let young = keys(&vault, UnixMillis(made.as_i64() + 10 * day));
        let old = keys(&vault, UnixMillis(made.as_i64() + 800 * day));

        assert_eq!((young[0].state, young[0].check.as_str()), (State::Ok, "key acme"));
        assert!(young[0].says.ends_with("10 days old"), "{}", young[0].says);
        assert_eq!(old[0].state, State::Warning);
    }
}
