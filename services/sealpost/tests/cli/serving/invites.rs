//! Invites from the terminal.

use serde_json::json;

use super::Standalone;
use crate::program::Place;

#[tokio::test]
async fn an_operator_makes_an_invite_that_lets_two_in() {
    let place = Place::new();
    place.write("settings.toml", "[auth]\nregistration = \"invite\"\n");
    let server = Standalone::start(&place, "--config settings.toml").await;
    let internal = server.internal.request(reqwest::Method::GET, "/").build().expect("a request");
    let url = internal.url().as_str().trim_end_matches('/').to_owned();
    let join = |name: &'static str, code: String| {
        let body = json!({"username": name, "password": "correct horse battery", "inviteCode": code});
        let http = server.http.clone();
        async move { http.post("/v1/accounts", &body).await.status.as_u16() }
    };

    let made = place.sealpost(&format!("admin invite --count 2 --expires 1h --data-dir data --server {url}"));

    assert!(made.stderr.contains("2 to use until"), "{made:?}");
    let code = made.ok().trim_end().to_owned();
    assert_eq!(code.len(), 43);
    let statuses = [
        join("alice", code.clone()).await,
        join("bob", code.clone()).await,
        join("carol", code.clone()).await,
    ];
    assert_eq!(statuses, [201, 201, 403]);
    assert!(!server.program.stderr().contains(&code));
}

#[tokio::test]
async fn an_operator_without_the_token_is_refused_in_one_line() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;
    let internal = server.internal.request(reqwest::Method::GET, "/").build().expect("a request");
    let url = internal.url().as_str().trim_end_matches('/').to_owned();
    place.write("wrong", "0123456789abcdef");

    let refusal = place.sealpost(&format!("admin invite --server {url} --admin-token-file wrong")).refusal();

    assert_eq!(refusal, "the server answered 401: a valid internal credential is needed");
}
