//! `cargo xtask`: workspace tasks that have logic of their own.
//!
//! In: the workspace as cargo sees it. Out: findings on stderr and an exit status; nothing is changed unless a
//! subcommand says so.

use std::{path::Path, process::ExitCode};

use clap::{Parser, Subcommand};

mod bench;
mod compat;
mod deps;
mod files;
mod ingress;
mod manifests;
mod metrics;
mod openapi;
mod paths;
mod reference;
mod routes;
mod settings;

/// Tasks of the Sealpost workspace.
#[derive(Parser)]
#[command(name = "xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes the table in `docs/compat/README.md`: which test shows which part of the interfaces of the known systems
    Compat {
        /// Compare only; fail when the table has drifted or a test is not there
        #[arg(long)]
        check: bool,
    },
    /// Checks the architecture rules: who may depend on whom, and which crates stay free of I/O
    Deps,
    /// Writes the reference in `docs/metrics.md` from the code
    Metrics {
        /// Compare only; fail when the reference has drifted
        #[arg(long)]
        check: bool,
    },
    /// Checks proto/paths.toml against the paths that the services serve
    Routes,
    /// Measures the services on this machine, built for release; `bench messaging --help`, `bench notify --help` and
    /// `bench sms --help` list the options
    Bench {
        /// Build without optimization: to try the program, the numbers mean nothing
        #[arg(long)]
        dev: bool,
        /// `messaging`, `notify` or `sms`, then options such as --quick
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Writes what proxies and Kubernetes need to know of proto/paths.toml: deploy/nginx, deploy/caddy, k8s/base
    Ingress {
        /// Compare only; fail when a file has drifted
        #[arg(long)]
        check: bool,
    },
    /// Checks k8s/ and deploy/ against each other, the schemas of Kubernetes and the programs; these are built before
    Manifests,
    /// Writes the reference in `docs/settings.md`, and the JSON Schema of settings files, from the code
    Settings {
        /// Compare only; fail when one has drifted
        #[arg(long)]
        check: bool,
    },
    /// Writes `docs/api/`, the interfaces as people read them, from `proto/openapi`; checks `proto/asyncapi.yaml`
    Reference {
        /// Compare only; fail when a page has drifted
        #[arg(long)]
        check: bool,
    },
    /// Writes `proto/openapi/<service>.json` from the code
    Openapi {
        /// Compare only; fail when a description has drifted
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let outcome = match Cli::parse().task {
        Task::Bench { dev, arguments } => bench::run(&root, dev, &arguments),
        Task::Compat { check } => compat::run(&root, check),
        Task::Deps => deps::check(),
        Task::Metrics { check } => metrics::run(&root, check),
        Task::Routes => routes::check(&root),
        Task::Ingress { check } => ingress::run(&root, check),
        Task::Manifests => manifests::check(&root),
        Task::Settings { check } => settings::run(&root, check),
        Task::Openapi { check } => openapi::run(&root, check),
        Task::Reference { check } => reference::run(&root, check),
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
