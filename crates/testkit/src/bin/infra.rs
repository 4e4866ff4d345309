//! Starts the servers that tests need, runs a command beside them, stops them: `infra run CMD ARG…`.
//!
//! The command finds them through the environment. Its exit code is ours; SIGINT and SIGTERM end it and us, and
//! nothing stays behind even when this process is killed. `infra fetch` only fills the cache; `infra port` prints a free
//! loopback port, `infra port N` as many, each another one, one a line.

use std::process::ExitCode;
use std::time::Duration;

use testkit::infra::Infra;
use testkit::process::{self, InfraError};
use testkit::{kafka, peers};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: infra run CMD [ARG…] | infra fetch | infra port [N]";

/// The command ends with us. This is the main thread, of which the end is the end of the process.
const MORTAL: [&str; 3] = ["--pdeathsig", "TERM", "--"];

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let verb = arguments.next();
    let command: Vec<_> = arguments.collect();
    let outcome = match (verb.as_ref().and_then(|verb| verb.to_str()), command.split_first()) {
        (Some("run"), Some(_)) => run(Command::new("setpriv").args(MORTAL).args(&command)).await,
        (Some("fetch"), None) => fetch().map_err(Into::into),
        (Some("port"), None) => print(1),
        (Some("port"), Some((count, []))) => match count.to_str().and_then(|count| count.parse().ok()) {
            Some(count) => print(count),
            None => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    };
    outcome.unwrap_or_else(|error| {
        say(&error.to_string());
        ExitCode::from(2)
    })
}

async fn run(command: &mut Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // Before the servers start, so that a signal during the start ends the run in order too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let infra = tokio::select! {
        started = Infra::start() => started?,
        _ = interrupt.recv() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    for (name, value) in infra.variables() {
        command.env(name, value);
    }
    let mut child = command.kill_on_drop(true).spawn()?;
    let code = tokio::select! {
        status = child.wait() => status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        // A terminal sends Ctrl-C to the command as well: give it the time to end by itself.
        _ = interrupt.recv() => end(&mut child, 130).await,
        _ = terminate.recv() => {
            child.start_kill()?;
            end(&mut child, 143).await
        }
    };
    Ok(ExitCode::from(code))
}

fn fetch() -> Result<ExitCode, InfraError> {
    kafka::fetch()?;
    peers::fetch_python()?;
    peers::fetch_kubernetes()?;
    Ok(ExitCode::SUCCESS)
}

async fn end(child: &mut tokio::process::Child, code: u8) -> u8 {
    let _ = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
    code
}

/// Prints ports, each another one. They are claimed while this process lives: another run of it may be given them again.
#[expect(clippy::print_stdout, reason = "the ports are the result")]
fn print(count: usize) -> Result<ExitCode, Box<dyn std::error::Error>> {
    for _ in 0..count {
        println!("{}", process::ports::free());
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "a program of the test run talks to its terminal")]
fn say(text: &str) {
    eprintln!("infra: {text}");
}
