//! Prekey bundles: each fetch takes one-time keys and remembers them, in turns with the same deletes by pgbench.
//!
//! Two kinds of accounts: such with Curve25519 one-time keys alone, whose bundles hold the last-resort Kyber key, so that
//! one key is taken; and such with one-time keys of both kinds, so that two are. pgbench takes as many from one table.

mod owners;

use std::sync::Arc;
use std::time::Duration;

use common::models::AccountId;
use testkit::program::Program;

use super::{Plan, Spent, World, postgres_cpu};
use crate::error::BenchError;
use crate::http::{address, write_request};
use crate::load::{self, Measured, Traffic, Until};
use crate::pgbench::{self, administrate, count_rows};
use crate::report::{Table, median, micros_each, progress, ratio, say, whole};

/// One-time keys of a kind in one request.
const UPLOAD: usize = 100;

/// How many of a device's keys stay: the owner is told when few are left, which is not measured here.
const LEFT: usize = 25;

/// What must be reached.
const TARGET: f64 = 1.5;

/// How many one-time keys a bundle takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Curve25519.
    One,
    /// Curve25519 and Kyber.
    Two,
}

impl Kind {
    const BOTH: [Self; 2] = [Self::One, Self::Two];

    fn keys(self) -> u64 {
        if self == Self::One { 1 } else { 2 }
    }

    /// One-time keys of a kind that each device has. Kyber keys are large and signed: there are fewer.
    fn uploaded(self, plan: &Plan) -> usize {
        if self == Self::One { plan.uploads * UPLOAD } else { UPLOAD }
    }

    /// Bundles of each device that are fetched.
    fn fetched(self, plan: &Plan) -> usize {
        self.uploaded(plan) - LEFT
    }

    /// What pgbench runs: the oldest key of each kind of a device.
    fn script(self, accounts: usize) -> String {
        let oldest = |kind: u64| {
            format!(
                "(SELECT ctid FROM bench_keys WHERE account = :account AND device = 1 AND kind = {kind} \
                 ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED)"
            )
        };
        let oldest: Vec<String> = (1..=self.keys()).map(oldest).collect();
        format!(
            "\\set account random(1, {accounts})\n\
             WITH taken AS (DELETE FROM bench_keys WHERE ctid = ANY(ARRAY[{}]) \
             RETURNING account, position, public_key, key_hash), \
             remembered AS (INSERT INTO bench_issued SELECT account, key_hash, 0 FROM taken ON CONFLICT DO NOTHING) \
             SELECT position, public_key FROM taken;\n",
            oldest.join(", ")
        )
    }
}

/// About as many keys as keystore has, and more than what is taken: accounts are drawn at random, none must run dry.
fn tables(plan: &Plan) -> String {
    let accounts = plan.accounts;
    let [one, two] = Kind::BOTH.map(|kind| kind.fetched(plan));
    let (ec, pq) = ((one + two) * 3 / 2, two * 2);
    format!(
        "CREATE TABLE bench_keys (account INTEGER, device INTEGER, kind INTEGER, position BIGINT,
             public_key BYTEA NOT NULL, key_hash BYTEA NOT NULL, PRIMARY KEY (account, device, kind, position));
         CREATE TABLE bench_issued (account INTEGER, key_hash BYTEA, issued_at BIGINT NOT NULL,
             PRIMARY KEY (account, key_hash));
         INSERT INTO bench_keys
             SELECT a, 1, k, p, sha256(int8send(a * 1000 + p)) || '\\x05', sha256(int8send((a * 1000 + p) * 2 + k))
             FROM generate_series(1, {accounts}) a, generate_series(1, 2) k,
                  generate_series(1, CASE k WHEN 1 THEN {ec} ELSE {pq} END) p;
         VACUUM ANALYZE bench_keys"
    )
}

/// Fetches of every account's bundle in turn.
struct Fetches {
    paths: Vec<String>,
    authorization: String,
}

impl Traffic for Fetches {
    fn write(&self, _: usize, number: u64, out: &mut Vec<u8>) {
        let path = &self.paths[number as usize % self.paths.len()];
        write_request(out, &["GET ", path], &[&self.authorization], b"");
    }
}

/// What one round measured of one kind.
struct Round {
    kind: Kind,
    pgbench: (pgbench::Transactions, Duration),
    fetches: (Measured, Spent),
}

impl Round {
    /// How many bundles take the CPU time of PostgreSQL that one transaction of pgbench takes, keystore's included. What
    /// asks for them is left out on both sides. Unlike the rates it does not change with what else the machine does, and
    /// how long its disk takes to sync.
    fn bundles_for_one(&self) -> f64 {
        let (transactions, pgbench) = &self.pgbench;
        let (measured, spent) = &self.fetches;
        let one = pgbench.as_secs_f64() / transactions.count as f64;
        one / ((spent.postgres + spent.service).as_secs_f64() / measured.requests as f64)
    }
}

