//! However an SMSC's words are spread over batches, what becomes of the messages is the same.

mod heirs;

use std::collections::BTreeMap;

use common::models::UnixMillis;
use common::models::sms::SmsState;
use diesel::RunQueryDsl as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use smpp::codec::CommandStatus;
use sms::message_id::IdBase;
use sms::receipt::ReceiptState;
use testkit::database::TestDb;
use testkit::on_both;

use super::*;
use crate::domain::attempt::{Attempt, Part};
use crate::settings::QuotaSettings;
use crate::store::desk::{Desk, NOON, accepted, job, key, outcome, plan, rules};
use crate::store::{attempts, upkeep};

/// Segments of each message.
const SEGMENTS: [i32; 3] = [1, 2, 2];

/// What an SMSC does with a segment.
#[derive(Clone, Copy, Debug)]
enum Act {
    Accept,
    Refuse,
    Throttle,
    Silence,
}

/// What it does with each segment of each message, and which receipts it sends: of which message and segment, and whether
/// it was delivered.
type Script = (Vec<(Act, Act)>, Vec<(usize, i32, bool)>);

fn scripts() -> impl Strategy<Value = Script> {
    let act = prop_oneof![
        4 => Just(Act::Accept),
        1 => Just(Act::Refuse),
        1 => Just(Act::Throttle),
        1 => Just(Act::Silence)
    ];
    let acts = prop::collection::vec((act.clone(), act), SEGMENTS.len());
    (acts, prop::collection::vec((0..SEGMENTS.len(), 1..3, any::<bool>()), 0..8))
}

fn receipt(id: &str, part: i32, delivered: bool) -> Outcome {
    let state = if delivered { ReceiptState::Delivered } else { ReceiptState::Undeliverable };
    let recipient = Some(format!("recipient of {id}"));
    Outcome::Receipt(Receipt { recipient, ..to_somebody(&format!("{id}-{part}"), state) })
}

/// A receipt that names no recipient.
fn to_somebody(message_id: &str, state: ReceiptState) -> Receipt {
    Receipt {
        parked: None,
        widely: false,
        smsc: "a".into(),
        message_id: message_id.into(),
        fate: Fate::of(state, None),
        recipient: None,
        received_at: NOON,
    }
}

/// What became of a script: each message with its statuses in order, and how many receipts nothing matches.
type End = (Vec<(Attempt, Vec<SmsState>)>, usize);

/// Plays a script with messages of their own, whose ids begin with `name`; `split` makes batches of all that was said.
async fn play(
    desk: &Desk,
    name: &str,
    script: &Script,
    split: impl Fn(Vec<Outcome>) -> Vec<Vec<Outcome>>,
) -> End {
    let ids: Vec<String> = (0..SEGMENTS.len()).map(|number| format!("{name}-{number}")).collect();
    desk.take(ids.iter().map(|id| job(id, "bulk", UnixMillis(i64::MAX))).collect()).await;
    let plans = ids.iter().zip(SEGMENTS).map(|(id, segments)| plan(id, "a", segments, NOON));
    desk.claim(plans.collect(), NOON).await;

    let (acts, receipts) = script;
    let mut said = Vec::new();
    for (id, (acts, segments)) in ids.iter().zip(acts.iter().zip(SEGMENTS)) {
        for (part, act) in (1..=segments).zip([acts.0, acts.1]) {
            let event = match act {
                Act::Accept => accepted(id, part),
                Act::Refuse => PartEvent::Refused(CommandStatus::RINVDSTADR.into()),
                Act::Throttle => PartEvent::Throttled { retry_at: NOON },
                Act::Silence => PartEvent::Unknown,
            };
            said.push(outcome(id, "a", part, 0, event));
        }
    }
    said.extend(receipts.iter().map(|(number, part, delivered)| receipt(&ids[*number], *part, *delivered)));

    let (mut rows, mut parked) = (Vec::new(), 0);
    for batch in split(said) {
        for settled in desk.settle(batch, NOON).await {
            parked += usize::from(settled.parked);
            rows.extend(settled.statuses);
        }
    }
    rows.sort_by_key(|row| row.seq);
    let mut statuses: BTreeMap<String, Vec<SmsState>> = BTreeMap::new();
    for row in rows {
        statuses.entry(row.correl_id.to_string()).or_default().push(row.status);
    }
    let keys: Vec<JobKey> = ids.iter().map(|id| key(id)).collect();
    let loaded = desk.write(move |conn, _| attempts::lock(conn, &keys)).await;
    let end = loaded
        .into_iter()
        .zip(&ids)
        .map(|(one, id)| (nameless(one.attempt, name), statuses.remove(id).unwrap_or_default()));
    (end.collect(), parked)
}

