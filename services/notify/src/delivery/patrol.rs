//! Compares the channels in use here with their tables, for what the live bus has dropped: now and then, every few
//! seconds while the broker is away, and at once for a shard of which the bus says so itself.

use std::time::Duration;

use common::models::notify::Place;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use crate::domain::{ChannelName, NotifyError};
use crate::store::channels;

/// Channels of one statement.
const STRIDE: usize = 1000;

/// How often it is asked whether the broker is there.
const GLANCE: Duration = Duration::from_millis(500);

/// Walks until `cancel`.
pub(crate) async fn run(hub: Hub, cancel: CancellationToken) {
    let mut waited = Duration::ZERO;
    loop {
        let settings = hub.settings();
        let glance = GLANCE.min(settings.recheck).min(settings.recheck_away);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = hub.patrol_asked() => waited = Duration::MAX,
            () = tokio::time::sleep(glance) => waited = waited.saturating_add(glance),
        }
        let due = if hub.live().is_connected() { settings.recheck } else { settings.recheck_away };
        if waited < due {
            continue;
        }
        waited = Duration::ZERO;
        hub.begin_round();
        for shard in 0..=u8::MAX {
            look_at(&hub, shard).await;
        }
    }
}

/// Looks at the channels of one shard.
pub(super) async fn look_at(hub: &Hub, shard: u8) {
    let names = hub.names(shard);
    for names in names.chunks(STRIDE) {
        if let Err(error) = compare(hub, names).await {
            tracing::warn!(%error, "channels could not be compared with their tables; trying again later");
            hub.ask_for_patrol();
            return;
        }
    }
}

async fn compare(hub: &Hub, names: &[ChannelName]) -> Result<(), NotifyError> {
    let wanted = names.to_vec();
    let heads = hub.db().read(move |conn| channels::heads(conn, &wanted)).await?;
    for head in heads {
        if let Some(name) = names.iter().find(|name| name.as_str() == head.channel) {
            hub.reach(name, Place { offset: head.last(), epoch: head.epoch });
        }
    }
    Ok(())
}