/// Measures and prints.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &World, keystore: &Program) -> Result<(), BenchError> {
    let mut owners = Vec::new();
    for kind in Kind::BOTH {
        let accounts: Vec<AccountId> = (0..world.plan.accounts).map(|_| AccountId::new()).collect();
        let keys = kind.uploaded(&world.plan) as u64 * kind.keys();
        progress(&format!("registering {} devices, {keys} one-time keys each", accounts.len()));
        owners::register(world, keystore, &accounts, kind).await?;
        owners.push(accounts);
    }
    for sql in tables(&world.plan).split(';') {
        administrate(&world.postgres, sql).await?;
    }
    administrate(&world.postgres, "VACUUM ANALYZE keystore.one_time_keys").await?;
    let mut rounds = Vec::new();
    for number in 0..world.plan.rounds {
        for (kind, accounts) in Kind::BOTH.into_iter().zip(&owners) {
            let round = round(world, keystore, (kind, accounts), number).await?;
            progress(&format!(
                "round {}, {} keys a bundle: pgbench {}/s, bundles {}/s",
                number + 1,
                kind.keys(),
                whole(round.pgbench.0.rate),
                whole(round.fetches.0.rate())
            ));
            rounds.push(round);
        }
    }
    print(world, &rounds);
    let taken: u64 = rounds.iter().map(|round| round.fetches.0.requests * round.kind.keys()).sum();
    let remembered = count_rows(&world.postgres, "keystore.issued_keys").await?;
    if taken != remembered {
        let what =
            format!("{taken} one-time keys were to be taken, {remembered} are remembered as given out");
        return Err(BenchError::unexpected(what));
    }
    say(&format!("  every one of the {} keys that were given out is remembered", whole(taken as f64)));
    Ok(())
}

async fn round(
    world: &World,
    keystore: &Program,
    (kind, accounts): (Kind, &[AccountId]),
    number: usize,
) -> Result<Round, BenchError> {
    let count = (accounts.len() * kind.fetched(&world.plan) / world.plan.rounds) as u64;
    let (mut taken, mut fetched) = (None, None);
    for place in 0..2 {
        administrate(&world.postgres, "CHECKPOINT").await?;
        if (number + place).is_multiple_of(2) {
            let before = postgres_cpu(&world.postgres)?;
            let (clients, script) = (world.plan.clients, kind.script(accounts.len()));
            let done = pgbench::run(&world.postgres, clients, Until::Requests(count), &script).await?;
            taken = Some((done, postgres_cpu(&world.postgres)? - before));
        } else {
            fetched = Some(fetch(world, keystore, accounts, count).await?);
        }
    }
    let both = taken.zip(fetched).map(|(pgbench, fetches)| Round { kind, pgbench, fetches });
    both.ok_or_else(|| BenchError::unexpected("a round that is not complete"))
}

async fn fetch(
    world: &World,
    keystore: &Program,
    accounts: &[AccountId],
    count: u64,
) -> Result<(Measured, Spent), BenchError> {
    let fetches = Fetches {
        paths: accounts.iter().map(|account| format!("/v1/keys/{account}/1")).collect(),
        authorization: format!("Authorization: Bearer {}", world.auth.token(AccountId::new(), None)),
    };
    let address = address(&keystore.url)?;
    let before = Spent::now(keystore, &world.postgres)?;
    let until = Until::Requests(count);
    let measured = load::run(world.plan.clients, address, until, Arc::new(fetches)).await?;
    Ok((measured, Spent::now(keystore, &world.postgres)?.since(before)))
}

fn print(world: &World, rounds: &[Round]) {
    let mut table = Table::new(
        format!("Bundle fetches: {} clients, {} accounts", world.plan.clients, world.plan.accounts),
        &[
            "one-time keys a bundle",
            "round",
            "pgbench tps",
            "bundles/s",
            "ratio",
            "PostgreSQL µs",
            "keystore µs",
            "pgbench's µs",
            "CPU ratio",
        ],
    );
    for kind in Kind::BOTH {
        let of_kind: Vec<&Round> = rounds.iter().filter(|round| round.kind == kind).collect();
        let name = if kind == Kind::One { "1 (EC; last-resort Kyber)" } else { "2 (EC and Kyber)" };
        for (number, round) in of_kind.iter().enumerate() {
            let (measured, spent) = &round.fetches;
            table.row([
                name.to_owned(),
                (number + 1).to_string(),
                whole(round.pgbench.0.rate),
                whole(measured.rate()),
                ratio(measured.rate() / round.pgbench.0.rate),
                micros_each(spent.postgres, measured.requests),
                micros_each(spent.service, measured.requests),
                micros_each(round.pgbench.1, round.pgbench.0.count),
                ratio(round.bundles_for_one()),
            ]);
        }
        let reached = median(of_kind.iter().map(|round| round.fetches.0.rate() / round.pgbench.0.rate));
        table.row([
            name.to_owned(),
            "median".to_owned(),
            whole(median(of_kind.iter().map(|round| round.pgbench.0.rate))),
            whole(median(of_kind.iter().map(|round| round.fetches.0.rate()))),
            ratio(reached),
            String::new(),
            String::new(),
            String::new(),
            ratio(median(of_kind.iter().map(|round| round.bundles_for_one()))),
        ]);
    }
    table.print();
    say(&format!("  target: {TARGET:.1} x pgbench, which takes as many keys as a bundle does"));
}
