//! What was learnt, and the settings that follow.

use std::fmt::Write as _;

use serde_json::{Value, json};
use smpp::esme::InterfaceVersion;
use sms::message_id::IdBase;
use sms_gateway::{Bind, SmscSettings};

/// What the SMSC has shown.
#[derive(Default)]
pub(super) struct Learnt {
    /// Whether it let us in.
    pub(super) bound: bool,
    /// The version that it says to speak.
    pub(super) version: Option<u8>,
    /// Its id of the first message.
    pub(super) message_id: Option<String>,
    /// That id in the receipt.
    pub(super) receipt_id: Option<String>,
    /// How the two belong together, if they do.
    pub(super) id_base: Option<IdBase>,
}

impl Learnt {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "bound": self.bound,
            "interfaceVersion": self.version.map(super::words::version),
            "messageId": self.message_id,
            "receiptId": self.receipt_id,
            "idBase": self.id_base.map(IdBase::as_str),
        })
    }
}

/// Finds how the ids of a response and of its receipt belong together.
pub(super) fn id_base(response: &str, receipt: &str) -> Option<IdBase> {
    // The plain reading first: what is the same text is no riddle.
    [IdBase::AsIs, IdBase::HexThenDecimal, IdBase::DecimalThenHex]
        .into_iter()
        .find(|base| sms::message_id::matches(response, receipt, *base))
}

/// Tells whether an id shows its base: one of a single digit is the same in all.
pub(super) fn shows_base(id: &str) -> bool {
    id.trim_start_matches('0').len() > 1
}

/// Says what an id looks like.
pub(super) fn shape(id: &str) -> &'static str {
    let all = |fits: fn(&u8) -> bool| id.bytes().all(|octet| fits(&octet));
    match id {
        "" => "missing",
        _ if all(u8::is_ascii_digit) => "digits",
        _ if all(u8::is_ascii_hexdigit) => "hexadecimal",
        _ => "a text",
    }
}

/// Writes the SMSC's settings as TOML: what was tried, and what was learnt. The password is a file's name.
pub(super) fn settings(smsc: &SmscSettings, learnt: &Learnt) -> String {
    let usual = SmscSettings::default();
    let mut block = String::from("[[sms_gateway.smsc]]\n");
    let mut line = |name: &str, value: String| {
        let _ = writeln!(block, "{name} = {value}");
    };
    line("name", quoted(smsc.name.as_str()));
    line("host", quoted(&smsc.host));
    line("port", smsc.port.to_string());
    line("system_id", quoted(&smsc.system_id));
    line("password_file", quoted(&format!("/etc/sealpost/secrets/smsc-{}-password", smsc.name)));
    if smsc.system_type != usual.system_type {
        line("system_type", quoted(&smsc.system_type));
    }
    let version = match smsc.interface_version {
        InterfaceVersion::Smpp33 => Some("3.3"),
        InterfaceVersion::Smpp34 => None,
        InterfaceVersion::Smpp50 => Some("5.0"),
    };
    if let Some(version) = version {
        line("interface_version", quoted(version));
    }
    let bind = match smsc.bind {
        Bind::Transceiver => "transceiver",
        Bind::Pair => "tx+rx",
        Bind::Transmitter => "transmitter",
        Bind::Receiver => "receiver",
    };
    line("bind", quoted(bind));
    let id_base = learnt.id_base.unwrap_or(smsc.id_base);
    if id_base != usual.id_base || learnt.id_base.is_some() {
        line("id_base", quoted(id_base.as_str()));
    }
    if let Some(tls) = &smsc.tls {
        block += "[sms_gateway.smsc.tls]\n";
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        for (name, value) in [
            ("ca_file", path(&tls.ca_file)),
            ("certificate_file", path(&tls.certificate_file)),
            ("key_file", path(&tls.key_file)),
            ("server_name", tls.server_name.clone()),
        ] {
            if let Some(value) = value {
                let _ = writeln!(block, "{name} = {}", quoted(&value));
            }
        }
    }
    block
}

/// A string of JSON is one of TOML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_their_base_when_a_receipt_has_come() {
        for (response, receipt, base) in [
            ("12", "12", Some(IdBase::AsIs)),
            ("0012", "12", Some(IdBase::AsIs)),
            ("1f", "31", Some(IdBase::HexThenDecimal)),
            ("31", "1F", Some(IdBase::DecimalThenHex)),
            ("a-1", "a-2", None),
        ] {
            assert_eq!(id_base(response, receipt), base, "{response} {receipt}");
        }
    }

    #[test]
    fn an_id_of_one_digit_shows_no_base() {
        assert!(!shows_base("0007") && !shows_base("a") && shows_base("10") && shows_base("op-1"));
    }

    #[test]
    fn no_password_is_in_the_settings() {
        let smsc = SmscSettings {
            name: "main".into(),
            password: "hunter2".into(),
            system_id: "a\"b".into(),
            ..SmscSettings::default()
        };

        let block = settings(&smsc, &Learnt::default());

        assert!(!block.contains("hunter2") && block.contains(r#"system_id = "a\"b""#), "{block}");
        assert!(block.contains("password_file = \"/etc/sealpost/secrets/smsc-main-password\""), "{block}");
    }
}
