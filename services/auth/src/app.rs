//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::live::Live;
use bus::outbox::Relay;
use common::crypto::jws::{JwkSet, SigningKey, VerifyingKey};
use common::crypto::{DataKey, Secret};
use common::models::events::{AccountChange, AccountEvent};
use common::models::{SharedClock, UnixMillis};
use config::{ConfigError, Fault};
use db::{Db, Migrations};
use service::operators::AuditTable;
use service::privacy::tell_of_accounts;
use service::{
    AccountEvents, Announcer, CommonSettings, DatabaseCheck, MAX_ACCESS_TTL, Platform, StartError,
    handle_account_events, publish_outbox, sweep_every,
};
use tokio::sync::Notify;
use web::{Gate, Limits, RoutesFn, Service, Task};

use crate::domain::hasher::Hasher;
use crate::domain::phone::{JobFault, Jobs};
use crate::domain::turns::Turns;
use crate::domain::woosh::Remembered;
use crate::domain::{AuthError, TokenIssuer, housekeeping, sessions};
use crate::mailer::{self, Transport, TransportFault};
use crate::metrics::Metrics;
use crate::routes;
use crate::settings::{AuthSettings, Registration};
use crate::statuses;
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
    /// Tells who waits for a device.
    pub(crate) live: Live,
    /// Judges tokens that a client wants to know about.
    pub(crate) gate: Arc<Gate>,
    pub(crate) data_key: DataKey,
    /// Makes the SMS that carry codes; none when this server sends none.
    pub(crate) sms: Option<Arc<Jobs>>,
    /// Who guesses at what, in this process.
    pub(crate) guesses: Arc<Turns>,
    /// Credentials of Woosh that were verified a moment ago.
    pub(crate) remembered: Arc<Remembered>,
    /// The link by which a password of signal_server is reset, with `{uid}` and `{token}` in it; a path alone when this
    /// server does not know where it is reached.
    pub(crate) reset_link: String,
    /// Wakes the mailer of this pod.
    pub(crate) mail_wanted: Arc<Notify>,
    announcer: Announcer,
}

impl State {
    /// Until when a session that ends now must be remembered as ended.
    pub(crate) fn revoked_until(&self) -> UnixMillis {
        self.clock.now() + self.issuer.longest_ttl()
    }

    /// Tells the other services of what has just been committed. The bus does so in any case; this only makes it fast.
    pub(crate) async fn announce(&self, events: &[AccountEvent]) {
        if events.is_empty() {
            return;
        }
        self.relay.wake();
        self.announcer.announce(events).await;
    }
}

/// A removed device takes its session with it.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = AuthError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), AuthError> {
        match &event.change {
            AccountChange::DeviceRemoved { device_id, session_id: Some(session), .. } => {
                sessions::end_with_device(&self.0, event.account_id, *device_id, *session).await
            }
            AccountChange::DeviceRemoved { device_id, session_id: None, .. } => {
                sessions::end_bound(&self.0, event.account_id, *device_id, event.at).await
            }
            AccountChange::Deleted
            | AccountChange::SessionRevoked { .. }
            | AccountChange::KeysLow { .. }
            | AccountChange::KeysStocked { .. } => Ok(()),
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
        web::routes(|config| routes::public(config, routes::Compat { woosh: true, signal_server: true }))
    }

    fn build(settings: AuthSettings, platform: &Platform) -> Result<Service, StartError> {
        let Keys { signing, valid, data, mail, sms } = keys(&settings)?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let relay = publish_outbox(&mut service, platform, &db)?;
        let state = State {
            hasher: Hasher::new(settings.hashing_slots, settings.hashing_queue),
            jwks: Arc::new(JwkSet { keys: valid.iter().map(VerifyingKey::to_jwk).collect() }),
            issuer: TokenIssuer::new(
                Arc::new(signing),
                settings.access_ttl,
                platform.settings.signal_server.token_ttl,
            ),
            metrics: Metrics::register(&service.metrics)?,
            settings: Arc::new(settings),
            clock: platform.clock.clone(),
            announcer: Announcer::new(platform, Self::NAME),
            relay,
            limits: platform.limits.clone(),
            live: platform.live.clone(),
            gate: Arc::clone(&platform.gate),
            reset_link: reset_link(&platform.settings),
            data_key: data,
            guesses: Arc::default(),
            remembered: Arc::new(Remembered::new(&platform.settings.woosh)),
            sms: sms.map(Arc::new),
            mail_wanted: Arc::default(),
            db: db.clone(),
        };

        let data = Data::new(state.clone());
        let compat = routes::Compat {
            woosh: platform.settings.woosh.enabled,
            signal_server: platform.settings.signal_server.enabled,
        };
        let throttles = Data::from(Arc::clone(&platform.throttles));
        service.routes = with_state(&data, move |config| {
            config.app_data(throttles.clone());
            routes::public(config, compat);
        });
        service.internal = with_state(&data, routes::internal);
        AuditTable::ADMIN.forget(&mut service, platform, &db);
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(db)));
        let sweeper = state.clone();
        service.tasks.push(Task::new("auth-housekeeping", move |cancel| async move {
            sweep_every(sweeper.settings.sweep_every, cancel, || housekeeping::sweep(sweeper.clone())).await;
            Ok::<_, StartError>(())
        }));
        if let Some(jobs) = &state.sms {
            statuses::consume(&mut service, platform, state.clone(), jobs.client.clone())?;
        }
        if let Some(transport) = mail {
            let sender = state.clone();
            service.tasks.push(Task::new("mail", move |cancel| async move {
                mailer::run(sender, transport, cancel).await;
                Ok::<_, StartError>(())
            }));
        }
        tell_of_accounts(&mut service, platform, &state.db, Arc::new(state.clone()));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}

