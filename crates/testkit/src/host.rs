//! Services under test: one, or several behind one pair of listeners as in the standalone, on free ports, a fresh
//! database and the embedded bus.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use common::models::{SharedClock, SystemClock};
use config::Config;
use db::{Db, DbSettings};
use futures_util::future::LocalBoxFuture;
use service::{App, CommonSettings, Host, Ready, StartError, Surroundings};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::database::TestDb;
use crate::http::TestClient;
use crate::wait::DEADLINE;

/// The credential between services in tests.
pub const INTERNAL_TOKEN: &str = "the credential between services in tests";

/// The credential of operators in tests.
pub const ADMIN_TOKEN: &str = "the credential of operators in tests";

/// The key of what auth and relay keep in their tables, in tests.
pub const DATA_KEY: &str = "dGhlIGRhdGEga2V5IG9mIGF1dGggaW4gYWxsIHRlc3Q";

/// How one host differs from the next.
pub struct HostSettings<'a> {
    /// Settings on top of the defaults: pairs of dotted path and value.
    pub more: &'a [(&'a str, &'a str)],
    /// The time.
    pub clock: SharedClock,
    /// Where files are kept; a fresh folder when not given. Two hosts cannot share one: the embedded bus is locked.
    pub data_dir: Option<PathBuf>,
}

impl Default for HostSettings<'_> {
    fn default() -> Self {
        Self { more: &[], clock: Arc::new(SystemClock), data_dir: None }
    }
}

/// The services that one process hosts.
#[derive(Debug, Default)]
pub struct Apps {
    names: Vec<&'static str>,
    sections: Vec<String>,
    add: Vec<Add>,
}

type Add = for<'a> fn(&'a mut Host, &'a Config) -> LocalBoxFuture<'a, Result<(), StartError>>;

impl Apps {
    /// One service.
    #[must_use]
    pub fn of<A: App>() -> Self {
        Self::default().and::<A>()
    }

    /// One more.
    #[must_use]
    pub fn and<A: App>(mut self) -> Self {
        self.names.push(A::NAME);
        self.sections.push(A::section());
        self.add.push(|host, config| Box::pin(host.add::<A>(config)));
        self
    }
}

/// Services that run, on a thread of their own, until this is dropped.
#[derive(Debug)]
pub struct TestHost {
    /// The public listener, without credentials.
    pub http: TestClient,
    /// The internal listener, with [`INTERNAL_TOKEN`].
    pub internal: TestClient,
    /// Base URL of the public listener.
    pub url: String,
    /// Base URL of the internal listener.
    pub internal_url: String,
    started: watch::Receiver<bool>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    database: String,
    data: PathBuf,
    _own: TempDir,
}

impl TestHost {
    /// Starts `A` on `db`, tables and all, and waits until it is ready.
    ///
    /// # Panics
    /// When it ends before it is ready.
    pub async fn start<A: App>(db: &TestDb, settings: HostSettings<'_>) -> Self {
        Self::start_all(Apps::of::<A>(), db, settings).await
    }

    /// Starts `apps` on `db`, tables and all, and waits until every one is ready. On SQLite several services have a
    /// file each in the data directory; see [`TestHost::database`].
    ///
    /// # Panics
    /// When they end before they are ready.
    pub async fn start_all(apps: Apps, db: &TestDb, settings: HostSettings<'_>) -> Self {
        let host = Self::launch(apps, db, settings).await;
        host.started().await;
        host
    }

