//! What operators want of binds.

use common::models::UnixMillis;
use common::models::sms::SmscName;
use db::{DbConn, on_backend};
use diesel::prelude::*;

use super::StoreError;
use super::schema::sms_orders;
use crate::domain::order::Order;

/// Reads the orders for these SMSCs; one that is not named in the answer is open.
pub(crate) fn among(conn: &mut DbConn, smscs: &[SmscName]) -> Result<Vec<(SmscName, Order)>, StoreError> {
    let of = sms_orders::table.filter(sms_orders::smsc.eq_any(smscs));
    let rows: Vec<(SmscName, String)> = of.select((sms_orders::smsc, sms_orders::state)).load(conn)?;
    let read = |(smsc, state): (SmscName, String)| Ok((smsc, state.parse().map_err(StoreError::unreadable)?));
    rows.into_iter().map(read).collect()
}

/// Gives an order, in place of the one before.
pub(crate) fn give(
    conn: &mut DbConn,
    smsc: &SmscName,
    order: Order,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let columns = (sms_orders::state.eq(order.as_str()), sms_orders::changed_at.eq(now));
    on_backend!(conn, |c| diesel::insert_into(sms_orders::table)
        .values((sms_orders::smsc.eq(smsc), columns))
        .on_conflict(sms_orders::smsc)
        .do_update()
        .set(columns)
        .execute(c))?;
    Ok(())
}
