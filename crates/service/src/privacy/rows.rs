//! The rows of one account as its owner may be given them: as they are stored, without secrets.

use std::collections::BTreeSet;

use common::models::Base64Bytes;
use common::models::privacy::Rows;
use db::{DbConn, DbError};
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;

use super::Held;

/// Rows of one page: so many of the largest envelopes are some megabytes.
const PAGE: usize = 64;

/// A column that is handed out.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// A number or a text.
    Plain(&'static str),
    /// A text that is stored as octets.
    Text(&'static str),
    /// Octets, in base64.
    Octets(&'static str),
    /// How many octets there are.
    Size(&'static str),
    /// Octets of a message, in base64, where messages are asked for.
    Message(&'static str),
    /// Text of a message, where messages are asked for.
    MessageText(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        let (Self::Plain(name) | Self::Text(name) | Self::Octets(name)) = self else {
            let (Self::Size(name) | Self::Message(name) | Self::MessageText(name)) = self else { return "" };
            return name;
        };
        name
    }

    fn is_octets(self) -> bool {
        matches!(self, Self::Octets(_) | Self::Message(_))
    }

    fn is_message(self) -> bool {
        matches!(self, Self::Message(_) | Self::MessageText(_))
    }

    /// What is read.
    fn sql(self, postgres: bool) -> String {
        let name = self.name();
        match (self, postgres) {
            (Self::Plain(_) | Self::MessageText(_), _) => name.to_owned(),
            (Self::Text(_), true) => format!("convert_from({name}, 'UTF8')"),
            (Self::Text(_), false) => format!("CAST({name} AS TEXT)"),
            (Self::Octets(_) | Self::Message(_), true) => format!("encode({name}, 'hex')"),
            (Self::Octets(_) | Self::Message(_), false) => format!("lower(hex({name}))"),
            (Self::Size(_), true) => format!("octet_length({name})"),
            (Self::Size(_), false) => format!("length({name})"),
        }
    }
}

/// Which rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// Behind these values of the columns by which the table is paged.
    pub(super) after: Option<Vec<i64>>,
    /// With messages.
    pub(super) messages: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    data: String,
    #[diesel(sql_type = Text)]
    place: String,
}

/// Reads the rows of the account that a table calls `name`: all, or a page of a table that is paged.
pub(super) fn read(conn: &mut DbConn, held: &Held, name: &str, page: &Page) -> Result<Rows, DbError> {
    let Some(column) = held.column else { return Ok(Rows::default()) };
    let columns: Vec<Column> =
        held.shown.iter().copied().filter(|column| page.messages || !column.is_message()).collect();
    let postgres = matches!(conn, DbConn::Pg(_));
    let fields: Vec<String> =
        columns.iter().map(|column| format!("'{}', {}", column.name(), column.sql(postgres))).collect();
    let object = if postgres { "json_build_object" } else { "json_object" };
    let (mut place, mut rest) = ("''".to_owned(), String::new());
    if !held.paged.is_empty() {
        let texts: Vec<String> = held.paged.iter().map(|key| format!("CAST({key} AS TEXT)")).collect();
        place = texts.join(" || ',' || ");
        let keys = held.paged.join(", ");
        if let Some(after) = &page.after {
            let after: Vec<String> = after.iter().map(i64::to_string).collect();
            rest = format!(" AND ({keys}) > ({})", after.join(", "));
        }
        rest += &format!(" ORDER BY {keys} LIMIT {PAGE}");
    }
    let sql = format!(
        "SELECT CAST({object}({fields}) AS TEXT) AS data, {place} AS place FROM {table} \
         WHERE {column} = $1 AND {only}{rest}",
        fields = fields.join(", "),
        table = held.table,
        only = held.only,
    );
    let query = diesel::sql_query(sql).bind::<Text, _>(name.to_owned());
    let found: Vec<Row> = db::on_backend!(conn, |c| query.load(c))?;
    let next = found.last().filter(|_| found.len() == PAGE).map(|row| row.place.clone());
    let octets: BTreeSet<&str> = columns.iter().filter(|one| one.is_octets()).map(|one| one.name()).collect();
    let rows = found.iter().map(|row| handed_out(&row.data, &octets)).collect::<Result<_, _>>()?;
    Ok(Rows { rows, next: next.filter(|place| !place.is_empty()) })
}

/// A row with its octets in base64: both databases can write them in hexadecimal alone.
fn handed_out(data: &str, octets: &BTreeSet<&str>) -> Result<Value, DbError> {
    let mut row: Value = serde_json::from_str(data).map_err(DbError::other)?;
    for (name, value) in row.as_object_mut().into_iter().flatten() {
        if octets.contains(name.as_str())
            && let Some(text) = value.as_str()
        {
            *value = Base64Bytes(hex::decode(text).map_err(DbError::other)?).to_string().into();
        }
    }
    Ok(row)
}
