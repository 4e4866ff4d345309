//! Concatenation references: counted per recipient, so that two long texts to one phone never share one.

use std::collections::BTreeMap;

use common::models::UnixMillis;
use db::DbConn;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::StoreError;
use super::schema::sms_references;

/// References are 16 bits, and 0 means none.
const RANGE: i64 = 0xFFFF;

/// Draws `count` references for each recipient (keyed hashes), from 1 to 65 535; a recipient's come again only after all
/// others have. A recipient that is new, or was forgotten, begins where the clock says.
pub(crate) fn draw(
    conn: &mut DbConn,
    counts: BTreeMap<String, i64>,
    now: UnixMillis,
) -> Result<BTreeMap<String, Vec<i32>>, StoreError> {
    use sms_references::{recipient, table, used_at, uses};
    if counts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let start = now.as_secs().rem_euclid(RANGE);
    let mut drawn = BTreeMap::new();
    for (whose, count) in counts {
        let first = (recipient.eq(&whose), uses.eq(start + count), used_at.eq(now));
        // One statement each: messages of several segments are few, and a batch has few of them.
        let last: i64 = db::on_backend!(conn, |c| diesel::insert_into(table)
            .values(first)
            .on_conflict(recipient)
            .do_update()
            .set((uses.eq(uses + count), used_at.eq(excluded(used_at))))
            .returning(uses)
            .get_result(c))?;
        let references = (last - count..last).map(|use_| i32::try_from(1 + use_ % RANGE).unwrap_or(1));
        drawn.insert(whose, references.collect());
    }
    Ok(drawn)
}
