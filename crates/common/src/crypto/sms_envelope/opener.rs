//! Opening envelopes with all the keys of a client.

use std::fmt;

use rsa_lanes::{Block, PrivateKey};
use zeroize::Zeroizing;

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
        self.open_unwrapped(envelope, binding, &Unwrapped::default())
    }

    /// Opens an envelope of which [`unwrap_all`] has given `unwrapped` for these keys.
    ///
    /// # Errors
    /// As [`Opener::open`].
    pub fn open_unwrapped(
        &mut self,
        envelope: &[u8],
        binding: &Binding<'_>,
        unwrapped: &Unwrapped,
    ) -> Result<PlainBytes, OpenError> {
        match Version::of(envelope)? {
            Version::V1 => {
                // Of the first key alone.
                let mut decrypted = unwrapped.0.as_deref();
                first_opened(&mut self.v1, |key| key.open(envelope, decrypted.take()))
            }
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
        first_opened(&mut self.v1, |key| key.open(envelope, None))
    }

    /// Gives what the lanes need to unwrap an envelope of version 1 with the likeliest key.
    fn for_lanes<'a>(&'a self, envelope: &'a [u8]) -> Option<(&'a PrivateKey, &'a Block)> {
        self.v1.first()?.for_lanes(envelope)
    }
}

/// How many envelopes are best unwrapped together on this processor.
pub fn unwrapped_together() -> usize {
    if rsa_lanes::is_available() { rsa_lanes::LANES } else { 1 }
}

/// What is known of an envelope's wrapped key before it is opened; most often nothing.
#[derive(Default)]
pub struct Unwrapped(pub(super) Option<Zeroizing<Block>>);

/// Does the costly part of opening, for envelopes of any clients at once, as far as this processor does that better than
/// one by one: RSA of version 1 with each client's likeliest key. `None`, and what is no such envelope, is passed over.
/// Gives as many results as there are envelopes.
pub fn unwrap_all<'a>(envelopes: impl IntoIterator<Item = Option<(&'a Opener, &'a [u8])>>) -> Vec<Unwrapped> {
    let jobs = envelopes
        .into_iter()
        .map(|envelope| envelope.and_then(|(opener, envelope)| opener.for_lanes(envelope)));
    let jobs: Vec<_> = jobs.collect();
    let mut done = rsa_lanes::decrypt_all(&jobs.iter().copied().flatten().collect::<Vec<_>>()).into_iter();
    jobs.iter().map(|job| Unwrapped(job.and_then(|_| done.next().flatten()))).collect()
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
