//! Who should own what: balanced, and with as few moves as that allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::group::MemberId;
use crate::TopicPartition;

/// The topics of each member.
pub(super) type Subscriptions = BTreeMap<MemberId, BTreeSet<Arc<str>>>;

/// Assigns each partition that has a subscriber. Starts from `current` and moves partitions only from members
/// that have at least two more than another subscriber of the same topic.
pub(super) fn assign(
    partitions: &[TopicPartition],
    subscriptions: &Subscriptions,
    current: &BTreeMap<TopicPartition, MemberId>,
) -> BTreeMap<TopicPartition, MemberId> {
    let mut load: BTreeMap<MemberId, usize> = subscriptions.keys().map(|id| (*id, 0)).collect();
    let mut owners = BTreeMap::new();
    let subscribes = |id: &MemberId, at: &TopicPartition| {
        subscriptions.get(id).is_some_and(|topics| topics.contains(&at.topic))
    };
    for at in partitions {
        if let Some(id) = current.get(at).filter(|id| subscribes(id, at)) {
            owners.insert(at.clone(), *id);
            *load.entry(*id).or_default() += 1;
        }
    }
    let least_loaded = |load: &BTreeMap<MemberId, usize>, at: &TopicPartition| {
        load.iter().filter(|(id, _)| subscribes(id, at)).min_by_key(|(_, n)| **n).map(|(id, n)| (*id, *n))
    };
    for at in partitions {
        if !owners.contains_key(at)
            && let Some((id, _)) = least_loaded(&load, at)
        {
            owners.insert(at.clone(), id);
            *load.entry(id).or_default() += 1;
        }
    }
    // Each move lowers the sum of squared loads, so this ends.
    let mut moved = true;
    while std::mem::take(&mut moved) {
        for (at, owner) in &mut owners {
            let Some((id, least)) = least_loaded(&load, at) else { continue };
            if load.get(owner).is_some_and(|n| *n >= least + 2) {
                load.entry(*owner).and_modify(|n| *n -= 1);
                load.entry(id).and_modify(|n| *n += 1);
                *owner = id;
                moved = true;
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, btree_set},
        prelude::*,
    };

    use super::*;

    fn partitions() -> Vec<TopicPartition> {
        ["a", "b", "c"].iter().flat_map(|topic| (0..4).map(|n| TopicPartition::new(*topic, n))).collect()
    }

    fn subscriptions() -> impl Strategy<Value = Subscriptions> {
        let topics =
            btree_set(prop::sample::select(vec![Arc::from("a"), Arc::from("b"), Arc::from("c")]), 1..4);
        btree_map(0_u64..6, topics, 0..5)
    }

    proptest! {
        #[test]
        fn assignment_is_complete_balanced_and_sticky(
            subscriptions in subscriptions(),
            owners in btree_map(prop::sample::select(partitions()), 0_u64..6, 0..12),
        ) {
            let target = assign(&partitions(), &subscriptions, &owners);

            let load = |id: &MemberId| target.values().filter(|owner| *owner == id).count();
            for at in partitions() {
                let subscribers: Vec<&MemberId> =
                    subscriptions.iter().filter(|(_, topics)| topics.contains(&at.topic)).map(|(id, _)| id).collect();
                match target.get(&at) {
                    None => prop_assert!(subscribers.is_empty(), "{at} has a subscriber and no owner"),
                    Some(owner) => {
                        prop_assert!(subscribers.contains(&owner), "{at} went to a stranger");
                        for other in subscribers {
                            prop_assert!(load(owner) <= load(other) + 1, "{at} should move");
                        }
                    }
                }
            }
            prop_assert_eq!(assign(&partitions(), &subscriptions, &target), target);
        }
    }
}
