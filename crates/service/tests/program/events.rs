//! Account events: nudged, from the bus, and from other pods.

use bus::live::LiveEvent;
use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use common::models::{AccountId, Clock, DeviceId, SessionId, SystemClock};
use service::{ACCOUNT_EVENT_KIND, CommonSettings, Host, Surroundings};
use testkit::http::TestClient;
use testkit::wait::wait_for;
use tokio_util::sync::CancellationToken;

use crate::fake_auth::FakeAuth;
use crate::harness::{Running, settings};
use crate::toy::Toy;

const NUDGE: &str = "/internal/toy-box/v1/nudge";

fn event(account_id: AccountId, change: AccountChange) -> AccountEvent {
    AccountEvent { account_id, at: SystemClock.now(), change }
}

fn revoked(account: AccountId, session_id: SessionId) -> AccountEvent {
    event(account, AccountChange::SessionRevoked { session_id })
}

async fn seen(internal: &TestClient) -> Vec<AccountEvent> {
    internal.get("/internal/toy-box/v1/seen").await.expect(200).json()
}

#[actix_web::test]
async fn a_nudge_revokes_at_once_and_reaches_the_handler() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    let (http, internal) = toy.ready().await;
    let (token, account, session) = auth.token();
    let client = http.with_token(token);
    client.get("/v1/whoami").await.assert_status(200);
    let event = revoked(account, session);

    internal.post(NUDGE, &event).await.assert_status(204);

    client.get("/v1/whoami").await.assert_status(401);
    assert_eq!(seen(&internal).await, [event]);
    http.with_token(auth.token().0).get("/v1/whoami").await.assert_status(200);
}

#[actix_web::test]
async fn a_nudge_needs_the_internal_credential() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    let (http, internal) = toy.ready().await;
    let event = event(AccountId::new(), AccountChange::Deleted);

    internal.with_token("another").post(NUDGE, &event).await.assert_status(401);
    http.post(NUDGE, &event).await.assert_status(404);

    assert!(seen(&internal).await.is_empty());
}

#[actix_web::test]
async fn a_nudge_that_cannot_be_applied_says_so() {
    let auth = FakeAuth::start();
    let toy = Running::start(settings(&auth.internal, &[]));
    let (_, internal) = toy.ready().await;
    let change =
        AccountChange::KeysLow { device_id: DeviceId::new(1).unwrap(), kind: PreKeyKind::Ec, remaining: 3 };
    let event = event(AccountId::new(), change);

    internal.post(NUDGE, &event).await.assert_status(503);
    internal.post(NUDGE, &event).await.assert_status(204);
}

#[actix_web::test]
async fn what_another_pod_tells_is_refused_here_too() {
    let auth = FakeAuth::start();
    let data = tempfile::tempdir().unwrap();
    let config = settings(&auth.internal, &[]);
    let surroundings = Surroundings { data_dir: Some(data.path().to_owned()), ..Surroundings::default() };
    let common = CommonSettings::load(&config, &["toy_box"]).unwrap();
    let mut host = Host::bind(common, &["toy-box"], surroundings).unwrap();
    host.add::<Toy>(&config).await.unwrap();
    let live = host.platform().live.clone();
    let (http, stop) = (TestClient::new(format!("http://{}", host.http_addr())), CancellationToken::new());
    let stopped = stop.clone().cancelled_owned();
    let running = actix_web::rt::spawn(host.run_until(|_| Ok(()), stopped));
    let (token, account, session) = auth.token();
    let client = http.with_token(token);
    let status = || async { client.get("/v1/whoami").await.status.as_u16() };
    wait_for("the keys", || async { (status().await == 200).then_some(()) }).await;

    let payload = serde_json::to_vec(&revoked(account, session)).unwrap();
    live.broadcast(LiveEvent::new(account.to_bytes().to_vec(), ACCOUNT_EVENT_KIND, payload));

    wait_for("the revocation", || async { (status().await == 401).then_some(()) }).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}
