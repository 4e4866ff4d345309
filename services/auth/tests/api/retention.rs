//! How long what is left of accounts, sessions and mails is kept.

use std::time::Duration;

use db::{Db, DbError};
use serde_json::json;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{Auth, PASSWORD, Session};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A sweep at any moment, in batches that are too small for what there is.
const SWEPT: [(&str, &str); 2] = [("auth.sweep_every", "20ms"), ("auth.sweep_batch", "2")];

async fn started(db: &testkit::database::TestDb, more: &[(&str, &str)]) -> (Auth, Db) {
    let auth = Auth::start_with(db, &[&SWEPT, more].concat()).await;
    let tables = auth.host.database("auth");
    (auth, tables)
}

async fn rows(tables: &Db, table: &'static str) -> i64 {
    use diesel::prelude::*;

    #[derive(QueryableByName)]
    struct Rows {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let sql = format!("SELECT count(*) AS n FROM {table}");
    let counted =
        tables.read(move |conn| Ok::<_, DbError>(diesel::sql_query(sql).get_result::<Rows>(conn)?.n));
    counted.await.unwrap()
}

/// Registers five accounts and deletes them.
async fn five_deleted(auth: &Auth) {
    for number in 0..5 {
        let session = auth.session(&format!("person.{number}")).await;
        let client = auth.with(&session);
        let delete = client.request(reqwest::Method::DELETE, "/v1/accounts/current");
        client.send(delete.json(&json!({"password": PASSWORD}))).await.assert_status(204);
    }
}

/// Waits until a sweep has seen the time that it is now: what ended five sessions is of no use after an hour.
async fn swept(tables: &Db) {
    wait_until("a sweep", || async { rows(tables, "revocations").await == 0 }).await;
}

on_both! {
    async fn deleted_accounts_are_remembered_for_their_time(db: TestDb) {
        let (auth, tables) = started(&db, &[("auth.tombstone_ttl", "10days")]).await;
        five_deleted(&auth).await;

        auth.clock.advance(DAY * 9);
        swept(&tables).await;
        let kept = rows(&tables, "deleted_accounts").await;
        auth.clock.advance(DAY * 2);

        assert_eq!(kept, 5);
        wait_until("no tombstone to be left", || async { rows(&tables, "deleted_accounts").await == 0 }).await;
    }

    async fn deleted_accounts_are_remembered_for_ever_where_that_is_asked_for(db: TestDb) {
        let (auth, tables) = started(&db, &[("auth.tombstone_ttl", "never")]).await;
        five_deleted(&auth).await;

        auth.clock.advance(DAY * 36_500);
        swept(&tables).await;

        assert_eq!(rows(&tables, "deleted_accounts").await, 5);
    }

    async fn used_refresh_tokens_are_remembered_for_as_long_as_a_session_lives_unused(db: TestDb) {
        let (auth, tables) = started(&db, &[("auth.refresh_ttl", "10days")]).await;
        let first = auth.session("alice").await;
        let mut newest = Session(first.0.clone());
        for _ in 0..5 {
            newest = Session(auth.refresh(newest.text("refreshToken")).await.expect(200).value());
        }
        auth.clock.advance(DAY * 9);
        newest = Session(auth.refresh(newest.text("refreshToken")).await.expect(200).value());
        let before = rows(&tables, "refresh_tokens").await;

        auth.clock.advance(DAY * 2);

        assert_eq!(before, 7);
        wait_until("the oldest to be gone", || async { rows(&tables, "refresh_tokens").await == 2 }).await;
        auth.refresh(first.text("refreshToken")).await.assert_status(401);
        auth.refresh(newest.text("refreshToken")).await.assert_status(200);
    }

    async fn mails_that_cannot_be_sent_are_kept_for_their_time(db: TestDb) {
        // Nobody listens there.
        let more = [("auth.mail", "smtp://127.0.0.1:1"), ("auth.mail_attempts", "1000"), ("auth.mail_retention", "2h")];
        let (auth, tables) = started(&db, &more).await;
        let body = |number: usize| json!({"username": format!("person.{number}"), "password": PASSWORD,
            "email": format!("person.{number}@example.org")});
        for number in 0..5 {
            auth.host.http.post("/v1/accounts", &body(number)).await.assert_status(201);
        }
        auth.clock.advance(HOUR);
        let kept = rows(&tables, "mails").await;

        auth.clock.advance(HOUR);

        assert_eq!(kept, 5);
        wait_until("no mail to be left", || async { rows(&tables, "mails").await == 0 }).await;
    }

    async fn published_records_are_kept_for_the_time_of_the_settings(db: TestDb) {
        let (auth, tables) = started(&db, &[("bus.outbox_retention", "2h")]).await;
        five_deleted(&auth).await;
        wait_until("the events to be published", || async {
            rows(&tables, "outbox WHERE published_at IS NULL").await == 0
        })
        .await;
        auth.clock.advance(HOUR);
        let kept = rows(&tables, "outbox").await;

        auth.clock.advance(HOUR * 2);

        assert_eq!(kept, 5);
        wait_until("no record to be left", || async { rows(&tables, "outbox").await == 0 }).await;
    }
}
