//! Statements of PostgreSQL that take a whole batch as arrays, one for each column.
//!
//! In: rows, and for each column its SQL type and how a row gives its value. Out: a diesel query whose text is the same
//! whatever the number of rows, so that each connection prepares it once; diesel's own inserts of slices, and
//! `eq_any` within a larger query, are parsed and planned anew each time. Arrays are PostgreSQL's: on SQLite a loop
//! over a cached statement does as well.
//!
//! ```
//! use db::{BatchQuery, BatchSql, Rows};
//! use diesel::prelude::*;
//! use diesel::sql_types::{BigInt, Text};
//!
//! /// Adds to counters, and gives what they are then.
//! enum Add {}
//!
//! impl BatchSql for Add {
//!     const SQL: &str = "UPDATE counters AS c SET total = c.total + {factor} * n.more FROM {n} \
//!                        WHERE c.name = n.name RETURNING c.name, c.total";
//!     type Row = (Text, BigInt);
//! }
//!
//! fn add(conn: &mut PgConnection, counts: &[(&str, i64)]) -> QueryResult<Vec<(String, i64)>> {
//!     let rows = Rows::of(counts)
//!         .column::<Text, _>("name", |(name, _)| *name)
//!         .column::<BigInt, _>("more", |(_, more)| *more);
//!     BatchQuery::<Add>::new().rows("n", rows).value::<BigInt, _>("factor", 1_i64).load(conn)
//! }
//! ```

mod cell;

use std::marker::PhantomData;

use diesel::expression::TypedExpressionType;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error::QueryBuilderError;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, HasSqlType, Integer};
use diesel::{QueryResult, RunQueryDsl, Selectable};

use cell::Packed;
pub use cell::{Cell, CellType};

/// The text of a statement. What implements it is only a name.
pub trait BatchSql: 'static {
    /// The text, with names in braces for what is given to the query: rows become `unnest(…) AS name (columns)`, and
    /// with `.*` behind their name the names of their columns; values and selected columns are put in place.
    const SQL: &'static str;
    /// The SQL type of the rows that come back; `()` for a statement that is only executed.
    type Row;
}

/// A statement with its arrays and values; diesel's `execute` and `load` run it.
pub struct BatchQuery<'a, S> {
    parts: Vec<(&'static str, Part<'a>)>,
    sql: PhantomData<fn() -> S>,
}

enum Part<'a> {
    Rows(Vec<Column>),
    Piece(Box<dyn Piece + 'a>),
}

/// A column's name and its array.
type Column = (&'static str, Box<dyn Piece>);

/// Rows, column by column.
pub struct Rows<'a, R> {
    of: &'a [R],
    columns: Vec<Column>,
}

impl<'a, R> Rows<'a, R> {
    /// Begins without columns.
    pub fn of(rows: &'a [R]) -> Self {
        Self { of: rows, columns: Vec::new() }
    }

    /// Adds the column `name` of the type `integer`: the place of each row among them, from 0.
    pub fn numbered(mut self, name: &'static str) -> Self {
        let count = i32::try_from(self.of.len()).unwrap_or(i32::MAX);
        let array = Packed::of::<Integer, i32>(0..count);
        self.columns.push((name, Box::new(Bound::<Array<Integer>, _>(array, PhantomData))));
        self
    }

    /// Adds the column `name` of the SQL type `ST`; `value` takes it from a row.
    pub fn column<ST, V>(mut self, name: &'static str, value: impl Fn(&'a R) -> V) -> Self
    where
        ST: CellType + 'static,
        V: Cell<ST>,
        Pg: HasSqlType<ST>,
    {
        let array = Packed::of::<ST, V>(self.of.iter().map(value));
        self.columns.push((name, Box::new(Bound::<Array<ST>, _>(array, PhantomData))));
        self
    }
}

impl<S> Default for BatchQuery<'_, S> {
    fn default() -> Self {
        Self { parts: Vec::new(), sql: PhantomData }
    }
}

impl<'a, S> BatchQuery<'a, S> {
    /// Begins without rows and values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the rows that `{name}` stands for.
    pub fn rows<R>(mut self, name: &'static str, rows: Rows<'a, R>) -> Self {
        self.parts.push((name, Part::Rows(rows.columns)));
        self
    }

    /// Gives the value that `{name}` stands for.
    pub fn value<ST, V>(mut self, name: &'static str, value: V) -> Self
    where
        ST: 'static,
        V: ToSql<ST, Pg> + 'a,
        Pg: HasSqlType<ST>,
    {
        self.parts.push((name, Part::Piece(Box::new(Bound::<ST, _>(value, PhantomData)))));
        self
    }

    /// Lets `{name}` stand for the columns that a `T` is read from, each with its table's name before it.
    pub fn columns_of<T>(mut self, name: &'static str) -> Self
    where
        T: Selectable<Pg>,
        T::SelectExpression: QueryFragment<Pg> + 'a,
    {
        self.parts.push((name, Part::Piece(Box::new(Selected(T::construct_selection())))));
        self
    }

    fn part(&self, name: &str) -> QueryResult<&Part<'a>> {
        let found = self.parts.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, part)| part)
            .ok_or_else(|| QueryBuilderError(format!("{{{name}}} was not given").into()))
    }

    fn push<'b>(&'b self, name: &str, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if let Some(name) = name.strip_suffix(".*") {
            match self.part(name)? {
                Part::Rows(columns) => push_names(columns, out),
                Part::Piece(_) => return Err(QueryBuilderError(format!("{{{name}}} has no columns").into())),
            }
            return Ok(());
        }
        match self.part(name)? {
            Part::Piece(piece) => piece.push(out),
            Part::Rows(columns) => {
                out.push_sql("unnest(");
                for (number, (_, array)) in columns.iter().enumerate() {
                    if number > 0 {
                        out.push_sql(", ");
                    }
                    array.push(out)?;
                }
                out.push_sql(") AS ");
                out.push_sql(name);
                out.push_sql(" (");
                push_names(columns, out);
                out.push_sql(")");
                Ok(())
            }
        }
    }
}

fn push_names(columns: &[Column], out: &mut AstPass<'_, '_, Pg>) {
    for (number, (name, _)) in columns.iter().enumerate() {
        if number > 0 {
            out.push_sql(", ");
        }
        out.push_sql(name);
    }
}

impl<S: BatchSql> QueryFragment<Pg> for BatchQuery<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut text = S::SQL;
        while let Some((before, rest)) = text.split_once('{') {
            let unclosed = || QueryBuilderError("a name is not closed".into());
            let (name, after) = rest.split_once('}').ok_or_else(unclosed)?;
            out.push_sql(before);
            self.push(name, &mut out)?;
            text = after;
        }
        out.push_sql(text);
        Ok(())
    }
}

impl<S: BatchSql> QueryId for BatchQuery<'_, S> {
    type QueryId = BatchQuery<'static, S>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: BatchSql> Query for BatchQuery<'_, S>
where
    S::Row: TypedExpressionType,
{
    type SqlType = S::Row;
}

impl<S> RunQueryDsl<PgConnection> for BatchQuery<'_, S> {}

/// What is put into a text.
trait Piece {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

/// A value to bind.
struct Bound<ST, V>(V, PhantomData<fn() -> ST>);

impl<ST, V> Piece for Bound<ST, V>
where
    V: ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<ST, V>(&self.0)
    }
}

/// Columns to read.
struct Selected<E>(E);

impl<E: QueryFragment<Pg>> Piece for Selected<E> {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())
    }
}
