//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::outbox::Relay;
use clients::Nudger;
use common::crypto::jws::{JwkSet, SigningKey};
use common::crypto::{DataKey, Secret};
use common::models::events::{AccountChange, AccountEvent};
use common::models::{SharedClock, UnixMillis};
use config::{ConfigError, Fault};
use db::{Db, Migrations};
use service::{
    AccountEvents, DatabaseCheck, MAX_ACCESS_TTL, Platform, StartError, handle_account_events, publish_outbox,
};
use web::{Limits, RoutesFn, Service, Task};

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
    pub(crate) limits: Limits,
    pub(crate) data_key: DataKey,
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
        let Keys { signing, data } = keys(&settings)?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let relay = publish_outbox(&mut service, platform, &db)?;
        let state = State {
            hasher: Hasher::new(settings.hashing_slots, settings.hashing_queue),
            jwks: Arc::new(JwkSet { keys: vec![signing.verifying_key().to_jwk()] }),
            issuer: TokenIssuer::new(Arc::new(signing), settings.access_ttl),
            metrics: Metrics::register(&service.metrics)?,
            settings: Arc::new(settings),
            clock: platform.clock.clone(),
            nudger: platform.nudger.clone(),
            relay,
            limits: platform.limits.clone(),
            data_key: data,
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

/// The secrets of the section, as keys.
struct Keys {
    signing: SigningKey,
    data: DataKey,
}

/// Reads the keys, and checks the rules of the section that a type cannot express.
fn keys(settings: &AuthSettings) -> Result<Keys, ConfigError> {
    let mut faults = Vec::new();
    if settings.access_ttl > MAX_ACCESS_TTL {
        faults.push(Fault::new(
            "auth.access_ttl",
            "is an hour at most: a revocation is remembered for so long",
        ));
    }
    let signing = key("auth.signing_key", &settings.signing_key, &mut faults, SigningKey::from_text);
    let data = key("auth.data_key", &settings.data_key, &mut faults, DataKey::from_text);
    match (signing, data) {
        (Some(signing), Some(data)) if faults.is_empty() => Ok(Keys { signing, data }),
        _ => Err(ConfigError::Invalid(faults)),
    }
}

fn key<K, E>(
    place: &str,
    secret: &Secret<String>,
    faults: &mut Vec<Fault>,
    read: impl Fn(&str) -> Result<K, E>,
) -> Option<K> {
    let key = match secret.is_empty() {
        true => Err(format!("is a secret without a default; set it, or {place}_file")),
        false => read(secret.expose()).map_err(|_| "is not 32 bytes in base64url".to_owned()),
    };
    key.map_err(|fault| faults.push(Fault::new(place, fault))).ok()
}
