//! What logins do to sends: their latency alone, and while people log in, each of which costs a password hash.

use std::time::Duration;

use testkit::program::Program;
use tokio::time::{MissedTickBehavior, interval};

use super::{World, sends};
use crate::error::BenchError;
use crate::http::{Connection, address, request};
use crate::report::{Table, median, millis, progress, ratio, say, whole};

/// Logins a second.
const LOGINS: u32 = 5;

/// What must be kept to.
const TARGET: f64 = 2.0;

const ACCOUNT: &[u8] = br#"{"username":"bench","password":"correct horse battery"}"#;

/// Measures and prints. Auth and mailbox are processes of their own on the same cores and the same database.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &World, auth: &Program) -> Result<(), BenchError> {
    let time = world.plan.time;
    let mut connection = connect(auth).await?;
    let register = request("POST", "/v1/accounts", "none", ACCOUNT);
    call(&mut connection, &register).await?;
    let mut rounds = Vec::new();
    for number in 0..world.plan.rounds {
        let (mut alone, mut beside, mut logins) = (Duration::ZERO, Duration::ZERO, 0);
        for place in 0..2 {
            if (number + place) % 2 == 0 {
                alone = sends::send_plainly(world, &world.mailbox, time).await?.p99;
            } else {
                let people = tokio::spawn(log_in(connection, time));
                beside = sends::send_plainly(world, &world.mailbox, time).await?.p99;
                (connection, logins) = people.await.map_err(|error| BenchError::of("logins", error))??;
            }
        }
        progress(&format!("round {}: p99 {} ms, {} ms", number + 1, millis(alone), millis(beside)));
        rounds.push((alone, beside, logins));
    }
    let title = format!("Sends beside {LOGINS} logins a second: {} clients", world.plan.clients);
    let mut table = Table::new(title, &["round", "p99 ms", "p99 ms, logins", "ratio", "logins"]);
    let rise = |(alone, beside, _): &(Duration, Duration, u32)| beside.as_secs_f64() / alone.as_secs_f64();
    for (number, round) in rounds.iter().enumerate() {
        table.row([
            (number + 1).to_string(),
            millis(round.0),
            millis(round.1),
            ratio(rise(round)),
            whole(f64::from(round.2)),
        ]);
    }
    let reached = median(rounds.iter().map(rise));
    table.row(["median".to_owned(), String::new(), String::new(), ratio(reached), String::new()]);
    table.print();
    let verdict = if reached <= TARGET { "kept" } else { "missed" };
    say(&format!("  target: at most {TARGET:.1} x, by the median of the ratios: {verdict}"));
    Ok(())
}

async fn connect(auth: &Program) -> Result<Connection, BenchError> {
    let opened = Connection::open(address(&auth.url)?).await;
    opened.map_err(|error| BenchError::Io("the connection to auth", error))
}

/// Logs in so often; gives the connection back, and how many logins there were.
async fn log_in(mut connection: Connection, time: Duration) -> Result<(Connection, u32), BenchError> {
    let login = request("POST", "/v1/sessions", "none", ACCOUNT);
    let mut ticks = interval(Duration::from_secs(1) / LOGINS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let count = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).saturating_mul(LOGINS);
    for _ in 0..count {
        ticks.tick().await;
        call(&mut connection, &login).await?;
    }
    Ok((connection, count))
}

async fn call(connection: &mut Connection, request: &[u8]) -> Result<(), BenchError> {
    let answer = connection.exchange(request).await.map_err(|error| BenchError::Io("auth", error))?;
    answer.success("a call to auth")
}
