//! Identities that the database counts up: they go on where they were, also past rows that are gone.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::shape::Table;
use super::{TransferError, quoted};
use crate::DbConn;

/// Takes the last number that was given on one side to the other. A sequence of PostgreSQL is no part of a snapshot, so
/// this comes after the rows.
pub(super) fn carry(from: &mut DbConn, to: &mut DbConn, table: &Table) -> Result<(), TransferError> {
    let Some(column) = table.columns.iter().find(|column| column.counts) else { return Ok(()) };
    let Some(last) = last(from, &table.name, &column.name)? else { return Ok(()) };
    match to {
        DbConn::Pg(c) => {
            diesel::sql_query("SELECT setval(pg_get_serial_sequence($1, $2), $3)")
                .bind::<Text, _>(quoted(&table.name))
                .bind::<Text, _>(&column.name)
                .bind::<BigInt, _>(last)
                .execute(c)?;
        }
        DbConn::Sqlite(c) => {
            diesel::sql_query("DELETE FROM sqlite_sequence WHERE name = ?")
                .bind::<Text, _>(&table.name)
                .execute(c)?;
            diesel::sql_query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
                .bind::<Text, _>(&table.name)
                .bind::<BigInt, _>(last)
                .execute(c)?;
        }
    }
    Ok(())
}

/// The last number that was given; none where none was.
fn last(conn: &mut DbConn, table: &str, column: &str) -> Result<Option<i64>, TransferError> {
    #[derive(QueryableByName)]
    struct Last {
        #[diesel(sql_type = Nullable<BigInt>)]
        last: Option<i64>,
    }
    let found: Option<Last> = match conn {
        DbConn::Pg(c) => diesel::sql_query(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass) AS last",
        )
        .bind::<Text, _>(quoted(table))
        .bind::<Text, _>(column)
        .get_result(c)
        .optional()?,
        DbConn::Sqlite(c) => diesel::sql_query("SELECT seq AS last FROM sqlite_sequence WHERE name = ?")
            .bind::<Text, _>(table)
            .get_result(c)
            .optional()?,
    };
    Ok(found.and_then(|found| found.last).filter(|last| *last > 0))
}
