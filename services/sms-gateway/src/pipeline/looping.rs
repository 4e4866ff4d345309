//! The loop-back client: publishes its statuses when they are due. They are rows, so a restart loses none.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::store::{StoreError, loopback};

/// Statuses of one transaction at most.
const ROUND: i64 = 256;
/// Longest sleep: another instance may have stored a status that is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until cancelled.
pub(crate) async fn run(gateway: Arc<Gateway>, cancel: CancellationToken) -> Result<(), Infallible> {
    while !cancel.is_cancelled() {
        let pause = match round(&gateway).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "loop-back statuses cannot be published now");
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = cancel.cancelled() => break,
            () = gateway.loops.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

/// Publishes what is due and tells how long nothing else will be.
async fn round(gateway: &Gateway) -> Result<Duration, StoreError> {
    let now = gateway.now();
    let Some(next) = gateway.db.read(loopback::next_due).await? else { return Ok(LOOK_EVERY) };
    if next > now {
        return Ok((next - now).min(LOOK_EVERY));
    }
    let rules = gateway.rules.clone();
    let published = gateway.db.write(move |conn| loopback::publish_due(conn, &rules, now, ROUND)).await?;
    gateway.announcer.announce(&published);
    // Nothing although something is due: another instance has it.
    Ok(if published.is_empty() { LOOK_EVERY } else { Duration::ZERO })
}