/// Takes out of an attempt what differs between two that are alike.
fn nameless(attempt: Attempt, name: &str) -> Attempt {
    let without = |id: String| id.replace(name, "");
    let parts =
        attempt.parts.into_iter().map(|part| Part { message_id: part.message_id.map(without), ..part });
    Attempt {
        key: key(""),
        correl_id: "".into(),
        recall_id: attempt.recall_id.map(without),
        parts: parts.collect(),
        ..attempt
    }
}

/// One batch of responses, and one of receipts.
fn by_kind(said: Vec<Outcome>) -> Vec<Vec<Outcome>> {
    let (receipts, responses) = said.into_iter().partition(|outcome| matches!(outcome, Outcome::Receipt(_)));
    vec![responses, receipts]
}

fn reversed(mut said: Vec<Outcome>) -> Vec<Outcome> {
    said.reverse();
    said
}

fn seconds(after: i64) -> UnixMillis {
    UnixMillis(NOON.as_i64() + after * 1_000)
}

/// One round of upkeep: gives how many parked receipts it tries, and what it tells of.
async fn round(desk: &Desk, now: UnixMillis) -> (usize, Vec<SmsState>) {
    let due = desk.db.read(move |conn| due(conn, now)).await.unwrap();
    let settled = desk.settle(due.into_iter().map(Outcome::Receipt).collect(), now).await;
    (settled.len(), statuses(&settled))
}

fn statuses(settled: &[Settled]) -> Vec<SmsState> {
    settled.iter().flat_map(|one| &one.statuses).map(|row| row.status).collect()
}