    /// Starts `apps` and returns as soon as the listeners are bound; what they depend on may be away.
    ///
    /// # Panics
    /// When they end before that.
    pub async fn launch(apps: Apps, db: &TestDb, settings: HostSettings<'_>) -> Self {
        let own = tempfile::tempdir().expect("a temporary folder");
        let data = settings.data_dir.unwrap_or_else(|| own.path().to_owned());
        let shared_file = apps.names.len() > 1 && db.settings().url.starts_with("sqlite:");
        let database = if shared_file { String::new() } else { db.settings().url.clone() };
        let config = configuration(&database, settings.more);
        let surroundings = Surroundings { data_dir: Some(data.clone()), clock: settings.clock };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (announce, bound) = oneshot::channel();
        let (ready, started) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            let names = apps.names.clone();
            let announce = Announce { bound: announce, ready };
            let served =
                actix_rt::System::new().block_on(serve(apps, config, surroundings, announce, stopped));
            served.unwrap_or_else(|error| panic!("{names:?} ended: {error:?}"));
        });
        let Ready { http, internal } = bound.await.expect("the services ended before they listened");
        let (url, internal_url) = (format!("http://{http}"), format!("http://{internal}"));
        Self {
            http: TestClient::new(url.clone()),
            internal: TestClient::new(internal_url.clone()).with_token(INTERNAL_TOKEN),
            url,
            internal_url,
            started,
            stop,
            thread: Some(thread),
            database,
            data,
            _own: own,
        }
    }

    /// Waits until every service has been ready once.
    ///
    /// # Panics
    /// When they end first, or the deadline passes.
    pub async fn started(&self) {
        let mut started = self.started.clone();
        let ready =
            timeout(DEADLINE, started.wait_for(|started| *started)).await.expect("services that start");
        ready.expect("the services ended before they were ready");
    }

    /// Tells what `/health/ready` says now.
    pub async fn is_ready(&self) -> bool {
        self.internal.get("/health/ready").await.status == 200
    }

    /// Where its files are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// A pool of its own on the tables of the service whose section is `section`.
    ///
    /// # Panics
    /// When the settings of the database cannot work, which they did for the service.
    #[must_use]
    pub fn database(&self, section: &str) -> Db {
        let url = match self.database.as_str() {
            "" => format!("sqlite:{}", self.data.join(format!("{section}.sqlite")).display()),
            url => url.to_owned(),
        };
        Db::new(&DbSettings::new(url), section).expect("the database of a service")
    }

    /// Asks it to stop, and waits until it has drained.
    ///
    /// # Panics
    /// When it failed meanwhile.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            tokio::task::spawn_blocking(move || thread.join())
                .await
                .expect("a thread to wait on")
                .expect("a clean end");
        }
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What the test is told while services start.
struct Announce {
    bound: oneshot::Sender<Ready>,
    ready: watch::Sender<bool>,
}

/// What [`service::serve`] does, for several services, telling of the addresses before anything is ready.
async fn serve(
    apps: Apps,
    config: Config,
    surroundings: Surroundings,
    announce: Announce,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let sections: Vec<&str> = apps.sections.iter().map(String::as_str).collect();
    let settings = CommonSettings::load(&config, &sections)?;
    telemetry::init(&settings.telemetry)?;
    let mut host = Host::bind(settings, &apps.names, surroundings)?;
    let addresses = Ready { http: host.http_addr(), internal: host.internal_addr() };
    for add in apps.add {
        add(&mut host, &config).await?;
    }
    // A test that has gone needs neither the one nor the other.
    let _ = announce.bound.send(addresses);
    let ready = |_: &Ready| {
        announce.ready.send_replace(true);
        Ok(())
    };
    host.run_until(ready, stop.cancelled_owned()).await
}

fn configuration(database: &str, more: &[(&str, &str)]) -> Config {
    let base = [
        ("http.listen", "127.0.0.1:0"),
        ("http.workers", "2"),
        ("http.drain_delay", "0s"),
        ("internal.listen", "127.0.0.1:0"),
        ("internal.token", INTERNAL_TOKEN),
        ("internal.admin_token", ADMIN_TOKEN),
        ("database.url", database),
        ("auth.data_key", DATA_KEY),
        ("relay.data_key", DATA_KEY),
        // Few tests are about what one caller may ask for.
        ("limits.enabled", "false"),
        ("database.migrate_on_start", "true"),
        // A crowd waits its turn, however slow the disk is.
        ("database.checkout_timeout", "15s"),
        ("telemetry.level", "warn"),
    ];
    let all = base.iter().chain(more).map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    Config::load(None, [], all).expect("settings of a test")
}
