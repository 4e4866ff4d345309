//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::live::Live;
use common::models::SharedClock;
use common::models::events::{AccountChange, AccountEvent};
use db::{Db, Migrations};
use service::privacy::tell_of_accounts;
use service::{
    AccessTokens, AccountEvents, DatabaseCheck, Platform, StartError, Switch, handle_account_events,
    sweep_every,
};
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Gate, Limits, Page, RoutesFn, Service, Task};

use crate::delivery::{Attendance, ChannelApi, Hub, Means, Presence, patrol};
use crate::domain::{ChannelName, NotifyError, Registrar, Writer, housekeeping};
use crate::metrics::Metrics;
use crate::push::{By, Push};
use crate::settings::NotifySettings;
use crate::store::{MIGRATIONS, channels, subscriptions};
use crate::webhooks::{self, Webhooks};
use crate::{inputs, push, routes};

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) writer: Writer,
    pub(crate) registrar: Registrar,
    pub(crate) hub: Hub,
    pub(crate) presence: Presence,
    /// None: nothing is pushed.
    pub(crate) push: Option<Push>,
    /// None: nobody is told of connections and presence.
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) live: Live,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    pub(crate) settings: Arc<NotifySettings>,
    pub(crate) metrics: Metrics,
}

/// What happens to accounts whose channels are here.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = NotifyError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), NotifyError> {
        match &event.change {
            AccountChange::Deleted => {
                let channel = ChannelName::of_account(event.account_id);
                self.0.db.write(move |conn| channels::erase(conn, &channel)).await?;
                Ok(())
            }
            // The gate knows, and so do the sessions that watch it.
            AccountChange::DeviceRemoved { .. } => Ok(()),
            AccountChange::SessionRevoked { session_id } => {
                let channel = ChannelName::of_account(event.account_id);
                let holder = By::Session(*session_id).to_text();
                let removing =
                    self.0.db.write(move |conn| subscriptions::remove(conn, channel.as_str(), &holder));
                removing.await?;
                Ok(())
            }
            AccountChange::KeysLow { .. } | AccountChange::KeysStocked { .. } => Ok(()),
        }
    }
}

/// Where clients of Socket.IO connect, unless they are told otherwise.
const SOCKET_PATH: &str = "/socket.io/";

/// What answers there.
enum Sockets {
    ChannelApi(socketio::Server),
    Conformance(socketio::conformance::Conformance),
}

fn sockets(state: &State, origins: &[String]) -> Sockets {
    if state.settings.conformance {
        tracing::warn!("/socket.io/ is for conformance suites: no client gets notifications there");
        return Sockets::Conformance(socketio::conformance::Conformance::default());
    }
    let mut settings = state.settings.socketio.clone();
    if settings.cors.origins.is_empty() {
        settings.cors.origins = origins.to_vec();
    }
    Sockets::ChannelApi(socketio::Server::new(settings, ChannelApi::new(state.clone())))
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "notify";
    const SWITCHES: &'static [Switch] = &[Switch {
        name: "conformance",
        settings: &["notify.conformance", "database.migrate_on_start"],
        made_up: &["internal.token", "notify.auth_keys.conformance"],
        scratch: true,
        help: "Serve what the public test suites of Engine.IO and Socket.IO talk to, in place of ChannelAPI",
    }];
    type Settings = NotifySettings;

    /// For the channels of accounts alone.
    fn access_tokens(settings: &NotifySettings) -> AccessTokens {
        if settings.conformance { AccessTokens::Unused } else { AccessTokens::Accepted }
    }

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(routes::public)
    }

    fn build(settings: NotifySettings, platform: &Platform) -> Result<Service, StartError> {
        settings.validate()?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let metrics = Metrics::register(&service.metrics)?;
        let settings = Arc::new(settings.with_token_key(platform.settings.internal.token.as_ref()));
        let hub = Hub::new(Means {
            live: platform.live.clone(),
            db: db.clone(),
            clock: platform.clock.clone(),
            settings: Arc::clone(&settings),
            metrics: metrics.clone(),
        });
        let webhooks = Webhooks::new(&settings, platform.clock.clone(), metrics.clone())
            .map_err(|error| StartError::service(Self::NAME, error))?;
        let state = State {
            writer: Writer::start(&db, &settings, platform.clock.clone(), metrics.clone(), hub.clone())?,
            registrar: Registrar::start(&db, &settings, platform.clock.clone())?,
            hub,
            presence: Presence::new(webhooks.clone()),
            push: Push::new(&settings.push).map_err(|error| StartError::service(Self::NAME, error))?,
            webhooks,
            live: platform.live.clone(),
            gate: Arc::clone(&platform.gate),
            clock: platform.clock.clone(),
            limits: platform.limits.clone(),
            db: db.clone(),
            settings,
            metrics,
        };

        let data = Data::new(state.clone());
        let inner = data.clone();
        service.internal = web::routes(move |config| {
            config.app_data(inner.clone());
            routes::internal(config);
        });
        let sockets = sockets(&state, &platform.settings.http.cors_origins);
        if state.settings.trial_page {
            service.pages.push(Page { path: "/v1/notify/page", title: "Try out notifications" });
        }
        service.routes = web::routes(move |config: &mut ServiceConfig<'_>| {
            config.app_data(data.clone());
            routes::public(config);
            config.map(|config| match &sockets {
                Sockets::ChannelApi(server) => server.mount(SOCKET_PATH, config),
                Sockets::Conformance(suites) => suites.mount(config),
            });
        });
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(db)));
        let (sweeper, walker, keeper, watcher) =
            (state.clone(), state.hub.clone(), state.clone(), state.hub.clone());
        service.tasks.push(Task::new("notify-housekeeping", move |cancel| async move {
            sweep_every(sweeper.settings.sweep_every, cancel, || housekeeping::sweep(sweeper.clone())).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("notify-patrol", move |cancel| async move {
            patrol::run(walker, cancel).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("notify-presence", move |cancel| async move {
            keeper.presence.run(keeper.hub, cancel).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("notify-attendance", move |cancel| async move {
            Attendance::run(watcher, cancel).await;
            Ok::<_, StartError>(())
        }));
        if let Some(push) = &state.push {
            let (pusher, watcher, push, lookout) =
                (state.clone(), state.clone(), push.clone(), push.lookout.clone());
            service.tasks.push(Task::new("notify-push", move |cancel| async move {
                push::worker::run(pusher, push, cancel).await;
                Ok::<_, StartError>(())
            }));
            service.tasks.push(Task::new("notify-lookout", move |cancel| async move {
                lookout.run(&watcher, cancel).await;
                Ok::<_, StartError>(())
            }));
        }
        if let Some(webhooks) = &state.webhooks {
            let (teller, webhooks) = (state.clone(), webhooks.clone());
            service.tasks.push(Task::new("notify-webhooks", move |cancel| async move {
                webhooks::worker::run(teller, webhooks, cancel).await;
                Ok::<_, StartError>(())
            }));
        }
        inputs::attach(&mut service, platform, &state)?;
        tell_of_accounts(&mut service, platform, &state.db, Arc::new(state.clone()));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}
