use proptest::prelude::*;

use super::*;

const DRAIN: Duration = Duration::from_secs(8);

fn topic() -> Arc<str> {
    "t".into()
}

fn at(number: i32) -> TopicPartition {
    TopicPartition::new(topic(), number)
}

fn join(group: &mut Group, id: MemberId) {
    group.join(id, &[topic()], Arc::new(Notify::new()));
    group.rebalance(|_| 4);
}

fn leave(group: &mut Group, id: MemberId) {
    group.leave(id);
    group.rebalance(|_| 4);
}

#[test]
fn partition_is_assigned_only_after_its_owner_has_drained() {
    let (mut group, now) = (Group::default(), Instant::now());
    join(&mut group, 1);
    assert_eq!(group.poll(1, now, DRAIN), Some(Change::Assigned(vec![at(0), at(1), at(2), at(3)])));

    join(&mut group, 2);
    assert_eq!(group.poll(2, now, DRAIN), None);
    let Some(Change::Revoked(moving)) = group.poll(1, now, DRAIN) else { panic!("nothing revoked") };
    assert_eq!(moving.len(), 2);
    assert_eq!(group.poll(2, now, DRAIN), None, "still draining");
    group.store(1, &moving[0], 7);
    group.release(1);

    assert_eq!(group.poll(2, now, DRAIN), Some(Change::Assigned(moving.clone())));
    assert_eq!(group.stored(&moving[0]), Some(7));
}

#[test]
fn silent_owner_loses_its_partition_at_the_deadline_and_is_told() {
    let (mut group, now) = (Group::default(), Instant::now());
    join(&mut group, 1);
    group.poll(1, now, DRAIN);
    join(&mut group, 2);
    assert_eq!(group.poll(2, now, DRAIN), None);
    assert_eq!(group.next_deadline(), Some(now + DRAIN));

    let Some(Change::Assigned(moved)) = group.poll(2, now + DRAIN, DRAIN) else { panic!("not given away") };
    group.store(1, &moved[0], 9);

    assert_eq!(group.stored(&moved[0]), None, "a late store has no effect");
    assert_eq!(group.poll(1, now + DRAIN, DRAIN), Some(Change::Revoked(moved)));
}

#[test]
fn partitions_of_a_member_that_left_go_to_the_others_at_once() {
    let (mut group, now) = (Group::default(), Instant::now());
    join(&mut group, 1);
    group.poll(1, now, DRAIN);
    join(&mut group, 2);

    leave(&mut group, 1);

    assert_eq!(group.poll(2, now, DRAIN), Some(Change::Assigned(vec![at(0), at(1), at(2), at(3)])));
}

#[derive(Clone, Debug)]
enum Step {
    Join(MemberId),
    Leave(MemberId),
    Poll(MemberId),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0_u64..4;
    prop_oneof![
        2 => id.clone().prop_map(Step::Join),
        1 => id.clone().prop_map(Step::Leave),
        8 => id.prop_map(Step::Poll),
        1 => Just(Step::Wait),
    ]
}

proptest! {
    /// Whatever members do, and in whatever order, what they were told never has two owners before a deadline,
    /// and once they all keep polling every partition is owned.
    #[test]
    fn no_partition_has_two_owners(steps in prop::collection::vec(step(), 0..60)) {
        let (mut group, mut now) = (Group::default(), Instant::now());
        let mut told: BTreeMap<MemberId, Vec<TopicPartition>> = BTreeMap::new();
        let poll = |group: &mut Group, told: &mut BTreeMap<MemberId, Vec<TopicPartition>>, id, now| {
            // The previous revocation, if there was one, is answered by this call.
            group.release(id);
            match group.poll(id, now, DRAIN) {
                Some(Change::Assigned(new)) => told.entry(id).or_default().extend(new),
                Some(Change::Revoked(gone)) => told.entry(id).or_default().retain(|at| !gone.contains(at)),
                None => {}
            }
        };
        for step in steps {
            match step {
                Step::Join(id) if !told.contains_key(&id) => {
                    told.insert(id, Vec::new());
                    join(&mut group, id);
                }
                Step::Leave(id) if told.remove(&id).is_some() => leave(&mut group, id),
                Step::Poll(id) if told.contains_key(&id) => poll(&mut group, &mut told, id, now),
                // Nobody is silent beyond the deadline here: all answer, then time passes.
                Step::Wait => {
                    let ids: Vec<MemberId> = told.keys().copied().collect();
                    (0..4).flat_map(|_| &ids).for_each(|id| poll(&mut group, &mut told, *id, now));
                    now += DRAIN;
                }
                Step::Join(_) | Step::Leave(_) | Step::Poll(_) => {}
            }
            let mut owned: Vec<&TopicPartition> = told.values().flatten().collect();
            owned.sort();
            let all = owned.len();
            owned.dedup();
            prop_assert_eq!(owned.len(), all, "two owners");
        }

        let ids: Vec<MemberId> = told.keys().copied().collect();
        (0..4).flat_map(|_| &ids).for_each(|id| poll(&mut group, &mut told, *id, now));
        if !ids.is_empty() {
            prop_assert_eq!(told.values().flatten().count(), 4);
        }
    }
}
