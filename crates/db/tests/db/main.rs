//! The crate as a service uses it, on a real PostgreSQL and on SQLite files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "diesel's table! generates undocumented items")]

use std::time::Duration;

use db::diesel_migrations::{self, embed_migrations};
use db::{Db, DbConn, DbError, Migrations};
use diesel::prelude::*;

mod batch_query;
mod batcher;
mod migrations;
mod recovery;
mod snapshots;
mod transactions;
mod transfers;

static MIGRATIONS: Migrations = Migrations::new(
    embed_migrations!("tests/migrations/postgres"),
    embed_migrations!("tests/migrations/sqlite"),
);

diesel::table! {
    counters (name) {
        name -> Text,
        n -> BigInt,
    }
}

/// A pool on a fresh database with the table `counters`.
async fn migrated(test: &testkit::database::TestDb) -> Db {
    let db = test.open();
    db.migrate(&MIGRATIONS).await.unwrap();
    db
}

fn insert(conn: &mut DbConn, name: &str, n: i64) -> Result<(), DbError> {
    diesel::insert_into(counters::table)
        .values((counters::name.eq(name), counters::n.eq(n)))
        .execute(conn)?;
    Ok(())
}

async fn count(db: &Db) -> i64 {
    db.read(|conn| Ok::<_, DbError>(counters::table.count().get_result(conn)?)).await.unwrap()
}

async fn value(db: &Db, name: &'static str) -> Option<i64> {
    let find = counters::table.find(name).select(counters::n);
    db.read(move |conn| Ok::<_, DbError>(find.first(conn).optional()?)).await.unwrap()
}
