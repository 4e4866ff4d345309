//! The two reads of auth that the guard makes, with keys and revocations that a test sets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use common::crypto::jws::{Claims, JwkSet, SigningKey, sign};
use common::models::internal::Revocations;
use common::models::{AccountId, Clock, SessionId, SystemClock};
use tokio_util::sync::CancellationToken;
use url::Url;
use web::{HttpSettings, InternalCaller, InternalSettings, Server, Service};

use crate::harness::TOKEN;

pub(crate) struct FakeAuth {
    pub(crate) keys: Arc<Mutex<Vec<Arc<SigningKey>>>>,
    pub(crate) revocations: Arc<Mutex<Revocations>>,
    pub(crate) public: Url,
    pub(crate) internal: Url,
    stop: CancellationToken,
}

impl Drop for FakeAuth {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn url(address: SocketAddr) -> Url {
    format!("http://{address}").parse().unwrap()
}

impl FakeAuth {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(internal: SocketAddr) -> Self {
        let keys = Arc::new(Mutex::new(vec![Arc::new(SigningKey::generate().unwrap())]));
        let revocations = Arc::new(Mutex::new(Revocations::default()));
        let mut service = Service::new("auth");
        let (held_keys, held_revocations) = (Arc::clone(&keys), Arc::clone(&revocations));
        service.routes = web::routes(move |config| {
            let keys = Arc::clone(&held_keys);
            let jwks = move || {
                let keys = keys.lock().unwrap().iter().map(|key| key.verifying_key().to_jwk()).collect();
                async move { HttpResponse::Ok().json(JwkSet { keys }) }
            };
            config.route("/.well-known/jwks.json", actix_web::web::get().to(jwks));
        });
        let public_routes = Arc::clone(&service.routes);
        service.internal = web::routes(move |config| {
            public_routes(config);
            let revocations = Arc::clone(&held_revocations);
            let list = move |_: InternalCaller| {
                let list = revocations.lock().unwrap().clone();
                async move { HttpResponse::Ok().json(list) }
            };
            config.route("/internal/auth/v1/revocations", actix_web::web::get().to(list));
        });

        let http = HttpSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            workers: Some(std::num::NonZeroUsize::MIN),
            ..HttpSettings::default()
        };
        let settings = InternalSettings { listen: internal, token: Some(TOKEN.into()), admin_token: None };
        let server = Server::bind(&http, &settings).unwrap().host([service]);
        let (public, internal) = (url(server.http_addr()), url(server.internal_addr()));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        actix_web::rt::spawn(async move { server.run_until(stopped).await.unwrap() });
        Self { keys, revocations, public, internal, stop }
    }

    /// A token of a new account and session, by the newest key.
    pub(crate) fn token(&self) -> (String, AccountId, SessionId) {
        let now = SystemClock.now().as_secs();
        let claims =
            Claims { sub: AccountId::new(), sid: SessionId::new(), did: None, iat: now, exp: now + 900 };
        let keys = self.keys.lock().unwrap();
        (sign(keys.last().unwrap(), &claims), claims.sub, claims.sid)
    }
}
