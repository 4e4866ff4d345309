//! Puts the gateway together.

use std::sync::Arc;

use actix_web::web::Data;
use async_trait::async_trait;
use bus::worker::{Policy, Worker, WorkerMetrics};
use config::{ConfigError, Fault};
use db::Migrations;
use service::{AccessTokens, App as _, BusCheck, DatabaseCheck, Platform, StartError};
use tokio::sync::mpsc;
use web::{Check, RoutesFn, Service, Task};

use crate::domain::inbound::InboundKey;
use crate::domain::inbound::owners::Owners;
use crate::domain::opt_out::OptOuts;
use crate::domain::quota::Quotas;
use crate::domain::recipient::RecipientKey;
use crate::domain::route::Routes;
use crate::metrics::Metrics;
use crate::pipeline::announce::Announcer;
use crate::pipeline::client_log::ClientLog;
use crate::pipeline::inbound::{overdue, settling};
use crate::pipeline::intake::Intake;
use crate::pipeline::links::Links;
use crate::pipeline::openers::Openers;
use crate::pipeline::plaintexts::Plaintexts;
use crate::pipeline::vault::CachedVault;
use crate::pipeline::webhooks::{self, Webhook};
use crate::pipeline::{Gateway, dispatch, looping, orders, queries, upkeep, writers};
use crate::settings::Settings;
use crate::store::inbound::Desk;
use crate::store::{AUDIT, MIGRATIONS, Rules, SmscRules};

/// The sms-gateway service.
#[derive(Debug)]
pub enum App {}

impl service::App for App {
    const NAME: &'static str = "sms-gateway";
    type Settings = Settings;

    fn access_tokens(_settings: &Settings) -> AccessTokens {
        AccessTokens::Unused
    }

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(crate::routes::public)
    }

    fn build(settings: Settings, platform: &Platform) -> Result<Service, StartError> {
        let faults = settings.faults();
        if !faults.is_empty() {
            let faults = faults.into_iter().map(|(place, what)| Fault::new(place, what)).collect();
            return Err(ConfigError::Invalid(faults).into());
        }
        let mut service = Service::new(Self::NAME);
        let gateway = gateway(settings, platform, &mut service)?;
        let worker = worker(&gateway.settings, platform, &service)?;
        let (links, spawned) = Links::spawn(&gateway.settings, &gateway.clock)
            .map_err(|error| ConfigError::Invalid(vec![Fault::new("sms_gateway", error.to_string())]))?;
        let links = Arc::new(links);

        let (state, operated) = (Data::from(gateway.clone()), Data::from(links.clone()));
        let inner = state.clone();
        service.internal = web::routes(move |config| {
            config.app_data(inner.clone()).app_data(operated.clone());
            crate::routes::internal(config);
        });
        service.routes = web::routes(move |config| {
            config.app_data(state.clone());
            crate::routes::public(config);
        });
        service.tasks.extend(tasks(&gateway, &links, worker));
        AUDIT.forget(&mut service, platform, &gateway.db);
        let hooks = Webhook::all(&gateway.settings)
            .map_err(|error| ConfigError::Invalid(vec![Fault::new("sms_gateway", error.to_string())]))?;
        for hook in hooks {
            let gateway = gateway.clone();
            service.tasks.push(Task::new("sms-webhook", |cancel| webhooks::run(gateway, hook, cancel)));
        }
        for session in spawned {
            let (gateway, quiet) = (gateway.clone(), links.quiet.clone());
            service.tasks.push(Task::new("sms-link", |_| session.run(gateway, quiet)));
        }
        // Not the binds: without one, requests are taken in and wait until their deadline. `bound` tells an operator.
        service.checks = vec![
            Arc::new(DatabaseCheck::of::<Self>(gateway.db.clone())),
            Arc::new(BusCheck(platform.bus.clone())),
            Arc::new(VaultCheck(gateway.vault.clone())),
        ];
        Ok(service)
    }
}

