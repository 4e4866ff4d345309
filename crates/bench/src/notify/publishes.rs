//! Publishes: what one costs the server, with its history on disk before it is answered, beside socket.io without one.

use std::sync::Arc;

use super::subscribers::Subscribers;
use super::{Contender, World};
use crate::error::BenchError;
use crate::load::{self, Traffic, Until};
use crate::report::{Table, median, millis, progress, ratio, say, whole};
use crate::usage::cpu;

/// Back-ends that publish at the same time.
const CLIENTS: usize = 32;

/// What must be reached beside socket.io.
const TARGET: f64 = 0.5;

/// The same request over and over.
struct Same(Vec<u8>);

impl Traffic for Same {
    fn write(&self, _: usize, _: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

/// What one contender did in one round.
#[derive(Clone, Copy)]
struct Measure {
    /// For each second of CPU time.
    rate: f64,
    p99: std::time::Duration,
}

/// Measures and prints. Somebody listens, and gets all of it.
///
/// # Errors
/// Any [`BenchError`]; also when a delivery is missing.
pub(super) async fn measure(world: &World<'_>) -> Result<(), BenchError> {
    const CONTENDERS: [Contender; 2] = [Contender::SealpostSocketIo, Contender::SocketIo];
    let mut rounds = Vec::new();
    for number in 0..world.plan.rounds {
        let mut measures = [Measure { rate: 0.0, p99: std::time::Duration::ZERO }; 2];
        for turn in 0..2 {
            let place = (number + turn) % 2;
            measures[place] = one(world, CONTENDERS[place]).await?;
        }
        rounds.push(measures);
    }
    let mut table = Table::new(
        format!("Publishes: {CLIENTS} clients, one subscriber"),
        &["server", "a CPU-second", "p99 ms"],
    );
    for (place, contender) in CONTENDERS.iter().enumerate() {
        let p99 = rounds.iter().map(|round| round[place].p99).max().unwrap_or_default();
        table.row([
            contender.name().to_owned(),
            whole(median(rounds.iter().map(|round| round[place].rate))),
            millis(p99),
        ]);
    }
    table.print();
    let reached = median(rounds.iter().map(|[ours, theirs]| ours.rate / theirs.rate));
    let verdict = if reached >= TARGET { "reached" } else { "missed" };
    say(&format!(
        "  ratio: {}; target: {TARGET:.1} x socket.io, which keeps nothing: {verdict}",
        ratio(reached)
    ));
    Ok(())
}

async fn one(world: &World<'_>, contender: Contender) -> Result<Measure, BenchError> {
    let server = world.start(contender).await?;
    let subscribers = Subscribers::open(server.address, &server.opening, 1).await?;
    let traffic = Arc::new(Same(server.one.clone()));
    let warm = load::run(CLIENTS, server.address, Until::Requests(2000), traffic.clone()).await?;
    let before = cpu(server.pid)?;
    let measured = load::run(CLIENTS, server.address, Until::Elapsed(world.plan.time), traffic).await?;
    subscribers.reach(warm.requests + measured.requests).await?;
    let spent = cpu(server.pid)? - before;
    let rate = measured.requests as f64 / spent.as_secs_f64();
    progress(&format!("{}: {} publishes a CPU-second", contender.name(), whole(rate)));
    Ok(Measure { rate, p99: measured.p99 })
}
