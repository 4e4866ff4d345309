//! Puts the service together. Nothing else makes a [`State`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use actix_web::web::Data;
use bus::AmqpServer;
use clients::{SyncClient, Timeouts, http_client};
use common::crypto::Secret;
use common::models::SharedClock;
use db::{Db, Migrations};
use service::operators::AuditTable;
use service::{AccessTokens, DatabaseCheck, Platform, StartError, sweep_every};
use tokio::sync::Notify;
use utoipa_actix_web::service_config::ServiceConfig;
use web::{Limits, RoutesFn, Service, Task};

use crate::broker::{Broker, Means};
use crate::domain::{Seal, Writer, housekeeping};
use crate::metrics::Metrics;
use crate::publishing::{self, Target};
use crate::routes;
use crate::settings::{Publisher, RelaySettings};
use crate::store::MIGRATIONS;

/// What the verbs work with. Clones are cheap.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: Db,
    pub(crate) writer: Writer,
    pub(crate) seal: Seal,
    pub(crate) sync: SyncClient,
    /// None in an installation without RabbitMQ.
    pub(crate) broker: Option<Broker>,
    /// Users of RabbitMQ who may do everything, with their passwords.
    pub(crate) broker_users: Arc<BTreeMap<String, Secret<String>>>,
    /// SMS that waited for the publisher at the last sweep.
    pub(crate) waiting: Arc<AtomicI64>,
    /// Told when there is something for the publisher.
    pub(crate) wake: Arc<Notify>,
    pub(crate) clock: SharedClock,
    pub(crate) limits: Limits,
    pub(crate) settings: Arc<RelaySettings>,
    pub(crate) platform: Platform,
    pub(crate) metrics: Metrics,
}

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "relay";
    type Settings = RelaySettings;

    /// Gateway clients and operators have credentials of their own.
    fn access_tokens(_: &RelaySettings) -> AccessTokens {
        AccessTokens::Unused
    }

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(routes::public)
    }

    fn build(settings: RelaySettings, platform: &Platform) -> Result<Service, StartError> {
        let settings = Arc::new(settings.with_broker(&platform.settings.live));
        settings.validate()?;
        let mut service = Service::new(Self::NAME);
        let db = platform.database(&Self::section())?;
        let metrics = Metrics::register(&service.metrics)?;
        let wake = Arc::new(Notify::new());
        let broker = broker(&settings, &db, &metrics, &wake)?;
        let state = State {
            writer: Writer::start(&db, &settings, platform.clock.clone())?,
            seal: Seal::new(settings.seal()?),
            sync: platform.sync.clone(),
            broker_users: Arc::new(broker_users(&settings, broker.as_ref())),
            broker: broker.clone(),
            waiting: Arc::default(),
            wake,
            clock: platform.clock.clone(),
            limits: platform.limits.clone(),
            db: db.clone(),
            settings: Arc::clone(&settings),
            platform: platform.clone(),
            metrics,
        };

        let data = Data::new(state.clone());
        let inner = data.clone();
        service.routes = web::routes(move |config: &mut ServiceConfig<'_>| {
            config.app_data(data.clone());
            routes::public(config);
        });
        service.internal = web::routes(move |config: &mut ServiceConfig<'_>| {
            config.app_data(inner.clone());
            routes::internal(config);
        });
        AuditTable::ADMIN.forget(&mut service, platform, &db);
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(db)));
        if let Some(broker) = broker.clone() {
            service.tasks.push(Task::new("relay-broker", move |cancel| async move {
                broker.run(cancel).await;
                Ok::<_, StartError>(())
            }));
        }
        let publisher = state.clone();
        match target(&settings, broker)? {
            Some(target) => service.tasks.push(Task::new("relay-publisher", move |cancel| async move {
                publishing::run(publisher, target, cancel).await;
                Ok::<_, StartError>(())
            })),
            None => tracing::warn!(
                "no relay.publisher is configured: SMS that come in are kept until there is one"
            ),
        }
        service.tasks.push(Task::new("relay-housekeeping", move |cancel| async move {
            sweep_every(state.settings.sweep_every, cancel, || housekeeping::sweep(state.clone())).await;
            Ok::<_, StartError>(())
        }));
        Ok(service)
    }
}

/// Seconds, as the known publisher has it; a broker that is gone without a word is noticed within twice this.
const HEARTBEAT: u16 = 30;

/// The connection to RabbitMQ, where one is configured.
fn broker(
    settings: &Arc<RelaySettings>,
    db: &Db,
    metrics: &Metrics,
    wake: &Arc<Notify>,
) -> Result<Option<Broker>, StartError> {
    if settings.amqp_url.is_empty() {
        tracing::info!("no RabbitMQ is configured: SMS for modems (POST /sms) are refused");
        return Ok(None);
    }
    let means = Means {
        db: db.clone(),
        settings: Arc::clone(settings),
        metrics: metrics.clone(),
        wake: Arc::clone(wake),
    };
    let server = AmqpServer::new(settings.amqp_url.expose(), &settings.amqp_tls, HEARTBEAT)
        .map_err(|error| config::ConfigError::invalid("relay.amqp_url", error.to_string()))?;
    Ok(Some(Broker::new(server, means)))
}

/// Relay's own user, and those of the settings.
fn broker_users(settings: &RelaySettings, broker: Option<&Broker>) -> BTreeMap<String, Secret<String>> {
    let mut users = settings.rabbitmq_users.clone();
    if let Some(own) = broker.map(Broker::identity) {
        users.insert(own.username, own.password);
    }
    users
}

/// Who gets SMS that come in.
fn target(settings: &RelaySettings, broker: Option<Broker>) -> Result<Option<Target>, StartError> {
    Ok(match (&settings.publisher, broker) {
        (Publisher::Amqp, Some(broker)) => Some(Target::Amqp {
            broker,
            exchange: settings.publisher_exchange.clone(),
            routing_key: settings.publisher_routing_key.clone(),
            key: settings.publisher_key.clone(),
        }),
        (Publisher::Http(url), _) => {
            let timeouts = Timeouts { request: settings.publish_timeout, ..Timeouts::default() };
            Some(Target::Http { client: http_client(timeouts, url.scheme() == "https")?, url: url.clone() })
        }
        (Publisher::Amqp, None) | (Publisher::Unset, _) => None,
    })
}
