//! Whatever happens to messages in whatever order: what is used is what they hold, and never more than the limit.

mod given_up;
mod rivals;

use proptest::test_runner::{Config, TestRunner};
use smpp::codec::CommandStatus;
use testkit::database::TestDb;
use testkit::on_both;

use crate::domain::attempt::PartEvent;
use crate::domain::route::Hopeless;
use crate::settings::QuotaSettings;
use crate::store::desk::{Desk, NOON, accepted, job, key, outcome, plan, rules};
use crate::store::queue::Step;
use crate::store::receipts::Outcome;
use crate::store::{attempts, upkeep};

use diesel::dsl::sql;

use super::*;

const HOUR: i64 = 3_600_000;
const LIMIT: i64 = 7;

fn limited() -> Rules {
    rules(QuotaSettings { day: 7, month: 12, ..QuotaSettings::default() })
}

/// What became of segments, by their number.
type Told = Vec<(i32, PartEvent)>;

/// Copies of segments: each job's, by number of the segment and of the copy.
type Copies = BTreeMap<(&'static str, i32, i32), &'static str>;

/// What the jobs hold that left in a period; and that none holds less than the copies that are, or may be, with an SMSC.
fn held(conn: &mut DbConn, copies: &Copies, period: &str) -> Result<i64, StoreError> {
    let keys = IDS.map(key);
    let mut sum = 0;
    for one in attempts::lock(conn, &keys)? {
        let (id, charged) = (one.attempt.key.id.as_str(), one.attempt.charged);
        let out = copies.keys().filter(|(of, ..)| *of == id).count();
        assert!(charged as usize >= out, "{out} copies, and {:?} holds too little", one.attempt);
        let idle = out == 0 && one.attempt.resends == 0;
        assert!(!idle || charged == 0, "{:?} holds what never left", one.attempt);
        let left = one.left_at.map(Periods::of);
        if left.is_some_and(|left| left.both().iter().any(|of| of.name == period)) {
            sum += i64::from(charged);
        }
    }
    Ok(sum)
}

on_both! {
    async fn beyond_the_quota_a_message_fails_and_smaller_ones_fill_it(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(["1", "2", "3", "4"].map(|id| job(id, "bulk", UnixMillis(i64::MAX))).to_vec()).await;

        let plans = [("1", 4), ("2", 4), ("3", 2), ("4", 1)].map(|(id, segments)| plan(id, "a", segments, NOON));
        let left = desk.claim(plans.to_vec(), NOON).await;

        assert_eq!(left, ["1", "3", "4"]);
        assert_eq!((desk.used("2026-11-28").await, desk.used("2026-11").await), (7, 7));
    }

    async fn what_an_smsc_did_not_take_is_given_back_once(test: TestDb) {
        let throttled = || PartEvent::Throttled { retry_at: NOON };
        let refused = || PartEvent::Refused(CommandStatus::RINVDSTADR.into());
        let cases: [(&str, Told, i64); 8] = [
            ("refused", vec![(1, refused()), (2, refused()), (3, refused())], 0),
            ("throttled", vec![(1, throttled()), (2, throttled()), (3, throttled())], 0),
            ("not written", (1..4).map(|part| (part, PartEvent::NotSent { retry_at: NOON })).collect(), 0),
            ("accepted", (1..4).map(|part| (part, accepted("1", part))).collect(), 3),
            ("unknown", (1..4).map(|part| (part, PartEvent::Unknown)).collect(), 3),
            ("one accepted, the others refused", vec![(1, accepted("1", 1)), (2, refused()), (3, refused())], 1),
            ("one accepted, the others follow", vec![(1, accepted("1", 1)), (2, throttled()), (3, throttled())], 3),
            ("one unknown, the others refused", vec![(1, PartEvent::Unknown), (2, refused()), (3, refused())], 1),
        ];
        let desk = Desk::new(&test, rules(QuotaSettings { day: 100, ..QuotaSettings::default() })).await;
        let mut before = 0;
        for (number, (name, events, keeps)) in cases.into_iter().enumerate() {
            let id = number.to_string();
            desk.take(vec![job(&id, "bulk", UnixMillis(i64::MAX))]).await;
            desk.claim(vec![plan(&id, "a", 3, NOON)], NOON).await;
            assert_eq!(desk.used("2026-11-28").await - before, 3, "{name}");

            // Told twice, as by an instance that did not learn that its first words were stored.
            for _ in 0..2 {
                let told = events.iter().map(|(part, event)| outcome(&id, "a", *part, 0, event.clone()));
                desk.settle(told.collect(), NOON).await;
            }

            assert_eq!(desk.used("2026-11-28").await - before, keeps, "{name}");
            before += keeps;
        }
    }

    async fn what_waits_for_its_rest_until_it_is_too_late_keeps_what_was_taken(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(vec![job("1", "bulk", UnixMillis(NOON.as_i64() + HOUR))]).await;
        desk.claim(vec![plan("1", "a", 3, NOON)], NOON).await;
        let events = [(1, accepted("1", 1)), (2, PartEvent::Throttled { retry_at: NOON }), (3, PartEvent::Throttled { retry_at: NOON })];
        desk.settle(events.map(|(part, event)| outcome("1", "a", part, 0, event)).to_vec(), NOON).await;
        let waiting = desk.used("2026-11-28").await;

        let late = UnixMillis(NOON.as_i64() + 2 * HOUR);
        desk.write(move |conn, rules| upkeep::expire(conn, rules, late)).await;

        assert_eq!((waiting, desk.used("2026-11-28").await), (3, 1));
    }

    async fn another_smsc_that_cuts_otherwise_is_counted_as_it_cuts(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
        desk.claim(vec![plan("1", "a", 2, NOON)], NOON).await;
        let declined = [1, 2].map(|part| outcome("1", "a", part, 0, PartEvent::Refused(CommandStatus::RSYSERR.into())));
        desk.settle(declined.to_vec(), NOON).await;
        let between = desk.used("2026-11-28").await;

        let left = desk.claim(vec![plan("1", "b", 5, NOON)], NOON).await;

        assert_eq!(left, ["1"]);
        assert_eq!((between, desk.used("2026-11-28").await), (0, 5));
    }

    async fn a_later_attempt_that_is_cancelled_keeps_only_what_an_smsc_has_of_it(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;
        desk.claim(vec![plan("1", "a", 1, NOON)], NOON).await;
        let late = UnixMillis(NOON.as_i64() + 120_000);
        desk.write(move |conn, rules| upkeep::give_up(conn, rules, late)).await;
        let mut again = job("2", "bulk", UnixMillis(i64::MAX));
        (again.row.correl_id, again.row.source_offset) = ("1".into(), 1);
        desk.take(vec![again]).await;
        desk.claim(vec![plan("2", "a", 3, late)], late).await;
        let events = [(1, accepted("2", 1)), (2, PartEvent::Throttled { retry_at: late }), (3, PartEvent::Throttled { retry_at: late })];
        desk.settle(events.map(|(part, event)| outcome("2", "a", part, 0, event)).to_vec(), late).await;
        let before = desk.used("2026-11-28").await;

        desk.settle(vec![outcome("1", "a", 1, 0, accepted("1", 1))], late).await;

        assert_eq!((before, desk.used("2026-11-28").await), (4, 2));
    }

    async fn a_second_copy_counts_as_well_and_leaves_only_if_there_is_room(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(["1", "2"].map(|id| job(id, "otp", UnixMillis(i64::MAX))).to_vec()).await;
        desk.claim(vec![plan("1", "a", 3, NOON), plan("2", "a", 1, NOON)], NOON).await;
        let late = UnixMillis(NOON.as_i64() + 120_000);
        desk.write(move |conn, rules| upkeep::give_up(conn, rules, late)).await;

        let left = desk.claim(vec![plan("1", "a", 3, late), plan("2", "a", 1, late)], late).await;

        assert_eq!(left, ["1"]);
        assert_eq!(desk.used("2026-11-28").await, 7);
    }

    async fn a_new_day_and_a_new_month_begin_empty(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        desk.take(["1", "2", "3", "4"].map(|id| job(id, "bulk", UnixMillis(i64::MAX))).to_vec()).await;
        let at = |days: i64| UnixMillis(NOON.as_i64() + days * 24 * HOUR);
        let mut left = Vec::new();

        for (id, day) in [("1", 0), ("2", 1), ("3", 2), ("4", 3)] {
            left.extend(desk.claim(vec![plan(id, "a", 6, at(day))], at(day)).await);
        }

        // The third day is November's last, of which 12 are used.
        assert_eq!(left, ["1", "2", "4"]);
        assert_eq!((desk.used("2026-11").await, desk.used("2026-12").await), (12, 6));
    }

    async fn most_of_a_quota_is_told_once(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings { day: 10, ..QuotaSettings::default() })).await;
        desk.take(["1", "2", "3", "4"].map(|id| job(id, "bulk", UnixMillis(i64::MAX))).to_vec()).await;
        let mut warned = Vec::new();

        for (id, segments) in [("1", 7), ("2", 1), ("3", 1), ("4", 3)] {
            let step = Step::Claim(vec![plan(id, "a", segments, NOON)], NOON);
            let news = desk.write(move |conn, rules| step.run(conn, rules)).await.quotas;
            warned.push((news.warned.len(), news.refused.len()));
        }

        assert_eq!(warned, [(0, 0), (1, 0), (0, 0), (0, 1)]);
    }

    async fn without_a_quota_nothing_is_counted(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
        desk.take(vec![job("1", "bulk", UnixMillis(i64::MAX))]).await;

        desk.claim(vec![plan("1", "a", 3, NOON)], NOON).await;

        let rows = desk.write(|conn, _| Ok(sms_quota_use::table.count().get_result::<i64>(conn)?)).await;
        assert_eq!(rows, 0);
    }

    async fn what_is_used_is_what_messages_hold_whatever_happens(test: TestDb) {
        let desk = Desk::new(&test, limited()).await;
        let handle = tokio::runtime::Handle::current();
        let run = move || {
            let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
            let steps = proptest::collection::vec((0usize..4, 0u8..12, 1i32..4, 0i32..2), 1..60);
            runner.run(&steps, |steps| {
                handle.block_on(history(&desk, steps));
                Ok(())
            })
            .unwrap();
        };
        tokio::task::spawn_blocking(run).await.unwrap();
    }
}

