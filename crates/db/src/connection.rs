//! The connection type every query of the project runs on.
#![expect(missing_docs, reason = "diesel's derive generates public items without documentation")]

use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;

/// A connection to either backend. Portable queries run on it as on any diesel connection; for the others
/// match on it, or use [`on_backend!`](crate::on_backend).
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    /// PostgreSQL, with the service's schema as `search_path`.
    Pg(PgConnection),
    /// SQLite, in WAL mode with foreign keys on.
    Sqlite(SqliteConnection),
}
