//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::outbox::Relay;
use clients::{AuthClient, MailboxClient};
use common::models::events::{AccountChange, AccountEvent};
use common::models::{AccountId, SharedClock};
use db::{Batcher, BatcherSettings, Db, DbError, Migrations};
use service::operators::AuditTable;
use service::privacy::tell_of_accounts;
use service::{
    AccountEvents, Announcer, DatabaseCheck, Platform, StartError, handle_account_events, publish_outbox,
};
use web::{Limits, RoutesFn, Service, Task};

use crate::domain::fetch::{self, Fetch, Served};
use crate::domain::keys::KeyFaultReason;
use crate::domain::signal_server::{self, Found, KeyRules};
use crate::domain::{KeystoreError, removal, sweeper};
use crate::metrics::Metrics;
use crate::routes;
use crate::settings::KeystoreSettings;
use crate::store::MIGRATIONS;

/// Fetches that share a statement, and that may wait for the next.
const FETCHES: BatcherSettings = BatcherSettings { name: "bundle-fetches", max_batch: 64, queue: 1024 };

/// The same for clients of signal_server.
const SIGNAL_SERVER_FETCHES: BatcherSettings = BatcherSettings { name: "s-bundles", ..FETCHES };

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) settings: Arc<KeystoreSettings>,
    pub(crate) metrics: Metrics,
    pub(crate) relay: Relay,
    pub(crate) auth: AuthClient,
    pub(crate) mailbox: MailboxClient,
    pub(crate) limits: Limits,
    pub(crate) fetches: Batcher<Fetch, Option<Served>, DbError>,
    pub(crate) signal_server_fetches: Batcher<AccountId, Found, DbError>,
    /// What is asked of keys that clients of signal_server send.
    pub(crate) key_rules: KeyRules,
    announcer: Announcer,
}

impl State {
    /// Tells all services of what has just been committed. The bus does so in any case; this only makes it fast.
    pub(crate) async fn announce(&self, event: &AccountEvent) {
        self.relay.wake();
        self.announcer.announce(std::slice::from_ref(event)).await;
    }

    /// Counts keys that were refused.
    pub(crate) fn counting_refusals<T>(&self, result: Result<T, KeystoreError>) -> Result<T, KeystoreError> {
        if let Err(KeystoreError::Key(fault)) = &result {
            let reason = if fault.reason == KeyFaultReason::Signature { "signature" } else { "form" };
            self.metrics.keys_refused_total.with_label_values(&[reason]).inc();
        }
        result
    }
}

/// A deleted account takes its devices with it.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = KeystoreError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), KeystoreError> {
        match &event.change {
            AccountChange::Deleted => removal::erase(&self.0, event.account_id).await,
            // Removals are ours. A device outlives its session: its owner removes or replaces it.
            AccountChange::DeviceRemoved { .. }
            | AccountChange::SessionRevoked { .. }
            | AccountChange::KeysLow { .. }
            | AccountChange::KeysStocked { .. } => Ok(()),
        }
    }
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "keystore";
    type Settings = KeystoreSettings;

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(routes::with_signal_server)
    }

    fn build(settings: KeystoreSettings, platform: &Platform) -> Result<Service, StartError> {
        settings.validate()?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let relay = publish_outbox(&mut service, platform, &db)?;
        let (low_water, clock) = (settings.low_water, platform.clock.clone());
        let serve =
            move |conn: &mut db::DbConn, jobs: &[Fetch]| fetch::serve(conn, jobs, low_water, clock.now());
        let clock = platform.clock.clone();
        let serve_signal_server =
            move |conn: &mut db::DbConn, jobs: &[AccountId]| signal_server::serve(conn, jobs, clock.now());
        let compat = &platform.settings.signal_server;
        let state = State {
            fetches: Batcher::spawn_where(&db, FETCHES, |_| true, serve)?,
            signal_server_fetches: Batcher::spawn_where(
                &db,
                SIGNAL_SERVER_FETCHES,
                |_| true,
                serve_signal_server,
            )?,
            key_rules: KeyRules::of(compat.strict_keys),
            metrics: Metrics::register(&service.metrics)?,
            settings: Arc::new(settings),
            clock: platform.clock.clone(),
            auth: platform.auth.clone(),
            mailbox: platform.mailbox.clone(),
            limits: platform.limits.clone(),
            announcer: Announcer::new(platform, Self::NAME),
            relay,
            db: db.clone(),
        };

        let data = Data::new(state.clone());
        let throttles = Data::from(Arc::clone(&platform.throttles));
        let inner = data.clone();
        service.internal = web::routes(move |config| {
            config.app_data(inner.clone());
            routes::internal(config);
        });
        let served = if compat.enabled { routes::with_signal_server } else { routes::public };
        service.routes = web::routes(move |config| {
            config.app_data(data.clone()).app_data(throttles.clone());
            served(config);
        });
        AuditTable::ADMIN.forget(&mut service, platform, &db);
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(db)));
        let sweeping = state.clone();
        service.tasks.push(Task::new("keystore-sweeper", move |cancel| async move {
            sweeper::run(sweeping, cancel).await;
            Ok::<_, StartError>(())
        }));
        tell_of_accounts(&mut service, platform, &state.db, Arc::new(state.clone()));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}
