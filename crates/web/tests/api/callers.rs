//! Who is let in.

use common::models::UnixMillis;
use reqwest::RequestBuilder;

use crate::{
    harness::{Host, problem},
    toy::toy,
};

async fn status(request: RequestBuilder, credential: &str) -> u16 {
    let authorization = format!("Bearer {credential}");
    request.header("authorization", authorization).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn access_tokens_name_their_caller() {
    let host = Host::start([toy().0]);
    let (bound, unbound) = (host.claims(Some(5)), host.claims(None));

    let response = host.get("/v1/me").bearer_auth(host.token(&unbound)).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), unbound.sub.to_string());
    let response = host.get("/v1/device").bearer_auth(host.token(&bound)).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "5");
    let response = host.get("/v1/device").bearer_auth(host.token(&unbound)).send().await.unwrap();
    assert_eq!(problem(response).await["type"], "urn:problem:device-required");
    host.stop().await;
}

#[tokio::test]
async fn a_revoked_session_is_refused_with_a_challenge() {
    let host = Host::start([toy().0]);
    let claims = host.claims(None);
    let token = host.token(&claims);
    assert_eq!(status(host.get("/v1/me"), &token).await, 200);

    host.gate.revoke_session(claims.sid, UnixMillis(i64::MAX));

    let response = host.get("/v1/me").bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(response).await["status"], 401);
    host.stop().await;
}

#[tokio::test]
async fn internal_credentials_open_their_own_door_only() {
    let host = Host::start([toy().0]);
    let (service, operator) = ("/internal/toy/v1/service", "/internal/toy/v1/operator");

    assert_eq!(status(host.get_internal(service), "between services").await, 200);
    assert_eq!(status(host.get_internal(operator), "for operators").await, 200);
    assert_eq!(status(host.get_internal(service), "for operators").await, 401);
    assert_eq!(status(host.get_internal(operator), "between services").await, 401);
    assert_eq!(status(host.get_internal(service), "").await, 401);
    assert_eq!(host.get_internal(service).send().await.unwrap().status(), 401);
    assert_eq!(status(host.get(service), "between services").await, 404);
    host.stop().await;
}