fn gateway(
    settings: Settings,
    platform: &Platform,
    service: &mut Service,
) -> Result<Arc<Gateway>, StartError> {
    let fail = |error: std::io::Error| StartError::service(App::NAME, error);
    let clock = platform.clock.clone();
    let db = platform.database(&App::section())?;
    let metrics = Metrics::register(&service.metrics)?;
    let opt_outs = Arc::new(OptOuts::new(&settings.opt_out));
    let rules = Arc::new(rules(&settings, opt_outs.clone()));
    // Every program has this secret, and all instances the same.
    let secret = platform.settings.internal.token.clone().unwrap_or_default();
    let recipients = RecipientKey::derive(&secret);
    let vault = Arc::new(CachedVault::new(settings.vault.clone(), settings.vault_password.clone()));
    let openers =
        Openers::spawn(settings.decrypt_threads, settings.decrypt_in_lanes, &vault, metrics.clone())
            .map_err(fail)?;
    let relay = service::publish_outbox(service, platform, &db)?;
    let log = match settings.client_log.clone() {
        Some(dir) => Some(ClientLog::spawn(dir, &settings.allowed_clients, metrics.clone()).map_err(fail)?),
        None => None,
    };
    let desk = Desk {
        key: InboundKey::derive(&secret),
        recipients: recipients.clone(),
        owners: Arc::new(Owners::new(settings.inbound.clone(), opt_outs, vault.clone())),
        topic: settings.topics.inbound.clone(),
        repeats: settings.inbound_repeats,
    };
    let writers = writers(&db, &clock, &rules, desk, settings.batch)?;
    let (stops, waiting) = mpsc::channel(settling::MOST);
    let gateway = Arc::new(Gateway {
        plaintexts: Plaintexts::new(settings.plaintexts),
        announcer: Announcer::new(relay, log, metrics.clone()),
        intake: writers.intake,
        dispatch: writers.dispatch,
        outcomes: writers.outcomes,
        inbound: writers.inbound,
        stops,
        work: Default::default(),
        loops: Default::default(),
        settings,
        clock,
        db,
        producer: platform.bus.producer(),
        rules,
        metrics,
        recipients,
        vault,
        openers,
    });
    let (settler, closer) = (gateway.clone(), gateway.clone());
    service.tasks.push(Task::new("sms-stops", |cancel| settling::run(settler, waiting, cancel)));
    service.tasks.push(Task::new("sms-inbound", |cancel| overdue::run(closer, cancel)));
    Ok(gateway)
}

pub(crate) fn rules(settings: &Settings, opt_outs: Arc<OptOuts>) -> Rules {
    Rules {
        opt_outs,
        quotas: Arc::new(Quotas::new(&settings.quota)),
        status_topic: settings.topics.status.clone(),
        resubmit_unknown: settings.resubmit_unknown,
        unknown_grace: settings.unknown_grace,
        routes: Routes::new(settings),
        fail_over_on: settings.fail_over_on.clone(),
        smscs: settings
            .smsc
            .iter()
            .map(|smsc| {
                (
                    smsc.name.clone(),
                    SmscRules {
                        id_base: smsc.id_base,
                        simulated: smsc.simulated,
                        query_after: smsc.query_after,
                    },
                )
            })
            .collect(),
    }
}

/// The consumer of requests. They are tried again for ever: what fails is the database's or the vault's fault. Only one
/// at which the code panics each time is given up.
fn worker(settings: &Settings, platform: &Platform, service: &Service) -> Result<Worker, StartError> {
    let policy = Policy {
        max_batch: settings.batch,
        dead_letter_topic: Some(settings.topics.dead.clone()),
        ..Policy::default()
    };
    let worker = Worker::new(&platform.bus, &settings.group, &[&settings.topics.send]);
    Ok(worker.policy(policy).metrics(WorkerMetrics::register(&service.metrics, "sms-intake")?))
}

fn tasks(gateway: &Arc<Gateway>, links: &Arc<Links>, worker: Worker) -> Vec<Task> {
    let intake = Intake::new(gateway.clone());
    let (looper, dispatcher, keeper) = (gateway.clone(), gateway.clone(), gateway.clone());
    let (out, look, ask, obey) = (links.clone(), links.clone(), links.clone(), links.clone());
    let (asker, reader) = (gateway.clone(), gateway.clone());
    vec![
        Task::new("sms-intake", |cancel| async move { worker.run(&intake, cancel).await }),
        Task::new("sms-loop-back", |cancel| looping::run(looper, cancel)),
        Task::new("sms-dispatch", |cancel| dispatch::run(dispatcher, out, cancel)),
        Task::new("sms-orders", |cancel| orders::run(reader, obey, cancel)),
        Task::new("sms-queries", |cancel| queries::run(asker, ask, cancel)),
        Task::new("sms-upkeep", |cancel| upkeep::run(keeper, look, cancel)),
    ]
}

/// The vault can be read.
struct VaultCheck(Arc<CachedVault>);

#[async_trait]
impl Check for VaultCheck {
    fn name(&self) -> &str {
        "vault"
    }

    async fn check(&self) -> Result<(), String> {
        let vault = self.0.clone();
        let checked = tokio::task::spawn_blocking(move || vault.check());
        checked.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}
