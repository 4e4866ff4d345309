//! Any row of uploads and fetches, beside a model that keeps everything it was ever told.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The last-resort key's id.
const LAST_RESORT: i64 = 3;

/// Few ids and few keys, so that they meet.
#[derive(Debug, Clone)]
enum Step {
    Upload {
        device: i64,
        kind: PreKeyKind,
        keys: Vec<(i64, u8)>,
    },
    /// The oldest key of a kind is given out.
    Take {
        device: i64,
        kind: PreKeyKind,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let kind = || prop_oneof![Just(PreKeyKind::Ec), Just(PreKeyKind::Pq)];
    let upload = (1..=2_i64, kind(), vec((1..=6_i64, 0..8_u8), 0..5))
        .prop_map(|(device, kind, keys)| Step::Upload { device, kind, keys: distinct(keys) });
    let take = (1..=2_i64, kind()).prop_map(|(device, kind)| Step::Take { device, kind });
    prop_oneof![2 => upload, 1 => take]
}

/// An upload has no id and no key twice: that is checked before.
fn distinct(keys: Vec<(i64, u8)>) -> Vec<(i64, u8)> {
    let (mut ids, mut octets) = (HashSet::new(), HashSet::new());
    keys.into_iter().filter(|(id, key)| ids.insert(*id) && octets.insert(*key)).collect()
}

/// What an account has, in the order of arrival.
#[derive(Default)]
struct Model {
    waiting: Vec<(i64, Arriving)>,
    /// How often each key was given out.
    given: BTreeMap<Vec<u8>, usize>,
}

impl Model {
    fn held(&self, device: i64) -> Held {
        let known = |(device, key): &(i64, Arriving)| Known {
            device_id: DeviceId::new(*device).unwrap(),
            kind: key.kind.as_str().to_owned(),
            key_id: key.key_id,
            key_hash: key.hash.clone(),
        };
        Held {
            device: DeviceId::new(device).unwrap(),
            waiting: self.waiting.iter().map(known).collect(),
            used: self.given.keys().cloned().collect(),
            last_resort: KeyId::new(LAST_RESORT).ok(),
        }
    }

    fn take(&mut self, device: i64, kind: PreKeyKind) {
        if let Some(place) = self.waiting.iter().position(|(of, key)| *of == device && key.kind == kind) {
            let (_, key) = self.waiting.remove(place);
            *self.given.entry(key.hash).or_default() += 1;
        }
    }

    /// Whether a key may not come in under its id.
    fn refuses(&self, device: i64, key: &Arriving) -> bool {
        let is_used = self.given.contains_key(&key.hash);
        let other_key =
            |of: i64, known: &Arriving| of == device && known.kind == key.kind && known.key_id == key.key_id;
        let elsewhere = |of: i64, known: &Arriving| known.hash == key.hash && !other_key(of, known);
        let is_last_resort = key.kind == PreKeyKind::Pq && key.key_id == KeyId::new(LAST_RESORT).unwrap();
        !is_used
            && (is_last_resort
                || self.waiting.iter().any(|(of, known)| {
                    elsewhere(*of, known) || (other_key(*of, known) && known.hash != key.hash)
                }))
    }
}

fn keys(kind: PreKeyKind, keys: &[(i64, u8)]) -> Vec<Arriving> {
    let octets = |key: u8| Base64Bytes(vec![key]);
    keys.iter().map(|(id, key)| arrive(kind, KeyId::new(*id).unwrap(), octets(*key), None)).collect()
}

proptest! {
    #[test]
    fn no_key_waits_twice_or_is_given_twice(steps in vec(step(), 1..60)) {
        let mut model = Model::default();
        for step in steps {
            let (device, kind, uploaded) = match step {
                Step::Upload { device, kind, keys } => (device, kind, keys),
                Step::Take { device, kind } => {
                    model.take(device, kind);
                    continue;
                }
            };
            let uploaded = keys(kind, &uploaded);
            let refused: BTreeSet<KeyId> =
                uploaded.iter().filter(|key| model.refuses(device, key)).map(|key| key.key_id).collect();
            let used: Vec<KeyId> = uploaded
                .iter()
                .filter(|key| model.given.contains_key(&key.hash))
                .map(|key| key.key_id)
                .collect();

            match merge(&model.held(device), uploaded.clone()) {
                Err(conflicts) => prop_assert_eq!(conflicts, Vec::from_iter(refused)),
                Ok(merged) => {
                    prop_assert!(refused.is_empty(), "{:?}", refused);
                    prop_assert_eq!(&merged.already_used, &used);
                    model.waiting.extend(merged.fresh.into_iter().map(|key| (device, key)));
                    let again = merge(&model.held(device), uploaded).unwrap();
                    prop_assert!(again.fresh.is_empty());
                    prop_assert_eq!(again.already_used, used);
                }
            }
            let mut hashes: Vec<_> = model.waiting.iter().map(|(_, key)| &key.hash).collect();
            hashes.extend(model.given.keys());
            let mut ids: Vec<_> = model.waiting.iter().map(|(of, key)| (*of, key.kind, key.key_id)).collect();
            let counts = (hashes.len(), ids.len());
            hashes.sort_unstable();
            hashes.dedup();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!((hashes.len(), ids.len()), counts);
        }
        prop_assert!(model.given.values().all(|times| *times == 1));
    }
}
