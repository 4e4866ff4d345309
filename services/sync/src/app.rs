//! Puts the service together. Nothing else makes a [`State`].

use std::sync::Arc;

use actix_web::web::Data;
use bus::live::Live;
use common::crypto::DataKey;
use common::crypto::oaep::OaepPrivateKey;
use common::models::SharedClock;
use db::{Db, Migrations};
use service::{DatabaseCheck, Platform, StartError};
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Limits, RoutesFn, Service, Task};

use crate::domain::provisioning::{self, Seats};
use crate::metrics::Metrics;
use crate::routes;
use crate::settings::{Keys, SyncSettings};
use crate::store::MIGRATIONS;

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
#[expect(dead_code, reason = "the first routes that read it follow")]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) live: Live,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    /// What passwords are encrypted with.
    pub(crate) key: OaepPrivateKey,
    /// What the tables are sealed with.
    pub(crate) data_key: DataKey,
    pub(crate) settings: Arc<SyncSettings>,
    pub(crate) metrics: Metrics,
    /// Places for websockets of new devices.
    pub(crate) seats: Seats,
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "sync";
    type Settings = SyncSettings;

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
        let state = State {
            live: platform.live.clone(),
            clock: platform.clock.clone(),
            limits: platform.limits.clone(),
            seats: Seats::new(settings.provisioning.max_sockets),
            key: private,
            data_key: data,
            settings: Arc::new(settings),
            metrics: Metrics::register(&service.metrics)?,
            db: db.clone(),
        };

        let sweeping = state.clone();
        service.tasks.push(Task::new("provisioning-sweeper", move |cancel| async move {
            provisioning::sweep_until(sweeping, cancel).await;
            Ok::<_, StartError>(())
        }));
        let data = Data::new(state);
        service.routes = with_state(&data, routes::public);
        service.internal = with_state(&data, routes::internal);
        service.checks.push(Arc::new(DatabaseCheck(db)));
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
