//! Messages from handsets: whose they are, `[[sms_gateway.inbound]]`, and the words that opt out,
//! `[sms_gateway.opt_out]`.

use std::collections::BTreeMap;
use std::time::Duration;

use common::crypto::sms_envelope::{KeyKind, SealingKey};
use common::models::sms::{ClientId, SmsClass, SmscName};
use serde::Deserialize;

use crate::domain::numbers::OwnNumber;
use crate::domain::opt_out::folded;

/// Which envelope a client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// RSA, for tools that know no other. Nothing in it ties the message to its record.
    V1,
    /// HPKE.
    #[default]
    V2,
}

impl Encryption {
    /// Gives the kind of key that it takes.
    pub fn kind(self) -> KeyKind {
        match self {
            Self::V1 => KeyKind::Rsa,
            Self::V2 => KeyKind::X25519,
        }
    }
}

/// Where the sender's number is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InboundSender {
    /// In the envelope alone.
    #[default]
    Sealed,
    /// In the record, too, for everybody who can read the topic or the tables.
    Clear,
}

/// What an SMSC is answered about a message that is nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unowned {
    /// That it was taken: it is counted, and gone.
    #[default]
    Accept,
    /// That it never will be: ESME_RX_P_APPN, so that it does not come again (SMPP 3.4 §5.1.3).
    Refuse,
}

/// A number of ours, and the client whose messages come to it. The first entry that fits counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Number or short code as the SMSC writes it, `#` for any one digit, `*` at the end for any more.
    pub number: OwnNumber,
    /// Only from this SMSC.
    pub smsc: Option<SmscName>,
    /// Only messages whose first word is this, in capitals or not: several clients share one number.
    pub keyword: Option<String>,
    /// Whose they are.
    pub client: ClientId,
    /// Version of the envelope.
    #[serde(default)]
    pub encryption: Encryption,
    /// The public key that they are encrypted to, one line of base64; none: the client's newest in the vault.
    #[serde(default)]
    pub public_key: Option<String>,
    /// Where the sender's number is told.
    #[serde(default)]
    pub inbound_sender: InboundSender,
}

impl Inbound {
    /// Takes all messages to a number for a client.
    pub fn new(number: OwnNumber, client: ClientId) -> Self {
        Self {
            number,
            smsc: None,
            keyword: None,
            client,
            encryption: Encryption::default(),
            public_key: None,
            inbound_sender: InboundSender::default(),
        }
    }

    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let one_word = |word: &String| word.split_whitespace().count() == 1 && word.trim() == word;
        if !self.keyword.as_ref().is_none_or(one_word) {
            fault("keyword", "must be one word");
        }
        if let Some(key) = &self.public_key {
            let kind = SealingKey::parse(key).map(|key| key.kind());
            if kind != Ok(self.encryption.kind()) {
                fault("public_key", "must be an X25519 key, or an RSA key for encryption v1");
            }
        }
    }
}

/// What a client has in place of the common settings of opting out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientOptOut {
    /// Whether its recipients can opt out.
    pub enabled: Option<bool>,
    /// The words that do it.
    pub stop: Option<Vec<String>>,
    /// The words that undo it.
    pub start: Option<Vec<String>>,
    /// Classes of requests that it holds for.
    pub classes: Option<Vec<SmsClass>>,
}

/// How recipients opt out: by a message that is one of these words and nothing else (but the keyword of the client).
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptOut {
    /// Whether recipients can opt out.
    pub enabled: bool,
    /// The words that do it, in capitals or not.
    pub stop: Vec<String>,
    /// The words that undo it.
    pub start: Vec<String>,
    /// Classes of requests that it holds for; a code that somebody asked for is not among them.
    pub classes: Vec<SmsClass>,
    /// How long the answer to the SMSC waits for what had left the queue before; then the SMSC is to bring the word
    /// again.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// What single clients have in place of this.
    pub of: BTreeMap<String, ClientOptOut>,
}

impl Default for OptOut {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            enabled: true,
            stop: words(&[
                // CTIA Short Code Monitoring Handbook, and 47 CFR 64.1200(a)(10).
                "STOP",
                "STOPALL",
                "UNSUBSCRIBE",
                "CANCEL",
                "END",
                "QUIT",
                "REVOKE",
                "OPTOUT",
                // French, Spanish, Portuguese, German, Swahili, Arabic.
                "ARRET",
                "ARRÊT",
                "ALTO",
                "BAJA",
                "PARAR",
                "SAIR",
                "STOPP",
                "ACHA",
                "SITISHA",
                "توقف",
                "إيقاف",
            ]),
            start: words(&["START", "UNSTOP", "YES"]),
            classes: vec![SmsClass::Bulk, SmsClass::Alert],
            patience: Duration::from_secs(5),
            of: BTreeMap::new(),
        }
    }
}

impl OptOut {
    /// Finds what the types cannot express.
    pub(super) fn faults(&self, fault: &mut dyn FnMut(&str, &str)) {
        let of_clients = self.of.values();
        let stop = of_clients.clone().filter_map(|of| of.stop.as_ref()).chain([&self.stop]).flatten();
        let start = of_clients.filter_map(|of| of.start.as_ref()).chain([&self.start]).flatten();
        for (place, mut words) in [("stop", stop.collect::<Vec<_>>()), ("start", start.collect())] {
            if words.drain(..).any(|word| folded(word).is_empty()) {
                fault(place, "has a word without a letter or digit");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(inbound: &Inbound) -> Vec<String> {
        let mut places = Vec::new();
        inbound.faults(&mut |place, _| places.push(place.to_owned()));
        places
    }

    #[test]
    fn a_key_must_be_of_the_kind_of_the_encryption() {
        let mut inbound = Inbound::new("15050".parse().unwrap(), "acme".into());
        inbound.public_key = Some("MCowBQYDK2VuAyEAYFpyXSpK3+6xop4X7dYhwbdZPujNvESsbEq24vgF0jw=".into());
        assert_eq!(faults(&inbound), [""; 0]);

        inbound.encryption = Encryption::V1;
        inbound.keyword = Some("two words".into());

        assert_eq!(faults(&inbound), ["keyword", "public_key"]);
    }

    #[test]
    fn an_empty_word_would_be_said_by_every_empty_message() {
        let of = ClientOptOut { stop: Some(vec!["!".into()]), ..ClientOptOut::default() };
        let opt_out = OptOut { of: [("acme".to_owned(), of)].into(), ..OptOut::default() };

        let mut places = Vec::new();
        opt_out.faults(&mut |place, _| places.push(place.to_owned()));

        assert_eq!(places, ["stop"]);
    }
}
