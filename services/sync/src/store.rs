//! The SQL of this service. In: values of the domain. Out: rows, or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened.
//!
//! Order of locks: a session, then the devices of its user.

pub(crate) mod devices;
pub(crate) mod processes;
pub(crate) mod provisioning;
mod schema;
pub(crate) mod sessions;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
