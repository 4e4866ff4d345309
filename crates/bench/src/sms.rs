//! The SMS path: sealed records on Kafka, the gateway as a process, the SMSC simulator, statuses on Kafka; beside the
//! RSA operations that the machine can do.
//!
//! The simulator accepts everything at once and sends a receipt for each message; it runs in this process. A second run
//! has it far away.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::Run;
use crate::error::BenchError;
use crate::machine::{self, rsa_operations, rsa_operations_in_lanes};
use crate::report::{Table, mebibytes, micros_each, progress, ratio, say, whole};

mod records;
mod round_trip;
mod statuses;
mod world;

use records::Batch;
use statuses::Listener;
use world::{Reading, World};

/// How many records, and how the SMSC is connected.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// Records that are measured [default: 20000; with --quick 2000]
    #[arg(long)]
    records: Option<usize>,
    /// Records before that, which are not [default: a tenth, 200 to 10000]
    #[arg(long)]
    warm_up: Option<usize>,
    /// Submissions without a response, at most: `smsc.window` of the gateway
    #[arg(long, default_value_t = 100)]
    window: usize,
    /// Send no receipts: wait for SENT only
    #[arg(long)]
    no_receipts: bool,
    /// Version of the encryption
    #[arg(long, value_enum, default_value_t = Envelope::V1)]
    envelope: Envelope,
}

/// Version of the encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Envelope {
    /// RSA-OAEP and AES
    V1,
    /// HPKE with X25519
    V2,
}

/// What must be reached, for each RSA operation that the machine could do in the same CPU time.
const TARGET: f64 = 0.8;

/// The same where no RSA is done, in records per CPU-second.
const TARGET_V2: f64 = 5_000.0;

/// The client; the gateway must not take it for the one that loops back.
const CLIENT: &str = "bench";
const KEY_BITS: u32 = 2048;

const SEND: &str = "send-sms";
const STATUS: &str = "sms-status";

/// After the last status: what the gateway still has to do for it (marking, committing) belongs to the records.
const TAIL: Duration = Duration::from_secs(1);

/// Measures and prints.
///
/// # Errors
/// Any [`BenchError`]; also when a record came to another end than SENT and DELIVERED.
pub(crate) async fn run(run: &Run, options: Options) -> Result<(), BenchError> {
    let count = options.records.unwrap_or(if run.quick { 2_000 } else { 20_000 }).max(1);
    let warm_up = options.warm_up.unwrap_or((count / 10).clamp(200, 10_000)).max(1);
    let seconds = if run.quick { 1 } else { 3 };
    let mut world = World::start(run, &options).await?;
    machine::describe("Sealpost: SMS", &world.postgres)?;
    world.gateway(options.window).await?;

    progress("sealing");
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
    let in_lanes = rsa_operations_in_lanes(seconds).await?;

    let rsa = [rsa_before, rsa_after];
    let (count, envelopes) = (count as u64, batch.envelopes());
    let measured = Measured { count, envelopes, wall, before, after, rsa, in_lanes };
    print(&measured, options, repeated);
    round_trip::run(&mut world, &mut statuses, run.quick).await
}

struct Measured {
    count: u64,
    envelopes: usize,
    wall: Duration,
    before: Reading,
    after: Reading,
    /// Of OpenSSL, before and after.
    rsa: [f64; 2],
    in_lanes: f64,
}

fn print(measured: &Measured, options: Options, repeated: u64) {
    let Measured { count, envelopes, wall, before, after, rsa, in_lanes } = measured;
    let (cpu, postgres) = (after.cpu - before.cpu, after.postgres - before.postgres);
    let per_cpu_second = *count as f64 / cpu.as_secs_f64().max(0.01);
    let operations = (rsa[0] + rsa[1]) / 2.0;
    let reached = per_cpu_second / operations;

    let statuses = if options.no_receipts { "SENT" } else { "SENT and DELIVERED" };
    let envelope = match options.envelope {
        Envelope::V1 => format!("v1, RSA-{KEY_BITS}"),
        Envelope::V2 => "v2, X25519".to_owned(),
    };
    let title = format!(
        "SMS: {} records ({envelope}) from Kafka to the SMSC and back, each {statuses}; window {}",
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
    table.row(["rsa-lanes: private ops per CPU-second".to_owned(), whole(*in_lanes)]);
    table.row(["gateway: resident MiB before".to_owned(), mebibytes(before.memory.resident)]);
    table.row(["gateway: resident MiB after".to_owned(), mebibytes(after.memory.resident)]);
    table.row(["gateway: resident MiB at its peak".to_owned(), mebibytes(after.memory.peak)]);
    table.print();
    let (target, figure) = match options.envelope {
        Envelope::V1 => (format!("{TARGET:.1} records for each RSA operation"), reached / TARGET),
        Envelope::V2 => (format!("{} records per CPU-second", whole(TARGET_V2)), per_cpu_second / TARGET_V2),
    };
    let verdict = if figure >= 1.0 { "reached" } else { "missed" };
    say(&format!("  target: {target}: {verdict} ({figure:.2} of it)"));
    let distinct = whole(*envelopes as f64);
    say(&format!("  the records share {distinct} envelopes, each decrypted as often as it comes"));
    say(&format!("  every record got {statuses}; {repeated} statuses came more than once"));
}
