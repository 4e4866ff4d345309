//! STOPs that are stored and not answered yet: the SMSC is told that we know only when nothing is under way that was
//! claimed before. Its answers are what tells, so that they cannot wait in the loop that reads them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use common::models::sms::ClientId;
use smpp::codec::CommandStatus;
use smpp::esme::Delivery;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Gateway;
use crate::store::{StoreError, opt_outs};

/// STOPs that wait, at most; the SMSC is to bring others again.
pub(crate) const MOST: usize = 1024;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A STOP that waits.
pub(crate) struct Waiting {
    delivery: Delivery,
    stops: BTreeSet<(ClientId, String)>,
    since: Instant,
}

impl Waiting {
    /// Begins to wait.
    pub(crate) fn new(delivery: Delivery, stops: BTreeSet<(ClientId, String)>) -> Self {
        Self { delivery, stops, since: Instant::now() }
    }

    /// Has it brought again.
    pub(crate) fn refuse(self) {
        self.delivery.answer(CommandStatus::RX_T_APPN);
    }
}

/// Runs until cancelled. What waits then is not answered, and so comes again.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    mut incoming: mpsc::Receiver<Waiting>,
    cancel: CancellationToken,
) -> Result<(), Infallible> {
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            Some(one) = incoming.recv(), if waiting.len() < MOST => waiting.push(one),
            () = tokio::time::sleep(LOOK_EVERY), if !waiting.is_empty() => {}
        }
        while let Ok(one) = incoming.try_recv() {
            waiting.push(one);
        }
        waiting = match look(&gateway, waiting).await {
            Ok(waiting) => waiting,
            // Those that it had are not answered: they come again.
            Err(error) => {
                tracing::warn!(%error, "nobody can tell now what is under way to recipients who have opted out");
                Vec::new()
            }
        };
    }
}

/// Answers those for whom nothing is under way any more, and those who have waited for long; gives the others.
async fn look(gateway: &Gateway, waiting: Vec<Waiting>) -> Result<Vec<Waiting>, StoreError> {
    let stops: BTreeSet<_> = waiting.iter().flat_map(|one| one.stops.iter().cloned()).collect();
    let open = gateway.db.write(move |conn| opt_outs::under_way(conn, &stops)).await?;
    let mut left = Vec::new();
    for one in waiting {
        if one.stops.iter().all(|stop| !open.contains(stop)) {
            one.delivery.answer(CommandStatus::ROK);
        } else if one.since.elapsed() >= gateway.settings.opt_out.patience {
            one.refuse();
        } else {
            left.push(one);
        }
    }
    Ok(left)
}