fn with_state(
    data: &Data<State>,
    routes: impl Fn(&mut utoipa_actix_web::service_config::ServiceConfig<'_>) + Send + Sync + 'static,
) -> RoutesFn {
    let data = data.clone();
    web::routes(move |config| {
        config.app_data(data.clone());
        routes(config);
    })
}

/// The setting, or else the page of this server. Where that is reached is never taken from a request: whoever asks for a
/// mail to somebody else could have it lead anywhere.
fn reset_link(settings: &CommonSettings) -> String {
    let setting = &settings.signal_server.reset_link;
    if !setting.is_empty() {
        return setting.clone();
    }
    let base = settings.http.public_url.as_ref().map_or("", |url| url.as_str().trim_end_matches('/'));
    format!("{base}/auth/password/reset/confirm{{uid}}/{{token}}")
}

/// What the section gives beside numbers.
struct Keys {
    signing: SigningKey,
    /// Keys whose tokens are valid: that of `signing`, then others.
    valid: Vec<VerifyingKey>,
    data: DataKey,
    mail: Option<Transport>,
    sms: Option<Jobs>,
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
    for (holds, place, rule) in settings.retention_rules() {
        if !holds {
            faults.push(Fault::new(place, rule));
        }
    }
    let signing = key("auth.signing_key", &settings.signing_key, &mut faults, SigningKey::from_text);
    let data = key("auth.data_key", &settings.data_key, &mut faults, DataKey::from_text);
    let previous: Vec<_> = settings.previous_keys.iter().map(|text| VerifyingKey::from_text(text)).collect();
    if previous.iter().any(Result::is_err) {
        faults.push(Fault::new("auth.previous_keys", "has an entry that is not 32 bytes in base64url"));
    }
    let mail = Transport::new(settings.mail.expose(), &settings.mail_from);
    let mail = mail.map_err(|fault| {
        let place = if matches!(fault, TransportFault::From) { "auth.mail_from" } else { "auth.mail" };
        faults.push(Fault::new(place, fault.to_string()));
    });
    let sms = Jobs::new(&settings.phone).map_err(|fault| {
        let field = match fault {
            JobFault::Key(_) => "key",
            JobFault::Text => "text",
            JobFault::Sender => "sender",
        };
        faults.push(Fault::new(format!("auth.phone.{field}"), fault.to_string()));
    });
    if settings.registration == Registration::Sms && settings.phone.key.is_empty() {
        faults.push(Fault::new("auth.phone.key", "is needed for registration by SMS"));
    }
    match (signing, data, mail, sms) {
        (Some(signing), Some(data), Ok(mail), Ok(sms)) if faults.is_empty() => {
            let mut valid = vec![signing.verifying_key().clone()];
            for key in previous.into_iter().flatten() {
                if !valid.contains(&key) {
                    valid.push(key);
                }
            }
            Ok(Keys { signing, valid, data, mail, sms })
        }
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
