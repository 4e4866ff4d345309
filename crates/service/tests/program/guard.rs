//! From start to ready to stop, and how the gate keeps up with auth.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::crypto::jws::SigningKey;
use common::models::internal::RevokedSession;
use common::models::{Clock, SystemClock};
use testkit::process::ports;
use testkit::wait::{wait_for, wait_until};

use crate::fake_auth::FakeAuth;
use crate::harness::{Running, settings};

#[actix_web::test]
async fn a_service_announces_itself_once_serves_and_stops() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    let (http, internal) = toy.ready().await;
    let (token, account, _) = auth.token();

    // A check that took too long on a busy machine is made again.
    wait_until("readiness", || async { internal.get("/health/ready").await.status == 200 }).await;
    internal.get("/health/live").await.assert_status(200);
    http.get("/v1/whoami").await.assert_status(401);
    let answer = http.with_token(token).get("/v1/whoami").await.expect(200);
    assert_eq!(answer.json::<String>(), account.to_string());
    assert!(toy.data_dir().join("toy_box.sqlite").exists());
    assert_eq!(toy.output.text().lines().count(), 1);

    toy.stop().await;
}

#[actix_web::test]
async fn the_keys_may_have_an_address_of_their_own() {
    let auth = FakeAuth::start();
    let jwks = auth.public.join("/.well-known/jwks.json").unwrap();
    let toy = Running::start(settings(&auth.internal, &[("internal.jwks_url", jwks.as_str())]));

    let (http, _) = toy.ready().await;

    http.with_token(auth.token().0).get("/v1/whoami").await.assert_status(200);
}

#[actix_web::test]
async fn a_service_starts_without_auth_and_becomes_ready_when_it_comes() {
    let [later, own_address] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
    let auth_url = format!("http://{later}").parse().unwrap();
    let toy = Running::start(settings(&auth_url, &[("internal.listen", &own_address.to_string())]));
    let internal = testkit::http::TestClient::new(format!("http://{own_address}"));
    wait_until("the internal listener", || async { std::net::TcpStream::connect(own_address).is_ok() }).await;

    let health = internal.get("/health/ready").await.expect(503);
    assert!(health.text().contains("access-tokens"), "{}", health.text());
    assert_eq!(toy.output.text(), "");

    let _auth = FakeAuth::start_at(later);
    toy.ready().await;
}

#[actix_web::test]
async fn what_was_revoked_before_the_start_is_refused() {
    let auth = FakeAuth::start();
    let (token, _, session) = auth.token();
    let until = SystemClock.now() + Duration::from_secs(900);
    auth.revocations.lock().unwrap().sessions.push(RevokedSession { session_id: session, until });
    let toy = Running::start(settings(&auth.internal, &[]));

    let (http, _) = toy.ready().await;

    http.with_token(token).get("/v1/whoami").await.assert_status(401);
    http.with_token(auth.token().0).get("/v1/whoami").await.assert_status(200);
}

#[actix_web::test]
async fn a_new_key_is_learned() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    let (http, _) = toy.ready().await;

    auth.keys.lock().unwrap().push(Arc::new(SigningKey::generate().unwrap()));
    let client = http.with_token(auth.token().0);

    wait_for("the new key", || async {
        (client.get("/v1/whoami").await.status.as_u16() == 200).then_some(())
    })
    .await;
}
