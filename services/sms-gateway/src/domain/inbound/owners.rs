//! Whose a message is, and what its owner gets: an envelope.

use std::sync::Arc;

use common::crypto::sms_envelope::{KeyKind, SealError, SealingKey, encode_payload, seal_v1, seal_v2};
use common::crypto::sms_inbound::{InboundBinding, InboundBody, InboundSms};
use common::models::UnixMillis;
use common::models::sms::{ClientId, InboundId, InboundKeyword, SmsInbound, SmscName};

use crate::domain::opt_out::{OptOuts, folded};
use crate::settings::{Encryption, Inbound, InboundSender};

/// Finds the public keys of clients.
pub(crate) trait PublicKeys: Send + Sync {
    /// Gives a client's newest key of a kind; `None` when there is none, or no vault at present.
    fn public_key(&self, client: &ClientId, kind: KeyKind) -> Option<SealingKey>;
}

/// Why an owner cannot be given a message now. It will be, once somebody has seen to it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unsealable {
    /// No key.
    #[error("no {} key of client {client} for what comes from handsets", kind.as_str())]
    NoKey {
        /// Whose.
        client: ClientId,
        /// Of which kind.
        kind: KeyKind,
    },
    /// Cryptography failed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What is known of a message to find its owner.
pub(crate) struct Subject<'a> {
    /// From which SMSC.
    pub(crate) smsc: &'a SmscName,
    /// To which number.
    pub(crate) to: &'a str,
    /// The text; `None` when its first part is missing or it is no text.
    pub(crate) text: Option<&'a str>,
    /// Whether it came as one SMS: only such a one is a word that opts out.
    pub(crate) alone: bool,
}

/// What a message means.
pub(crate) struct Meaning<'a> {
    /// Who gets it, and the word that it is.
    pub(crate) owner: Option<(&'a Inbound, Option<InboundKeyword>)>,
    /// Whose messages the sender wants no more, or again.
    pub(crate) words: Vec<(ClientId, InboundKeyword)>,
}

/// A message, ready for its owner.
pub(crate) struct Whole<'a> {
    /// Who sent it.
    pub(crate) from: &'a str,
    /// To which number.
    pub(crate) to: &'a str,
    /// What.
    pub(crate) body: InboundBody,
    /// How many SMS it is.
    pub(crate) parts: u8,
    /// Whether some are missing.
    pub(crate) partial: bool,
}

/// The numbers, and who owns them.
pub(crate) struct Owners {
    entries: Vec<Inbound>,
    words: Arc<OptOuts>,
    keys: Arc<dyn PublicKeys>,
}

impl Owners {
    /// Takes them from the settings.
    pub(crate) fn new(entries: Vec<Inbound>, words: Arc<OptOuts>, keys: Arc<dyn PublicKeys>) -> Self {
        Self { entries, words, keys }
    }

    /// Tells whether a number is somebody's at all, whatever is written to it.
    pub(crate) fn is_ours(&self, smsc: &SmscName, to: &str) -> bool {
        self.candidates(smsc, to).next().is_some()
    }

    fn candidates(&self, smsc: &SmscName, to: &str) -> impl Iterator<Item = &Inbound> {
        let fits = move |entry: &&Inbound| {
            entry.smsc.as_ref().is_none_or(|name| name == smsc) && entry.number.fits(to)
        };
        self.entries.iter().filter(fits)
    }

    /// Finds the owner: the first entry that fits. A bare STOP to a number that several share says not whose messages
    /// are meant, and so holds for all of them; but only the owner is told who said it.
    pub(crate) fn meaning(&self, subject: &Subject<'_>) -> Meaning<'_> {
        let candidates = || self.candidates(subject.smsc, subject.to);
        let text = subject.text.unwrap_or_default().trim();
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let said = |entry: &Inbound| match &entry.keyword {
            None => true,
            Some(keyword) => subject.text.is_some() && folded(keyword) == folded(first),
        };
        let owner = candidates().find(|entry| said(entry));
        let mut words: Vec<(ClientId, InboundKeyword)> = Vec::new();
        if subject.alone {
            let addressed = owner.filter(|entry| entry.keyword.is_some()).map(|entry| (entry, rest));
            let all = candidates().map(|entry| (entry, text));
            for (entry, text) in addressed.into_iter().chain(all) {
                let known = words.iter().any(|(client, _)| *client == entry.client);
                words.extend(
                    self.words
                        .keyword(&entry.client, text)
                        .filter(|_| !known)
                        .map(|keyword| (entry.client.clone(), keyword)),
                );
            }
        }
        let keyword = |entry: &Inbound| {
            words.iter().find(|(client, _)| *client == entry.client).map(|(_, keyword)| *keyword)
        };
        Meaning { owner: owner.map(|entry| (entry, keyword(entry))), words }
    }

    /// Makes the record of a message for its owner.
    ///
    /// # Errors
    /// [`Unsealable`].
    pub(crate) fn record(
        &self,
        (owner, keyword): (&Inbound, Option<InboundKeyword>),
        whole: Whole<'_>,
        now: UnixMillis,
    ) -> Result<SmsInbound, Unsealable> {
        let kind = owner.encryption.kind();
        let key = match &owner.public_key {
            Some(key) => SealingKey::parse(key).ok(),
            None => self.keys.public_key(&owner.client, kind),
        };
        let key = key.ok_or_else(|| Unsealable::NoKey { client: owner.client.clone(), kind })?;
        let inbound_id = InboundId::from(uuid::Uuid::now_v7().to_string());
        let timestamp = now.to_rfc3339_seconds();
        let binding = InboundBinding {
            client_id: owner.client.as_str(),
            inbound_id: inbound_id.as_str(),
            timestamp: &timestamp,
            recipient: whole.to,
        };
        let message = InboundSms::new(whole.from, whole.to, whole.body).to_octets();
        let envelope = match owner.encryption {
            Encryption::V1 => seal_v1(&key, &message),
            Encryption::V2 => binding.with(|binding| seal_v2(&key, binding, &message)),
        }?;
        Ok(SmsInbound {
            client_id: owner.client.clone(),
            inbound_id,
            recipient: whole.to.to_owned(),
            sender: (owner.inbound_sender == InboundSender::Clear).then(|| whole.from.to_owned()),
            timestamp: now,
            parts: whole.parts,
            partial: whole.partial,
            keyword,
            payload: encode_payload(&envelope),
        })
    }
}

#[cfg(test)]
mod tests;
