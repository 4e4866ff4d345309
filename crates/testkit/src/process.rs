//! Child processes that cannot outlive the run: the servers that tests start.
//!
//! A [`Daemon`] is killed when it is dropped, and by the kernel when this process ends in any other way, SIGKILL
//! included (`setpriv --pdeathsig`). Its output goes to a file in its [`scratch`] folder, of which the end is shown
//! when a start fails.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub mod ports;

/// Why a server did not start, or a part of one could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum InfraError {
    /// A program or package is absent; `hint` says how to get it.
    #[error("{what} is missing: {hint}")]
    Missing {
        /// The program or folder that was looked for.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The server ended, or did not answer before its deadline.
    #[error("{server} did not become ready: {reason}\n{log}")]
    NotReady {
        /// Name of the server.
        server: &'static str,
        /// What was seen.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// A command of the preparation failed.
    #[error("{command} failed:\n{output}")]
    Command {
        /// The command in short.
        command: &'static str,
        /// What it printed.
        output: String,
    },
    /// A file or process operation failed.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
}

/// Makes a command of which the process is killed when this one ends, however it ends. Its group is its own, so that
/// Ctrl-C at a terminal reaches us and not the servers.
pub fn mortal(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).stdin(Stdio::null()).process_group(0);
    command
}

/// Makes an empty folder in the system's place for temporary files, removed on drop. Folders that killed runs left
/// behind are removed first: the name carries the owner's process id.
///
/// # Errors
/// [`InfraError::Io`] when it cannot be made.
pub fn scratch(kind: &str) -> Result<TempDir, InfraError> {
    const PREFIX: &str = "sealpost-test-";
    let root = std::env::temp_dir();
    for entry in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !pid.is_empty() && !Path::new("/proc").join(pid).exists()) {
            // Another run may be sweeping as well: whoever is first removes it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-{kind}-", std::process::id()))
        .tempdir_in(root)
        .map_err(|error| InfraError::Io("scratch folder", error))
}

/// A running server process; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    server: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` (made by [`mortal`]); its output is appended to `log`.
    ///
    /// # Errors
    /// [`InfraError::Io`] when the log cannot be opened or the process not be made.
    pub fn start(server: &'static str, mut command: Command, log: PathBuf) -> Result<Self, InfraError> {
        let failed = |error| InfraError::Io(server, error);
        let output = File::options().create(true).append(true).open(&log).map_err(failed)?;
        command.stderr(output.try_clone().map_err(failed)?).stdout(output);
        Ok(Self { server, child: spawn(command).map_err(failed)?, log })
    }

    /// Waits until `ready` answers true.
    ///
    /// # Errors
    /// [`InfraError::NotReady`] when the process ends first, or after `limit`.
    pub async fn wait_ready(
        &mut self,
        limit: Duration,
        ready: impl AsyncFn() -> bool,
    ) -> Result<(), InfraError> {
        let deadline = Instant::now() + limit;
        loop {
            if ready().await {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(|error| InfraError::Io(self.server, error))?;
            let reason = match ended {
                Some(status) => format!("it ended with {status}"),
                None if Instant::now() > deadline => format!("no answer after {limit:?}"),
                None => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            return Err(InfraError::NotReady { server: self.server, reason, log: tail(&self.log) });
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends `signal` (`TERM`, `STOP`, `CONT`) to the process.
    ///
    /// # Errors
    /// [`InfraError::Io`] when `kill` cannot be run.
    pub fn signal(&self, signal: &str) -> Result<(), InfraError> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        status.map(drop).map_err(|error| InfraError::Io("kill", error))
    }

    /// Asks the process to end (SIGTERM) and waits; after `limit` it is killed.
    ///
    /// # Errors
    /// [`InfraError::Io`] when the signal cannot be sent.
    pub async fn stop(&mut self, limit: Duration) -> Result<(), InfraError> {
        self.signal("TERM")?;
        self.wait(limit).await;
        Ok(())
    }

    /// Waits until the process has ended; after `limit` it is killed.
    pub async fn wait(&mut self, limit: Duration) {
        if self.ended(limit).await.is_none() {
            self.kill();
        }
    }

    /// Waits until the process has ended by itself, and tells how; `None` when it still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            // Looked at before the process is asked: whoever comes back late from a pause still sees that it has ended.
            let late = Instant::now() >= deadline;
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if late => return None,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command of the preparation to its end.
pub fn complete(name: &'static str, command: &mut Command) -> Result<(), InfraError> {
    let output = command.output().map_err(|error| InfraError::Io(name, error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(InfraError::Command { command: name, output: String::from_utf8_lossy(&text).into_owned() })
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// The kernel's "parent died" signal means the parent *thread*: a server started by one test's thread would die with
/// that test. So all are started by one thread that lives as long as the process.
fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, SyncSender<io::Result<Child>>);
    static SPAWNER: OnceLock<SyncSender<Job>> = OnceLock::new();

    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = sync_channel::<Job>(16);
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    });
    let (reply, answer) = sync_channel(1);
    spawner.send((command, reply)).map_err(|_| io::Error::other("the spawning thread ended"))?;
    answer.recv().map_err(|_| io::Error::other("the spawning thread ended"))?
}
