//! Fan-out: what a delivery costs the server when one notification goes to very many.

use std::time::Duration;

use super::subscribers::Subscribers;
use super::{BURST, Contender, Server, World};
use crate::error::BenchError;
use crate::http::Connection;
use crate::report::{Table, median, progress, ratio, say, whole};
use crate::usage::cpu;

/// Notifications before anything is counted.
const WARM_UP: usize = 3;

/// Deliveries for each second of CPU time, of one contender in one round.
#[derive(Clone, Copy)]
struct Rates {
    single: f64,
    burst: f64,
}

/// What must be reached beside socket.io: for single notifications, and for bursts.
const TARGETS: [f64; 2] = [1.6, 4.0];

/// Measures and prints, for each number of subscribers.
///
/// # Errors
/// Any [`BenchError`]; also when a delivery is missing.
pub(super) async fn measure(world: &World<'_>) -> Result<(), BenchError> {
    for &count in &world.plan.subscribers {
        let mut rounds = Vec::new();
        for number in 0..world.plan.rounds {
            let mut rates = [Rates { single: 0.0, burst: 0.0 }; Contender::ALL.len()];
            for turn in 0..Contender::ALL.len() {
                let place = (number + turn) % Contender::ALL.len();
                rates[place] = one(world, Contender::ALL[place], count).await?;
            }
            rounds.push(rates);
        }
        print(count, &rounds);
    }
    Ok(())
}

async fn one(world: &World<'_>, contender: Contender, count: usize) -> Result<Rates, BenchError> {
    let server = world.start(contender).await?;
    let subscribers = Subscribers::open(server.address, &server.opening, count).await?;
    let failed = |error| BenchError::Io("publishing", error);
    let mut publisher = Connection::open(server.address).await.map_err(failed)?;
    publish(&mut publisher, &server.one, 1, WARM_UP, &subscribers).await?;
    publish(&mut publisher, &server.burst, BURST, WARM_UP, &subscribers).await?;
    let times = (world.plan.deliveries / count).max(2);
    let single = timed(&server, &mut publisher, 1, times, &subscribers).await?;
    let burst = timed(&server, &mut publisher, BURST, (times / BURST).max(2), &subscribers).await?;
    progress(&format!(
        "{count} subscribers, {}: {} and {} deliveries a CPU-second",
        contender.name(),
        whole(single),
        whole(burst)
    ));
    Ok(Rates { single, burst })
}

/// Deliveries for each second of the server's CPU time.
async fn timed(
    server: &Server,
    publisher: &mut Connection,
    size: usize,
    times: usize,
    subscribers: &Subscribers,
) -> Result<f64, BenchError> {
    let request = if size == 1 { &server.one } else { &server.burst };
    let before = cpu(server.pid)?;
    publish(publisher, request, size, times, subscribers).await?;
    let spent = cpu(server.pid)? - before;
    Ok((times * size * subscribers.count()) as f64 / spent.max(Duration::from_millis(1)).as_secs_f64())
}

/// Publishes so many times, and each time waits until every subscriber has it.
async fn publish(
    publisher: &mut Connection,
    request: &[u8],
    size: usize,
    times: usize,
    subscribers: &Subscribers,
) -> Result<(), BenchError> {
    for _ in 0..times {
        let total = subscribers.received() + (size * subscribers.count()) as u64;
        let failed = |error| BenchError::Io("publishing", error);
        publisher.exchange(request).await.map_err(failed)?.success("publishing")?;
        subscribers.reach(total).await?;
    }
    Ok(())
}

fn print(count: usize, rounds: &[[Rates; Contender::ALL.len()]]) {
    let title = format!("Fan-out to {count} subscribers: deliveries for each CPU-second of the server");
    let heads = ["server", "single", "x socket.io", "burst of 20", "x socket.io"];
    let mut table = Table::new(title, &heads);
    let place = |wanted| Contender::ALL.iter().position(|one| *one == wanted).unwrap_or_default();
    let reference = place(Contender::SocketIo);
    let middle = |of: &dyn Fn(&[Rates; Contender::ALL.len()]) -> f64| median(rounds.iter().map(of));
    for (place, contender) in Contender::ALL.iter().enumerate() {
        table.row([
            contender.name().to_owned(),
            whole(middle(&|rates| rates[place].single)),
            ratio(middle(&|rates| rates[place].single / rates[reference].single)),
            whole(middle(&|rates| rates[place].burst)),
            ratio(middle(&|rates| rates[place].burst / rates[reference].burst)),
        ]);
    }
    table.print();
    let (ours, ws) = (place(Contender::SealpostSocketIo), place(Contender::Ws));
    let verdict = |reached: bool| if reached { "reached" } else { "missed" };
    let single = middle(&|rates| rates[ours].single / rates[reference].single);
    let burst = middle(&|rates| rates[ours].burst / rates[reference].burst);
    say(&format!(
        "  target: {:.1} x socket.io for single ones: {}",
        TARGETS[0],
        verdict(single >= TARGETS[0])
    ));
    say(&format!("  target: {:.1} x socket.io for bursts: {}", TARGETS[1], verdict(burst >= TARGETS[1])));
    let above =
        [place(Contender::SealpostSocketIo), place(Contender::SealpostWebsocket)].iter().all(|&ours| {
            middle(&|rates| rates[ours].single / rates[ws].single) > 1.0
                && middle(&|rates| rates[ours].burst / rates[ws].burst) > 1.0
        });
    say(&format!("  target: more than ws, in both and by both doors: {}", verdict(above)));
}
