//! What is pushed comes out again, with its transaction or not at all.

use bus::Headers;
use db::diesel_migrations::{self, embed_migrations};
use db::{Batcher, BatcherSettings, Migrations};
use diesel::RunQueryDsl;
use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use testkit::on_both;

use super::*;

#[tokio::test]
async fn documented_table_works_as_the_migration_of_a_service() {
    static MIGRATIONS: Migrations =
        Migrations::new(embed_migrations!("outbox/postgres"), embed_migrations!("outbox/sqlite"));

    testkit::database::check_migrations(&MIGRATIONS).await;
}

on_both! {
    async fn record_comes_out_byte_for_byte(test: TestDb) {
        let db = with_table(&test).await;
        let mut headers = Headers::new();
        headers.push("schema", Some(b"account-event.1".to_vec()));
        headers.push("raw", Some(vec![0, 255, 128]));
        headers.push("schema", None);
        headers.push("", Some(Vec::new()));
        let odd = Record { topic: "t".into(), key: Some(vec![0, 159]), value: Some(vec![255, 0]), headers };
        let bare = Record { topic: "ü".into(), key: None, value: None, headers: Headers::new() };
        let empty = Record { topic: "t".into(), key: Some(vec![]), value: Some(vec![]), headers: Headers::new() };
        let pushed = vec![odd, bare, empty];
        let producer = Recorder::with([]);

        let records = pushed.clone();
        db.write(move |conn| outbox::push(conn, &records, NOW)).await.unwrap();
        let relay = Running::start(&db, &producer, quick());
        producer.wait_for(3).await;
        relay.stop().await;

        assert!(*producer.written.lock().unwrap() == pushed);
    }

    async fn rolled_back_records_are_never_published(test: TestDb) {
        let db = with_table(&test).await;
        let producer = Recorder::with([]);

        let failed = db
            .write(|conn| {
                outbox::push(conn, &[record("ghost")], NOW)?;
                Err::<(), _>(DbError::Overloaded("by the test"))
            })
            .await;
        push(&db, ["real"]).await;
        let relay = Running::start(&db, &producer, quick());
        wait_until_published(&db).await;
        relay.stop().await;

        assert!(failed.is_err());
        assert_eq!(producer.values(), ["real"]);
    }

    async fn batcher_pushes_in_the_transaction_of_its_batch(test: TestDb) {
        let db = with_table(&test).await;
        let settings = BatcherSettings { name: "outbox-test", max_batch: 16, queue: 100 };
        let batcher: Batcher<u32, (), DbError> = Batcher::spawn(&db, settings, |conn, jobs| {
            let records: Vec<Record> = jobs.iter().map(record).collect();
            outbox::push(conn, &records, NOW)?;
            if jobs.contains(&13) {
                return Err(DbError::Overloaded("by the test"));
            }
            Ok(vec![(); jobs.len()])
        })
        .unwrap();
        let producer = Recorder::with([]);

        for job in 10..20 {
            assert_eq!(batcher.submit(job).await.is_ok(), job != 13);
        }
        let relay = Running::start(&db, &producer, quick());
        wait_until_published(&db).await;
        relay.stop().await;

        assert_eq!(producer.values(), ["10", "11", "12", "14", "15", "16", "17", "18", "19"]);
    }

    async fn backlog_counts_what_waits_and_knows_the_oldest(test: TestDb) {
        let db = with_table(&test).await;
        assert_eq!(backlog(&db).await, Backlog { pending: 0, oldest: None });

        push(&db, ["1"]).await;
        let later = vec![record("2"), record("3")];
        db.write(move |conn| outbox::push(conn, &later, NOW + Duration::from_secs(9))).await.unwrap();

        assert_eq!(backlog(&db).await, Backlog { pending: 3, oldest: Some(NOW) });
    }

    async fn published_rows_are_kept_for_the_retention_and_then_pruned(test: TestDb) {
        let db = with_table(&test).await;
        let clock = FakeClock::at(NOW);
        let settings = RelaySettings {
            retention: Duration::from_secs(60),
            prune_every: Duration::from_millis(1),
            ..quick()
        };
        let producer = Recorder::with([]);
        push(&db, 0..2500).await;
        let relay = Running::at(clock.clone(), &db, &producer, settings);
        wait_until_published(&db).await;
        push(&db, ["later"]).await;
        wait_until_published(&db).await;

        // Still there: all of it can be published again, as after a restore.
        assert_eq!(db.write(|conn| outbox::republish_since(conn, NOW)).await.unwrap(), 2501);
        producer.wait_for(5002).await;
        wait_until_published(&db).await;
        clock.advance(Duration::from_secs(61));

        testkit::wait::wait_until("an empty table", || async {
            let rows = diesel::select(sql::<BigInt>("(SELECT count(*) FROM outbox)"));
            let rows: i64 = db.read(move |conn| Ok::<_, DbError>(rows.get_result(conn)?)).await.unwrap();
            rows == 0
        })
        .await;
        relay.stop().await;
    }
}
