//! A program of ours as a process of its own: started, killed and started again on the same ports and data.
//!
//! The binary is the one beside the test's own (`target/<profile>/NAME`), unless another folder is named. Cargo does not build it for a test of another
//! package, so `cargo build --workspace --bins` comes first, as in `scripts/test`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use crate::host::{ADMIN_TOKEN, DATA_KEY, INTERNAL_TOKEN};
use crate::http::TestClient;
use crate::process::{self, Daemon, InfraError, ports};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Lines of its log that a failing test shows.
const SHOWN: usize = 40;

/// Settings that fit every test; [`ProgramSettings::more`] overrides them.
const BASE: [(&str, &str); 11] = [
    ("http.workers", "2"),
    ("http.drain_delay", "0s"),
    ("internal.token", INTERNAL_TOKEN),
    ("internal.admin_token", ADMIN_TOKEN),
    ("database.migrate_on_start", "true"),
    // A crowd waits its turn, however slow the disk is.
    ("database.checkout_timeout", "15s"),
    ("auth.data_key", DATA_KEY),
    ("relay.data_key", DATA_KEY),
    // Few tests are about what one caller may ask for.
    ("limits.enabled", "false"),
    ("telemetry.level", "info"),
    ("telemetry.format", "json"),
];

/// What to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramSettings<'a> {
    /// The binary, such as `sealpost-mailbox`.
    pub name: &'static str,
    /// Arguments before the options, such as `serve`.
    pub arguments: &'a [&'a str],
    /// The settings file (TOML); may be empty.
    pub file: &'a str,
    /// Settings on top of the file, by environment: pairs of dotted path and value.
    pub more: &'a [(&'a str, &'a str)],
    /// Where the binary is; beside the test's own when not given.
    pub folder: Option<&'a Path>,
}

/// A program that runs until it is killed, stopped or dropped. Its folder is removed with it.
#[derive(Debug)]
pub struct Program {
    /// Its public listener, without credentials.
    pub http: TestClient,
    /// Its internal listener, with [`INTERNAL_TOKEN`].
    pub internal: TestClient,
    /// Base URL of the public listener; the same after a restart.
    pub url: String,
    /// Base URL of the internal listener; the same after a restart.
    pub internal_url: String,
    name: &'static str,
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    running: Option<Daemon>,
    // Last, so that the folder goes after the process that writes to it.
    folder: TempDir,
}

impl Program {
    /// Starts it on free ports with a fresh data directory, and waits for its ready line.
    ///
    /// # Errors
    /// [`InfraError::Missing`] when the binary was not built, [`InfraError::NotReady`] with the end of its log.
    pub async fn start(settings: ProgramSettings<'_>) -> Result<Self, InfraError> {
        let mut program = Self::prepare(settings)?;
        program.restart().await?;
        Ok(program)
    }

    /// Makes its folder and picks its ports, for programs that must know of each other; [`Program::restart`] starts it.
    ///
    /// # Errors
    /// [`InfraError::Missing`] when the binary was not built.
    pub fn prepare(settings: ProgramSettings<'_>) -> Result<Self, InfraError> {
        let binary = match settings.folder {
            Some(folder) => present(folder.join(settings.name))?,
            None => binary(settings.name)?,
        };
        let folder = process::scratch(settings.name)?;
        let failed = |error| InfraError::Io("a program's folder", error);
        std::fs::create_dir(folder.path().join("data")).map_err(failed)?;
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings.file).map_err(failed)?;
        let (listen, internal) =
            (format!("127.0.0.1:{}", ports::free()), format!("127.0.0.1:{}", ports::free()));
        let path = |path: &Path| path.display().to_string();
        let options = [
            ("--listen", listen.clone()),
            ("--internal", internal.clone()),
            ("--config", path(&file)),
            ("--data-dir", path(&folder.path().join("data"))),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        let environment = BASE.iter().chain(settings.more).map(|(path, value)| variable(path, value));
        let (url, internal_url) = (format!("http://{listen}"), format!("http://{internal}"));
        Ok(Self {
            http: TestClient::new(url.clone()),
            internal: TestClient::new(internal_url.clone()).with_token(INTERNAL_TOKEN),
            url,
            internal_url,
            name: settings.name,
            binary,
            arguments: settings.arguments.iter().map(|one| (*one).to_owned()).chain(options).collect(),
            environment: environment.collect(),
            running: None,
            folder,
        })
    }

