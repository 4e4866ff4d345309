//! The program, killed while a token is exchanged, and started again.

use std::time::Duration;

use common::crypto::jws::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::http::TestClient;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_until;

use super::KEY;
use crate::harness::PASSWORD;

const ROUNDS: u32 = 10;

/// `sealpost-auth` in a process of its own.
async fn program(db: &TestDb) -> Program {
    let key = SigningKey::generate().unwrap().to_text();
    let more = [("auth.signing_key", key.expose().as_str()), ("database.url", &db.settings().url)];
    let settings = ProgramSettings { name: "sealpost-auth", more: &more, ..ProgramSettings::default() };
    Program::start(settings).await.unwrap()
}

async fn ready(program: &Program) {
    wait_until("the program to be ready", || async {
        program.internal.get("/health/ready").await.status == 200
    })
    .await;
}

/// Somebody whose session has a device.
async fn device(program: &Program) -> TestClient {
    let alice = json!({"username": "alice", "password": PASSWORD});
    program.http.post("/v1/accounts", &alice).await.assert_status(201);
    let session = program.http.post("/v1/sessions", &alice).await.expect(201).value();
    let path = format!("/internal/auth/v1/sessions/{}/device", session["sessionId"].as_str().unwrap());
    let body = json!({"accountId": session["accountId"], "deviceId": 1});
    let bound = program.internal.post(&path, &body).await.expect(200).value();
    program.http.with_token(bound["accessToken"].as_str().unwrap())
}

on_both! {
    async fn whenever_it_is_killed_the_same_exchange_again_opens_one_session(db: TestDb) {
        let mut program = program(&db).await;
        ready(&program).await;
        let old = device(&program).await;
        for round in 0..ROUNDS {
            let token = old.post("/v1/sessions/link-tokens", &json!({})).await.expect(201).value();
            let body = json!({"token": token["token"], "retryKey": KEY});
            let exchange = program.http.request(Method::POST, "/v1/sessions/link").json(&body).send();
            let exchange = tokio::spawn(exchange);

            // A little later each time: before the transaction, in it, after it.
            tokio::time::sleep(Duration::from_millis(u64::from(round) * 2)).await;
            program.kill();

            let answered = match exchange.await.unwrap() {
                Ok(answer) => answer.json::<Value>().await.ok(),
                Err(_) => None,
            };
            program.restart().await.unwrap();
            ready(&program).await;
            let again = program.http.post("/v1/sessions/link", &body).await.expect(201).value();
            assert!(answered.is_none_or(|first| first["sessionId"] == again["sessionId"]), "round {round}");
            let refresh = json!({"refreshToken": again["refreshToken"]});
            program.http.post("/v1/sessions/refresh", &refresh).await.assert_status(200);
        }

        let listed = old.get("/v1/sessions").await.expect(200).value();
        assert_eq!(listed["sessions"].as_array().unwrap().len(), ROUNDS as usize + 1);
    }
}
