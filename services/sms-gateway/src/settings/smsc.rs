//! One SMSC, `[[sms_gateway.smsc]]`.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use common::crypto::Secret;
use common::models::sms::SmscName;
use serde::Deserialize;
use smpp::esme::InterfaceVersion;
use smpp::tls::TlsSettings;
use sms::message_id::IdBase;
use sms::{DefaultAlphabet, LongText};

/// Which binds there are to an SMSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bind {
    /// One for both ways.
    #[default]
    #[serde(alias = "trx")]
    Transceiver,
    /// One for each way, for SMSCs that know no transceiver.
    #[serde(rename = "tx+rx")]
    Pair,
    /// Only for ours to the SMSC; another program or instance takes the receipts.
    #[serde(alias = "tx")]
    Transmitter,
    /// Only for receipts and messages to us.
    #[serde(alias = "rx")]
    Receiver,
}

/// TLS towards an SMSC; its certificate and name are always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Authorities that may vouch for it, PEM; the system's when not given.
    pub ca_file: Option<PathBuf>,
    /// Our certificate with its chain, PEM, for an SMSC that asks for one.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
    /// The name in the SMSC's certificate, if it is not `host`.
    pub server_name: Option<String>,
}

impl From<&Tls> for TlsSettings {
    fn from(tls: &Tls) -> Self {
        Self {
            ca_file: tls.ca_file.clone(),
            certificate_file: tls.certificate_file.clone(),
            key_file: tls.key_file.clone(),
            server_name: tls.server_name.clone(),
        }
    }
}

/// One SMSC.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmscSettings {
    /// Its name in rows, logs and metrics; receipts find their message by it, so it stays.
    pub name: SmscName,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS; without this table the connection is in the clear.
    pub tls: Option<Tls>,
    /// Who binds, at most 15 characters.
    pub system_id: String,
    /// Its password, at most 8 characters.
    pub password: Secret<String>,
    /// Kind of ESME, at most 12 characters.
    pub system_type: String,
    /// Version that we say to speak: 3.3, 3.4 or 5.0.
    #[serde(deserialize_with = "word")]
    pub interface_version: InterfaceVersion,
    /// The binds: `transceiver`, `tx+rx`, `transmitter` or `receiver`.
    pub bind: Bind,
    /// Requests without a response, at most, for each instance.
    pub window: usize,
    /// Submissions a second of each instance, at most; 0: no limit. Of what an SMSC allows, give each of three
    /// instances a third.
    pub tps: f64,
    /// How long a response is waited for.
    #[serde(with = "humantime_serde")]
    pub response_timeout: Duration,
    /// How long responses are waited for before we unbind: when an operator drains the bind, and at the gateway's end.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
    /// How long the SMSC may be silent before it is asked whether it lives.
    #[serde(with = "humantime_serde")]
    pub enquire_link: Duration,
    /// First wait before a new connection; doubled at each failure.
    #[serde(with = "humantime_serde")]
    pub reconnect: Duration,
    /// Longest wait before a new connection.
    #[serde(with = "humantime_serde")]
    pub reconnect_max: Duration,
    /// Wait before a new try after it refused the credentials.
    #[serde(with = "humantime_serde")]
    pub refused_retry: Duration,
    /// Numbering plan (NPI) of recipients: 0, as clients of this interface know it, or 1 (ISDN) where an operator wants that.
    pub destination_npi: u8,
    /// Which receipts it is asked for with each segment (registered_delivery): 1, of success and failure; 2, of failures
    /// alone; 0, none. Without that of a success a message stays SENT.
    pub registered_delivery: u8,
    /// Whether one of its messages that reads like a receipt, with `id:` and `stat:`, is one although nothing marks it. Any
    /// handset can write such a text: only for an SMSC that marks none.
    pub receipts_by_text: bool,
    /// What it takes data_coding 0 for: `gsm7`, `latin1` or `ascii`.
    #[serde(deserialize_with = "word")]
    pub default_alphabet: DefaultAlphabet,
    /// How a long text is carried: `udh8`, `udh16`, `sar`, or `payload`, which leaves the cutting to the SMSC.
    #[serde(deserialize_with = "word")]
    pub long_text: LongText,
    /// Whether the deadline goes along as validity_period.
    pub validity_period: bool,
    /// The longest validity_period that it takes.
    #[serde(with = "humantime_serde")]
    pub validity_max: Duration,
    /// How long a message may be without a receipt before the SMSC is asked for its state with query_sm, each time
    /// twice as long; none: it is not asked.
    #[serde(with = "humantime_serde")]
    pub query_after: Option<Duration>,
    /// How it writes message ids in responses and in receipts: `as-is` (but for leading zeros), `hex-decimal`,
    /// `decimal-hex`, or `auto`, which guesses and can take one message's receipt for another's.
    #[serde(deserialize_with = "word")]
    pub id_base: IdBase,
    /// Whether it is a simulator: its statuses say so.
    pub simulated: bool,
}

