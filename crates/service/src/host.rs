//! Puts services behind two listeners: one in a pod, all of them in the standalone and in tests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::live::Live;
use common::models::{SharedClock, SystemClock};
use config::Config;
use db::Db;
use futures_util::future::join_all;
use web::{Check, Gate, Limits, Server, Service};

use crate::app::{AccessTokens, App};
use crate::error::StartError;
use crate::guard;
use crate::platform::{Clients, Identity, Platform};
use crate::settings::CommonSettings;
use crate::signal_server::Throttles;

/// How often readiness is looked at while a program starts.
const READY_STEP: Duration = Duration::from_millis(20);

/// What surrounds a host.
#[derive(Clone)]
pub struct Surroundings {
    /// Where files may be kept; none in a cluster.
    pub data_dir: Option<PathBuf>,
    /// The time.
    pub clock: SharedClock,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { data_dir: None, clock: Arc::new(SystemClock) }
    }
}

/// Services on their way to being served: bind, add each, run.
pub struct Host {
    server: Server,
    platform: Platform,
    services: Vec<Service>,
    access_tokens: AccessTokens,
}

impl Host {
    /// Binds both listeners, so that the addresses are known, and makes what the services share. `hosted` names the
    /// services that will be added: those find each other in this process unless the settings say otherwise.
    ///
    /// # Errors
    /// A listener that cannot be bound, an embedded bus in use by another process, settings that cannot work. A broker
    /// that is away is none.
    pub fn bind(
        settings: CommonSettings,
        hosted: &[&'static str],
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let Surroundings { data_dir, clock } = surroundings;
        let server = Server::bind(&settings.http, &settings.internal.server())?;
        let identity = Identity { hosted, http: server.http_addr(), internal: server.internal_addr() };
        let clients = Clients::new(&settings, &identity)?;
        let gate = Arc::new(Gate::new(Arc::clone(&clock)));
        let platform = Platform {
            bus: Bus::open(&settings.bus, data_dir.as_deref())?,
            live: live(&settings)?,
            gate: Arc::clone(&gate),
            limits: Limits::new(&settings.limits, Arc::clone(&clock), server.registry())?,
            throttles: Arc::new(Throttles::new(&settings.signal_server, Arc::clone(&clock))),
            auth: clients.auth,
            mailbox: clients.mailbox,
            sync: clients.sync,
            relay: clients.relay,
            nudger: clients.nudger,
            settings: Arc::new(settings),
            clock,
            data_dir,
        };
        let access_tokens = AccessTokens::Unused;
        Ok(Self { server: server.gate(gate), platform, services: Vec::new(), access_tokens })
    }

    /// What the services share.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The address of the public listener.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.server.http_addr()
    }

    /// The address of the internal listener.
    #[must_use]
    pub fn internal_addr(&self) -> SocketAddr {
        self.server.internal_addr()
    }

    /// Reads the section of `A` and puts it together; with `[database] migrate_on_start` its tables first.
    ///
    /// # Errors
    /// Settings that cannot work, failed migrations, or what [`App::build`] returns.
    pub async fn add<A: App>(&mut self, config: &Config) -> Result<(), StartError> {
        let settings: A::Settings = config.section(&A::section())?;
        tracing::info!(service = A::NAME, ?settings, "settings");
        if self.platform.settings.database.migrate_on_start {
            migrate::<A>(&self.platform).await?;
        }
        self.access_tokens = self.access_tokens.max(A::access_tokens(&settings));
        self.services.push(A::build(settings, &self.platform)?);
        Ok(())
    }

    /// Adds a service that is put together already, and requires access tokens.
    pub fn add_service(&mut self, service: Service) {
        self.access_tokens = AccessTokens::Required;
        self.services.push(service);
    }

    /// Serves until `shutdown` resolves, then drains. Calls `ready` once, as soon as every check of every service
    /// passes.
    ///
    /// # Errors
    /// What `ready` returns; a server or a task that ends early.
    pub async fn run_until(
        self,
        ready: impl FnOnce(&Ready) -> Result<(), StartError>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), StartError> {
        let Self { server, platform, mut services, access_tokens } = self;
        tracing::info!(settings = ?platform.settings, "common settings");
        if let Some(first) = services.first_mut() {
            guard::attach(first, &platform, access_tokens);
        }
        let addresses = Ready { http: server.http_addr(), internal: server.internal_addr() };
        let checks: Vec<Arc<dyn Check>> =
            services.iter().flat_map(|service| service.checks.clone()).collect();

        let running = server.host(services).run_until(shutdown);
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => return Ok(ended?),
            () = all_pass(&checks) => ready(&addresses)?,
        }
        Ok(running.await?)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("services", &self.services).finish_non_exhaustive()
    }
}

/// Where a process that is ready can be reached; `Display` is the line `ready http=http://… internal=http://…`.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The public listener.
    pub http: SocketAddr,
    /// The internal listener.
    pub internal: SocketAddr,
}

impl std::fmt::Display for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ready http=http://{} internal=http://{}", self.http, self.internal)
    }
}

/// Applies the pending migrations of `A`, and returns their versions.
///
/// # Errors
/// [`StartError::Db`].
pub async fn migrate<A: App>(platform: &Platform) -> Result<Vec<String>, StartError> {
    migrate_database::<A>(&platform.database(&A::section())?).await
}

pub(crate) async fn migrate_database<A: App>(db: &Db) -> Result<Vec<String>, StartError> {
    let Some(migrations) = A::migrations() else {
        return Ok(Vec::new());
    };
    let applied = db.migrate(migrations).await?;
    tracing::info!(service = A::NAME, ?applied, "migrated");
    Ok(applied)
}

async fn all_pass(checks: &[Arc<dyn Check>]) {
    loop {
        let results = join_all(checks.iter().map(|check| check.check())).await;
        if results.iter().all(Result::is_ok) {
            return;
        }
        tokio::time::sleep(READY_STEP).await;
    }
}

fn live(settings: &CommonSettings) -> Result<Live, StartError> {
    if settings.live.url.is_empty() {
        return Ok(Live::in_process());
    }
    Ok(Live::amqp(settings.live.url.expose(), &settings.live.tls)?)
}
