//! Two instances that hear of the same messages at the same time.

use sms::receipt::ReceiptState;

use super::*;
use crate::domain::receipt::Fate;
use crate::store::receipts::Receipt;

const ROUNDS: usize = 25;
/// Messages that each instance has an answer about, and a receipt of, in a round.
const EACH: usize = 8;

fn throttled(id: &str) -> Outcome {
    outcome(id, "a", 2, 0, PartEvent::Throttled { retry_at: NOON })
}

fn delivered(id: &str) -> Outcome {
    Outcome::Receipt(Receipt {
        parked: None,
        widely: false,
        smsc: "a".into(),
        message_id: format!("{id}-1"),
        fate: Fate::of(ReceiptState::Delivered, None),
        recipient: Some(format!("recipient of {id}")),
        received_at: NOON,
    })
}

async fn deadlocks(desk: &Desk) -> i64 {
    let of_this_database = "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()";
    desk.write(|conn, _| Ok(sql::<BigInt>(of_this_database).get_result(conn)?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_receipts_of_the_same_messages_never_wait_for_each_other() {
    let test = TestDb::postgres().await;
    let quota = || rules(QuotaSettings { day: 100_000, ..QuotaSettings::default() });
    let (one, two) = (Desk::new(&test, quota()).await, Desk::new(&test, quota()).await);

    for round in 0..ROUNDS {
        let ids = |half: &str| (0..EACH).map(|number| format!("{round}-{number}-{half}")).collect::<Vec<_>>();
        let (these, those) = (ids("x"), ids("y"));
        let all = || these.iter().chain(&those);
        one.take(all().map(|id| job(id, "bulk", UnixMillis(i64::MAX))).collect()).await;
        one.claim(all().map(|id| plan(id, "a", 2, NOON)).collect(), NOON).await;
        one.settle(all().map(|id| outcome(id, "a", 1, 0, accepted(id, 1))).collect(), NOON).await;
        let heard = |answered: &[String], reported: &[String]| {
            let answers = answered.iter().map(|id| throttled(id));
            answers.chain(reported.iter().map(|id| delivered(id))).collect::<Vec<_>>()
        };

        // A transaction that is ended as a deadlock is an error, which ends the test.
        tokio::join!(one.settle(heard(&these, &those), NOON), two.settle(heard(&those, &these), NOON),);
    }

    assert_eq!(deadlocks(&one).await, 0);
    let pairs = i64::try_from(2 * EACH * ROUNDS).unwrap();
    assert_eq!(one.used("2026-11-28").await, 2 * pairs, "each waits for its second segment to leave");
}
