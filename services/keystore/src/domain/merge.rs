//! What an upload adds to the one-time keys that wait. No tables here: what is stored comes in, what to store goes out.
//!
//! What must hold: an id stands for one key, and a key has one id, on one device of the account; what was given out
//! never waits again; the same upload once more changes nothing.

use std::collections::{BTreeSet, HashSet};

use common::models::events::PreKeyKind;
use common::models::{Base64Bytes, DeviceId, KeyId};
use ring::digest::{SHA256, digest};

use super::keys::{PreKey, SignedPreKey};
use crate::store::one_time::Known;

/// A one-time key on its way in.
#[derive(Debug, Clone)]
pub(super) struct Arriving {
    pub(super) kind: PreKeyKind,
    pub(super) key_id: KeyId,
    pub(super) public_key: Base64Bytes,
    pub(super) signature: Option<Base64Bytes>,
    /// SHA-256 of the key.
    pub(super) hash: Vec<u8>,
}

/// What is stored already, as far as an upload has to know it.
pub(super) struct Held {
    /// The device that the upload is for.
    pub(super) device: DeviceId,
    /// Keys that wait: those with an id of the upload on this device, and those that are in the upload, on any device.
    pub(super) waiting: Vec<Known>,
    /// Hashes of keys that were given out.
    pub(super) used: HashSet<Vec<u8>>,
    /// Id of the last-resort key, with the upload.
    pub(super) last_resort: Option<KeyId>,
}

/// What becomes of an upload.
#[derive(Debug)]
pub(super) struct Merged {
    /// Keys to store.
    pub(super) fresh: Vec<Arriving>,
    /// Ids of keys that were given out before, and are dropped.
    pub(super) already_used: Vec<KeyId>,
}

/// Puts the keys of an upload in one row, those of one kind in the order of the upload.
pub(super) fn arriving(ec: Vec<PreKey>, pq: Vec<SignedPreKey>) -> Vec<Arriving> {
    let ec = ec.into_iter().map(|key| arrive(PreKeyKind::Ec, key.key_id, key.public_key, None));
    let pq =
        pq.into_iter().map(|key| arrive(PreKeyKind::Pq, key.key_id, key.public_key, Some(key.signature)));
    ec.chain(pq).collect()
}

fn arrive(
    kind: PreKeyKind,
    key_id: KeyId,
    public_key: Base64Bytes,
    signature: Option<Base64Bytes>,
) -> Arriving {
    let hash = digest(&SHA256, &public_key.0).as_ref().to_vec();
    Arriving { kind, key_id, public_key, signature, hash }
}

/// Sorts the keys of an upload, which has no id and no key of a kind twice.
///
/// # Errors
/// The ids that are in use for other keys, and those of keys that wait under another id or on another device.
pub(super) fn merge(held: &Held, mut arriving: Vec<Arriving>) -> Result<Merged, Vec<KeyId>> {
    let mut already_used = Vec::new();
    arriving.retain(|key| {
        let is_used = held.used.contains(&key.hash);
        if is_used {
            already_used.push(key.key_id);
        }
        !is_used
    });
    let mut conflicts: BTreeSet<KeyId> = shadowed(held).collect();
    let mut fresh = Vec::with_capacity(arriving.len());
    for key in arriving {
        let by_id =
            held.waiting.iter().find(|known| held.is_here(known, key.kind) && known.key_id == key.key_id);
        let by_key = held.waiting.iter().find(|known| known.key_hash == key.hash);
        if key.kind == PreKeyKind::Pq && Some(key.key_id) == held.last_resort {
            conflicts.insert(key.key_id);
        }
        match (by_id, by_key) {
            (None, None) => fresh.push(key),
            (Some(same), _) if same.key_hash == key.hash => {}
            _ => {
                conflicts.insert(key.key_id);
            }
        }
    }
    if conflicts.is_empty() {
        Ok(Merged { fresh, already_used })
    } else {
        Err(conflicts.into_iter().collect())
    }
}

/// A client keeps its Kyber keys of both sorts in one place, by id: none that waits may have that of the last resort.
fn shadowed(held: &Held) -> impl Iterator<Item = KeyId> {
    let clash =
        |known: &&Known| held.is_here(known, PreKeyKind::Pq) && Some(known.key_id) == held.last_resort;
    held.waiting.iter().filter(clash).map(|known| known.key_id)
}

impl Held {
    fn is_here(&self, known: &Known, kind: PreKeyKind) -> bool {
        known.device_id == self.device && known.kind == kind.as_str()
    }
}

#[cfg(test)]
mod tests;
