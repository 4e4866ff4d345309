//! The messaging path: mailbox and keystore, each as a process on one PostgreSQL that syncs, beside pgbench.
//!
//! Auth is stood in for: tokens are verified as always, and nobody logs in, unless that is what is measured. The bus is
//! the embedded log, or Kafka.

use std::time::Duration;

use clap::{Args, ValueEnum};
use common::crypto::jws::SigningKey;
use common::models::AccountId;
use testkit::host::INTERNAL_TOKEN;
use testkit::kafka::Kafka;
use testkit::postgres::Postgres;
use testkit::program::{Program, ProgramSettings};

use crate::Run;
use crate::auth::Auth;
use crate::error::BenchError;
use crate::machine::{self, cores};
use crate::report::progress;
use crate::usage::{cpu, cpu_with_children};

mod bundles;
mod logins;
mod mailboxes;
mod sends;
mod sockets;
mod sqlite;

/// What to measure, and how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Sections, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = Section::ALL, value_enum)]
    only: Vec<Section>,
    /// Connections that send at the same time
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Accounts that send and receive, and whose bundles are fetched [default: 1000; with --quick 100]
    #[arg(long)]
    accounts: Option<usize>,
    /// Bytes of one message's content
    #[arg(long, default_value_t = 612)]
    content: usize,
    /// Rounds; each measures everything once, beginning with another each time [default: 5; with --quick 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one measurement [default: 5; with --quick 2]
    #[arg(long)]
    seconds: Option<u64>,
    /// Idle websockets, as far as the limit of open files allows [default: 10000; with --quick 1000]
    #[arg(long)]
    sockets: Option<usize>,
    /// Uploads of 100 Curve25519 one-time keys by each device, 1 to 3 [default: 3; with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    key_uploads: Option<u8>,
    /// Bus of the services
    #[arg(long, default_value = "embedded", value_enum)]
    bus: BusChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    Sends,
    Sqlite,
    Logins,
    Bundles,
    Sockets,
}

impl Section {
    const ALL: [Self; 5] = [Self::Sends, Self::Sqlite, Self::Logins, Self::Bundles, Self::Sockets];
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sends => "sends",
            Self::Sqlite => "sqlite",
            Self::Logins => "logins",
            Self::Bundles => "bundles",
            Self::Sockets => "sockets",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BusChoice {
    Embedded,
    Kafka,
}

/// How much is measured, all defaults settled.
struct Plan {
    clients: usize,
    accounts: usize,
    content: usize,
    rounds: usize,
    time: Duration,
    sockets: usize,
    /// Uploads of 100 Curve25519 one-time keys by each device.
    uploads: usize,
}

/// What runs, and what leads to it.
struct World {
    plan: Plan,
    postgres: Postgres,
    auth: Auth,
    mailbox: Program,
    accounts: Vec<AccountId>,
}

/// Runs the sections.
///
/// # Errors
/// Any [`BenchError`].
pub(crate) async fn run(run: &Run, options: Options) -> Result<(), BenchError> {
    let default = |given: Option<usize>, full: usize, quick: usize| {
        given.unwrap_or(if run.quick { quick } else { full })
    };
    let plan = Plan {
        clients: options.clients.max(1),
        accounts: default(options.accounts, 1000, 100).max(options.clients + 1),
        content: options.content.max(1),
        rounds: default(options.rounds, 5, 2).max(1),
        time: Duration::from_secs(options.seconds.unwrap_or(if run.quick { 2 } else { 5 }).max(1)),
        sockets: default(options.sockets, 10_000, 1000),
        uploads: default(options.key_uploads.map(usize::from), 3, 1),
    };
    progress("starting PostgreSQL, which syncs");
    let postgres = Postgres::start_durable().await?;
    machine::describe("Sealpost: messaging", &postgres)?;
    let kafka = match options.bus {
        BusChoice::Embedded => None,
        BusChoice::Kafka => Some(Kafka::start().await?),
    };
    let auth = Auth::start().await?;
    let mut settings = vec![
        ("database.url", postgres.url()),
        ("internal.auth_url", auth.url()),
        ("http.workers", cores().to_string()),
    ];
    if let Some(kafka) = &kafka {
        settings.push(("bus.kind", "kafka".to_owned()));
        settings.push(("bus.brokers", kafka.bootstrap().to_owned()));
    }
    progress("starting sealpost-mailbox");
    let mailbox = start(run, "sealpost-mailbox", &settings).await?;
    let mut world = World {
        accounts: (0..plan.accounts).map(|_| AccountId::new()).collect(),
        plan,
        postgres,
        auth,
        mailbox,
    };
    progress(&format!("opening {} mailboxes", world.accounts.len()));
    mailboxes::open(&world.mailbox, &world.accounts).await?;
    for section in Section::ALL.into_iter().filter(|section| options.only.contains(section)) {
        match section {
            Section::Sends => sends::measure(&world).await?,
            Section::Sqlite => {
                let settings: Vec<_> =
                    settings.iter().filter(|(path, _)| *path != "database.url").cloned().collect();
                progress("starting sealpost-mailbox on SQLite");
                let mailbox = start(run, "sealpost-mailbox", &settings).await?;
                sqlite::measure(&world, &mailbox).await?;
            }
            Section::Logins => {
                let mut settings: Vec<_> =
                    settings.iter().filter(|(path, _)| *path != "internal.auth_url").cloned().collect();
                let key = SigningKey::generate().map_err(|error| BenchError::of("a signing key", error))?;
                settings.push(("auth.signing_key", key.to_text().expose().clone()));
                progress("starting sealpost-auth");
                let auth = start(run, "sealpost-auth", &settings).await?;
                logins::measure(&world, &auth).await?;
            }
            Section::Bundles => {
                settings.push(("internal.mailbox_url", world.mailbox.internal_url.clone()));
                progress("starting sealpost-keystore");
                let keystore = start(run, "sealpost-keystore", &settings).await?;
                bundles::measure(&world, &keystore).await?;
            }
            Section::Sockets => sockets::measure(&mut world).await?,
        }
    }
    Ok(())
}

async fn start(
    run: &Run,
    name: &'static str,
    settings: &[(&'static str, String)],
) -> Result<Program, BenchError> {
    let more: Vec<(&str, &str)> = settings.iter().map(|(path, value)| (*path, value.as_str())).collect();
    let settings =
        ProgramSettings { name, more: &more, folder: Some(&run.binaries), ..ProgramSettings::default() };
    Ok(Program::start(settings).await?)
}

/// CPU time of a service and of PostgreSQL up to now.
#[derive(Clone, Copy)]
struct Spent {
    service: Duration,
    postgres: Duration,
}

impl Spent {
    fn now(service: &Program, postgres: &Postgres) -> Result<Self, BenchError> {
        Ok(Self { service: cpu(pid(service)?)?, postgres: postgres_cpu(postgres)? })
    }

    fn since(self, earlier: Self) -> Self {
        Self { service: self.service - earlier.service, postgres: self.postgres - earlier.postgres }
    }
}

fn pid(service: &Program) -> Result<u32, BenchError> {
    service.pid().ok_or_else(|| BenchError::unexpected("the service does not run"))
}

fn postgres_cpu(postgres: &Postgres) -> Result<Duration, BenchError> {
    cpu_with_children(postgres.pid().ok_or_else(|| BenchError::unexpected("PostgreSQL does not run"))?)
}

/// The credential of calls between services.
const INTERNAL: &str = INTERNAL_TOKEN;
