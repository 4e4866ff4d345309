//! Two pods on one database, of which one is killed while it blocks an account.

use std::time::Duration;

use common::crypto::jws::SigningKey;
use db::{Db, DbError, on_backend};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::host::ADMIN_TOKEN;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_until;

use super::BASE;
use crate::harness::PASSWORD;

const ROUNDS: u32 = 10;

/// Two processes that share tables and keys, and nothing else.
async fn pods(db: &TestDb) -> [Program; 2] {
    let key = SigningKey::generate().unwrap().to_text();
    let more = [
        ("auth.signing_key", key.expose().as_str()),
        ("database.url", &db.settings().url),
        ("internal.refresh", "200ms"),
    ];
    let settings = ProgramSettings { name: "sealpost-auth", more: &more, ..ProgramSettings::default() };
    let first = Program::start(settings).await.unwrap();
    ready(&first).await;
    let second = Program::start(settings).await.unwrap();
    ready(&second).await;
    [first, second]
}

async fn ready(program: &Program) {
    wait_until("the program to be ready", || async {
        program.internal.get("/health/ready").await.status == 200
    })
    .await;
}

/// How many events of an account are in the outbox, and how many of all wait there.
async fn outbox(db: &Db, account: &str) -> (i64, i64) {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        of_account: i64,
        #[diesel(sql_type = BigInt)]
        waiting: i64,
    }

    let key = account.as_bytes().to_vec();
    let counted = db.read(move |conn| {
        let sql = "SELECT (SELECT count(*) FROM outbox WHERE record_key = $1) AS of_account, \
            (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS waiting";
        let query = diesel::sql_query(sql).bind::<Binary, _>(key);
        Ok::<Counted, DbError>(on_backend!(conn, |c| query.get_result(c))?)
    });
    let Counted { of_account, waiting } = counted.await.unwrap();
    (of_account, waiting)
}

on_both! {
    async fn a_block_is_there_with_its_events_and_the_end_of_the_sessions_or_not_at_all(db: TestDb) {
        let [mut killed, other] = pods(&db).await;
        let tables = Db::new(db.settings(), "auth").unwrap();
        let mut blocked = 0;
        for round in 0..ROUNDS {
            let person = json!({"username": format!("person-{round}"), "password": PASSWORD});
            killed.http.post("/v1/accounts", &person).await.assert_status(201);
            let session = killed.http.post("/v1/sessions", &person).await.expect(201).value();
            let (account, token) = (session["accountId"].as_str().unwrap(), session["accessToken"].as_str().unwrap());
            let operator = killed.internal.with_token(ADMIN_TOKEN);
            let request = operator.request(Method::PUT, &format!("{BASE}/{account}/block")).json(&json!({"reason": "x"}));
            let request = tokio::spawn(request.send());

            // A little later each time: before the transaction, in it, between the commit and the event. In the last
            // round after the answer, however slow the program is.
            if round + 1 < ROUNDS {
                tokio::time::sleep(Duration::from_millis(u64::from(round) * 2)).await;
            } else {
                wait_until("the answer", || async { request.is_finished() }).await;
            }
            killed.kill();

            let answered = request.await.unwrap().is_ok_and(|answer| answer.status().is_success());
            // PostgreSQL still carries out a commit that was sent. A login waits for it at the lock of the account, so
            // that from here on nothing changes any more.
            let login = other.http.post("/v1/sessions", &person).await;
            let facts = other.internal.with_token(ADMIN_TOKEN).get(&format!("{BASE}/{account}")).await.expect(200).value();
            let is_blocked = facts["blockReason"] != Value::Null;
            assert!(is_blocked || !answered, "round {round}: what was answered is so");
            login.assert_status(if is_blocked { 401 } else { 201 });
            let status = if is_blocked { 401 } else { 200 };
            let known = other.http.with_token(token);
            wait_until("the other pod to know", || async { known.get("/v1/accounts/current").await.status == status }).await;
            let refresh = json!({"refreshToken": session["refreshToken"]});
            other.http.post("/v1/sessions/refresh", &refresh).await.assert_status(status);
            assert_eq!(outbox(&tables, account).await.0, i64::from(is_blocked), "round {round}");
            killed.restart().await.unwrap();
            ready(&killed).await;
            killed.http.with_token(token).get("/v1/accounts/current").await.assert_status(status);
            wait_until("the events to be published", || async { outbox(&tables, account).await.1 == 0 }).await;
            blocked += u32::from(is_blocked);
        }

        assert!(blocked > 0, "the last one at least");
    }
}
