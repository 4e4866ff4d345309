//! `sealpost doctor`: looks for what is wrong with an installation, in words for the person who was woken by it.
//!
//! In: the settings that `serve` would have, the data directory, and what the settings name: database, bus, brokers,
//! SMSCs. Out: a line for each check, with what to do about it, and an exit code that is the worst of them. It changes
//! nothing, makes no file, and shows no secret; a server may run meanwhile.

mod disk;
mod explain;
mod places;
mod queues;
mod reach;
mod secrets;
mod smsc;
mod tables;
mod topics;
mod versions;

use std::process::ExitCode;

use clap::Args;
use config::{Config, ConfigError};
use serde::Serialize;
use service::CommonSettings;

use crate::console::{self, Outcome};
use crate::installation::Installation;
use crate::services;

#[derive(Args)]
#[command(after_help = "Exit code: 0 when all is well, 1 with warnings, 2 with failures.")]
pub(crate) struct Doctor {
    /// Print a JSON array in place of lines
    #[arg(long)]
    json: bool,
    /// Look at nothing, and tell of the settings: their values here, where those come from, what they mean
    #[arg(long, value_name = "SECTION[.FIELD]", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
    /// Look at nothing, and print the JSON Schema of settings files, by which editors complete and check them
    #[arg(long, conflicts_with = "explain")]
    schema: bool,
    /// Bind to each SMSC and unbind; some push out the bind that a running gateway has
    #[arg(long, conflicts_with_all = ["explain", "schema"])]
    bind: bool,
    #[command(flatten)]
    installation: Installation,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Failed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a check found.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    state: State,
    /// What was looked at, such as `database mailbox`.
    check: String,
    /// What is the case.
    says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { state: State::Ok, check: check.into(), says: says.into(), advice: None }
    }

    fn warning(check: impl Into<String>, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warning, check: check.into(), says: says.into(), advice: Some(advice.into()) }
    }

    fn failed(check: impl Into<String>, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Failed, check: check.into(), says: says.into(), advice: Some(advice.into()) }
    }

    fn line(&self) -> String {
        let advice = self.advice.as_ref().map_or(String::new(), |advice| format!("\n         do: {advice}"));
        format!("{:<8} {}: {}{advice}", self.state.as_str(), self.check, self.says)
    }
}

impl Doctor {
    /// Examines, prints the findings, and gives the worst as exit code.
    pub(crate) fn run(self) -> ExitCode {
        if let Some(name) = &self.explain {
            return console::end(explain::run(&self.installation, name, self.json));
        }
        if self.schema {
            return console::end(console::print(explain::SCHEMA));
        }
        let mut worst = State::Ok;
        let outcome = console::block_on(async {
            let findings = examine(&self.installation, self.bind).await;
            worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
            console::printed(self.print(&findings))
        });
        match (outcome, worst) {
            (Ok(()), State::Ok) => ExitCode::SUCCESS,
            (Ok(()), State::Warning) => ExitCode::from(1),
            (Ok(()), State::Failed) => ExitCode::from(2),
            (failed, _) => console::end(failed),
        }
    }

    fn print(&self, findings: &[Finding]) -> Outcome {
        if self.json {
            return console::print_line(&serde_json::to_string_pretty(findings)?);
        }
        findings.iter().try_for_each(|finding| console::print_line(&finding.line()))
    }
}

async fn examine(installation: &Installation, bind: bool) -> Vec<Finding> {
    let mut findings = versions::examine();
    let mut config = match installation.load() {
        Ok(config) => config,
        Err(error) => {
            findings.extend(faults(&error));
            return findings;
        }
    };
    findings.extend(places::examine(installation, &config));
    findings.extend(secrets::fill(&mut config, installation));
    let common = settings(&config, &mut findings);
    findings.extend(secrets::examine_vault(&config));
    if let Some(common) = common {
        findings.extend(tables::examine(&common, installation).await);
        findings.extend(queues::examine(&common, &config).await);
    }
    findings.extend(smsc::examine(&config, bind).await);
    findings
}

/// Reads all sections, as the start of every program would.
fn settings(config: &Config, findings: &mut Vec<Finding>) -> Option<CommonSettings> {
    let before = findings.len();
    let common = CommonSettings::load(config, &[]).map_err(|error| findings.extend(faults(&error))).ok();
    for service in services::all() {
        if let Err(error) = (service.read)(config) {
            findings.extend(faults(&error));
        }
    }
    if findings.len() == before {
        findings.push(Finding::ok("settings", "every section can be read, and none has an unknown field"));
    }
    common
}

/// A finding for each fault: none of them shows a value.
fn faults(error: &ConfigError) -> Vec<Finding> {
    const ADVICE: &str = "correct it: no program starts with it";
    match error.faults() {
        [] => vec![Finding::failed("settings", error.to_string(), ADVICE)],
        faults => faults.iter().map(|fault| Finding::failed("settings", fault.to_string(), ADVICE)).collect(),
    }
}
