//! Account events: nudged, from the bus, and from other pods.

use bus::Record;
use bus::live::LiveEvent;
use common::models::events::{AccountChange, AccountEvent, PreKeyKind};
use common::models::{AccountId, Clock, DeviceId, SessionId, SystemClock};
use service::{
    ACCOUNT_EVENT_KIND, CommonSettings, Host, Platform, Ready, Surroundings, account_event_record,
};
use testkit::http::TestClient;
use testkit::wait::wait_until;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::fake_auth::FakeAuth;
use crate::harness::{Running, TOKEN, settings};
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

/// The toy on a [`Host`], whose platform a test can reach.
struct Pod {
    platform: Platform,
    http: TestClient,
    internal: TestClient,
    stop: CancellationToken,
    _data: tempfile::TempDir,
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Pod {
    async fn start(auth: &FakeAuth) -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = settings(&auth.internal, &[]);
        let surroundings = Surroundings { data_dir: Some(data.path().to_owned()), ..Surroundings::default() };
        let common = CommonSettings::load(&config, &["toy_box"]).unwrap();
        let mut host = Host::bind(common, &["toy-box"], surroundings).unwrap();
        host.add::<Toy>(&config).await.unwrap();
        let client = |address| TestClient::new(format!("http://{address}"));
        let (http, internal) = (client(host.http_addr()), client(host.internal_addr()).with_token(TOKEN));
        let (platform, stop) = (host.platform().clone(), CancellationToken::new());
        let (announce, ready) = oneshot::channel();
        let announce = move |_: &Ready| {
            announce.send(()).unwrap();
            Ok(())
        };
        actix_web::rt::spawn(host.run_until(announce, stop.clone().cancelled_owned()));
        ready.await.unwrap();
        Self { platform, http, internal, stop, _data: data }
    }

    async fn publish(&self, record: Record) {
        self.platform.bus.producer().send(vec![record]).await.unwrap();
    }
}

#[actix_web::test]
async fn what_another_pod_tells_is_refused_here_too() {
    let auth = FakeAuth::start();
    let pod = Pod::start(&auth).await;
    let (token, account, session) = auth.token();
    let client = pod.http.with_token(token);
    client.get("/v1/whoami").await.assert_status(200);

    let payload = serde_json::to_vec(&revoked(account, session)).unwrap();
    pod.platform.live.broadcast(LiveEvent::new(account.to_bytes().to_vec(), ACCOUNT_EVENT_KIND, payload));

    wait_until("the revocation", || async { client.get("/v1/whoami").await.status.as_u16() == 401 }).await;
    assert!(seen(&pod.internal).await.is_empty(), "tables are the business of one consumer");
}

#[actix_web::test]
async fn an_event_from_the_bus_does_what_a_nudge_does_and_a_failed_one_comes_again() {
    let auth = FakeAuth::start();
    let pod = Pod::start(&auth).await;
    let (token, account, session) = auth.token();
    let client = pod.http.with_token(token);
    let change =
        AccountChange::KeysLow { device_id: DeviceId::new(1).unwrap(), kind: PreKeyKind::Ec, remaining: 3 };
    let (fails_once, revocation) = (event(account, change), revoked(account, session));

    pod.publish(account_event_record(&fails_once).unwrap()).await;
    for other in ["not an event", r#"{"type":"account.renamed","of":"a later release"}"#] {
        pod.publish(Record::new(AccountEvent::TOPIC, account.to_string(), other)).await;
    }
    pod.publish(account_event_record(&revocation).unwrap()).await;

    wait_until("both events", || async { seen(&pod.internal).await.len() == 2 }).await;
    assert_eq!(seen(&pod.internal).await, [fails_once, revocation]);
    client.get("/v1/whoami").await.assert_status(401);
    wait_until("the dead letter", || async {
        let dead = pod.platform.bus.lag("nobody", "account-events-dead").await.unwrap();
        dead.iter().map(|partition| partition.end).sum::<i64>() == 1
    })
    .await;
}

#[actix_web::test]
async fn the_record_of_an_event_is_keyed_by_account_and_carries_the_trace() {
    let event = event(AccountId::new(), AccountChange::Deleted);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = telemetry::RequestContext::from_headers(None, Some(parent));

    let record = context.scope(async { account_event_record(&event).unwrap() }).await;

    assert_eq!(record.key.unwrap(), event.account_id.to_string().into_bytes());
    assert_eq!(AccountEvent::decode(&record.value.unwrap()).unwrap(), event);
    assert_eq!(record.headers.get_str("schema"), Some("account-event.1"));
    assert!(record.headers.get_str("message-id").is_some());
    assert!(
        record.headers.get_str("traceparent").unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    );
}
