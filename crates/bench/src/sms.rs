//! The SMS path: sealed records on Kafka, the gateway as a process, the SMSC simulator, statuses on Kafka; beside the
//! RSA operations that the machine can do.
//!
//! The simulator accepts everything at once and sends a receipt for each message; it runs in this process.

use std::path::Path;
use std::time::{Duration, Instant};

use bus::{Bus, BusKind, BusSettings};
use clap::Args;
use common::crypto::sms_envelope::SealingKey;
use common::crypto::vault::{Vault, VaultFormat};
use common::models::{Clock as _, SystemClock};
use smpp::smsc::{Behaviour, Receipts, Smsc, SmscSettings};
use testkit::kafka::{self, Kafka};
use testkit::postgres::Postgres;
use testkit::process;
use testkit::program::{Program, ProgramSettings};

use crate::Run;
use crate::auth::Auth;
use crate::error::BenchError;
use crate::machine::{self, cores, rsa_operations};
use crate::report::{Table, mebibytes, micros_each, progress, ratio, say, whole};
use crate::usage::{Memory, cpu, cpu_with_children, memory};

mod records;
mod statuses;

use records::Batch;
use statuses::{Listener, Statuses};

/// How many records, and how the SMSC is connected.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// Records that are measured [default: 20000; with --quick 2000]
    #[arg(long)]
    records: Option<usize>,
    /// Records before that, which are not [default: a tenth, 200 at least]
    #[arg(long)]
    warm_up: Option<usize>,
    /// Submissions without a response, at most: `smsc.window` of the gateway
    #[arg(long, default_value_t = 100)]
    window: usize,
    /// Send no receipts: wait for SENT only
    #[arg(long)]
    no_receipts: bool,
}

/// What must be reached, for each RSA operation that the machine could do in the same CPU time.
const TARGET: f64 = 0.8;

/// The client; the gateway must not take it for the one that loops back.
const CLIENT: &str = "bench";
const PASSWORD: &str = "123456";
const KEY_BITS: u32 = 2048;

const SEND: &str = "send-sms";
const STATUS: &str = "sms-status";
const PARTITIONS: u16 = 4;

/// After the last status: what the gateway still has to do for it (marking, committing) belongs to the records.
const TAIL: Duration = Duration::from_secs(1);

/// What is read before and after the records.
#[derive(Clone, Copy)]
struct Reading {
    cpu: Duration,
    postgres: Duration,
    memory: Memory,
}

/// What runs.
struct World {
    postgres: Postgres,
    gateway: Program,
    bus: Bus,
    sealing: SealingKey,
    receipts: bool,
}

impl World {
    fn read(&self) -> Result<Reading, BenchError> {
        let stopped = || BenchError::unexpected("a server has ended");
        let (gateway, postgres) =
            (self.gateway.pid().ok_or_else(stopped)?, self.postgres.pid().ok_or_else(stopped)?);
        let (cpu, postgres) = (cpu(gateway)?, cpu_with_children(postgres)?);
        Ok(Reading { cpu, postgres, memory: memory(gateway)? })
    }

    /// Sends so many records and waits until all their statuses are there; how long that took.
    async fn pass(&self, batch: &Batch, statuses: &mut Statuses<'_>) -> Result<Duration, BenchError> {
        let start = Instant::now();
        let (producing, waiting) = (batch.produce(&self.bus), statuses.wait(batch.count(), self.receipts));
        tokio::try_join!(producing, waiting)?;
        Ok(start.elapsed())
    }
}

/// Measures and prints.
///
/// # Errors
/// Any [`BenchError`]; also when a record came to another end than SENT and DELIVERED.
pub(crate) async fn run(run: &Run, options: Options) -> Result<(), BenchError> {
    let count = options.records.unwrap_or(if run.quick { 2_000 } else { 20_000 }).max(1);
    let warm_up = options.warm_up.unwrap_or((count / 10).max(200)).max(1);
    let seconds = if run.quick { 1 } else { 3 };
    progress("starting PostgreSQL, which syncs, and Kafka");
    let (postgres, kafka) = tokio::try_join!(Postgres::start_durable(), Kafka::start())?;
    machine::describe("Sealpost: SMS", &postgres)?;
    let behaviour =
        Behaviour { receipts: (!options.no_receipts).then(Receipts::default), ..Behaviour::default() };
    let smsc = Smsc::start(SmscSettings { behaviour, keep: 1, ..SmscSettings::default() }).await;
    let smsc = smsc.map_err(|error| BenchError::Io("the SMSC simulator", error))?;
    let auth = Auth::start().await?;
    for topic in [SEND, STATUS] {
        kafka::create_topic(kafka.bootstrap(), topic, PARTITIONS).await?;
    }
    let bus = open_bus(&kafka)?;
    let folder = process::scratch("vault")?;
    let sealing = make_vault(&folder.path().join("vault"))?;
    progress("starting sealpost-sms-gateway");
    let file = settings_file(&folder.path().join("vault"), &smsc, options.window);
    let more = [
        ("database.url", &*postgres.url()),
        ("internal.auth_url", &*auth.url()),
        ("bus.kind", "kafka"),
        ("bus.brokers", kafka.bootstrap()),
        ("http.workers", &*cores().to_string()),
    ];
    let settings = ProgramSettings {
        name: "sealpost-sms-gateway",
        file: &file,
        more: &more,
        folder: Some(&run.binaries),
        ..ProgramSettings::default()
    };
    let gateway = Program::start(settings).await?;
    let world = World { postgres, gateway, bus, sealing, receipts: !options.no_receipts };

    progress(&format!("sealing {} records", warm_up + count));
    let warming = Batch::seal(&world.sealing, CLIENT, "warm", warm_up).await?;
    let batch = Batch::seal(&world.sealing, CLIENT, "bench", count).await?;
    let mut statuses = Listener::open(&world.bus, STATUS)?;
    progress("openssl speed, before");
    let rsa_before = rsa_operations(seconds).await?;
    progress(&format!("warming up with {warm_up} records"));
    world.pass(&warming, &mut statuses.begin("warm")).await?;
    tokio::time::sleep(TAIL).await;

    progress(&format!("measuring {count} records"));
    let before = world.read()?;
    let mut of_batch = statuses.begin("bench");
    let wall = world.pass(&batch, &mut of_batch).await?;
    tokio::time::sleep(TAIL).await;
    let after = world.read()?;
    let repeated = of_batch.repeated();
    progress("openssl speed, after");
    let rsa_after = rsa_operations(seconds).await?;

    let measured = Measured { count: count as u64, wall, before, after, rsa: [rsa_before, rsa_after] };
    print(&measured, options, repeated);
    Ok(())
}