impl Default for SmscSettings {
    fn default() -> Self {
        Self {
            name: "".into(),
            host: "127.0.0.1".into(),
            port: 2775,
            tls: None,
            system_id: String::new(),
            password: Secret::default(),
            system_type: "smpp".into(),
            interface_version: InterfaceVersion::default(),
            bind: Bind::Transceiver,
            window: 10,
            tps: 0.0,
            response_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            enquire_link: Duration::from_secs(30),
            reconnect: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(60),
            refused_retry: Duration::from_secs(12),
            destination_npi: 0,
            registered_delivery: 1,
            receipts_by_text: false,
            default_alphabet: DefaultAlphabet::default(),
            long_text: LongText::default(),
            validity_period: true,
            validity_max: sms::validity::LONGEST,
            query_after: None,
            id_base: IdBase::default(),
            simulated: false,
        }
    }
}

/// Reads a value that is written as one word.
pub(super) fn word<'de, D: serde::Deserializer<'de>, T: FromStr<Err: Display>>(
    from: D,
) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

impl SmscSettings {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let tls_pair = |tls: &Tls| tls.certificate_file.is_some() == tls.key_file.is_some();
        let version_3_3 = self.interface_version == InterfaceVersion::Smpp33;
        for (fits, place, what) in [
            ((1..=64).contains(&self.name.as_str().len()), "name", "must have 1 to 64 characters"),
            (self.window > 0, "window", "must be above 0"),
            (self.password.expose().len() <= 8, "password", "SMPP allows 8 characters"),
            (self.system_id.len() <= 15, "system_id", "SMPP allows 15 characters"),
            (self.system_type.len() <= 12, "system_type", "SMPP allows 12 characters"),
            (super::is_rate(self.tps), "tps", "must be 0 or above"),
            (self.tls.as_ref().is_none_or(tls_pair), "tls", "certificate_file and key_file go together"),
            (!version_3_3 || self.bind != Bind::Transceiver, "bind", "SMPP 3.3 has no transceiver: tx+rx"),
            (
                !version_3_3 || !self.long_text.needs_tlvs(),
                "long_text",
                "SMPP 3.3 has no optional parameters: udh8 or udh16",
            ),
            (!self.refused_retry.is_zero(), "refused_retry", "must be above 0"),
            (self.destination_npi <= 18, "destination_npi", "is 0 to 18"),
            (self.registered_delivery <= 2, "registered_delivery", "is 0 to 2"),
            (self.query_after != Some(Duration::ZERO), "query_after", "must be above 0"),
        ] {
            if !fits {
                fault(place, what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_bind_are_no_longer_than_smpp_allows() {
        let smsc = |password: usize, system_id: usize, system_type: usize| SmscSettings {
            name: "a".into(),
            password: "x".repeat(password).into(),
            system_id: "x".repeat(system_id),
            system_type: "x".repeat(system_type),
            ..SmscSettings::default()
        };
        let places = |smsc: SmscSettings| {
            let mut places = Vec::new();
            smsc.faults(&mut |place, _| places.push(place.to_owned()));
            places
        };

        assert_eq!(places(smsc(8, 15, 12)), [""; 0]);
        assert_eq!(places(smsc(9, 16, 13)), ["password", "system_id", "system_type"]);
    }
}