on_both! {
    async fn all_in_one_batch_comes_to_the_same_as_receipts_after_responses(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        let handle = tokio::runtime::Handle::current();
        let run = move || {
            let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
            let number = std::cell::Cell::new(0);
            let name = || {
                number.set(number.get() + 1);
                format!("{:04}", number.get())
            };
            runner
                .run(&scripts(), |script| {
                    let apart = handle.block_on(play(&desk, &name(), &script, by_kind));
                    let together = handle.block_on(play(&desk, &name(), &script, |said| vec![said]));
                    prop_assert_eq!(together, apart);
                    let apart = handle.block_on(play(&desk, &name(), &script, |said| by_kind(reversed(said))));
                    let together = handle.block_on(play(&desk, &name(), &script, |said| vec![reversed(said)]));
                    prop_assert_eq!(together, apart);
                    Ok(())
                })
                .unwrap();
        };
        tokio::task::spawn_blocking(run).await.unwrap();
    }

    async fn an_id_that_comes_again_means_the_message_that_left_last(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        // The one that came first leaves last.
        for (left_at, id) in [(NOON, "2"), (seconds(10), "1")] {
            desk.take(vec![job(id, "bulk", UnixMillis(i64::MAX))]).await;
            desk.claim(vec![plan(id, "a", 1, left_at)], left_at).await;
            desk.settle(vec![outcome(id, "a", 1, 0, accepted("same", 1))], left_at).await;
        }

        let mut settled = Vec::new();
        for state in [ReceiptState::Enroute, ReceiptState::Delivered, ReceiptState::Delivered] {
            let said = Outcome::Receipt(to_somebody("same-1", state));
            settled.extend(desk.settle(vec![said], seconds(20)).await);
        }

        let told: Vec<_> = settled.iter().flat_map(|one| &one.statuses).collect();
        let told: Vec<_> = told.iter().map(|row| (row.correl_id.as_str(), row.status)).collect();
        assert_eq!(told, [("1", SmsState::Delivered)]);
    }

    async fn what_nobody_knows_is_tried_in_every_way_twice_and_then_left_alone(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        desk.settle(vec![receipt("stranger", 1, true)], NOON).await;

        let mut tried = Vec::new();
        for second in 0..300 {
            if round(&desk, seconds(second)).await != (0, Vec::new()) {
                tried.push(second);
            }
        }

        // After 3 s, and after 90 s more.
        assert_eq!(tried, [4, 94]);
    }

    async fn another_reading_of_an_id_is_found_by_the_second_try(test: TestDb) {
        let mut rules = rules(QuotaSettings::default());
        rules.smscs.get_mut("a").unwrap().id_base = IdBase::Auto;
        let desk = Desk::new(&test, rules).await;
        let decimal = Outcome::Receipt(to_somebody("255", ReceiptState::Delivered));
        desk.settle(vec![decimal], NOON).await;
        assert_eq!(round(&desk, seconds(4)).await, (1, Vec::new()));

        // Such is the end of a transaction that was open all the while.
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
        desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await;
        let hexadecimal = PartEvent::Accepted { message_id: Some("FF".into()) };
        desk.settle(vec![outcome("1", "a", 1, 0, hexadecimal)], NOON).await;

        assert_eq!(round(&desk, seconds(5)).await, (0, Vec::new()));
        assert_eq!(round(&desk, seconds(94)).await, (1, vec![SmsState::Delivered]));
    }

    async fn the_very_same_id_comes_before_one_without_its_zeros(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        for (id, named) in [("1", "0123"), ("2", "123")] {
            desk.take(vec![job(id, "bulk", UnixMillis(i64::MAX))]).await;
            desk.claim(vec![plan(id, "a", 1, NOON)], NOON).await;
            let accepted = PartEvent::Accepted { message_id: Some(named.into()) };
            desk.settle(vec![outcome(id, "a", 1, 0, accepted)], NOON).await;
        }

        let mut told = Vec::new();
        for named in ["0123", "123"] {
            let said = Outcome::Receipt(to_somebody(named, ReceiptState::Delivered));
            let settled = desk.settle(vec![said], NOON).await;
            told.extend(settled[0].statuses.iter().map(|row| row.correl_id.to_string()));
        }

        assert_eq!(told, ["1", "2"]);
    }

    async fn a_receipt_that_is_read_otherwise_by_now_is_not_tried_for_ever(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
        desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await;
        desk.settle(vec![outcome("1", "a", 1, 0, accepted("1", 1))], NOON).await;
        desk.settle(vec![Outcome::Receipt(to_somebody("9-9", ReceiptState::Delivered))], NOON).await;
        let stored = "UPDATE sms_receipts SET message_key = '1-1'";
        desk.write(move |conn, _| Ok(diesel::sql_query(stored).execute(conn)?)).await;

        let mut tried = Vec::new();
        for after in [10, 11, 100, 101, 191, 192, 400] {
            tried.push(round(&desk, seconds(after)).await.0);
        }

        assert_eq!(tried, [1, 1, 1, 0, 1, 0, 0]);
    }

    async fn a_throttled_segment_that_is_told_once_more_does_not_stop_the_next_try(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        let throttled = |tries| match outcome("1", "a", 1, 0, PartEvent::Throttled { retry_at: NOON }) {
            Outcome::Response { smsc, key, part, copy, event, .. } => {
                Outcome::Response { smsc, key, part, copy, tries, event }
            }
            receipt @ Outcome::Receipt(_) => receipt,
        };
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
        desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await;
        desk.settle(vec![throttled(0)], NOON).await;
        assert_eq!(desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await, ["1"]);

        desk.settle(vec![throttled(0)], NOON).await;
        let settled = desk.settle(vec![outcome("1", "a", 1, 0, accepted("1", 1))], NOON).await;

        assert_eq!(statuses(&settled), [SmsState::Sent]);
        assert!(desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await.is_empty());
    }
}

/// On PostgreSQL alone: SQLite has one writer at a time.
#[tokio::test]
async fn a_response_whose_transaction_outlasts_a_try_of_its_receipt_is_found_by_the_next() {
    let test = TestDb::postgres().await;
    let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
    desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
    desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await;
    let (stored, wait_until_stored) = tokio::sync::oneshot::channel();
    let (commit, wait_for_commit) = std::sync::mpsc::channel::<()>();
    let response = tokio::spawn({
        let (db, rules) = (desk.db.clone(), desk.rules.clone());
        async move {
            db.write(move |conn| {
                let settled = settle(conn, &rules, &[outcome("1", "a", 1, 0, accepted("1", 1))], NOON);
                stored.send(()).unwrap();
                wait_for_commit.recv().unwrap();
                settled
            })
            .await
        }
    });
    wait_until_stored.await.unwrap();

    // It names no recipient: the job towards one would be seen to await an answer.
    let said = Outcome::Receipt(to_somebody("1-1", ReceiptState::Delivered));
    let parked = desk.settle(vec![said], NOON).await;
    let tried = round(&desk, seconds(4)).await;
    commit.send(()).unwrap();
    let sent = response.await.unwrap().unwrap();
    let delivered = round(&desk, seconds(5)).await;

    assert!(parked[0].parked);
    assert_eq!(tried, (1, Vec::new()));
    assert_eq!(statuses(&sent), [SmsState::Sent]);
    assert_eq!(delivered, (1, vec![SmsState::Delivered]));
}