struct Measured {
    count: u64,
    wall: Duration,
    before: Reading,
    after: Reading,
    rsa: [f64; 2],
}

fn print(measured: &Measured, options: Options, repeated: u64) {
    let Measured { count, wall, before, after, rsa } = measured;
    let (cpu, postgres) = (after.cpu - before.cpu, after.postgres - before.postgres);
    let per_cpu_second = *count as f64 / cpu.as_secs_f64().max(0.01);
    let operations = (rsa[0] + rsa[1]) / 2.0;
    let reached = per_cpu_second / operations;

    let statuses = if options.no_receipts { "SENT" } else { "SENT and DELIVERED" };
    let title = format!(
        "SMS: {} records (v1, RSA-{KEY_BITS}) from Kafka to the SMSC and back, each {statuses}; window {}",
        whole(*count as f64),
        options.window
    );
    let mut table = Table::new(title, &["measure", "value"]);
    table.row(["records/s by the clock".to_owned(), whole(*count as f64 / wall.as_secs_f64())]);
    table.row(["gateway: CPU seconds, user and system".to_owned(), format!("{:.2}", cpu.as_secs_f64())]);
    table.row(["gateway: CPU µs a record".to_owned(), micros_each(cpu, *count)]);
    table.row(["PostgreSQL: CPU µs a record".to_owned(), micros_each(postgres, *count)]);
    table.row(["gateway: records per CPU-second".to_owned(), whole(per_cpu_second)]);
    table.row(["openssl speed rsa2048: private ops per CPU-second, before".to_owned(), whole(rsa[0])]);
    table.row(["openssl speed rsa2048: private ops per CPU-second, after".to_owned(), whole(rsa[1])]);
    table.row(["ratio to the mean of the two".to_owned(), ratio(reached)]);
    table.row(["gateway: resident MiB before".to_owned(), mebibytes(before.memory.resident)]);
    table.row(["gateway: resident MiB after".to_owned(), mebibytes(after.memory.resident)]);
    table.row(["gateway: resident MiB at its peak".to_owned(), mebibytes(after.memory.peak)]);
    table.print();
    let verdict = if reached >= TARGET { "reached" } else { "missed" };
    say(&format!("  target: {TARGET:.1} records for each RSA operation: {verdict}"));
    say(&format!("  every record got {statuses}; {repeated} statuses came more than once"));
}

fn open_bus(kafka: &Kafka) -> Result<Bus, BenchError> {
    let settings =
        BusSettings { kind: BusKind::Kafka, brokers: kafka.bootstrap().to_owned(), ..BusSettings::default() };
    Ok(Bus::open(&settings, None)?)
}

/// Writes a vault with the client's key, and gives what records are sealed with.
fn make_vault(path: &Path) -> Result<SealingKey, BenchError> {
    let failed = |error| BenchError::of("the vault", error);
    let mut vault = Vault::new(VaultFormat::default());
    vault.add(CLIENT, KEY_BITS, SystemClock.now()).map_err(failed)?;
    let bytes = vault.to_bytes(PASSWORD).map_err(failed)?;
    std::fs::write(path, bytes).map_err(|error| BenchError::Io("the vault", error))?;
    vault.sealing_key(CLIENT).map_err(failed)
}

fn settings_file(vault: &Path, smsc: &Smsc, window: usize) -> String {
    format!(
        "[sms_gateway]
vault = \"{}\"
vault_password = \"{PASSWORD}\"
allowed_clients = [\"{CLIENT}\"]

[[sms_gateway.smsc]]
name = \"simulator\"
port = {}
system_id = \"bench\"
password = \"secret\"
window = {window}
simulated = true
",
        vault.display(),
        smsc.address().port()
    )
}
