//! Services that find the others missing: they start, say that they are not ready, answer in time, and heal.

use std::time::{Duration, Instant};

use testkit::database::TestDb;
use testkit::host::{Apps, TestHost};
use testkit::postgres::Postgres;
use testkit::process::ports;
use testkit::signal::DeviceRegistration;
use testkit::wait::{wait_for, wait_for_within, wait_until};

use crate::harness::{Front, all_three, launch};
use crate::journey::talk;
use crate::people::{Person, text};

/// No caller waits longer than this for something that is away.
const BOUNDED: Duration = Duration::from_secs(15);

/// Connections are tried again after growing pauses; this is more than the longest.
const HEALED_WITHIN: Duration = Duration::from_secs(30);

testkit::on_both! {
    async fn services_start_before_the_ones_they_need(db: TestDb) {
        let (of_auth, of_mailbox) = (Reserved::new(), Reserved::new());
        let jwks = format!("{}/.well-known/jwks.json", of_auth.url());
        let others = [
            ("internal.auth_url", &*of_auth.internal_url()),
            ("internal.mailbox_url", &*of_mailbox.internal_url()),
            ("internal.jwks_url", &*jwks),
        ];
        let (second, third) = (another(&db).await, another(&db).await);
        let keystore = launch(Apps::of::<keystore::App>(), &db, &others).await;
        let settings = [&others[..], &of_mailbox.listen()].concat();
        let mailbox = launch(Apps::of::<mailbox::App>(), &second, &settings).await;

        for host in [&keystore, &mailbox] {
            host.internal.get("/health/live").await.assert_status(200);
            host.internal.get("/health/ready").await.assert_status(503);
            let asked = Instant::now();
            let refused = host.http.with_token("eyJhbGciOiJFZERTQSJ9.e30.AAAA").get("/v1/keys").await;
            assert!([401, 404, 503].contains(&refused.status.as_u16()), "{}", refused.text());
            assert!(asked.elapsed() < BOUNDED);
        }
        let settings = [&others[..], &of_auth.listen()].concat();
        let auth = launch(Apps::of::<auth::App>(), &third, &settings).await;

        for host in [&auth, &keystore, &mailbox] {
            healed(host).await;
        }
        talk(&Front::of(&auth.url, &keystore.url, &mailbox.url)).await;
        for host in [keystore, mailbox, auth] {
            host.stop().await;
        }
    }

    async fn a_registration_during_an_outage_of_mailbox_fails_in_time_and_works_later(db: TestDb) {
        let of_mailbox = Reserved::new();
        let second = another(&db).await;
        let both = Apps::of::<auth::App>().and::<keystore::App>();
        let host = launch(both, &db, &[("internal.mailbox_url", &of_mailbox.internal_url())]).await;
        let front = Front::of(&host.url, &host.url, &of_mailbox.url());
        let bob = Person::register(&front).await;
        let keystore = front.keystore.with_token(bob.log_in().await.access_token);
        let registration = DeviceRegistration::new(&bob.identity);
        // At first it may not know auth's keys yet, and refuse for that reason.
        let (refused, took) = wait_for("an answer that is not about the token", || async {
            let asked = Instant::now();
            let answer = keystore.post("/v1/devices", &registration).await;
            (answer.status != 401).then(|| (answer, asked.elapsed()))
        })
        .await;

        assert!(took < BOUNDED, "{took:?}");
        assert!([502, 503, 504].contains(&refused.status.as_u16()), "{}", refused.text());
        let jwks = format!("{}/.well-known/jwks.json", host.url);
        let of_auth = [("internal.auth_url", &*host.internal_url), ("internal.jwks_url", &*jwks)];
        let settings = [&of_auth[..], &of_mailbox.listen()].concat();
        let mailbox = launch(Apps::of::<mailbox::App>(), &second, &settings).await;
        mailbox.started().await;
        healed(&host).await;
        let device = bob.device().await;
        let (_, alice) = Person::with_device(&front).await;
        let devices = alice.bundle(bob.account).await["devices"].as_array().unwrap().len();
        assert_eq!(devices, 1, "what failed before is not offered to anybody");
        alice.send(&[&device], "after the outage").await.assert_status(200);
        assert_eq!(text(&device.socket().await.take().await), "after the outage");
        host.stop().await;
        mailbox.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_is_reported_survived_and_forgotten() {
    let mut postgres = Postgres::start().await.unwrap();
    let db = TestDb::on_server(&postgres.url());
    let host = launch(all_three(), &db, &[("database.checkout_timeout", "2s")]).await;
    host.started().await;
    let front = Front::one(&host.url);
    let (_, alice) = Person::with_device(&front).await;
    let (_, bob) = Person::with_device(&front).await;
    alice.send(&[&bob], "before the crash").await.assert_status(200);

    postgres.crash().await.unwrap();

    let asked = Instant::now();
    let refused = alice.send(&[&bob], "during the outage").await;
    assert!(asked.elapsed() < BOUNDED, "{:?}", asked.elapsed());
    assert_eq!(refused.status, 503, "{}", refused.text());
    alice.keystore().get(&format!("/v1/keys/{}/*", bob.account)).await.assert_status(503);
    host.internal.get("/health/live").await.assert_status(200);
    wait_until("a host that is not ready", || async { !host.is_ready().await }).await;

    postgres.restart().await.unwrap();

    healed(&host).await;
    alice.send(&[&bob], "after the crash").await.assert_status(200);
    let (backlog, _) = bob.socket().await.backlog().await;
    assert_eq!(backlog.iter().map(text).collect::<Vec<_>>(), ["before the crash", "after the crash"]);
    talk(&front).await;
    host.stop().await;
}

async fn healed(host: &TestHost) {
    wait_for_within(HEALED_WITHIN, "a host that heals", || async { host.is_ready().await.then_some(()) })
        .await;
}

/// One more database of the same kind.
async fn another(db: &TestDb) -> TestDb {
    if db.settings().url.starts_with("sqlite:") { TestDb::sqlite().await } else { TestDb::postgres().await }
}

/// The addresses of a service that is not there yet.
struct Reserved([String; 2]);

impl Reserved {
    fn new() -> Self {
        Self([ports::free(), ports::free()].map(|port| format!("127.0.0.1:{port}")))
    }

    fn url(&self) -> String {
        format!("http://{}", self.0[0])
    }

    fn internal_url(&self) -> String {
        format!("http://{}", self.0[1])
    }

    /// Settings that put a service there.
    fn listen(&self) -> [(&str, &str); 2] {
        [("http.listen", &self.0[0]), ("internal.listen", &self.0[1])]
    }
}
