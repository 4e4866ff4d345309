//! Concatenation references: counted per recipient, so that two long texts to one phone never share one.

use std::collections::BTreeMap;

use common::models::UnixMillis;
use db::DbConn;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::StoreError;
use super::schema::sms_references;

/// References are 16 bits, and 0 means none.
const RANGE: i64 = 0xFFFF;

/// Draws `count` references for each recipient (keyed hashes), from 1 to 65 535; a recipient's come again only after all
/// others have. A recipient that is new, or was forgotten, begins where the clock says.
pub(crate) fn draw(
    conn: &mut DbConn,
    counts: BTreeMap<String, i64>,
    now: UnixMillis,
) -> Result<BTreeMap<String, Vec<i32>>, StoreError> {
    use sms_references::{recipient, table, used_at, uses};
    if counts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let start = now.as_secs().rem_euclid(RANGE);
    let mut drawn = BTreeMap::new();
    for (whose, count) in counts {
        let first = (recipient.eq(&whose), uses.eq(start + count), used_at.eq(now));
        // One statement each: messages of several segments are few, and a batch has few of them.
        let last: i64 = db::on_backend!(conn, |c| diesel::insert_into(table)
            .values(first)
            .on_conflict(recipient)
            .do_update()
            .set((uses.eq(uses + count), used_at.eq(excluded(used_at))))
            .returning(uses)
            .get_result(c))?;
        let references = (last - count..last).map(|use_| i32::try_from(1 + use_ % RANGE).unwrap_or(1));
        drawn.insert(whose, references.collect());
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use testkit::on_both;

    use super::*;
    use crate::settings::QuotaSettings;
    use crate::store::desk::{Desk, NOON, job, plan, rules};
    use crate::store::schema::sms_jobs;

    /// Draws so many for one phone.
    async fn drawn(desk: &Desk, phone: &str, count: i64, now: UnixMillis) -> Vec<i32> {
        let counts = BTreeMap::from([(phone.to_owned(), count)]);
        desk.write(move |conn, _| draw(conn, counts, now)).await.remove(phone).unwrap()
    }

    on_both! {
        async fn none_comes_again_before_all_others_have(test: TestDb) {
            let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
            let near_the_end = UnixMillis((RANGE - 2) * 1_000);

            let first = drawn(&desk, "phone", 3, near_the_end).await;
            let others = drawn(&desk, "phone", RANGE - 3, NOON).await;
            let again = drawn(&desk, "phone", 3, NOON).await;

            assert_eq!(first, [65_534, 65_535, 1]);
            assert_eq!(first.iter().chain(&others).copied().collect::<HashSet<_>>(), (1..=65_535).collect());
            assert_eq!(again, first);
        }

        async fn of_255_in_succession_the_low_octets_differ_too(test: TestDb) {
            let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
            for (phone, first) in [("one", 200), ("other", RANGE - 100)] {
                let mut octets = HashSet::new();

                for count in [1, 4, 250] {
                    let references = drawn(&desk, phone, count, UnixMillis(first * 1_000)).await;
                    octets.extend(references.iter().map(|reference| reference & 0xFF));
                }

                assert_eq!(octets.len(), 255, "{phone}");
            }
        }

        async fn long_texts_that_leave_together_to_one_phone_share_none(test: TestDb) {
            let desk = Desk::new(&test, rules(QuotaSettings::default())).await;
            let ids = ["1", "2", "3"];
            let jobs = ids.map(|id| {
                let mut attempt = job(id, "bulk", UnixMillis(i64::MAX));
                attempt.row.recipient = Some("phone".into());
                attempt
            });
            desk.take(jobs.to_vec()).await;

            desk.claim(ids.map(|id| plan(id, "a", 2, NOON)).into(), NOON).await;

            let stored = sms_jobs::table.select(sms_jobs::reference);
            let stored: Vec<i32> = desk.write(move |conn, _| Ok(stored.load(conn)?)).await;
            assert!(stored.iter().all(|reference| *reference > 0), "{stored:?}");
            assert_eq!(stored.into_iter().collect::<HashSet<_>>().len(), ids.len());
        }
    }
}