const IDS: [&str; 4] = ["1", "2", "3", "4"];

/// Lets things happen to four messages, and looks after each. An SMSC answers a copy that it was given, and once.
async fn history(desk: &Desk, steps: Vec<(usize, u8, i32, i32)>) {
    let empty = |conn: &mut DbConn, _: &Rules| {
        diesel::delete(crate::store::schema::sms_jobs::table).execute(conn)?;
        diesel::delete(sms_quota_use::table).execute(conn)?;
        Ok(())
    };
    desk.write(empty).await;
    let deadline = UnixMillis(NOON.as_i64() + 10 * HOUR);
    desk.take(IDS.map(|id| job(id, if id < "3" { "bulk" } else { "otp" }, deadline)).to_vec()).await;
    // With an SMSC, or perhaps; and of those the ones that are not answered.
    let (mut copies, mut open) = (Copies::new(), Copies::new());
    let mut now = NOON;
    for (which, act, number, copy) in steps {
        let id = IDS[which];
        now = UnixMillis(now.as_i64() + 1000);
        let given = (id, number, copy);
        let event = match act {
            4 => Some(accepted(id, number)),
            5 => Some(PartEvent::Refused(CommandStatus::RSYSERR.into())),
            6 => Some(PartEvent::Throttled { retry_at: now }),
            7 => Some(PartEvent::NotSent { retry_at: now }),
            8 => Some(PartEvent::Unknown),
            _ => None,
        };
        match (event, act) {
            (Some(event), _) => {
                let Some(smsc) = open.get(&given).copied() else { continue };
                let (unknown, taken) = (event == PartEvent::Unknown, act == 4);
                desk.settle(vec![outcome(id, smsc, number, copy, event)], now).await;
                if !unknown {
                    open.remove(&given);
                }
                if !unknown && !taken {
                    copies.remove(&given);
                }
            }
            (None, 0..=3) => {
                let smsc = if number == 1 { "b" } else { "a" };
                let step = Step::Claim(vec![plan(id, smsc, number, now)], now);
                for one in desk.write(move |conn, rules| step.run(conn, rules)).await.claimed {
                    let given = one.parts.iter().map(|part| ((id, *part, one.copy), smsc));
                    copies.extend(given.clone());
                    open.extend(given);
                }
            }
            (None, 9) => {
                now = UnixMillis(now.as_i64() + 120_000);
                desk.write(move |conn, rules| upkeep::give_up(conn, rules, now)).await;
            }
            // The second time is on the next day, when nothing that waits may leave any more.
            (None, 10) => {
                now = UnixMillis(now.as_i64() + 6 * HOUR);
                desk.write(move |conn, rules| upkeep::expire(conn, rules, now)).await;
            }
            (None, _) => {
                let all = (UnixMillis(i64::MAX), now);
                desk.write(move |conn, rules| upkeep::refuse(conn, rules, all, (&Hopeless::All, "no bind")))
                    .await;
            }
        }
        for (period, limit) in [("2026-11-28", LIMIT), ("2026-11-29", LIMIT), ("2026-11", 12)] {
            let used = desk.used(period).await;
            let copies = copies.clone();
            let held = desk.write(move |conn, _| held(conn, &copies, period)).await;
            assert_eq!(used, held, "of {period}");
            assert!((0..=limit).contains(&used), "{used} of {period}");
        }
    }
}
