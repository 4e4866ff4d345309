//! The insert of many rows in one PostgreSQL statement whose text never changes, so that it is prepared once.
//!
//! diesel's own insert of a slice has a text per length and is planned anew each time.

use common::models::UnixMillis;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};

use crate::Record;

pub(super) struct InsertAll<'a> {
    topics: Vec<&'a str>,
    keys: Vec<Option<&'a [u8]>>,
    values: Vec<Option<&'a [u8]>>,
    headers: &'a [String],
    now: i64,
}

impl<'a> InsertAll<'a> {
    pub(super) fn new(records: &'a [Record], headers: &'a [String], now: UnixMillis) -> Self {
        Self {
            topics: records.iter().map(|record| record.topic.as_str()).collect(),
            keys: records.iter().map(|record| record.key.as_deref()).collect(),
            values: records.iter().map(|record| record.value.as_deref()).collect(),
            headers,
            now: now.as_i64(),
        }
    }
}

impl QueryId for InsertAll<'_> {
    type QueryId = InsertAll<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for InsertAll<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO outbox (topic, record_key, record_value, headers, created_at) ");
        out.push_sql("SELECT topic, key, value, headers, ");
        out.push_bind_param::<BigInt, _>(&self.now)?;
        out.push_sql(" FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.topics)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.values)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.headers)?;
        out.push_sql(") WITH ORDINALITY AS r (topic, key, value, headers, n) ORDER BY n");
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for InsertAll<'_> {}
