//! Attempts with the same ids: one that was given up, and what its client has sent since.

use super::*;
use crate::store::intake::NewAttempt;

/// When the first attempt is given up.
const LATER: UnixMillis = UnixMillis(NOON.0 + 60_000);

/// One of several attempts with the same ids.
fn attempt(name: &str, number: i64) -> NewAttempt {
    let mut attempt = job(&format!("{name}{number}"), "bulk", UnixMillis(i64::MAX));
    (attempt.row.correl_id, attempt.row.source_offset) = (name.into(), number);
    attempt.row.source_topic = name.into();
    attempt
}

fn sent(id: &str) -> Outcome {
    outcome(id, "a", 1, 0, accepted(id, 1))
}

/// A first attempt, whose outcome its client was told to be unknown.
async fn given_up(desk: &Desk, name: &str) {
    let id = format!("{name}1");
    desk.take(vec![attempt(name, 1)]).await;
    desk.claim(vec![plan(&id, "a", 1, NOON)], NOON).await;
    desk.settle(vec![outcome(&id, "a", 1, 0, PartEvent::Unknown)], NOON).await;
    let told = desk.write(move |conn, rules| upkeep::give_up(conn, rules, LATER)).await;
    assert_eq!(told.len(), 1);
}

/// The same, and a second one that has left.
async fn sent_anew(desk: &Desk, name: &str) {
    given_up(desk, name).await;
    let id = format!("{name}2");
    desk.take(vec![attempt(name, 2)]).await;
    assert_eq!(desk.claim(vec![plan(&id, "a", 1, LATER)], LATER).await, [id]);
}

on_both! {
    async fn who_has_it_gets_it_from_no_third_attempt(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        sent_anew(&desk, "c").await;

        let late = desk.settle(vec![sent("c1")], LATER).await;
        let refusal = PartEvent::Refused(CommandStatus::RINVDSTADR.into());
        let refused = desk.settle(vec![outcome("c2", "a", 1, 0, refusal)], LATER).await;
        desk.take(vec![attempt("c", 3)]).await;

        // The first one speaks for both.
        assert_eq!((statuses(&late), statuses(&refused)), (vec![SmsState::Sent], vec![]));
        assert!(desk.claim(vec![plan("c3", "a", 1, LATER)], LATER).await.is_empty());
    }

    async fn of_two_attempts_sent_and_delivered_are_told_once(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        for (name, batches) in [
            ("a", [&["sent 1"][..], &["sent 2"], &["delivered 1"], &["delivered 2"]]),
            ("b", [&["sent 2"], &["sent 1"], &["delivered 1"], &["delivered 2"]]),
            ("c", [&["sent 2"], &["sent 1"], &["delivered 2"], &["delivered 1"]]),
            ("d", [&["sent 2"], &["delivered 2"], &["sent 1"], &["delivered 1"]]),
            ("e", [&["sent 1", "sent 2"], &["delivered 2", "delivered 1"], &[], &[]]),
            ("f", [&["sent 2", "sent 1", "delivered 1", "delivered 2"], &[], &[], &[]]),
        ] {
            sent_anew(&desk, name).await;

            let mut told = Vec::new();
            for batch in batches {
                let said = batch.iter().map(|said| match said.split_once(' ').unwrap() {
                    ("sent", number) => sent(&format!("{name}{number}")),
                    (_, number) => receipt(&format!("{name}{number}"), 1, true),
                });
                told.extend(statuses(&desk.settle(said.collect(), LATER).await));
            }

            assert_eq!(told, [SmsState::Sent, SmsState::Delivered], "{batches:?}");
        }
    }

    async fn a_bad_end_is_told_when_neither_has_arrived_and_the_ids_are_free(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        sent_anew(&desk, "c").await;

        let refusal = PartEvent::Refused(CommandStatus::RINVDSTADR.into());
        let expired = Outcome::Receipt(to_somebody("c1-1", ReceiptState::Expired));
        let mut told = Vec::new();
        for said in [sent("c1"), outcome("c2", "a", 1, 0, refusal), expired] {
            told.push(statuses(&desk.settle(vec![said], LATER).await));
        }
        desk.take(vec![attempt("c", 3)]).await;

        assert_eq!(told, [vec![SmsState::Sent], vec![], vec![SmsState::Expired]]);
        assert_eq!(desk.claim(vec![plan("c3", "a", 1, LATER)], LATER).await, ["c3"]);
    }

    async fn ids_may_change_hands_within_a_batch(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        sent_anew(&desk, "c").await;

        let refusal = PartEvent::Refused(CommandStatus::RINVDSTADR.into());
        let said = vec![outcome("c2", "a", 1, 0, refusal), sent("c1")];
        let told = statuses(&desk.settle(said, LATER).await);

        assert_eq!(told, [SmsState::Invalid, SmsState::Sent]);
        desk.take(vec![attempt("c", 3)]).await;
        assert!(desk.claim(vec![plan("c3", "a", 1, LATER)], LATER).await.is_empty());
    }

    async fn a_bad_end_is_not_told_while_another_attempt_may_arrive(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        sent_anew(&desk, "c").await;

        let refusal = PartEvent::Refused(CommandStatus::RINVDSTADR.into());
        let late = desk.settle(vec![outcome("c1", "a", 1, 0, refusal)], LATER).await;
        let own = desk.settle(vec![sent("c2")], LATER).await;

        assert_eq!((statuses(&late), statuses(&own)), (vec![], vec![SmsState::Sent]));
    }

    async fn who_waits_is_not_sent_what_has_arrived(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        given_up(&desk, "c").await;
        desk.take(vec![attempt("c", 2)]).await;

        let late = desk.settle(vec![sent("c1")], LATER).await;

        assert_eq!(statuses(&late), [SmsState::Sent]);
        assert!(desk.claim(vec![plan("c2", "a", 1, LATER)], LATER).await.is_empty());
        desk.take(vec![attempt("c", 3)]).await;
        assert!(desk.claim(vec![plan("c3", "a", 1, LATER)], LATER).await.is_empty());
    }
}
