//! The tables of a service, as the catalogs of both backends tell them.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::TransferError;
use crate::migrations::MIGRATIONS_TABLE;
use crate::{Backend, DbError};

/// A table that both sides have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// Sorted by name: a column that came later may stand elsewhere on the other side.
    pub(super) columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether the database counts it up.
    pub(super) counts: bool,
}

/// The types that columns of ours have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    BigInt,
    Text,
    Bytes,
}

/// Gives the tables in an order in which each comes after those that it refers to.
///
/// # Errors
/// [`TransferError`] when they are not the same tables.
pub(super) fn common(
    pg: &mut PgConnection,
    sqlite: &mut SqliteConnection,
) -> Result<Vec<Table>, TransferError> {
    let mut tables = gathered(diesel::sql_query(POSTGRES).load(pg)?, postgres_kind)?;
    let others = gathered(diesel::sql_query(SQLITE).load(sqlite)?, sqlite_kind)?;
    let missing = |table: &String, backend| TransferError::Missing { table: table.clone(), backend };
    if let Some(table) = tables.keys().find(|table| !others.contains_key(*table)) {
        return Err(missing(table, Backend::Sqlite));
    }
    for (table, columns) in &others {
        match tables.get(table) {
            None => return Err(missing(table, Backend::Postgres)),
            Some(same) if same == columns => {}
            Some(_) => return Err(TransferError::Columns { table: table.clone() }),
        }
    }
    let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Reference { from, to } in diesel::sql_query(REFERENCES).load(sqlite)? {
        references.entry(from).or_default().insert(to);
    }
    let mut sorted = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let free = tables.keys().find(|table| {
            references.get(*table).is_none_or(|needed| needed.iter().all(|table| !tables.contains_key(table)))
        });
        let name = free.cloned().ok_or_else(|| DbError::other("tables refer to each other in a circle"))?;
        let columns = tables.remove(&name).unwrap_or_default();
        sorted.push(Table { name, columns });
    }
    Ok(sorted)
}

/// The columns of each table, sorted.
type Tables = BTreeMap<String, Vec<Column>>;

fn gathered(found: Vec<Found>, kind: impl Fn(&Found) -> Option<Kind>) -> Result<Tables, TransferError> {
    let mut tables = Tables::new();
    // Rows of that one are put there by the migrations themselves.
    for column in found.into_iter().filter(|column| column.table != MIGRATIONS_TABLE) {
        let Some(kind) = kind(&column) else {
            return Err(TransferError::Columns { table: column.table });
        };
        let Found { table, name, counts, .. } = column;
        tables.entry(table).or_default().push(Column { name, kind, counts });
    }
    tables.values_mut().for_each(|columns| columns.sort_by(|one, other| one.name.cmp(&other.name)));
    Ok(tables)
}

fn postgres_kind(column: &Found) -> Option<Kind> {
    Some(match column.declared.as_str() {
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "bigint" => Kind::BigInt,
        "text" => Kind::Text,
        "bytea" => Kind::Bytes,
        _ => return None,
    })
}

fn sqlite_kind(column: &Found) -> Option<Kind> {
    Some(match column.declared.as_str() {
        "BOOLEAN" => Kind::Boolean,
        // SQLite counts up no other type than this, whose width is that of a row id.
        "INTEGER" if column.counts => Kind::BigInt,
        "INTEGER" => Kind::Integer,
        "BIGINT" => Kind::BigInt,
        "TEXT" => Kind::Text,
        "BLOB" => Kind::Bytes,
        _ => return None,
    })
}

/// A column as a catalog has it.
#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text, column_name = of_table)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    counts: bool,
}

/// A table and one that it refers to.
#[derive(QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text, column_name = from_table)]
    from: String,
    #[diesel(sql_type = Text, column_name = to_table)]
    to: String,
}

/// Not from `information_schema`, which leaves out what the role has no right to.
const POSTGRES: &str = "SELECT c.relname::text AS of_table, a.attname::text AS name, \
        format_type(a.atttypid, a.atttypmod) AS declared, a.attidentity <> '' AS counts \
    FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE c.relkind IN ('r', 'p')";

const SQLITE: &str = "SELECT t.name AS of_table, c.name AS name, upper(c.type) AS declared, \
        c.pk = 1 AND t.sql LIKE '%AUTOINCREMENT%' AS counts \
    FROM sqlite_master t, pragma_table_info(t.name) c \
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// The two have the same ones; a row that PostgreSQL's would not take is refused by it.
const REFERENCES: &str = "SELECT t.name AS from_table, f.\"table\" AS to_table \
    FROM sqlite_master t, pragma_foreign_key_list(t.name) f \
    WHERE t.type = 'table' AND t.name <> f.\"table\"";
