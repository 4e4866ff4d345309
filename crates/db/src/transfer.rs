//! Moves every row of one service from one backend to the other.
//!
//! In: a connection to each, in transactions of the caller, with the tables of the same migrations. Out: the same rows in the
//! tables of the target, which were empty, and how many each table has. What must hold: tables and columns are taken from
//! both catalogs, so none can be forgotten; a value arrives as it was, or the transfer fails and names its place, never the
//! value; what has arrived is read back and compared; identities go on where they were.
//!
//! Nothing is committed here: one transaction on PostgreSQL may take the tables of all services, one after the other.

mod cell;
mod content;
mod counters;
mod insert;
mod shape;

use std::collections::BTreeMap;

use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::result::Error::DatabaseError;
use diesel::sql_types::Bool;

use crate::snapshot::sound;
use crate::{Backend, DbConn, DbError};
use cell::Row;
use content::Content;
use insert::Inserter;
use shape::Table;

/// Why rows cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the two has no such table.
    #[error("the table {table} is missing in {}", name(*.backend))]
    Missing {
        /// The table.
        table: String,
        /// Where it is missing.
        backend: Backend,
    },
    /// The columns of a table are not the same on both sides, or of a type that is not known here.
    #[error("the table {table} has other columns in PostgreSQL than in SQLite")]
    Columns {
        /// The table.
        table: String,
    },
    /// The target has rows already.
    #[error("the target is not empty: the table {table} has rows")]
    NotEmpty {
        /// The table.
        table: String,
    },
    /// Somebody else uses the target, and did not end within some seconds.
    #[error("the target is in use: stop the services that are on it")]
    InUse,
    /// A value that the target's column cannot hold.
    #[error("{table}, row {row}: {column} {problem}")]
    Unfit {
        /// The table.
        table: String,
        /// The row: SQLite's `rowid`.
        row: i64,
        /// The column.
        column: String,
        /// What is wrong, in words that go on after the column's name.
        problem: &'static str,
    },
    /// What was read back is not what was written.
    #[error("{table}: what was read back is not what was written")]
    Differs {
        /// The table.
        table: String,
    },
    /// The caller wanted it to end.
    #[error("stopped before its end; nothing was kept")]
    Stopped,
    /// A table could not be read or written.
    #[error("{table}: {source}")]
    Table {
        /// The table.
        table: String,
        /// What the database said.
        source: DbError,
    },
    /// Anything else that a database said.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for TransferError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "PostgreSQL",
        Backend::Sqlite => "SQLite",
    }
}

/// Told of rows that are read or written; `false` ends the transfer.
pub type Watch<'a> = dyn FnMut(u64) -> bool + 'a;

/// Copies all rows of a service; one of the connections leads to PostgreSQL, where `schema` has its tables, the other one
/// to its SQLite file. Returns how many rows each table has. `watch` hears of each row once, when it is on its way.
///
/// # Errors
/// [`TransferError`]; the caller then rolls back.
pub fn transfer(
    from: &mut DbConn,
    to: &mut DbConn,
    schema: &str,
    watch: &mut Watch<'_>,
) -> Result<BTreeMap<String, i64>, TransferError> {
    let tables = match (&mut *from, &mut *to) {
        (DbConn::Sqlite(sqlite), DbConn::Pg(pg)) | (DbConn::Pg(pg), DbConn::Sqlite(sqlite)) => {
            enter(pg, schema)?;
            sound(sqlite)?;
            shape::common(pg, sqlite)?
        }
        _ => return Err(DbError::Settings("rows move between PostgreSQL and SQLite".into()).into()),
    };
    claim(to, &tables)?;
    let mut counts = BTreeMap::new();
    for table in &tables {
        let named = |error| match error {
            TransferError::Db(source) => TransferError::Table { table: table.name.clone(), source },
            other => other,
        };
        let sent = copy(from, to, table, watch).map_err(named)?;
        if read(to, table, watch).map_err(named)? != sent {
            return Err(TransferError::Differs { table: table.name.clone() });
        }
        counters::carry(from, to, table).map_err(named)?;
        counts.insert(table.name.clone(), sent.rows());
    }
    Ok(counts)
}

/// Prepares the transaction on PostgreSQL: whole tables are read, and the other side may take its time.
fn enter(pg: &mut PgConnection, schema: &str) -> Result<(), TransferError> {
    Ok(pg.batch_execute(&format!(
        "SET LOCAL search_path TO {}; SET LOCAL enable_seqscan TO on; SET LOCAL statement_timeout TO 0; \
         SET LOCAL idle_in_transaction_session_timeout TO 0",
        quoted(schema)
    ))?)
}

/// Makes sure that nobody has put anything into the target, nor can until the transaction ends.
fn claim(to: &mut DbConn, tables: &[Table]) -> Result<(), TransferError> {
    if let DbConn::Pg(pg) = to {
        let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
        // Who is in the way for longer than that is no query, but a service at work.
        let lock =
            format!("SET LOCAL lock_timeout TO '10s'; LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "));
        pg.batch_execute(&lock).map_err(|error| match error {
            DatabaseError(_, info) if info.message().contains("lock timeout") => TransferError::InUse,
            other => other.into(),
        })?;
    }
    for table in tables {
        let any = format!("EXISTS (SELECT 1 FROM {})", quoted(&table.name));
        if diesel::select(diesel::dsl::sql::<Bool>(&any)).get_result::<bool>(to)? {
            return Err(TransferError::NotEmpty { table: table.name.clone() });
        }
    }
    Ok(())
}

fn copy(
    from: &mut DbConn,
    to: &mut DbConn,
    table: &Table,
    watch: &mut Watch<'_>,
) -> Result<Content, TransferError> {
    let (mut content, mut target) = (Content::default(), Inserter::new(to, table));
    each(from, table, |row| {
        row.check(table)?;
        content.add(&row.cells);
        match target.take(row.cells)? {
            0 => Ok(()),
            rows if watch(rows) => Ok(()),
            _ => Err(TransferError::Stopped),
        }
    })?;
    if watch(target.finish()?) { Ok(content) } else { Err(TransferError::Stopped) }
}

fn read(conn: &mut DbConn, table: &Table, watch: &mut Watch<'_>) -> Result<Content, TransferError> {
    let mut content = Content::default();
    each(conn, table, |row| {
        row.check(table)?;
        content.add(&row.cells);
        // It was told of these before; this only asks.
        if content.rows() % 1000 != 0 || watch(0) { Ok(()) } else { Err(TransferError::Stopped) }
    })?;
    Ok(content)
}

/// Gives all rows of a table to `take`, one at a time: a table may be larger than the memory.
fn each(
    conn: &mut DbConn,
    table: &Table,
    mut take: impl FnMut(Row) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let (columns, name) = (columns.join(", "), quoted(&table.name));
    match conn {
        DbConn::Pg(c) => {
            let query = diesel::sql_query(format!("SELECT {columns} FROM {name}"));
            query.load_iter::<Row, PgRowByRowLoadingMode>(c)?.try_for_each(|row| take(row?))
        }
        DbConn::Sqlite(c) => {
            let query = diesel::sql_query(format!("SELECT {columns}, rowid FROM {name}"));
            query.load_iter::<Row, DefaultLoadingMode>(c)?.try_for_each(|row| take(row?))
        }
    }
}

/// A name as an identifier, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
