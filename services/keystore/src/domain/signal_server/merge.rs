//! What an upload adds to the prekeys that wait. No tables here: what is stored comes in, what to store goes out.
//!
//! What must hold: an id stands for one key, and what is the same key waits once; what was given out never waits again;
//! the same upload once more changes nothing, also where there is no room.

use std::collections::{HashMap, HashSet};

use common::models::SignalServerId;

use super::{Prekey, SignalServerError};

/// Prekeys that a device may have waiting, by the contract.
pub(super) const MOST: usize = 100;

/// A prekey, and what makes it the same as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) key: Prekey,
    pub(super) hash: Vec<u8>,
}

/// Gives the prekeys of an upload that are to be stored, in its order. Each key is judged as if those before it were
/// stored already: what is stored or was given out needs no room; the others are judged by the room that is left, then by
/// their id.
///
/// # Errors
/// [`SignalServerError::TooManyPrekeys`], [`SignalServerError::KeyIdExists`].
pub(super) fn merge(
    waiting: impl IntoIterator<Item = (SignalServerId, Vec<u8>)>,
    used: &HashSet<Vec<u8>>,
    upload: Vec<Hashed>,
) -> Result<Vec<Hashed>, SignalServerError> {
    let mut by_id: HashMap<SignalServerId, Vec<u8>> = waiting.into_iter().collect();
    let mut hashes: HashSet<Vec<u8>> = by_id.values().cloned().collect();
    let mut fresh = Vec::with_capacity(upload.len());
    for arriving in upload {
        match by_id.get(&arriving.key.key_id) {
            _ if used.contains(&arriving.hash) => {}
            Some(held) if *held == arriving.hash => {}
            _ if by_id.len() >= MOST => return Err(SignalServerError::TooManyPrekeys),
            Some(_) => return Err(SignalServerError::KeyIdExists),
            None if !hashes.insert(arriving.hash.clone()) => return Err(SignalServerError::KeyIdExists),
            None => {
                by_id.insert(arriving.key.key_id, arriving.hash.clone());
                fresh.push(arriving);
            }
        }
    }
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: i64, hash: u8) -> Hashed {
        let key_id = SignalServerId::new(id).unwrap();
        Hashed { key: Prekey { key_id, public_key: String::new() }, hash: vec![hash] }
    }

    fn held(keys: &[Hashed]) -> Vec<(SignalServerId, Vec<u8>)> {
        keys.iter().map(|one| (one.key.key_id, one.hash.clone())).collect()
    }

    /// Ids of what is stored, or the error by name.
    fn outcome(waiting: &[Hashed], used: &[u8], upload: &[Hashed]) -> Result<Vec<i32>, &'static str> {
        let used = used.iter().map(|hash| vec![*hash]).collect();
        match merge(held(waiting), &used, upload.to_vec()) {
            Ok(fresh) => Ok(fresh.iter().map(|one| one.key.key_id.as_i32()).collect()),
            Err(SignalServerError::TooManyPrekeys) => Err("many"),
            Err(SignalServerError::KeyIdExists) => Err("exists"),
            Err(_) => Err("another"),
        }
    }

    #[test]
    fn an_id_stands_for_one_key_and_a_key_has_one_id() {
        let waiting = [key(1, 10), key(2, 20)];

        assert_eq!(outcome(&waiting, &[], &[key(3, 30), key(1, 10), key(3, 30)]), Ok(vec![3]));
        assert_eq!(outcome(&waiting, &[], &[key(3, 30), key(1, 11)]), Err("exists"));
        assert_eq!(outcome(&waiting, &[], &[key(3, 10)]), Err("exists"));
        assert_eq!(outcome(&waiting, &[], &[key(3, 30), key(3, 31)]), Err("exists"));
        assert_eq!(outcome(&waiting, &[], &[key(3, 30), key(4, 30)]), Err("exists"));
        assert_eq!(outcome(&waiting, &[30], &[key(3, 30), key(4, 40)]), Ok(vec![4]), "given out before");
        assert_eq!(outcome(&[], &[], &[]), Ok(vec![]));
    }

    #[test]
    fn room_is_looked_at_before_ids_key_by_key() {
        let keys = |range: std::ops::Range<u8>| range.map(|n| key(n.into(), n)).collect::<Vec<_>>();

        assert_eq!(outcome(&keys(0..99), &[], &[key(99, 99)]), Ok(vec![99]));
        assert_eq!(outcome(&keys(0..99), &[], &[key(99, 99), key(100, 100)]), Err("many"));
        assert_eq!(outcome(&keys(0..99), &[], &[key(1, 200), key(99, 99), key(100, 100)]), Err("exists"));
        assert_eq!(outcome(&keys(0..100), &[], &[key(1, 200)]), Err("many"));
        assert_eq!(outcome(&keys(0..100), &[], &[key(100, 1)]), Err("many"));
        assert_eq!(outcome(&[], &[], &keys(0..101)), Err("many"));
        assert_eq!(outcome(&[], &[], &keys(0..100)).map(|fresh| fresh.len()), Ok(100));
    }

    #[test]
    fn what_is_stored_or_was_given_out_needs_no_room() {
        let all = (0..100).map(|n| key(n.into(), n)).collect::<Vec<_>>();

        assert_eq!(outcome(&all, &[], &all), Ok(vec![]));
        assert_eq!(outcome(&all, &[200], &[key(1, 1), key(200, 200)]), Ok(vec![]));
        assert_eq!(outcome(&all, &[], &[key(1, 1), key(1, 200)]), Err("many"));
        assert_eq!(outcome(&[], &[], &[all.clone(), all].concat()).map(|fresh| fresh.len()), Ok(100));
    }

    proptest! {
        #[test]
        fn whatever_comes_ids_and_keys_stay_apart(
            uploads in prop::collection::vec(prop::collection::vec((0..8_i64, 0..8_u8), 0..6), 0..6),
            used in prop::collection::hash_set(0..8_u8, 0..4),
        ) {
            let used: HashSet<Vec<u8>> = used.into_iter().map(|hash| vec![hash]).collect();
            let mut stored: Vec<Hashed> = Vec::new();
            for upload in uploads {
                let upload: Vec<Hashed> = upload.into_iter().map(|(id, hash)| key(id, hash)).collect();
                let Ok(fresh) = merge(held(&stored), &used, upload.clone()) else { continue };
                stored.extend(fresh);

                prop_assert_eq!(merge(held(&stored), &used, upload).unwrap(), vec![], "once more");
                let ids: HashSet<_> = stored.iter().map(|one| one.key.key_id).collect();
                let hashes: HashSet<_> = stored.iter().map(|one| &one.hash).collect();
                prop_assert_eq!((ids.len(), hashes.len()), (stored.len(), stored.len()));
                prop_assert!(stored.iter().all(|one| !used.contains(&one.hash)));
            }
        }
    }
}
