//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::outbox::Relay;
use clients::Nudger;
use common::crypto::jws::{JwkSet, SigningKey};
use common::models::events::{AccountChange, AccountEvent};
use common::models::{SharedClock, UnixMillis};
use config::{ConfigError, Fault};
use db::{Db, Migrations};
use service::{
    AccountEvents, DatabaseCheck, MAX_ACCESS_TTL, Platform, StartError, handle_account_events, publish_outbox,
};
use web::{RoutesFn, Service, Task};

use crate::domain::hasher::Hasher;
use crate::domain::{AuthError, TokenIssuer, housekeeping, sessions};
use crate::metrics::Metrics;
use crate::routes;
use crate::settings::AuthSettings;
use crate::store::MIGRATIONS;

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) hasher: Hasher,
    pub(crate) issuer: TokenIssuer,
    pub(crate) jwks: Arc<JwkSet>,
    pub(crate) settings: Arc<AuthSettings>,
    pub(crate) metrics: Metrics,
    pub(crate) relay: Relay,
    nudger: Nudger,
}

impl State {
    /// Until when a session that ends now must be remembered as ended.
    pub(crate) fn revoked_until(&self) -> UnixMillis {
        self.clock.now() + self.issuer.ttl()
    }

    /// Tells the other services of what has just been committed. The bus does so in any case; this only makes it fast.
    pub(crate) async fn announce(&self, events: &[AccountEvent]) {
        if events.is_empty() {
            return;
        }
        self.relay.wake();
        for event in events {
            self.nudger.nudge(event).await;
        }
    }
}

/// A removed device takes its session with it.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = AuthError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), AuthError> {
        match &event.change {
            AccountChange::DeviceRemoved { device_id, .. } => {
                sessions::end_bound(&self.0, event.account_id, *device_id, event.at).await
            }
            AccountChange::Deleted | AccountChange::SessionRevoked { .. } | AccountChange::KeysLow { .. } => {
                Ok(())
            }
        }
    }
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "auth";
    type Settings = AuthSettings;

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(routes::public)
    }

    fn build(settings: AuthSettings, platform: &Platform) -> Result<Service, StartError> {
        let key = signing_key(&settings)?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let relay = publish_outbox(&mut service, platform, &db)?;
        let state = State {
            hasher: Hasher::new(settings.hashing_slots, settings.hashing_queue),
            jwks: Arc::new(JwkSet { keys: vec![key.verifying_key().to_jwk()] }),
            issuer: TokenIssuer::new(Arc::new(key), settings.access_ttl),
            metrics: Metrics::register(&service.metrics)?,
            settings: Arc::new(settings),
            clock: platform.clock.clone(),
            nudger: platform.nudger.clone(),
            relay,
            db: db.clone(),
        };

        let data = Data::new(state.clone());
        service.routes = with_state(&data, routes::public);
        service.internal = with_state(&data, routes::internal);
        service.checks.push(Arc::new(DatabaseCheck(db)));
        let sweeper = state.clone();
        service.tasks.push(Task::new("auth-housekeeping", move |cancel| async move {
            housekeeping::run(sweeper, cancel).await;
            Ok::<_, StartError>(())
        }));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}

fn with_state(
    data: &Data<State>,
    routes: fn(&mut utoipa_actix_web::service_config::ServiceConfig<'_>),
) -> RoutesFn {
    let data = data.clone();
    web::routes(move |config| {
        config.app_data(data.clone());
        routes(config);
    })
}

/// The rules of the section that a type cannot express.
fn signing_key(settings: &AuthSettings) -> Result<SigningKey, ConfigError> {
    let mut faults = Vec::new();
    if settings.access_ttl > MAX_ACCESS_TTL {
        faults.push(Fault::new(
            "auth.access_ttl",
            "is an hour at most: a revocation is remembered for so long",
        ));
    }
    let key = match settings.signing_key.is_empty() {
        true => Err("is a secret without a default; set it, or auth.signing_key_file"),
        false => {
            SigningKey::from_text(settings.signing_key.expose()).map_err(|_| "is not 32 bytes in base64url")
        }
    };
    match key {
        Ok(key) if faults.is_empty() => Ok(key),
        Ok(_) => Err(ConfigError::Invalid(faults)),
        Err(fault) => {
            faults.push(Fault::new("auth.signing_key", fault));
            Err(ConfigError::Invalid(faults))
        }
    }
}
