//! Puts rows into a table of which only the catalog knows the columns.
//!
//! PostgreSQL takes a batch as one array for each column; SQLite one row after the other with a statement that stays
//! prepared.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::cell::Cell;
use super::shape::{Kind, Table};
use super::{TransferError, quoted};
use crate::DbConn;

/// Rows, and bytes in them, that make a batch: enough that a round trip does not count, little enough for any memory.
const BATCH_ROWS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;

/// Gathers rows and writes them.
pub(super) struct Inserter<'a> {
    to: &'a mut DbConn,
    table: &'a Table,
    /// The statement, up to its values.
    head: String,
    rows: Vec<Vec<Cell>>,
    bytes: usize,
}

impl<'a> Inserter<'a> {
    pub(super) fn new(to: &'a mut DbConn, table: &'a Table) -> Self {
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let head = format!("INSERT INTO {} ({})", quoted(&table.name), columns.join(", "));
        Self { to, table, head, rows: Vec::new(), bytes: 0 }
    }

    /// Takes a row; tells how many were written because of it.
    pub(super) fn take(&mut self, row: Vec<Cell>) -> Result<u64, TransferError> {
        self.bytes += row.iter().map(Cell::bytes).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() < BATCH_ROWS && self.bytes < BATCH_BYTES { Ok(0) } else { self.write() }
    }

    /// Writes what is left; tells how many rows that were.
    pub(super) fn finish(mut self) -> Result<u64, TransferError> {
        self.write()
    }

    fn write(&mut self) -> Result<u64, TransferError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(0);
        }
        match self.to {
            DbConn::Pg(c) => {
                let columns = self.table.columns.iter().enumerate();
                let columns = columns.map(|(at, column)| Values::of(&rows, at, column.kind)).collect();
                InsertColumns { head: &self.head, columns }.execute(c)?;
            }
            DbConn::Sqlite(c) => {
                for row in &rows {
                    InsertRow { head: &self.head, row }.execute(c)?;
                }
            }
        }
        Ok(rows.len() as u64)
    }
}

/// One statement for a whole batch, whose text is the same for every batch of a table.
struct InsertColumns<'a> {
    head: &'a str,
    columns: Vec<Values<'a>>,
}

/// A column of a batch; every cell was checked against its kind.
enum Values<'a> {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i32>>),
    BigInt(Vec<Option<i64>>),
    Text(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl<'a> Values<'a> {
    fn of(rows: &'a [Vec<Cell>], at: usize, kind: Kind) -> Self {
        let cells = rows.iter().map(|row| row.get(at));
        let numbers = cells.clone().map(|cell| match cell {
            Some(Cell::Integer(number)) => Some(*number),
            _ => None,
        });
        match kind {
            Kind::Boolean => Self::Boolean(numbers.map(|number| number.map(|number| number != 0)).collect()),
            Kind::Integer => Self::Integer(numbers.map(|number| number?.try_into().ok()).collect()),
            Kind::BigInt => Self::BigInt(numbers.collect()),
            Kind::Text => Self::Text(cells.map(|cell| cell?.text()).collect()),
            Kind::Bytes => Self::Bytes(cells.map(|cell| cell?.byte_string()).collect()),
        }
    }
}

impl QueryFragment<Pg> for InsertColumns<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.head);
        // Identities keep the number that they have.
        out.push_sql(" OVERRIDING SYSTEM VALUE SELECT * FROM unnest(");
        for (number, values) in self.columns.iter().enumerate() {
            if number > 0 {
                out.push_sql(", ");
            }
            match values {
                Values::Boolean(values) => out.push_bind_param::<Array<Nullable<Bool>>, _>(values)?,
                Values::Integer(values) => out.push_bind_param::<Array<Nullable<Integer>>, _>(values)?,
                Values::BigInt(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?,
                Values::Text(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values)?,
                Values::Bytes(values) => out.push_bind_param::<Array<Nullable<Binary>>, _>(values)?,
            }
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for InsertColumns<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for InsertColumns<'_> {}

/// One row.
struct InsertRow<'a> {
    head: &'a str,
    row: &'a [Cell],
}

impl QueryFragment<Sqlite> for InsertRow<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(self.head);
        out.push_sql(" VALUES (");
        for (number, cell) in self.row.iter().enumerate() {
            if number > 0 {
                out.push_sql(", ");
            }
            match cell {
                Cell::Integer(number) => out.push_bind_param::<BigInt, _>(number)?,
                Cell::Text(text) => out.push_bind_param::<Text, _>(text)?,
                Cell::Bytes(bytes) => out.push_bind_param::<Binary, _>(bytes)?,
                Cell::Null | Cell::Odd(_) => out.push_bind_param::<Nullable<Text>, _>(&None::<String>)?,
            }
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for InsertRow<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<SqliteConnection> for InsertRow<'_> {}
