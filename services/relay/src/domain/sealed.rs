//! What an SMS says, and how it lies in the table until the publisher has it: sealed under the data key.

use std::fmt;

use common::crypto::DataKey;
use common::crypto::data_key::NotOurs;
use common::crypto::token::NoRandomness;
use common::models::E164;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::MessageId;

/// What the key that seals is for.
const PURPOSE: &str = "relay: an incoming sms";

/// An SMS that was decrypted. Wiped when dropped, and `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Payload {
    /// Whose it is.
    pub(crate) msisdn: String,
    /// The platform that its letter stands for.
    pub(crate) platform: String,
    /// What it says, letter and all.
    pub(crate) message: String,
}

impl Payload {
    pub(crate) fn new(sender: &E164, platform: &str, message: &str) -> Self {
        Self {
            msisdn: sender.as_str().to_owned(),
            platform: platform.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

/// Seals what rows hold.
#[derive(Debug, Clone)]
pub(crate) struct Seal(DataKey);

impl Seal {
    pub(crate) fn new(key: DataKey) -> Self {
        Self(key)
    }

    /// The id of an SMS.
    pub(crate) fn id(&self, sender: &E164, text: &str) -> MessageId {
        MessageId::of(&self.0, sender, text)
    }

    /// What stands for a SIM where it is not shown: the same each time.
    pub(crate) fn pseudonym(&self, imsi: &str) -> String {
        let hash = self.0.mac("relay: pseudonym of a sim", &[imsi.as_bytes()]);
        // Never digits alone, so that none can be taken for an IMSI.
        hash.iter().take(8).fold(String::from("sim-"), |text, octet| text + &format!("{octet:02x}"))
    }

    /// Seals an SMS for its row.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(crate) fn seal(&self, id: &MessageId, payload: &Payload) -> Result<Vec<u8>, NoRandomness> {
        // Texts alone: they always have a form in JSON.
        let plain = Zeroizing::new(serde_json::to_vec(payload).unwrap_or_default());
        self.0.seal(PURPOSE, id.as_str().as_bytes(), &plain)
    }

    /// Opens what a row holds.
    ///
    /// # Errors
    /// [`NotOurs`] when it was sealed under another key.
    pub(crate) fn open(&self, id: &MessageId, sealed: &[u8]) -> Result<Payload, NotOurs> {
        let plain = self.0.open(PURPOSE, id.as_str().as_bytes(), sealed)?;
        serde_json::from_slice(&plain).map_err(|_| NotOurs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(octet: u8) -> Seal {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([octet; 32]);
        Seal::new(DataKey::from_text(&text).unwrap())
    }

    #[test]
    fn a_row_opens_for_its_key_and_its_sms_alone() {
        let (sender, ours) = ("+237677123456".parse().unwrap(), seal(1));
        let (id, other) = (ours.id(&sender, "one"), ours.id(&sender, "two"));
        let payload = Payload::new(&sender, "gmail", "g:a@b.c:::Hi:text");

        let sealed = ours.seal(&id, &payload).unwrap();

        assert_eq!(ours.open(&id, &sealed).as_ref(), Ok(&payload));
        assert!(ours.open(&other, &sealed).is_err() && seal(2).open(&id, &sealed).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"gmail" || window == b"+2376"));
        assert_eq!(format!("{payload:?}"), "Payload { .. }");
    }

    #[test]
    fn ids_and_pseudonyms_are_stable_and_of_their_key() {
        let (sender, other) = ("+237677123456".parse().unwrap(), "+237677123457".parse().unwrap());

        assert_eq!(seal(1).id(&sender, "one"), seal(1).id(&sender, "one"));
        assert_ne!(seal(1).id(&sender, "one"), seal(1).id(&other, "one"));
        assert_ne!(seal(1).id(&sender, "one"), seal(2).id(&sender, "one"));
        assert_eq!(seal(1).pseudonym("624011234567890"), seal(1).pseudonym("624011234567890"));
        assert_ne!(seal(1).pseudonym("624011234567890"), seal(2).pseudonym("624011234567890"));
    }
}
