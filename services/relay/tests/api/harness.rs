//! A relay, the services that it asks, gateway clients, and the apps of users.

use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web as actix};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::models::sync::{SharedKey, SharedKeys, SharedKeysOf};
use common::models::{SharedClock, SystemClock};
use openssl::symm::{Cipher, encrypt};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::auth::FakeAuth;
use testkit::database::TestDb;
use testkit::host::{ADMIN_TOKEN, HostSettings, TestHost};
use testkit::http::{Answer, TestClient};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_for;
use web::{InternalCaller, Json};

/// The number of the user whose keys sync has.
pub(crate) const SENDER: &str = "+237677123456";

/// The keys of that user's devices, the newest first.
pub(crate) const KEYS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

/// An SMS as the app of a user makes it.
pub(crate) fn encrypted(key: &str, message: &str) -> String {
    let iv = "1234567890123456";
    let sealed = encrypt(Cipher::aes_256_cbc(), key.as_bytes(), Some(iv.as_bytes()), message.as_bytes());
    STANDARD.encode(format!("{iv}{}", STANDARD.encode(sealed.unwrap())))
}

/// A mail by SMS.
pub(crate) fn mail(text: &str) -> String {
    encrypted(KEYS[0], &format!("g:a@b.c:::Hi:{text}"))
}

/// What others do on behalf of a test.
#[derive(Default)]
struct Doings {
    published: Vec<(String, Value)>,
    refuse: bool,
}

/// The services that relay asks: sync for keys, and a publisher. On a thread of its own.
pub(crate) struct Others {
    host: FakeAuth,
    doings: Arc<Mutex<Doings>>,
}

impl Others {
    pub(crate) fn start() -> Self {
        let doings = Arc::new(Mutex::new(Doings::default()));
        let publisher = Arc::clone(&doings);
        let routes = web::routes(move |config| {
            let keys = |_: InternalCaller, Json(of): Json<SharedKeysOf>| async move {
                if of.phone.as_str() != SENDER {
                    return HttpResponse::NotFound().finish();
                }
                let key = |(number, key): (usize, &&str)| SharedKey {
                    session_id: number.to_string(),
                    key: (**key).into(),
                };
                let keys = KEYS.iter().enumerate().map(key).collect();
                HttpResponse::Ok().json(SharedKeys { user_id: "user".to_owned(), keys })
            };
            let publisher = Arc::clone(&publisher);
            let publish = move |request: HttpRequest, body: actix::Json<Value>| {
                let mut doings = publisher.lock().unwrap();
                let id = request.headers().get("idempotency-key").unwrap().to_str().unwrap().to_owned();
                let refused = doings.refuse;
                if !refused {
                    doings.published.push((id, body.into_inner()));
                }
                async move {
                    if refused { HttpResponse::InternalServerError() } else { HttpResponse::Ok() }.finish()
                }
            };
            config.route("/internal/sync/v1/shared-keys", actix::post().to(keys));
            config.route("/publish", actix::post().to(publish));
        });
        Self { host: FakeAuth::answering(routes), doings }
    }

    pub(crate) fn url(&self) -> &str {
        &self.host.url
    }

    pub(crate) fn publisher(&self) -> String {
        format!("{}/publish", self.host.url)
    }

    /// What the publisher has, with the id of each.
    pub(crate) fn published(&self) -> Vec<(String, Value)> {
        self.doings.lock().unwrap().published.clone()
    }

    /// Whether the publisher refuses what it gets.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.doings.lock().unwrap().refuse = refuse;
    }

    /// Waits until the publisher has so many.
    pub(crate) async fn has(&self, count: usize) -> Vec<Value> {
        let enough = || async { Some(self.published()).filter(|all| all.len() >= count) };
        let all = wait_for("the publisher to have it", enough).await;
        assert_eq!(all.len(), count, "{all:?}");
        all.into_iter().map(|(_, body)| body).collect()
    }
}

/// A service under test and what surrounds it.
pub(crate) struct TestApp {
    pub(crate) host: TestHost,
    /// An operator, at the public listener.
    pub(crate) operator: TestClient,
    _others: Others,
}

impl TestApp {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, &[]).await
    }

    pub(crate) async fn start_with(db: &TestDb, more: &[(&str, &str)]) -> Self {
        Self::start_at(db, more, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_at(db: &TestDb, more: &[(&str, &str)], clock: SharedClock) -> Self {
        let others = Others::start();
        let own = [("internal.sync_url", others.url()), FAST, ("relay.sweep_every", "50ms")];
        let more = [&own[..], more].concat();
        let settings = HostSettings { more: &more, clock, ..HostSettings::default() };
        let host = TestHost::start::<relay::App>(db, settings).await;
        let operator = host.http.with_token(ADMIN_TOKEN);
        Self { host, operator, _others: others }
    }

    /// One more gateway client.
    pub(crate) async fn client(&self, wanted: &Value) -> Gateway {
        Gateway::register(&self.operator, &self.host.http, wanted).await
    }
}

/// Nobody has time for longer pauses.
const FAST: (&str, &str) = ("relay.publish_first_pause", "20ms");

/// The same in a process of its own, which can be killed; not started yet.
pub(crate) fn program(db: &TestDb, others: &Others, more: &[(&str, &str)]) -> Program {
    let own = [("internal.sync_url", others.url()), FAST, ("database.url", &*db.settings().url)];
    let more = [&own[..], more].concat();
    let settings = ProgramSettings { name: "sealpost-relay", more: &more, ..ProgramSettings::default() };
    Program::prepare(settings).unwrap()
}

/// A gateway client with its credentials.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) http: TestClient,
}

impl Gateway {
    pub(crate) async fn register(operator: &TestClient, http: &TestClient, wanted: &Value) -> Self {
        let made = operator.post("/v1/gateway-clients", wanted).await.expect(201).value();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: text("clientId"), secret: text("secret"), http: http.clone() }
    }

    /// The same client, as it would be with another secret.
    pub(crate) fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// The same client, at another process.
    pub(crate) fn at(&self, app: &TestApp) -> Self {
        Self { http: app.host.http.clone(), ..self.clone() }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.http.request(method, path).basic_auth(&self.id, Some(&self.secret));
        self.http.send(if body.is_null() { request } else { request.json(body) }).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn ping(&self, imsi: &str, msisdn: &str, kind: &str) -> Answer {
        self.post("/seeds/ping", &json!({"IMSI": imsi, "MSISDN": msisdn, "seed_type": kind})).await
    }

    /// Hands in an SMS of the user.
    pub(crate) async fn forward(&self, text: &str) -> Answer {
        self.post("/sms/platform/gateway-client", &json!({"text": text, "MSISDN": SENDER})).await
    }
}
