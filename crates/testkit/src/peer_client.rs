//! Clients that are not ours, at work: a program of [`peers`](crate::peers) that is given a task, and prints one line of
//! JSON, with the name of an `event`, for each thing that happens.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::process::{self, Daemon, InfraError};

/// Interpreters and browsers take their time to start on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often its output is looked at.
const STEP: Duration = Duration::from_millis(10);

/// A client at work; killed when dropped.
#[derive(Debug)]
pub struct PeerClient {
    /// Tells it from others where a test fails.
    pub name: String,
    /// How many of its events were taken, by kind.
    taken: HashMap<String, usize>,
    _running: Daemon,
    // Last, so that the folder goes after the process that writes to it.
    folder: TempDir,
}

impl PeerClient {
    /// Starts `program` with `task` as its last argument.
    ///
    /// # Errors
    /// [`InfraError::Io`] when it cannot be started.
    pub fn start(name: impl Into<String>, mut program: Command, task: &Value) -> Result<Self, InfraError> {
        let folder = process::scratch("client")?;
        program.arg(task.to_string());
        let running = Daemon::start("a client", program, folder.path().join("log"))?;
        Ok(Self { name: name.into(), taken: HashMap::new(), _running: running, folder })
    }

    /// Waits for the next event of a kind; those of other kinds stay to be taken.
    ///
    /// # Panics
    /// When it does not come; with everything that the client said.
    pub async fn event(&mut self, kind: &str) -> Value {
        let taken = self.taken.get(kind).copied().unwrap_or(0);
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(event) = self.events(kind).into_iter().nth(taken) {
                self.taken.insert(kind.to_owned(), taken + 1);
                return event;
            }
            assert!(Instant::now() < deadline, "{}: no {kind} after {taken} in\n{}", self.name, self.said());
            sleep(STEP).await;
        }
    }

    /// Everything that happened so far, of one kind.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let said = self.said();
        let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["event"] == kind).collect()
    }

    /// Everything that it printed, its complaints too.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
