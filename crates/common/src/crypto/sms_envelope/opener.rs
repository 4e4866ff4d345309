//! Opening envelopes with all the keys of a client.

use std::fmt;

use super::{Binding, KeyKind, OpenError, OpeningKey, PlainBytes, SealError, Version, v1, v2};

/// Opens envelopes with the keys of one client, prepared once. For one thread.
pub struct Opener {
    v1: Vec<v1::KeyOpener>,
    v2: Vec<v2::KeyOpener>,
}

impl Opener {
    /// Takes a client's keys, the likeliest (newest) first.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn new(keys: &[OpeningKey]) -> Result<Self, SealError> {
        let of = |kind| keys.iter().filter(move |key| key.kind() == kind);
        Ok(Self {
            v1: of(KeyKind::Rsa).map(OpeningKey::v1_opener).collect::<Result<_, _>>()?,
            v2: of(KeyKind::X25519).map(OpeningKey::v2_opener).collect::<Result<_, _>>()?,
        })
    }

    /// Opens an envelope (binary, after `decode_payload`) of either version; `binding` counts in version 2 only.
    ///
    /// # Errors
    /// [`OpenError`]; never [`OpenError::NotBase64`].
    pub fn open(&mut self, envelope: &[u8], binding: &Binding<'_>) -> Result<PlainBytes, OpenError> {
        match Version::of(envelope)? {
            Version::V1 => self.open_v1(envelope),
            Version::V2 => {
                let aad = binding.to_octets();
                first_opened(&mut self.v2, |key| key.open(envelope, &aad))
            }
        }
    }

    /// Opens an envelope of version 1, which belongs to no request.
    ///
    /// # Errors
    /// [`OpenError`]; never [`OpenError::NotBase64`] or [`OpenError::NotAuthentic`].
    pub fn open_v1(&mut self, envelope: &[u8]) -> Result<PlainBytes, OpenError> {
        first_opened(&mut self.v1, |key| key.open(envelope))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({} RSA keys, {} X25519 keys)", self.v1.len(), self.v2.len())
    }
}

fn first_opened<K>(
    keys: &mut [K],
    mut open: impl FnMut(&mut K) -> Result<PlainBytes, OpenError>,
) -> Result<PlainBytes, OpenError> {
    let mut failure = OpenError::NoKey;
    for key in keys {
        match open(key) {
            Ok(message) => return Ok(message),
            // What the key that fits says is wrong tells more than that the others do not fit.
            Err(error) if matches!(failure, OpenError::NoKey | OpenError::WrongKey) => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Opens one envelope of version 1; for many, [`OpeningKey::opener`] is faster.
///
/// # Errors
/// [`OpenError`]; never [`OpenError::NotBase64`].
pub fn open_v1(key: &OpeningKey, envelope: &[u8]) -> Result<PlainBytes, OpenError> {
    key.opener().map_err(|_| OpenError::WrongKey)?.open_v1(envelope)
}
