//! SQLite files as whole files: a copy of one that is in use, and what a copy holds.
//!
//! In: paths. Out: a file without a journal beside it, and its tables with their row counts. What must hold: a copy is one
//! snapshot of its source, with every transaction that was committed when the copy began and no part of another; looking
//! into a copy changes no byte of it.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::migrations::{MIGRATIONS_TABLE, applied};
use crate::transaction::{self, Mode};
use crate::{DbConn, DbError};

/// Copies the SQLite file at `from`, which others may be writing to, into the new file `to`, and puts that on disk.
/// Readers and writers of `from` go on meanwhile. `to` gets the mode of a new file: make its folder private.
///
/// # Errors
/// [`DbError::Unavailable`] when `from` cannot be opened; [`DbError::Other`] when `to` exists or cannot be written.
pub fn snapshot(from: &Path, to: &Path) -> Result<(), DbError> {
    let mut source = open(from, "mode=rw")?;
    // Not read-only: the reader of a file in WAL mode keeps its place in the index beside it.
    source.batch_execute("PRAGMA busy_timeout = 5000")?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to.to_string_lossy()).execute(&mut source)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(DbError::other)
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// The versions of the migrations that have made its tables, sorted; none where none have.
    pub migrations: Vec<String>,
}

/// Checks that a file which nobody writes to is a sound database, and looks at what it holds.
///
/// # Errors
/// [`DbError::Unavailable`] when it cannot be opened; [`DbError::Other`] for a damaged one.
pub fn inspect(path: &Path) -> Result<Inspection, DbError> {
    let mut conn = open(path, "immutable=1")?;
    sound(&mut conn)?;
    let tables: Vec<Word> = diesel::sql_query(
        "SELECT name AS word FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .load(&mut conn)?;
    let mut rows = BTreeMap::new();
    for Word { word: table } in tables {
        let quoted = table.replace('"', "\"\"");
        let count = diesel::sql_query(format!("SELECT count(*) AS number FROM \"{quoted}\""));
        rows.insert(table, count.get_result::<Number>(&mut conn)?.number);
    }
    let migrations = match rows.contains_key(MIGRATIONS_TABLE) {
        true => applied(&mut DbConn::Sqlite(conn))?,
        false => Vec::new(),
    };
    Ok(Inspection { rows, migrations })
}

/// Checks a database from within.
///
/// # Errors
/// [`DbError::Other`] for a damaged one.
pub(crate) fn sound(conn: &mut SqliteConnection) -> Result<(), DbError> {
    let found: Vec<Word> =
        diesel::sql_query("SELECT integrity_check AS word FROM pragma_integrity_check").load(conn)?;
    match found.as_slice() {
        [sound] if sound.word == "ok" => Ok(()),
        _ => Err(DbError::other("the file is damaged: SQLite's integrity check fails")),
    }
}

/// Gives `work` the SQLite file at `path` in a transaction without a journal, and puts it on disk as one file afterwards.
/// Nobody else may use it, and after an error or a crash nobody can: it is for a file that is being made.
///
/// # Errors
/// What `work` returns, or [`DbError`] of the file.
pub fn fill<T, E: From<DbError>>(
    path: &Path,
    work: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<T, E> {
    let mut conn = open(path, "mode=rw")?;
    // One that leaves WAL first becomes a file of the other kind.
    conn.batch_execute(
        "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON",
    )
    .map_err(DbError::from)?;
    let mut conn = DbConn::Sqlite(conn);
    transaction::begin(&mut conn, Mode::Write).map_err(DbError::from)?;
    let done = transaction::finish(&mut conn, Mode::Write, work)?;
    drop(conn);
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(DbError::other)?;
    Ok(done)
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Opens a file that is there: the plain form would make a missing one.
fn open(path: &Path, how: &str) -> Result<SqliteConnection, DbError> {
    // A path is absolute in a URI, and these end it.
    let path = std::path::absolute(path).map_err(DbError::unavailable)?;
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    SqliteConnection::establish(&format!("file:{path}?{how}")).map_err(DbError::unavailable)
}
