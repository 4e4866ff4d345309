//! A real PostgreSQL for tests: a private cluster on a loopback port, to be killed and started at will.
//!
//! [`url()`] is the server that the whole run shares (`SEALPOST_TEST_POSTGRES`); tests keep apart by a database each,
//! see [`TestDb`](crate::database::TestDb). A test that kills its server starts a private [`Postgres`]. Neither
//! survives a power cut: it does not sync. A bench starts one that does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use diesel::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{self, Daemon, InfraError, ports};

/// Variable with the URL of the server that all tests of a run share; its role may create databases.
pub const SHARED: &str = "SEALPOST_TEST_POSTGRES";

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The URL of the run's shared server; started for this process alone when the run has none.
///
/// # Panics
/// When it cannot be started.
pub async fn url() -> &'static str {
    static SERVER: OnceCell<(String, Option<Postgres>)> = OnceCell::const_new();
    let start = async || {
        if let Ok(url) = std::env::var(SHARED) {
            return (url, None);
        }
        let server = Postgres::start().await.expect("a PostgreSQL for this test process");
        (server.url(), Some(server))
    };
    &SERVER.get_or_init(start).await.0
}

/// A private server. Dropped, it is killed and its data is removed.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    bin: PathBuf,
    settings: &'static [&'static str],
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    data: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts it on a free port; takes about 3 seconds. The role `app` needs no password,
    /// every other one does (SCRAM).
    ///
    /// # Errors
    /// [`InfraError`] when PostgreSQL is not installed or does not start.
    pub async fn start() -> Result<Self, InfraError> {
        // Commits stay synchronous: they must survive Postgres::crash, if not a power cut.
        Self::start_with(&["fsync=off", "full_page_writes=off"]).await
    }

    /// As [`Postgres::start`], but a commit is on disk when it returns, as PostgreSQL's defaults have it.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_durable() -> Result<Self, InfraError> {
        Self::start_with(&[]).await
    }

    async fn start_with(settings: &'static [&'static str]) -> Result<Self, InfraError> {
        let bin = programs()?;
        let data = process::scratch("postgres")?;
        hand_over(data.path())?;
        let mut postgres = Self { port: ports::free(), bin, settings, running: None, data };
        postgres.init().await?;
        postgres.restart().await?;
        Ok(postgres)
    }

    /// URL for clients, as the role `app`; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/postgres", self.port)
    }

    /// The server's process, the parent of those that serve connections; `None` while it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Daemon::pid)
    }

    /// The path of a program of the same release, such as `pgbench`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Ends the server at once, as a crash would: no checkpoint, connections cut. Its data and port are kept for
    /// [`Postgres::restart`].
    ///
    /// # Errors
    /// [`InfraError::Io`] when it cannot be told to.
    pub async fn crash(&mut self) -> Result<(), InfraError> {
        let Some(mut server) = self.running.take() else { return Ok(()) };
        // SIGQUIT, not SIGKILL: it takes the backends along, which would keep the port's next server from starting.
        server.signal("QUIT")?;
        server.wait(Duration::from_secs(10)).await;
        Ok(())
    }

    /// Starts the server again on its data and port, and waits until it answers; ends it first if it runs.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] with the end of the server's log.
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.crash().await?;
        let mut command = as_owner(&self.bin.join("postgres"));
        command.arg("-D").arg(self.cluster()).args(["-p", &self.port.to_string()]);
        let always = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=500"];
        for setting in always.iter().chain(self.settings) {
            command.args(["-c", setting]);
        }
        let mut server = Daemon::start("PostgreSQL", command, self.data.path().join("server.log"))?;
        let url = self.url();
        server.wait_ready(READY_WITHIN, async || PgConnection::establish(&url).is_ok()).await?;
        self.running = Some(server);
        Ok(())
    }

    async fn init(&self) -> Result<(), InfraError> {
        let mut initdb = as_owner(&self.bin.join("initdb"));
        initdb.arg("-D").arg(self.cluster()).args(["-U", "app", "-E", "UTF8", "--locale=C", "--no-sync"]);
        tokio::task::spawn_blocking(move || process::complete("initdb", &mut initdb))
            .await
            .map_err(|error| InfraError::Io("initdb", error.into()))??;
        let rules = "host all app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.cluster().join("pg_hba.conf"), rules)
            .map_err(|error| InfraError::Io("pg_hba.conf", error))
    }

    fn cluster(&self) -> PathBuf {
        self.data.path().join("cluster")
    }
}

/// Debian keeps the server's programs off the PATH, one folder per version; the highest one is taken.
fn programs() -> Result<PathBuf, InfraError> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(|bin| {
            let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            version.and_then(|version| version.parse::<u32>().ok())
        })
        .ok_or_else(|| InfraError::Missing {
            what: "/usr/lib/postgresql/VERSION/bin/initdb".to_owned(),
            hint: "install Debian's package postgresql".to_owned(),
        })
}

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|this| std::os::unix::fs::MetadataExt::uid(&this) == 0)
}

fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return process::mortal(program);
    }
    let mut command = process::mortal("setpriv");
    // The signal again: the kernel forgets it when the user changes.
    command.args([
        "--reuid",
        "postgres",
        "--regid",
        "postgres",
        "--clear-groups",
        "--pdeathsig",
        "KILL",
        "--",
    ]);
    command.arg(program);
    command
}

fn hand_over(folder: &Path) -> Result<(), InfraError> {
    if is_root() {
        process::complete("chown", Command::new("chown").arg("postgres:postgres").arg(folder))?;
    }
    Ok(())
}
