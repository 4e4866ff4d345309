//! One deliver_sm that is no receipt: its place in its message, its names in tables, and its form at rest.

use common::crypto::data_key::NotOurs;
use common::crypto::sms_inbound::InboundBody;
use common::crypto::token::NoRandomness;
use common::crypto::{DataKey, Secret};
use common::models::sms::SmscName;
use smpp::codec::{Address, DeliverSm, esm_class};
use sms::udh::{self, Concatenation, Reference};
use sms::{DefaultAlphabet, Joined, Piece};
use zeroize::Zeroizing;

/// What the key makes: names of messages, names of parts, and what parts are encrypted with.
const MESSAGE: &str = "sealpost sms-gateway inbound message 1";
const DIGEST: &str = "sealpost sms-gateway inbound digest 1";
const PART: &str = "sealpost sms-gateway inbound part 1";
/// Octets of a name.
const LENGTH: usize = 16;
/// International, as a type of number (SMPP 3.4 §5.2.5).
const INTERNATIONAL: u8 = 1;

/// Where a part belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What carries the reference: a header with 8 or 16 bits, or TLVs.
    form: u8,
    reference: u16,
    /// How many parts there are: at least two.
    pub(crate) total: u8,
    /// Which one this is, from 1.
    pub(crate) number: u8,
}

/// What an SMSC brought.
#[derive(Clone)]
pub(crate) struct Fragment {
    /// Which SMSC.
    pub(crate) smsc: SmscName,
    /// Who sent it: `+` and digits where the SMSC says that it is an international number.
    pub(crate) from: Zeroizing<String>,
    /// The number of ours that it is for, as the SMSC writes it.
    pub(crate) to: String,
    /// `None` for a whole message.
    pub(crate) place: Option<Place>,
    /// Its alphabet and text.
    pub(crate) piece: Piece,
    /// What else tells two messages from one that came twice.
    marks: Vec<u8>,
}

impl Fragment {
    /// Reads a message that is no receipt. The user data header goes before the TLVs, as it was the handset's.
    pub(crate) fn read(smsc: &SmscName, alphabet: DefaultAlphabet, message: &DeliverSm) -> Self {
        let (header, text) = match message.esm_class & esm_class::UDHI {
            0 => (&[][..], message.text()),
            _ => udh::split(message.text()),
        };
        let by_header = Concatenation::find(header).map(Place::from);
        let place = by_header.or_else(|| message.tlvs.sar().map(Place::from));
        let mut marks = header.to_vec();
        if let Some(id) = message.tlvs.receipted_message_id() {
            marks.extend(id.as_bytes());
        }
        if let Some(reference) = message.tlvs.user_message_reference() {
            marks.extend(reference.to_be_bytes());
        }
        let coding = sms::plain_coding(message.data_coding, alphabet);
        Self {
            smsc: smsc.clone(),
            from: number(&message.source),
            to: message.destination.value.clone(),
            place: place.filter(|place| place.total > 1),
            piece: Piece::of(coding, header, text),
            marks,
        }
    }
}

impl From<Concatenation> for Place {
    fn from(place: Concatenation) -> Self {
        let (form, reference) = match place.reference {
            Reference::Eight(reference) => (8, reference.into()),
            Reference::Sixteen(reference) => (16, reference),
        };
        Self { form, reference, total: place.total, number: place.number }
    }
}

impl From<smpp::codec::Sar> for Place {
    fn from(place: smpp::codec::Sar) -> Self {
        Self { form: 0, reference: place.reference, total: place.total, number: place.number }
    }
}

fn number(source: &Address) -> Zeroizing<String> {
    let value = source.value.trim();
    let digits = value.trim_start_matches('+');
    let international = source.ton == INTERNATIONAL || value.starts_with('+');
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    Zeroizing::new(if international && is_number { format!("+{digits}") } else { value.to_owned() })
}

/// Names and encrypts what tables hold of messages that are not whole. Every instance derives the same key, so that any
/// can join what others took. An envelope for the owner would not do: whose a message is may be known from its first
/// part alone, and the gateway may have no key that opens the owner's envelopes.
#[derive(Clone)]
pub(crate) struct InboundKey(DataKey);

impl InboundKey {
    /// Derives it from a secret that all instances share.
    pub(crate) fn derive(secret: &Secret<String>) -> Self {
        Self(DataKey::of_secret(secret))
    }

    /// Names the message that a part belongs to.
    pub(crate) fn message(&self, fragment: &Fragment, place: Place) -> String {
        let (reference, smsc) = (place.reference.to_be_bytes(), fragment.smsc.as_str().as_bytes());
        let (from, to) = (fragment.from.as_bytes(), fragment.to.as_bytes());
        self.name(MESSAGE, &[smsc, from, to, &[place.form, place.total], &reference])
    }

    /// Names all that the SMSC brought: the same again has the same name.
    pub(crate) fn digest(&self, fragment: &Fragment) -> String {
        let Fragment { smsc, from, to, place, piece, marks } = fragment;
        let place = place.map_or([0; 5], |place| {
            let [high, low] = place.reference.to_be_bytes();
            [place.form, high, low, place.total, place.number]
        });
        let (smsc, from, to) = (smsc.as_str().as_bytes(), from.as_bytes(), to.as_bytes());
        self.name(DIGEST, &[smsc, from, to, &place, marks, &[piece.coding], &piece.octets])
    }

    fn name(&self, purpose: &'static str, parts: &[&[u8]]) -> String {
        self.0.mac(purpose, parts).first_chunk::<LENGTH>().map(hex::encode).unwrap_or_default()
    }

    /// Encrypts a part for its row, which it opens in alone: alphabet, sender, text.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(crate) fn seal(
        &self,
        message: &str,
        number: u8,
        fragment: &Fragment,
    ) -> Result<Vec<u8>, NoRandomness> {
        let from = fragment.from.as_bytes();
        // An address of SMPP has 64 octets at most, and a peer that sends more has no number.
        let length = u8::try_from(from.len()).unwrap_or_default();
        let from = from.get(..usize::from(length)).unwrap_or_default();
        let plain = [&[fragment.piece.coding, length][..], from, &fragment.piece.octets].concat();
        self.0.seal(PART, &owner(message, number), &Zeroizing::new(plain))
    }

    /// Decrypts a part: who sent it, and the text.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub(crate) fn open(
        &self,
        message: &str,
        number: u8,
        sealed: &[u8],
    ) -> Result<(Zeroizing<String>, Piece), NotOurs> {
        let plain = self.0.open(PART, &owner(message, number), sealed)?;
        let (&[coding, length], rest) = plain.split_first_chunk().ok_or(NotOurs)?;
        let (from, octets) = rest.split_at_checked(usize::from(length)).ok_or(NotOurs)?;
        let from = Zeroizing::new(String::from_utf8(from.to_vec()).map_err(|_| NotOurs)?);
        Ok((from, Piece { coding, octets: octets.to_vec() }))
    }
}

fn owner(message: &str, number: u8) -> Vec<u8> {
    [message.as_bytes(), &[number]].concat()
}

/// Puts the parts of a message together; `None` stands for one that is missing.
pub(crate) fn join(pieces: &[Option<Piece>]) -> InboundBody {
    match sms::join(pieces) {
        Joined::Text(text) => InboundBody::Text(Zeroizing::new(text)),
        Joined::Binary { coding, octets } => InboundBody::Binary { coding, octets: Zeroizing::new(octets) },
    }
}

#[cfg(test)]
mod tests;
