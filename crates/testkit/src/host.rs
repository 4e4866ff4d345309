//! A service under test: the real program path on free ports, a fresh database, the embedded bus.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use common::models::{SharedClock, SystemClock};
use config::Config;
use service::{App, Surroundings, serve};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::database::TestDb;
use crate::http::TestClient;

/// The credential between services in tests.
pub const INTERNAL_TOKEN: &str = "the credential between services in tests";

/// The credential of operators in tests.
pub const ADMIN_TOKEN: &str = "the credential of operators in tests";

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

/// A service that runs, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct TestHost {
    /// Its public listener, without credentials.
    pub http: TestClient,
    /// Its internal listener, with [`INTERNAL_TOKEN`].
    pub internal: TestClient,
    /// Base URL of the public listener.
    pub url: String,
    /// Base URL of the internal listener.
    pub internal_url: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    data: PathBuf,
    _own: TempDir,
}

impl TestHost {
    /// Starts `A` on `db`, tables and all, and waits until it is ready.
    ///
    /// # Panics
    /// When it ends before it is ready.
    pub async fn start<A: App>(db: &TestDb, settings: HostSettings<'_>) -> Self {
        let own = tempfile::tempdir().expect("a temporary folder");
        let data = settings.data_dir.unwrap_or_else(|| own.path().to_owned());
        let config = configuration(&db.settings().url, settings.more);
        let surroundings = Surroundings { data_dir: Some(data.clone()), clock: settings.clock };
        let stop = CancellationToken::new();
        let (announce, mut announced) = mpsc::channel(1);
        let mut stdout = Stdout { announce, line: String::new() };
        let stopped = stop.clone().cancelled_owned();
        let thread = std::thread::spawn(move || {
            let served =
                actix_rt::System::new().block_on(serve::<A>(&config, surroundings, &mut stdout, stopped));
            served.unwrap_or_else(|error| panic!("{} ended: {error:?}", A::NAME));
        });
        let line = announced.recv().await.expect("the service ended before it was ready");
        let (http, internal) = line
            .trim_end()
            .strip_prefix("ready http=")
            .and_then(|rest| rest.split_once(" internal="))
            .expect("the ready line");
        Self {
            http: TestClient::new(http),
            internal: TestClient::new(internal).with_token(INTERNAL_TOKEN),
            url: http.to_owned(),
            internal_url: internal.to_owned(),
            stop,
            thread: Some(thread),
            data,
            _own: own,
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
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

fn configuration(database: &str, more: &[(&str, &str)]) -> Config {
    let base = [
        ("http.listen", "127.0.0.1:0"),
        ("http.workers", "2"),
        ("http.drain_delay", "0s"),
        ("internal.listen", "127.0.0.1:0"),
        ("internal.token", INTERNAL_TOKEN),
        ("internal.admin_token", ADMIN_TOKEN),
        ("database.url", database),
        ("database.migrate_on_start", "true"),
        ("telemetry.level", "warn"),
    ];
    let all = base.iter().chain(more).map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    Config::load(None, [], all).expect("settings of a test")
}

/// Stands for stdout: hands on the one line that is written there.
struct Stdout {
    announce: mpsc::Sender<String>,
    line: String,
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.announce.try_send(line).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
