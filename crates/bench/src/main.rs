//! `bench`: measures the services as they are deployed, each as a process of its own, beside what this machine can do.
//!
//! In: the binaries, and servers that are private to the run: PostgreSQL that syncs, Kafka, the SMSC simulator. Out:
//! tables on stdout, progress on stderr, exit status 0 unless something failed; a missed target is no failure. Absolute
//! numbers say little on another machine, so each is put beside a yardstick that is measured in the same run: the RSA
//! operations of `openssl speed`, the transactions of `pgbench`. The load comes from this process, whose CPU time is not
//! counted, though it takes its share of the cores.
//!
//! `cargo xtask bench` builds what is needed, and runs this.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod auth;
mod error;
mod http;
mod load;
mod machine;
mod messaging;
mod notify;
mod pgbench;
mod report;
mod sms;
mod usage;

/// Measures Sealpost's services on this machine.
#[derive(Parser)]
#[command(name = "bench", about)]
struct Cli {
    /// Where the services' binaries are; beside this one when not given
    #[arg(long, global = true, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Short runs, to see that everything works; the numbers are rough
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Durable sends, prekey bundles and idle websockets, beside pgbench on the same PostgreSQL; sends on SQLite, and
    /// beside logins
    Messaging(messaging::Options),
    /// Notifications: fan-out, publishes and idle connections, beside npm's socket.io and ws
    Notify(notify::Options),
    /// SMS from Kafka to the SMSC and back, beside the machine's RSA operations
    Sms(sms::Options),
}

/// What every bench is told.
struct Run {
    binaries: PathBuf,
    quick: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { binaries, quick, bench } = Cli::parse();
    let beside = || {
        let this = std::env::current_exe().unwrap_or_default();
        this.parent().map(PathBuf::from).unwrap_or_default()
    };
    let run = Run { binaries: binaries.unwrap_or_else(beside), quick };
    let outcome = match bench {
        Bench::Messaging(options) => messaging::run(&run, options).await,
        Bench::Notify(options) => notify::run(&run, options).await,
        Bench::Sms(options) => sms::run(&run, options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::progress(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
