//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::live::Live;
use bus::outbox::Relay;
use clients::AuthClient;
use common::models::SharedClock;
use common::models::events::{AccountChange, AccountEvent};
use common::models::ws::KeysLow;
use db::{Db, Migrations};
use service::operators::AuditTable;
use service::privacy::tell_of_accounts;
use service::{
    AccountEvents, DatabaseCheck, Platform, StartError, handle_account_events, publish_outbox, sweep_every,
};
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Gate, Limits, RoutesFn, Service, Task};

use crate::delivery::{Sockets, hints, patrol};
use crate::domain::signal_server::Sender;
use crate::domain::{MailboxError, MailboxId, Presence, Rules, Writer, housekeeping, lives, processes};
use crate::metrics::Metrics;
use crate::routes::{self, Compat};
use crate::settings::MailboxSettings;
use crate::store::MIGRATIONS;

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) writer: Writer,
    /// Stores messages of signal_server.
    pub(crate) sender: Sender,
    pub(crate) relay: Relay,
    pub(crate) live: Live,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sockets: Sockets,
    pub(crate) presence: Presence,
    pub(crate) clock: SharedClock,
    /// Knows names and passwords of Woosh, names of signal_server.
    pub(crate) auth: AuthClient,
    pub(crate) limits: Limits,
    pub(crate) settings: Arc<MailboxSettings>,
    pub(crate) metrics: Metrics,
}

/// What other services decide about the devices whose mailboxes are here.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = MailboxError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), MailboxError> {
        let of = |device| MailboxId { account: event.account_id, device };
        match &event.change {
            AccountChange::Deleted => lives::erase(&self.0, event.account_id).await,
            AccountChange::DeviceRemoved { device_id, generation, .. } => {
                lives::close(&self.0, of(*device_id), *generation).await
            }
            AccountChange::KeysLow { device_id, kind, remaining } => {
                lives::note_keys(&self.0, of(*device_id), *kind, Some(*remaining)).await?;
                let keys = KeysLow { kind: *kind, remaining: *remaining };
                hints::keys_low(&self.0.live, of(*device_id), keys);
                Ok(())
            }
            AccountChange::KeysStocked { device_id, kind } => {
                lives::note_keys(&self.0, of(*device_id), *kind, None).await
            }
            // The gate knows, and so do the sockets that watch it.
            AccountChange::SessionRevoked { .. } => Ok(()),
        }
    }
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "mailbox";
    type Settings = MailboxSettings;

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(|config| routes::public(config, Compat { woosh: true, signal_server: true }))
    }

    fn build(settings: MailboxSettings, platform: &Platform) -> Result<Service, StartError> {
        settings.validate()?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let relay = publish_outbox(&mut service, platform, &db)?;
        let metrics = Metrics::register(&service.metrics)?;
        let settings = Arc::new(settings);
        let sockets = Sockets::new(metrics.sockets.clone());
        let rules = Rules {
            settings: Arc::clone(&settings),
            clock: platform.clock.clone(),
            metrics: metrics.clone(),
        };
        let state = State {
            writer: Writer::start(&db, rules)?,
            sender: Sender::start(&db, Arc::clone(&settings), platform.clock.clone())?,
            presence: Presence::start(&db, &settings, platform.clock.clone())?,
            live: platform.live.clone(),
            gate: Arc::clone(&platform.gate),
            clock: platform.clock.clone(),
            auth: platform.auth.clone(),
            limits: platform.limits.clone(),
            db: db.clone(),
            relay,
            sockets,
            settings,
            metrics,
        };

        let data = Data::new(state.clone());
        let compat = Compat {
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
        let (sweeper, walker, caller) = (state.clone(), state.clone(), state.clone());
        service.tasks.push(Task::new("mailbox-housekeeping", move |cancel| async move {
            sweep_every(sweeper.settings.sweep_every, cancel, || housekeeping::sweep(sweeper.clone())).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("mailbox-patrol", move |cancel| async move {
            patrol::run(walker, cancel).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("mailbox-processes", move |cancel| async move {
            processes::run(caller, cancel).await;
            Ok::<_, StartError>(())
        }));
        tell_of_accounts(&mut service, platform, &state.db, Arc::new(state.clone()));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}

fn with_state(
    data: &Data<State>,
    routes: impl Fn(&mut ServiceConfig<'_>) + Send + Sync + 'static,
) -> RoutesFn {
    let data = data.clone();
    web::routes(move |config| {
        config.app_data(data.clone());
        routes(config);
    })
}
