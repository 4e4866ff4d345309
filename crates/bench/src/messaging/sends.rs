//! Durable sends, with and without idempotency keys, in turns with single-row inserts by pgbench.

use std::sync::Arc;
use std::time::Duration;

use common::models::{AccountId, Base64Bytes, Clock as _, SystemClock};
use serde_json::json;
use testkit::program::Program;

use super::mailboxes::{self, REGISTRATION};
use super::{Spent, World, postgres_cpu};
use crate::error::BenchError;
use crate::http::{address, write_request};
use crate::load::{self, Measured, Traffic, Until};
use crate::pgbench::{self, administrate, count_rows};
use crate::report::{Table, median, micros_each, millis, progress, ratio, say, whole};

/// Before anything is counted: connections, plans and pages are there.
const WARM_UP: Duration = Duration::from_secs(2);

/// What must be reached, without idempotency keys.
const TARGET: f64 = 1.0;

/// The plainest table that holds such a content.
const TABLE: &str = "CREATE TABLE bench_sends (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account INTEGER NOT NULL, sent_at BIGINT NOT NULL, content BYTEA NOT NULL)";

/// Messages of the accounts to each other: client `n` sends as account `n`, to all others in no order.
struct Messages {
    accounts: Vec<AccountId>,
    /// `Authorization: Bearer …` of each client.
    senders: Vec<String>,
    body: Vec<u8>,
    /// Begins every idempotency key, if there are to be any; another one each round.
    keys: Option<String>,
}

impl Traffic for Messages {
    fn write(&self, client: usize, number: u64, out: &mut Vec<u8>) {
        // Multiplied by an odd constant and cut from the upper bits, numbers in a row look random.
        let drawn = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % self.accounts.len();
        let recipient = if drawn == client { (drawn + 1) % self.accounts.len() } else { drawn };
        let target = ["PUT /v1/messages/", self.accounts[recipient].as_str()];
        match &self.keys {
            None => write_request(out, &target, &[&self.senders[client]], &self.body),
            Some(round) => {
                let headers =
                    [&self.senders[client], "\r\nIdempotency-Key: ", round, "-", &number.to_string()];
                write_request(out, &target, &headers, &self.body);
            }
        }
    }
}

/// What one round measured.
struct Round {
    pgbench: (pgbench::Transactions, Duration),
    plain: (Measured, Spent),
    keyed: (Measured, Spent),
}

impl Round {
    fn ratio(&self, sends: &(Measured, Spent)) -> f64 {
        sends.0.rate() / self.pgbench.0.rate
    }
}

/// Measures, prints, and checks that every send that was answered is there.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &World) -> Result<(), BenchError> {
    administrate(&world.postgres, TABLE).await?;
    progress("warming up");
    let before = count_rows(&world.postgres, "mailbox.envelopes").await?;
    let warm = send(world, None, WARM_UP).await?.0;
    let mut stored = before + warm.requests;
    let mut rounds = Vec::new();
    for number in 0..world.plan.rounds {
        let round = round(world, number).await?;
        progress(&format!(
            "round {}: pgbench {}/s, sends {}/s, with keys {}/s",
            number + 1,
            whole(round.pgbench.0.rate),
            whole(round.plain.0.rate()),
            whole(round.keyed.0.rate())
        ));
        stored += round.plain.0.requests + round.keyed.0.requests;
        rounds.push(round);
    }
    print(world, &rounds);
    let rows = count_rows(&world.postgres, "mailbox.envelopes").await?;
    if rows != stored {
        return Err(BenchError::unexpected(format!("{stored} envelopes should be stored, {rows} are")));
    }
    say(&format!("  every one of the {} sends that were answered is in the table", whole(stored as f64)));
    Ok(())
}

/// All three once; the order turns with the number, so that none is always the first.
async fn round(world: &World, number: usize) -> Result<Round, BenchError> {
    let (mut inserts, mut plain, mut keyed) = (None, None, None);
    for place in 0..3 {
        // Nobody pays for the pages that the one before has left dirty.
        administrate(&world.postgres, "CHECKPOINT").await?;
        match (number + place) % 3 {
            0 => inserts = Some(insert(world).await?),
            1 => plain = Some(send(world, None, world.plan.time).await?),
            _ => keyed = Some(send(world, Some(number), world.plan.time).await?),
        }
    }
    let all = inserts.zip(plain).zip(keyed);
    let round = all.map(|((pgbench, plain), keyed)| Round { pgbench, plain, keyed });
    round.ok_or_else(|| BenchError::unexpected("a round that is not complete"))
}

