//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::live::Live;
use clients::RelayClient;
use common::crypto::DataKey;
use common::crypto::oaep::OaepPrivateKey;
use common::models::SharedClock;
use common::models::events::{AccountChange, AccountEvent};
use db::{Db, Migrations};
use service::privacy::tell_of_accounts;
use service::{
    AccessTokens, AccountEvents, DatabaseCheck, Platform, StartError, handle_account_events, sweep_every,
};
use url::Url;
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Limits, Page, RoutesFn, Service, Task};

use crate::domain::provisioning::Seats;
use crate::domain::{Process, SyncError, housekeeping, keep_alive, shared_keys};
use crate::metrics::Metrics;
use crate::routes;
use crate::settings::{Keys, Start, SyncSettings};
use crate::store::MIGRATIONS;
use crate::users::{External, Own, UserApi};

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) live: Live,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    /// What passwords are encrypted with.
    pub(crate) key: OaepPrivateKey,
    /// What the tables are sealed with.
    pub(crate) data_key: DataKey,
    /// Who keeps the accounts.
    pub(crate) users: Arc<dyn UserApi>,
    /// Knows which modems are there.
    pub(crate) relay: RelayClient,
    /// This process, among those that show sessions.
    pub(crate) process: Process,
    /// Where clients reach this service, if that is known.
    pub(crate) public_url: Option<Url>,
    pub(crate) settings: Arc<SyncSettings>,
    pub(crate) metrics: Metrics,
    /// Places for websockets of new devices.
    pub(crate) seats: Seats,
    /// Places for websockets that show a session.
    pub(crate) places: Seats,
}

/// A deleted account takes its devices with it.
struct Events(State);

#[async_trait]
impl AccountEvents for Events {
    type Error = SyncError;

    async fn apply(&self, event: &AccountEvent) -> Result<(), SyncError> {
        match &event.change {
            AccountChange::Deleted => match event.account_id.as_str().parse() {
                Ok(user) => shared_keys::erase(&self.0, user).await,
                Err(_) => Ok(()),
            },
            // What synchronizes is no device of ours, and needs no session of ours.
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
    const NAME: &'static str = "sync";
    type Settings = SyncSettings;

    /// Where the users are those of somebody else, only the linking of our own devices needs auth.
    fn access_tokens(settings: &SyncSettings) -> AccessTokens {
        let of_others = settings.user_api.is_some() && settings.start() == Start::Open;
        if of_others { AccessTokens::Accepted } else { AccessTokens::Required }
    }

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(routes::public)
    }

    fn build(settings: SyncSettings, platform: &Platform) -> Result<Service, StartError> {
        let Keys { private, data } = settings.keys()?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let public_url = settings.public_url.clone().or_else(|| platform.settings.http.public_url.clone());
        let state = State {
            users: users(&settings, platform, public_url.as_ref())?,
            relay: platform.relay.clone(),
            process: Process::new(),
            public_url,
            live: platform.live.clone(),
            clock: platform.clock.clone(),
            limits: platform.limits.clone(),
            seats: Seats::new(settings.provisioning.max_sockets),
            places: Seats::new(settings.max_sockets),
            key: private,
            data_key: data,
            settings: Arc::new(settings),
            metrics: Metrics::register(&service.metrics)?,
            db: db.clone(),
        };

        let data = Data::new(state.clone());
        service.pages = vec![
            Page { path: "/v1/provisioning/page", title: "Link a new device" },
            Page { path: "/v2/sync/page", title: "Synchronize a gateway client" },
        ];
        service.routes = with_state(&data, routes::public);
        service.internal = with_state(&data, routes::internal);
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(db)));
        service.checks.push(Arc::new(state.process.clone()));
        let (sweeper, living) = (state.clone(), state.clone());
        service.tasks.push(Task::new("sync-housekeeping", move |cancel| async move {
            sweep_every(sweeper.settings.sweep_every, cancel, || housekeeping::sweep(sweeper.clone())).await;
            Ok::<_, StartError>(())
        }));
        service.tasks.push(Task::new("sync-process", move |cancel| async move {
            keep_alive(living, cancel).await;
            Ok::<_, StartError>(())
        }));
        tell_of_accounts(&mut service, platform, &state.db, Arc::new(state.clone()));
        handle_account_events(&mut service, platform, Arc::new(Events(state)))?;
        Ok(service)
    }
}

fn users(
    settings: &SyncSettings,
    platform: &Platform,
    public_url: Option<&Url>,
) -> Result<Arc<dyn UserApi>, StartError> {
    if let Some(user_api) = &settings.user_api {
        return Ok(Arc::new(External::new(user_api.clone())?));
    }
    let base = public_url.map_or("", Url::as_str);
    let by_login = settings.start() == Start::Login;
    Ok(Arc::new(Own::new(platform.auth.clone(), &settings.platforms, base, by_login)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::UserApiSettings;

    #[test]
    fn with_the_users_of_somebody_else_it_is_ready_without_auth() {
        let of_others =
            SyncSettings { user_api: Some(UserApiSettings::default()), ..SyncSettings::default() };
        let asked = SyncSettings { start: Some(Start::Login), ..of_others.clone() };

        let tokens = [&of_others, &asked, &SyncSettings::default()].map(<App as service::App>::access_tokens);

        assert_eq!(tokens, [AccessTokens::Accepted, AccessTokens::Required, AccessTokens::Required]);
    }
}
