//! What is urgent is sent once more after an unknown outcome: once, whatever is killed, and its client is told that it may
//! have come twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use common::models::sms::SmsState;
use testkit::database::TestDb;
use testkit::wait::wait_for_within;
use tokio::time::Duration;

use crate::killing::produce_made;
use crate::random::Random;
use crate::run::{Account, Operator, UNDER_WAY, correl, is_silent, segment, segments, urgent_request};
use crate::secrecy::assert_discreet;
use crate::world::{HASTY, World, simulator_table};

const SENDS: usize = 1_000;
const KILLS: usize = 2;
const SEED: u64 = 5;
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_urgent_leaves_twice_at_most_though_gateways_are_killed() {
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(SEED).await;
    let soon = [&HASTY[..], &[("sms_gateway.resend_after", "1500ms")]].concat();
    let mut gateway = world.gateway_with(&db, &simulator_table(&operator.smsc), &soon).await;
    let points = Random::seeded(SEED).points(KILLS, SENDS as u64 * 8 / 10);

    let producing = produce_made(&world, 0..SENDS, Duration::ZERO, urgent_request).await;
    for point in points {
        operator.accepted(point).await;
        gateway.kill();
        gateway.restart().await.unwrap();
    }
    producing.await.unwrap();

    let account = wait_for_within(WITHIN, "an end of every send", || async {
        let account = Account::read(&gateway.http).await;
        let has_ended = |index| account.states(index).iter().any(|state| *state != SmsState::Sent);
        (0..SENDS).all(has_ended).then_some(account)
    })
    .await;
    let twice: HashSet<usize> = operator
        .copies()
        .into_iter()
        .filter_map(|(segment, copies)| {
            assert!(copies <= 2, "{segment:?} was taken {copies} times");
            (copies == 2).then_some(segment.0)
        })
        .collect();
    let silent = (0..SENDS).filter(|index| is_silent(*index)).count();
    println!("{} of {SENDS} went out twice; {silent} were not answered, {KILLS} kills", twice.len());
    assert!(!twice.is_empty(), "nothing was sent once more");
    assert!(twice.len() <= silent + KILLS * UNDER_WAY, "{} went out twice", twice.len());
    for index in 0..SENDS {
        let (name, story) = (correl(index), account.story(index));
        let states: HashSet<String> = story.iter().map(|one| one.sms_status.to_string()).collect();
        assert_eq!(states.len(), story.len(), "{name}: a status came twice: {story:?}");
        let warned = story.iter().any(|one| one.possible_duplicate);
        assert!(warned || !twice.contains(&index), "{name} went out twice, and its client was not told");
    }
    assert_the_same_goes_out_again(&operator);
    assert_discreet(&gateway).await;
}

/// An SMSC or a handset may drop what it has, but only if it is the same, with the same reference.
fn assert_the_same_goes_out_again(operator: &Operator) {
    let mut first: HashMap<_, Vec<u8>> = HashMap::new();
    for one in operator.smsc.accepted() {
        let (segment, octets) = (segment(&one.message), one.message.short_message);
        assert!(usize::from(segment.1) <= segments(segment.0));
        let known = first.entry(segment).or_insert_with(|| octets.clone());
        assert_eq!(*known, octets, "another text went out as {segment:?}");
    }
}
