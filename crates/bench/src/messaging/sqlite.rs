//! Durable sends on SQLite, in turns with single-row insert transactions through the library, on the same disk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::models::{Clock as _, SystemClock};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use testkit::program::Program;

use super::{World, mailboxes, sends};
use crate::error::BenchError;
use crate::report::{Table, median, progress, ratio, say, whole};

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// What must be reached.
const TARGET: f64 = 1.5;

diesel::table! {
    /// The plainest table that holds such a content.
    bench_sends (id) {
        id -> BigInt,
        account -> Integer,
        sent_at -> BigInt,
        content -> Binary,
    }
}

const TABLE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS bench_sends (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, sent_at BIGINT NOT NULL,
    content BLOB NOT NULL)";

/// Measures and prints. The file of the yardstick is beside the service's.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &World, mailbox: &Program) -> Result<(), BenchError> {
    mailboxes::open(mailbox, &world.accounts).await?;
    progress("warming up");
    sends::send_plainly(world, mailbox, WARM_UP).await?;
    let (time, file) = (world.plan.time, mailbox.data_dir().join("bench.sqlite"));
    let content = sends::content(world.plan.content);
    let mut rounds = Vec::new();
    for number in 0..world.plan.rounds {
        let (mut inserts, mut sent) = (0.0, 0.0);
        for place in 0..2 {
            if (number + place) % 2 == 0 {
                inserts = insert(file.clone(), content.clone(), time).await?;
            } else {
                sent = sends::send_plainly(world, mailbox, time).await?.rate();
            }
        }
        progress(&format!("round {}: inserts {}/s, sends {}/s", number + 1, whole(inserts), whole(sent)));
        rounds.push((inserts, sent));
    }
    let mut table = Table::new(
        format!("Durable sends on SQLite: {} clients, {} bytes", world.plan.clients, world.plan.content),
        &["round", "inserts/s", "sends/s", "ratio"],
    );
    for (number, (inserts, sent)) in rounds.iter().enumerate() {
        table.row([(number + 1).to_string(), whole(*inserts), whole(*sent), ratio(sent / inserts)]);
    }
    let reached = median(rounds.iter().map(|(inserts, sent)| sent / inserts));
    table.row(["median".to_owned(), String::new(), String::new(), ratio(reached)]);
    table.print();
    let verdict = if reached >= TARGET { "reached" } else { "missed" };
    say(&format!("  target: {TARGET:.1} x single-row inserts, WAL, synchronous=FULL: {verdict}"));
    Ok(())
}

/// Inserts one row after the other, each in a transaction of its own, with a statement that stays prepared; gives the
/// rate.
async fn insert(file: PathBuf, content: Vec<u8>, time: Duration) -> Result<f64, BenchError> {
    let inserting = tokio::task::spawn_blocking(move || {
        let failed = |error: &dyn std::fmt::Display| BenchError::of("inserting into SQLite", error);
        let mut conn =
            SqliteConnection::establish(&file.to_string_lossy()).map_err(|error| failed(&error))?;
        conn.batch_execute(TABLE).map_err(|error| failed(&error))?;
        let (start, mut count) = (Instant::now(), 0_i32);
        while start.elapsed() < time {
            let row = (
                bench_sends::account.eq(count),
                bench_sends::sent_at.eq(SystemClock.now().as_i64()),
                bench_sends::content.eq(&content),
            );
            let insert = diesel::insert_into(bench_sends::table).values(row);
            insert.execute(&mut conn).map_err(|error| failed(&error))?;
            count += 1;
        }
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    });
    inserting.await.map_err(|error| BenchError::of("the yardstick", error))?
}
