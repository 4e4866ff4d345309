//! Obeys what operators want of binds: told to one instance, kept in the table, and read by all.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use common::models::sms::SmscName;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::links::Links;
use crate::store::{StoreError, orders};

/// Within a second all instances obey.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const _: () = assert!(LOOK_EVERY.as_millis() <= 500, "what is done about an order takes its time, too");

/// Runs until cancelled.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    links: Arc<Links>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = async {
        loop {
            ticks.tick().await;
            if let Err(error) = obey(&gateway, &links).await {
                tracing::debug!(%error, "the orders of operators cannot be read now; those known hold on");
            }
        }
    };
    let _: Option<Infallible> = cancel.run_until_cancelled(look).await;
    Ok(())
}

/// Reads the orders, and lets the links take them over.
///
/// # Errors
/// Those of the database.
pub(crate) async fn obey(gateway: &Gateway, links: &Links) -> Result<(), StoreError> {
    // One at a time: what was read before an order was given must not be taken over after it.
    let _turn = links.orders.lock().await;
    let smscs: Vec<SmscName> = links.all().iter().map(|link| link.name.clone()).collect();
    let orders = gateway.db.read(move |conn| orders::among(conn, &smscs)).await?;
    let orders: HashMap<_, _> = orders.into_iter().collect();
    for link in links.all() {
        let order = orders.get(&link.name).copied().unwrap_or_default();
        if link.obey(order) {
            tracing::info!(smsc = %link.name, order = order.as_str(), "what operators want of the SMSC");
            gateway.work.notify_one();
        }
    }
    Ok(())
}
