//! The SQL of this service. In: values of the domain. Out: rows of [`rows`], or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened. What the hot path needs takes whole batches:
//! one statement on PostgreSQL, a loop of cached ones on SQLite.
//!
//! Order of locks: the account's advisory lock (opening and closing), the process, mailboxes by account and device,
//! idempotency keys, envelopes; of Woosh the inbox, then its messages; of signal_server the devices by account, then
//! messages.

pub(crate) mod blocks;
pub(crate) mod envelopes;
pub(crate) mod idempotency;
pub(crate) mod mailboxes;
pub(crate) mod outbox;
pub(crate) mod plain;
pub(crate) mod queues;
pub(crate) mod rows;
mod schema;
pub(crate) mod signal_server;
pub(crate) mod sockets;
pub(crate) mod tickets;
pub(crate) mod woosh;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
