//! One database seam for PostgreSQL and SQLite: connections, transactions, migrations, group commit.
//!
//! In goes a [`DbSettings`] (a URL says which backend) and the name of a service; out comes a [`Db`], whose
//! [`Db::read`] and [`Db::write`] run one closure as one transaction, and a [`Batcher`], which lets many
//! callers share one. Queries are written once against [`DbConn`]; what differs between the backends goes
//! through [`on_backend!`], and PostgreSQL's hot statements are each a [`BatchQuery`]. What a caller can act on comes back as a [`DbError`].
//!
//! What must hold: an `Ok` means committed; an unknown outcome is an error of its own
//! ([`DbError::CommitUnknown`]); the process starts without its database and heals when it comes back.
//! The crate knows no table: each service owns its schema and its SQL.

mod batch_query;
mod batcher;
mod connection;
mod connector;
mod database;
mod error;
mod migrations;
mod session;
mod settings;
mod snapshot;
mod transaction;
mod transfer;

pub use batch_query::{BatchQuery, BatchSql, Cell, CellType, Rows};
pub use batcher::{Batcher, BatcherSettings};
pub use connection::{DbConn, MultiBackend, MultiField, MultiRawValue, MultiRow};
pub use database::Db;
pub use diesel_migrations;
pub use error::DbError;
pub use migrations::Migrations;
pub use session::Session;
pub use settings::{Backend, DbSettings, Synchronous};
pub use snapshot::{Inspection, fill, inspect, snapshot};
pub use transfer::{TransferError, Watch, transfer};

/// Runs the same expression on the concrete connection of either backend, for what diesel cannot build
/// through the enum: `ON CONFLICT`, `as_returning`, inserting a slice.
///
/// ```
/// # fn example(conn: &mut db::DbConn) -> diesel::QueryResult<()> {
/// use diesel::connection::SimpleConnection;
/// db::on_backend!(conn, |c| c.batch_execute("SELECT 1"))
/// # }
/// ```
#[macro_export]
macro_rules! on_backend {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::DbConn::Pg($c) => $body,
            $crate::DbConn::Sqlite($c) => $body,
        }
    };
}
