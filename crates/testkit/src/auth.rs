//! What a service asks of auth, without auth: the public keys of access tokens, and revocations, of which there are
//! none. Tokens are signed with the key that it tells of.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use common::crypto::jws::{Claims, JwkSet, SigningKey, sign};
use common::models::internal::Revocations;
use common::models::{AccountId, DeviceId, SessionId, UnixMillis};
use tokio_util::sync::{CancellationToken, DropGuard};
use web::{HttpSettings, InternalCaller, InternalSettings, RoutesFn, Server, Service};

use crate::host::INTERNAL_TOKEN;

/// A free port.
const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Answers for auth, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct FakeAuth {
    /// Base URL of its internal listener, for `internal.auth_url`.
    pub url: String,
    /// By which it signs tokens.
    pub key: Arc<SigningKey>,
    more: More,
    _running: DropGuard,
}

/// Internal routes beside those that every service asks.
#[derive(Clone)]
struct More(RoutesFn);

impl std::fmt::Debug for More {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("More(..)")
    }
}

impl FakeAuth {
    /// Starts it with a fresh key.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        Self::answering(web::routes(|_| {}))
    }

    /// Starts it with a fresh key, and with further internal routes.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn answering(routes: RoutesFn) -> Self {
        Self::with_key(Arc::new(SigningKey::generate().expect("randomness")), More(routes), ANY)
    }

    /// Another one with the same key and routes.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self::with_key(Arc::clone(&self.key), self.more.clone(), ANY)
    }

    /// Another one with the same key and routes, at an address where it was missed before.
    ///
    /// # Panics
    /// When it cannot listen there.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self::with_key(Arc::clone(&self.key), self.more.clone(), address)
    }

    fn with_key(key: Arc<SigningKey>, more: More, internal: SocketAddr) -> Self {
        let routes = Arc::clone(&more.0);
        let mut service = Service::new("auth");
        let jwk = key.verifying_key().to_jwk();
        service.internal = web::routes(move |config| {
            routes(config);
            let jwk = jwk.clone();
            let jwks = move || {
                let keys = vec![jwk.clone()];
                async move { HttpResponse::Ok().json(JwkSet { keys }) }
            };
            let revocations = |_: InternalCaller| async { HttpResponse::Ok().json(Revocations::default()) };
            config.route("/.well-known/jwks.json", actix_web::web::get().to(jwks));
            config.route("/internal/auth/v1/revocations", actix_web::web::get().to(revocations));
        });
        let http = HttpSettings {
            listen: ANY,
            workers: Some(NonZeroUsize::MIN),
            drain_timeout: Duration::from_millis(10),
            ..HttpSettings::default()
        };
        let internal =
            InternalSettings { listen: internal, token: Some(INTERNAL_TOKEN.into()), admin_token: None };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let server = Server::bind(&http, &internal).expect("listeners").host([service]);
                tell.send(format!("http://{}", server.internal_addr())).expect("a test that waits");
                server.run_until(stopped).await.expect("a clean end");
            });
        });
        Self { url: told.recv().expect("an address"), key, more, _running: stop.drop_guard() }
    }

    /// An access token, valid for a quarter of an hour from `now`, and its session.
    ///
    /// # Panics
    /// When `device` is no device id.
    #[must_use]
    pub fn token(&self, account: AccountId, device: Option<i64>, now: UnixMillis) -> (String, SessionId) {
        let now = now.as_secs();
        let did = device.map(|id| DeviceId::new(id).expect("a device id"));
        let claims = Claims { sub: account, sid: SessionId::new(), did, iat: now - 1, exp: now + 900 };
        (sign(&self.key, &claims), claims.sid)
    }
}
