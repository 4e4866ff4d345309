//! The SQL of this service. In: values of the domain. Out: rows of [`rows`], or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened, so that several of them are one step.

pub(crate) mod accounts;
pub(crate) mod attempts;
pub(crate) mod blocks;
pub(crate) mod invites;
pub(crate) mod links;
pub(crate) mod mails;
pub(crate) mod outbox;
pub(crate) mod overdue;
pub(crate) mod phones;
pub(crate) mod revocations;
pub(crate) mod rows;
mod schema;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod signal_server;
pub(crate) mod totp;
pub(crate) mod woosh;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
