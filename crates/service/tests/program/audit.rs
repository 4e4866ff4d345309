//! The log of what operators do, and what its retention leaves of it.

use common::models::UnixMillis;
use db::{Db, DbError, on_backend};
use diesel::prelude::*;
use serde_json::json;
use service::operators::{Act, AuditTable};
use testkit::database::TestDb;
use testkit::on_both;

async fn log(test: &TestDb) -> Db {
    let db = test.open();
    db.write(|conn| {
        let tables = "CREATE TABLE admin_audit (id BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, \
             action TEXT NOT NULL, target TEXT NOT NULL, hash TEXT NOT NULL)";
        let start = "CREATE TABLE admin_audit_start (id BIGINT NOT NULL PRIMARY KEY, hash TEXT NOT NULL)";
        on_backend!(conn, |c| {
            diesel::sql_query(tables).execute(c)?;
            diesel::sql_query(start).execute(c)
        })?;
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
    db
}

async fn add(db: &Db, at: i64) {
    let act = Act { actor: "anna at 127.0.0.1".into(), action: "bind.pause", target: format!("at={at}") };
    db.write(move |conn| AuditTable::ADMIN.add(conn, &act, UnixMillis(at))).await.unwrap();
}

async fn prune(db: &Db, before: i64, limit: i64) -> i64 {
    db.write(move |conn| AuditTable::ADMIN.prune(conn, UnixMillis(before), limit)).await.unwrap()
}

/// Number of each entry, and whether it is as it was written.
async fn told(db: &Db, after: i64) -> Vec<(i64, bool)> {
    let page = serde_json::from_value(json!({"after": after})).unwrap();
    let entries = json!(AuditTable::ADMIN.read(db, page).await.unwrap());
    let told = entries.as_array().unwrap().iter();
    told.map(|entry| (entry["id"].as_i64().unwrap(), entry["intact"] == true)).collect()
}

on_both! {
    async fn what_is_left_of_a_log_is_a_chain_with_numbers_that_go_on(test: TestDb) {
        let db = log(&test).await;
        for at in [10, 20, 30, 40] {
            add(&db, at).await;
        }

        assert_eq!(prune(&db, 10, 500).await, 0, "nothing is older");
        assert_eq!(prune(&db, 35, 2).await, 2, "no more than a round");
        assert_eq!(told(&db, 0).await, [(3, true), (4, true)]);
        assert_eq!(prune(&db, 35, 2).await, 1);
        assert_eq!(prune(&db, 50, 2).await, 1);
        assert_eq!(told(&db, 0).await, []);

        add(&db, 60).await;
        add(&db, 70).await;

        assert_eq!(told(&db, 0).await, [(5, true), (6, true)]);
        assert_eq!(told(&db, 5).await, [(6, true)]);
    }

    async fn an_entry_that_was_changed_or_taken_out_shows(test: TestDb) {
        let db = log(&test).await;
        for at in [10, 20, 30, 40] {
            add(&db, at).await;
        }
        let run = |sql: &'static str| db.write(move |conn| Ok::<_, DbError>(on_backend!(conn, |c| diesel::sql_query(sql).execute(c))?));

        run("UPDATE admin_audit SET target = 'at=21' WHERE id = 2").await.unwrap();
        assert_eq!(told(&db, 0).await, [(1, true), (2, false), (3, true), (4, true)]);
        run("DELETE FROM admin_audit WHERE id = 1").await.unwrap();
        assert_eq!(told(&db, 0).await, [(2, false), (3, true), (4, true)], "without a word of a retention");
    }

    async fn an_old_entry_behind_a_younger_one_waits_for_it(test: TestDb) {
        let db = log(&test).await;
        for at in [10, 90, 20] {
            add(&db, at).await;
        }

        assert_eq!(prune(&db, 50, 500).await, 1);
        assert_eq!(told(&db, 0).await, [(2, true), (3, true)]);
    }
}
