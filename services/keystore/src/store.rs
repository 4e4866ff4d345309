//! The tables. In: ids and values of the domain. Out: rows of [`rows`], or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened, so that several of them are one step.

pub(crate) mod accounts;
pub(crate) mod bundles;
pub(crate) mod devices;
pub(crate) mod issued;
pub(crate) mod key_set;
pub(crate) mod last_resort;
pub(crate) mod one_time;
pub(crate) mod outbox;
pub(crate) mod rows;
mod schema;
pub(crate) mod signal_server;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