    /// Sets one more setting, a dotted path, for the next start.
    pub fn set(&mut self, path: &str, value: &str) {
        self.environment.push(variable(path, value));
    }

    /// Kills it with SIGKILL. Its data and ports are kept for [`Program::restart`].
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Asks it to end (SIGTERM), and waits until it has drained.
    ///
    /// # Errors
    /// [`InfraError::Io`] when the signal cannot be sent.
    pub async fn stop(&mut self) -> Result<(), InfraError> {
        match self.running.take() {
            Some(mut process) => process.stop(Duration::from_secs(30)).await,
            None => Ok(()),
        }
    }

    /// Waits until it has ended by itself, after a signal, and tells how; `None` when it still runs after `limit`, or did not run.
    pub async fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = self.running.as_mut()?.ended(limit).await;
        if status.is_some() {
            self.running = None;
        }
        status
    }

    /// Starts it again on its data and ports, and waits for its ready line; kills it first if it runs.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] with the end of its log.
    pub async fn restart(&mut self) -> Result<(), InfraError> {
        self.kill();
        let mut command = process::mortal(&self.binary);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let earlier = self.log().len();
        let mut process = Daemon::start(self.name, command, self.log_file())?;
        let ready = async || {
            let log = self.log();
            log.get(earlier..).is_some_and(|new| new.lines().any(|line| line.starts_with("ready http=")))
        };
        process.wait_ready(READY_WITHIN, ready).await?;
        self.running = Some(process);
        Ok(())
    }

    /// Sends it a signal (`STOP`, `CONT`).
    ///
    /// # Errors
    /// [`InfraError::Io`] when `kill` cannot be run.
    pub fn signal(&self, signal: &str) -> Result<(), InfraError> {
        self.running.as_ref().map_or(Ok(()), |process| process.signal(signal))
    }

    /// Its process; `None` while it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Daemon::pid)
    }

    /// All that it has written to stdout and stderr, in all of its lives.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What its metrics say in words: the lines of `GET /metrics` without their values. A test that looks for a
    /// phone number reads these, as the digits of a sum of seconds are any digits at all.
    pub async fn metric_names(&self) -> String {
        let metrics = self.internal.get("/metrics").await.expect(200).text();
        let named = metrics.lines().map(|line| match line.rsplit_once(' ') {
            Some((series, _)) if !line.starts_with('#') => series,
            _ => line,
        });
        named.collect::<Vec<_>>().join("\n")
    }

    /// Where its files are.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Beside the reason of the failure, in the test's own output; nothing can be done if that is closed.
            let _ = writeln!(std::io::stderr(), "end of the log of {}:\n{}", self.name, self.log_end());
        }
    }
}

fn variable(path: &str, value: &str) -> (String, String) {
    (format!("SEALPOST__{}", path.replace('.', "__").to_uppercase()), value.to_owned())
}

/// Finds a binary of the workspace: two folders above the test's own, which is in `deps`.
///
/// # Errors
/// [`InfraError::Missing`] when it was not built.
pub fn binary(name: &str) -> Result<PathBuf, InfraError> {
    let this = std::env::current_exe().map_err(|error| InfraError::Io("this test's path", error))?;
    present(this.ancestors().nth(2).unwrap_or(Path::new(".")).join(name))
}

fn present(path: PathBuf) -> Result<PathBuf, InfraError> {
    if path.exists() {
        return Ok(path);
    }
    let hint = "run `cargo build --workspace --bins`, or `scripts/test`".to_owned();
    Err(InfraError::Missing { what: path.display().to_string(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_binary_that_was_not_built_is_named() {
        let settings = ProgramSettings { name: "sealpost-nothing", ..ProgramSettings::default() };

        let error = Program::start(settings).await.unwrap_err().to_string();

        assert!(error.contains("sealpost-nothing") && error.contains("cargo build"), "{error}");
    }
}
