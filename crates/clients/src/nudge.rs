//! The nudge: an account event told at once to the services that must act on it, ahead of the bus.

use std::time::Duration;

use common::models::events::AccountEvent;
use futures_util::future::join_all;
use reqwest::Method;

use crate::error::ClientError;
use crate::http::Peer;

/// Tells other services of account events.
#[derive(Clone, Debug)]
pub struct Nudger {
    peers: Vec<Peer>,
    patience: Duration,
}

impl Nudger {
    /// Makes a nudger for these services. A nudge only shortens the way: the event arrives by the bus in any case. So the
    /// caller waits no longer than `patience`.
    #[must_use]
    pub fn new(peers: Vec<Peer>, patience: Duration) -> Self {
        Self { peers, patience }
    }

    /// Leaves one service out: that which makes the event has acted on it already.
    #[must_use]
    pub fn without(mut self, service: &str) -> Self {
        self.peers.retain(|peer| peer.service() != service);
        self
    }

    /// Tells all services at the same time, each once, and returns when its patience is over. Call it after the event is
    /// committed. Failures are logged; the return value is the number of services that did not confirm.
    pub async fn nudge(&self, event: &AccountEvent) -> usize {
        let calls = self.peers.iter().map(|peer| async move {
            let told = tokio::time::timeout(self.patience, tell(peer, event)).await;
            match told {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => {
                    tracing::warn!(service = peer.service(), %error, "nudge failed, the event follows by the bus");
                    1
                }
                Err(_) => {
                    tracing::warn!(service = peer.service(), "nudge timed out, the event follows by the bus");
                    1
                }
            }
        });
        join_all(calls).await.into_iter().sum()
    }
}

async fn tell(peer: &Peer, event: &AccountEvent) -> Result<(), ClientError> {
    let url = peer.url(&["internal", peer.service(), "v1", "nudge"]);
    peer.once(peer.request(Method::POST, url).json(event)).await.map(drop)
}