async fn insert(world: &World) -> Result<(pgbench::Transactions, Duration), BenchError> {
    let content = content(world.plan.content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let script = format!(
        "\\set account random(1, {})\n\
         INSERT INTO bench_sends (account, sent_at, content) VALUES (:account, {}, '\\x{content}');\n",
        world.accounts.len(),
        SystemClock.now().as_i64(),
    );
    let before = postgres_cpu(&world.postgres)?;
    let until = Until::Elapsed(world.plan.time);
    let transactions = pgbench::run(&world.postgres, world.plan.clients, until, &script).await?;
    Ok((transactions, postgres_cpu(&world.postgres)? - before))
}

/// The sends of one measurement.
fn messages(world: &World, keys_of_round: Option<usize>) -> Result<Messages, BenchError> {
    let device = mailboxes::device()?;
    let senders = world.accounts.iter().take(world.plan.clients);
    let body = json!({
        "messages": [{
            "destinationDeviceId": device, "destinationRegistrationId": REGISTRATION, "type": 1,
            "content": Base64Bytes(content(world.plan.content)),
        }],
        "timestamp": SystemClock.now(),
    });
    Ok(Messages {
        accounts: world.accounts.clone(),
        senders: senders
            .map(|account| format!("Authorization: Bearer {}", world.auth.token(*account, Some(device))))
            .collect(),
        body: body.to_string().into_bytes(),
        keys: keys_of_round.map(|round| format!("round-{round}")),
    })
}

/// Sends without keys to a mailbox service in which the accounts have their mailboxes.
pub(super) async fn send_plainly(
    world: &World,
    mailbox: &Program,
    time: Duration,
) -> Result<Measured, BenchError> {
    let messages = Arc::new(messages(world, None)?);
    load::run(world.plan.clients, address(&mailbox.url)?, Until::Elapsed(time), messages).await
}

async fn send(
    world: &World,
    keys_of_round: Option<usize>,
    time: Duration,
) -> Result<(Measured, Spent), BenchError> {
    let messages = Arc::new(messages(world, keys_of_round)?);
    let address = address(&world.mailbox.url)?;
    let before = Spent::now(&world.mailbox, &world.postgres)?;
    let measured = load::run(world.plan.clients, address, Until::Elapsed(time), messages).await?;
    Ok((measured, Spent::now(&world.mailbox, &world.postgres)?.since(before)))
}

/// Bytes that do not compress: a ciphertext.
pub(super) fn content(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    });
    bytes.take(length).collect()
}

fn print(world: &World, rounds: &[Round]) {
    let plan = &world.plan;
    let mut table = Table::new(
        format!(
            "Durable sends: {} clients, {} bytes, {} accounts, {} rounds of {} s",
            plan.clients,
            plan.content,
            world.accounts.len(),
            plan.rounds,
            plan.time.as_secs()
        ),
        &["round", "pgbench tps", "sends/s", "ratio", "with keys/s", "ratio"],
    );
    for (number, round) in rounds.iter().enumerate() {
        table.row([
            (number + 1).to_string(),
            whole(round.pgbench.0.rate),
            whole(round.plain.0.rate()),
            ratio(round.ratio(&round.plain)),
            whole(round.keyed.0.rate()),
            ratio(round.ratio(&round.keyed)),
        ]);
    }
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
    let reached = middle(&|round| round.ratio(&round.plain));
    table.row([
        "median".to_owned(),
        whole(middle(&|round| round.pgbench.0.rate)),
        whole(middle(&|round| round.plain.0.rate())),
        ratio(reached),
        whole(middle(&|round| round.keyed.0.rate())),
        ratio(middle(&|round| round.ratio(&round.keyed))),
    ]);
    table.print();
    let verdict = if reached >= TARGET { "reached" } else { "missed" };
    say(&format!(
        "  target: sends without keys at {TARGET:.1} x pgbench, by the median of the ratios: {verdict}"
    ));

    let mut table = Table::new(
        "CPU µs and latency of each, over all rounds",
        &["", "PostgreSQL", "mailbox", "p50 ms", "p99 ms (worst round)"],
    );
    let (time, count) = rounds.iter().fold((Duration::ZERO, 0), |(time, count), round| {
        (time + round.pgbench.1, count + round.pgbench.0.count)
    });
    table.row(["pgbench insert".to_owned(), micros_each(time, count)]);
    for (name, of) in [
        ("send", (|round| &round.plain) as fn(&Round) -> &(Measured, Spent)),
        ("send with key", |round| &round.keyed),
    ] {
        let count = rounds.iter().map(|round| of(round).0.requests).sum();
        let median = median(rounds.iter().map(|round| of(round).0.median.as_secs_f64()));
        let slowest = rounds.iter().map(|round| of(round).0.p99).max().unwrap_or_default();
        table.row([
            name.to_owned(),
            micros_each(rounds.iter().map(|round| of(round).1.postgres).sum(), count),
            micros_each(rounds.iter().map(|round| of(round).1.service).sum(), count),
            millis(Duration::from_secs_f64(median)),
            millis(slowest),
        ]);
    }
    table.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_to_their_own_account() {
        let accounts: Vec<AccountId> = (0..3).map(|_| AccountId::new()).collect();
        let senders = (0..3).map(|number| format!("Authorization: Bearer {number}")).collect();
        let messages = Messages { accounts: accounts.clone(), senders, body: b"{}".to_vec(), keys: None };

        let mut reached = std::collections::HashSet::new();
        for number in 0..100 {
            let mut request = Vec::new();
            messages.write(1, number, &mut request);
            let path = String::from_utf8(request).unwrap().split(' ').nth(1).unwrap().to_owned();
            reached.insert(path);
        }

        assert_eq!(reached.len(), 2);
        assert!(!reached.contains(&format!("/v1/messages/{}", accounts[1])));
    }
}
