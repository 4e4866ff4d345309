//! The delivery report against a scripted run: before its rows go, while they go, and when they are gone.

use std::time::Duration;

use serde_json::{Value, json};
use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::Verdict;
use sms_gateway::Settings;
use testkit::on_both;
use testkit::wait::wait_for_within;

use crate::cases::{ACME, message};
use crate::fleet::script;
use crate::harness::{Gateway, KEY, World, away_from_midnight, count};

const REPORT: &str = "/internal/sms-gateway/v1/report";

/// More than the upkeep of one round deletes.
const MANY: usize = 300;

async fn report(gateway: &Gateway, query: &str) -> Value {
    gateway.operator.get(&format!("{REPORT}?client={ACME}{query}")).await.expect(200).value()
}

/// The figures without the times.
fn figures(line: &Value) -> Value {
    let mut line = line.clone();
    for time in ["day", "medianSeconds", "p95Seconds"] {
        line.as_object_mut().unwrap().remove(time);
    }
    line
}

async fn live(gateway: &Gateway) -> i64 {
    count(gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE client_id = 'acme'").await
}

async fn change(gateway: &Gateway, sql: &'static str) {
    use diesel::RunQueryDsl;
    let change = gateway.db.write(move |conn| Ok::<_, db::DbError>(diesel::sql_query(sql).execute(conn)?));
    change.await.unwrap();
}

on_both! {
    async fn figures_stay_the_same_while_retention_removes_what_they_count(test: TestDb) {
        away_from_midnight().await;
        let world = World::new(World::with_receipts()).await;
        script(&world.smsc, |pdu: &SubmitSm, _| match pdu.destination.value.ends_with("13") {
            true => Verdict::Refuse(CommandStatus::RINVDSTADR),
            false => Verdict::Accept,
        });
        let gateway = Gateway::start(&world, &test).await;
        for number in 0..MANY {
            gateway.request(&world.maker.request(ACME, &format!("m{number}"), &message("hello"))).await;
        }
        gateway.request(&world.maker.request(ACME, "long", &message(&"ж".repeat(150)))).await;
        let wrong = "To: +255123456713\nSender: TEST\n\nhello";
        gateway.request(&world.maker.request(ACME, "refused", wrong)).await;
        let mut late = world.maker.request(ACME, "late", &message("hello"));
        late.insert("deadline".into(), "2020-01-01T00:00:00Z".into());
        gateway.request(&late).await;
        for (correl, statuses) in [("long", 2), ("refused", 1), ("late", 1)] {
            gateway.statuses(correl, statuses).await;
        }
        for number in 0..MANY {
            gateway.statuses(&format!("m{number}"), 2).await;
        }
        // A record with the ids of one that has succeeded is none.
        gateway.request(&world.maker.request(ACME, "long", &message("again"))).await;
        gateway.request(&world.maker.request(ACME, "last", &message("hello"))).await;
        gateway.statuses("last", 2).await;

        let before = report(&gateway, "").await;
        let by_smsc = report(&gateway, "&by-smsc=true").await;
        let own = gateway.http.with_token(KEY).get("/v1/sms/report").await.expect(200).value();

        let delivered = MANY + 2;
        let expected = json!({
            "client": ACME, "requests": MANY + 4, "segments": MANY + 4, "sent": delivered, "delivered": delivered,
            "failed": 0, "expired": 1, "invalid": 1, "unknown": 0, "waiting": 0,
        });
        assert_eq!(before.as_array().unwrap().len(), 1);
        assert_eq!(figures(&before[0]), expected);
        let (median, p95) = (before[0]["medianSeconds"].as_f64().unwrap(), before[0]["p95Seconds"].as_f64().unwrap());
        assert!(0.0 < median && median <= p95 && p95 < 30.0, "{median} {p95}");
        assert_eq!(own, before);
        assert_eq!((&by_smsc[0]["requests"], &by_smsc[1]["smsc"]), (&json!(1), &json!("main")));
        let all = MANY as i64 + 5;
        change(&gateway, "UPDATE sms_jobs SET updated_at = 1000 + source_offset WHERE source_offset < 8").await;
        gateway.stop().await;

        // Some of each partition are old; then all are, and too many for one round.
        let gateway = Gateway::start(&world, &test).await;
        wait_for_within(Duration::from_secs(20), "the first round", || async {
            (live(&gateway).await < all).then_some(())
        })
        .await;
        let rest = live(&gateway).await;
        let between = report(&gateway, "").await;
        let folded = count(&gateway, "SELECT CAST(SUM(requests) AS BIGINT) AS n FROM sms_report WHERE client_id = 'acme'").await;
        assert!(rest + folded == all && rest > 256, "{rest} and {folded}");
        gateway.stop().await;

        let short = Settings { retention: Duration::from_millis(1), ..world.settings() };
        let gateway = Gateway::with(&world, &test, short).await;
        wait_for_within(Duration::from_secs(20), "the last rounds, well before a minute is over", || async {
            (live(&gateway).await == 0).then_some(())
        })
        .await;

        assert_eq!(between, before);
        assert_eq!(report(&gateway, "").await, before);
        assert_eq!(report(&gateway, "&by-smsc=true").await, by_smsc);
        gateway.stop().await;
    }

    async fn bad_days_are_told_and_nobody_reads_what_is_anothers(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        for query in ["from=yesterday", "to=2026-13-01", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01", "x=1"] {
            gateway.operator.get(&format!("{REPORT}?{query}")).await.assert_status(400);
            gateway.http.with_token(KEY).get(&format!("/v1/sms/report?{query}")).await.assert_status(400);
        }
        gateway.operator.with_token("the token between services").get(REPORT).await.assert_status(401);
        gateway.http.get("/v1/sms/report").await.assert_status(401);
        gateway.http.with_token(KEY).get("/v1/sms/report?client=test").await.assert_status(400);

        assert_eq!(report(&gateway, "&from=2026-01-01&to=2026-01-01").await, json!([]));
        gateway.stop().await;
    }
}
