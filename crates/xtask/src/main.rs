//! `cargo xtask`: workspace tasks that have logic of their own.
//!
//! In: the workspace as cargo sees it. Out: findings on stderr and an exit status; nothing is changed unless a
//! subcommand says so.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod deps;

/// Tasks of the Sealpost workspace.
#[derive(Parser)]
#[command(name = "xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Checks the architecture rules: who may depend on whom, and which crates stay free of I/O
    Deps,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Deps => deps::check(),
    };
    match outcome {
        Ok(summary) => {
            report(&summary);
            ExitCode::SUCCESS
        }
        Err(findings) => {
            report(&findings);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a task talks to the person who started it")]
fn report(text: &str) {
    eprintln!("{text}");
}
