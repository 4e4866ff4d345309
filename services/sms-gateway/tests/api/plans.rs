//! Every statement finds its rows by an index: what scans a table is quick in a test, and slow with a month of SMS.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use sms_gateway::Settings;
use testkit::database::TestDb;
use testkit::wait::wait_for;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World};

/// Messages of a run, in batches of [`BATCH`].
const MESSAGES: usize = 240;
const BATCH: usize = 8;

#[derive(QueryableByName)]
struct Scans {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    sequential: i64,
    #[diesel(sql_type = BigInt)]
    inserted: i64,
}

/// How often each table was scanned from end to end. Sessions report it when they end, if not before.
async fn scans(test: &TestDb) -> BTreeMap<String, Scans> {
    let url = test.settings().url.clone();
    wait_for("the end of all sessions", || {
        let mut conn = PgConnection::establish(&url).unwrap();
        let others = "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND backend_type = 'client backend' AND pid <> pg_backend_pid())";
        let others: i64 = diesel::select(diesel::dsl::sql::<BigInt>(others)).get_result(&mut conn).unwrap();
        let scans: Vec<Scans> = diesel::sql_query(
            "SELECT relname::text AS name, seq_scan AS sequential, n_tup_ins AS inserted FROM pg_stat_user_tables",
        )
        .load(&mut conn)
        .unwrap();
        async move { (others == 0).then(|| scans.into_iter().map(|one| (one.name.clone(), one)).collect()) }
    })
    .await
}

/// How often an index was used (`idx_scan`), or how many of its entries were read (`idx_tup_read`).
fn used(test: &TestDb, index: &str, column: &str) -> i64 {
    let used = format!("(SELECT {column} FROM pg_stat_user_indexes WHERE indexrelname = '{index}')");
    let mut conn = PgConnection::establish(&test.settings().url).unwrap();
    diesel::select(diesel::dsl::sql::<BigInt>(&used)).get_result(&mut conn).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_scans_a_table() {
    let test = TestDb::postgres().await;
    let world = World::new(World::with_receipts()).await;
    // Migrations scan, and nothing else may.
    Gateway::start(&world, &test).await.stop().await;
    let before = scans(&test).await;

    let gateway = Gateway::start(&world, &test).await;
    for correl in ["one", "two", "three"] {
        gateway.request(&world.maker.request(ACME, correl, &message(&correl.repeat(40)))).await;
    }
    for correl in ["one", "two", "three"] {
        gateway.statuses(correl, 2).await;
    }
    gateway.stop().await;

    let after = scans(&test).await;
    assert!(after["sms_jobs"].inserted == 3 && after["outbox"].inserted == 6);
    assert!(used(&test, "sms_jobs_waiting", "idx_scan") > 0);
    for (name, scans) in after.iter().filter(|(name, _)| !name.starts_with("__")) {
        assert_eq!(scans.sequential, before[name].sequential, "{name} was scanned from end to end");
    }
}

/// A new database has no statistics, and keeps the plans that it makes without them until autovacuum comes by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statistics_a_message_costs_the_same_however_many_there_are() {
    let test = TestDb::postgres().await;
    let world = World::new(World::with_receipts()).await;
    let settings = Settings { batch: BATCH, ..world.settings() };
    let gateway = Gateway::with(&world, &test, settings).await;
    let names: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();

    for name in &names {
        gateway.request(&world.maker.request(ACME, name, &message("text"))).await;
    }
    for name in &names {
        gateway.statuses(name, 2).await;
    }
    gateway.stop().await;

    // Ends the sessions' counting, too.
    scans(&test).await;
    let most = i64::try_from(MESSAGES * 8).unwrap();
    for index in ["sms_parts_message", "sms_jobs_source", "sms_jobs_unanswered", "sms_parts_pkey"] {
        let read = used(&test, index, "idx_tup_read");
        assert!(read <= most, "{read} entries of {index} were read for {MESSAGES} messages");
    }
}
