//! The SQL of this service. In: values of the domain. Out: rows, or how many were changed.
//!
//! Functions take the connection of a transaction that the domain opened.

pub(crate) mod clients;
pub(crate) mod incoming;
pub(crate) mod listing;
mod schema;
pub(crate) mod seeds;

use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};

/// The tables, for both databases.
pub static MIGRATIONS: Migrations =
    Migrations::new(embed_migrations!("migrations/postgres"), embed_migrations!("migrations/sqlite"));
