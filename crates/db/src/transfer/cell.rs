//! One value, and one row, of any table on either backend.

use diesel::backend::Backend;
use diesel::deserialize::{FromSql, QueryableByName, Result};
use diesel::pg::{Pg, PgValue};
use diesel::row::{Field as _, NamedRow};
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Text};
use diesel::sqlite::{Sqlite, SqliteType};

use super::TransferError;
use super::shape::{Kind, Table};

/// A value, the same whichever backend it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    /// A number of any width; a boolean is 0 or 1.
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// What SQLite holds although no column of ours is meant for it, in words that go on after the column's name.
    Odd(&'static str),
}

/// A row with the cells of a table's columns in their order.
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    /// SQLite: its `rowid`.
    at: Option<i64>,
}

impl Row {
    /// Checks that each cell is of its column's kind: SQLite stores anything anywhere.
    pub(super) fn check(&self, table: &Table) -> std::result::Result<(), TransferError> {
        for (cell, column) in self.cells.iter().zip(&table.columns) {
            if let Err(problem) = cell.check(column.kind) {
                let (table, column) = (table.name.clone(), column.name.clone());
                return Err(TransferError::Unfit {
                    table,
                    row: self.at.unwrap_or_default(),
                    column,
                    problem,
                });
            }
        }
        Ok(())
    }
}

impl Cell {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn byte_string(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// How much memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Null | Self::Integer(_) | Self::Odd(_) => size_of::<i64>(),
        }
    }

    fn check(&self, kind: Kind) -> std::result::Result<(), &'static str> {
        match (kind, self) {
            (_, Self::Odd(problem)) => Err(problem),
            (Kind::Boolean, Self::Integer(0 | 1))
            | (Kind::BigInt, Self::Integer(_))
            | (Kind::Bytes, Self::Bytes(_))
            | (_, Self::Null) => Ok(()),
            (Kind::Boolean, _) => Err("is neither true nor false"),
            (Kind::Integer, Self::Integer(number)) if i32::try_from(*number).is_ok() => Ok(()),
            (Kind::Integer, Self::Integer(_)) => Err("does not fit into 32 bits"),
            (Kind::Integer | Kind::BigInt, _) => Err("is no whole number"),
            // PostgreSQL's text ends there.
            (Kind::Text, Self::Text(text)) if text.contains('\0') => Err("holds a NUL"),
            (Kind::Text, Self::Text(_)) => Ok(()),
            (Kind::Text, _) => Err("is no text"),
            (Kind::Bytes, _) => Err("is no byte string"),
        }
    }
}

fn cells<'a, DB: Backend>(
    row: &impl NamedRow<'a, DB>,
    read: impl Fn(DB::RawValue<'_>) -> Result<Cell>,
) -> Result<Vec<Cell>> {
    let cell = |at| {
        let field = diesel::row::Row::get(row, at);
        match field.as_ref().and_then(|field| field.value()) {
            None => Ok(Cell::Null),
            Some(value) => read(value),
        }
    };
    (0..row.field_count()).map(cell).collect()
}

impl QueryableByName<Pg> for Row {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> Result<Self> {
        Ok(Self { cells: cells(row, postgres)?, at: None })
    }
}

/// The object ids of the types are fixed for all versions of PostgreSQL (`pg_type.dat`).
fn postgres(value: PgValue<'_>) -> Result<Cell> {
    Ok(match value.get_oid().get() {
        16 => Cell::Integer(<bool as FromSql<Bool, Pg>>::from_sql(value)?.into()),
        17 => Cell::Bytes(<Vec<u8> as FromSql<Binary, Pg>>::from_sql(value)?),
        20 => Cell::Integer(<i64 as FromSql<BigInt, Pg>>::from_sql(value)?),
        23 => Cell::Integer(<i32 as FromSql<Integer, Pg>>::from_sql(value)?.into()),
        25 => Cell::Text(<String as FromSql<Text, Pg>>::from_sql(value)?),
        _ => return Err("a value of a type that no column of ours has".into()),
    })
}

impl QueryableByName<Sqlite> for Row {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> Result<Self> {
        let mut cells = cells(row, sqlite)?;
        let at = match cells.pop() {
            Some(Cell::Integer(rowid)) => Some(rowid),
            _ => None,
        };
        Ok(Self { cells, at })
    }
}

/// By what is stored, not by what the column is declared as.
fn sqlite(mut value: <Sqlite as Backend>::RawValue<'_>) -> Result<Cell> {
    Ok(match value.value_type() {
        None => Cell::Null,
        Some(SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long) => {
            Cell::Integer(value.read_long())
        }
        Some(SqliteType::Binary) => Cell::Bytes(value.read_blob().to_vec()),
        // Read as bytes: SQLite takes any for text.
        Some(SqliteType::Text) => match String::from_utf8(value.read_blob().to_vec()) {
            Ok(text) => Cell::Text(text),
            Err(_) => Cell::Odd("is not UTF-8"),
        },
        Some(SqliteType::Float | SqliteType::Double) => Cell::Odd("is a fraction"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_fits_its_column_or_is_refused_in_words() {
        let (number, text) = (Cell::Integer, |text: &str| Cell::Text(text.into()));
        for (kind, good) in [
            (Kind::Boolean, number(1)),
            (Kind::Integer, number(i64::from(i32::MIN))),
            (Kind::BigInt, number(i64::MAX)),
            (Kind::Text, text("ü")),
            (Kind::Bytes, Cell::Bytes(vec![0])),
            (Kind::Text, Cell::Null),
        ] {
            assert_eq!(good.check(kind), Ok(()), "{good:?}");
        }
        for (kind, bad, problem) in [
            (Kind::Boolean, number(2), "is neither true nor false"),
            (Kind::Integer, number(1 << 31), "does not fit into 32 bits"),
            (Kind::BigInt, text("7"), "is no whole number"),
            (Kind::Text, text("a\0b"), "holds a NUL"),
            (Kind::Text, Cell::Bytes(vec![1]), "is no text"),
            (Kind::Bytes, text("x"), "is no byte string"),
            (Kind::BigInt, Cell::Odd("is a fraction"), "is a fraction"),
        ] {
            assert_eq!(bad.check(kind), Err(problem), "{bad:?}");
        }
    }
}
