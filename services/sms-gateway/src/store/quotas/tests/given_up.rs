//! Messages of which their client was told that nobody knows what became of them.

use super::*;

on_both! {
    async fn what_did_not_leave_is_given_back_also_when_its_client_was_told_that_nobody_knows(test: TestDb) {
        let desk = Desk::new(&test, rules(QuotaSettings { day: 100, ..QuotaSettings::default() })).await;
        let throttled = |id, part| outcome(id, "a", part, 0, PartEvent::Throttled { retry_at: NOON });
        desk.take(["1", "2"].map(|id| job(id, "bulk", UnixMillis(i64::MAX))).to_vec()).await;
        desk.claim(vec![plan("1", "a", 3, NOON), plan("2", "a", 2, NOON)], NOON).await;
        desk.settle(vec![throttled("1", 1), outcome("1", "a", 2, 0, PartEvent::Unknown)], NOON).await;
        let late = UnixMillis(NOON.as_i64() + 120_000);
        let mut used = vec![desk.used("2026-11-28").await];

        desk.write(move |conn, rules| upkeep::give_up(conn, rules, late)).await;
        used.push(desk.used("2026-11-28").await);
        // The SMSC answers after all; twice, as by an instance that did not learn that its first words were stored.
        for _ in 0..2 {
            desk.settle(vec![throttled("1", 3), throttled("2", 1)], late).await;
            used.push(desk.used("2026-11-28").await);
        }
        desk.settle(vec![throttled("1", 2), throttled("2", 2)], late).await;

        used.push(desk.used("2026-11-28").await);
        assert_eq!(used, [5, 4, 2, 2, 0]);
    }
}
