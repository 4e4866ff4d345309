//! The SQL of this service. In: values of the domain. Out: rows, or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened. What the hot paths need takes whole batches:
//! one statement, or a constant number, on PostgreSQL, a loop of cached ones on SQLite.
//!
//! Order of locks: channels by name, then idempotency keys, notifications, tokens, push subscriptions, pushes. Of webhooks:
//! queues by name, then connections, presences, events, states.

pub(crate) mod channels;
pub(crate) mod connections;
pub(crate) mod history;
pub(crate) mod presences;
pub(crate) mod publishing;
pub(crate) mod pushes;
mod schema;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
pub(crate) mod webhooks;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
