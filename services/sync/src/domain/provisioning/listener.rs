//! The websocket of a new device: one address, at most one envelope, then the end.

use std::sync::Arc;

use bus::live::LiveSubscription;
use common::crypto::token::PlainToken;
use db::DbError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout_at};
use web::ws::{CloseCode, Socket};

use super::frames::ServerFrame;
use super::{Address, ProvisioningError, hints};
use crate::app::State;
use crate::store::provisioning::{self, ProvisioningRow};

/// The time of the address is over; ask for another.
const EXPIRED: CloseCode = CloseCode::new(4408);

/// Serves one websocket until its envelope is there, its time is over, or the peer leaves.
pub(crate) async fn serve(state: Arc<State>, seat: OwnedSemaphorePermit, mut socket: Socket) {
    let gauge = &state.metrics.provisioning_sockets;
    gauge.inc();
    let end = match Listener::begin(&state, &mut socket).await {
        Ok(mut listener) => {
            let end = listener.run(&mut socket).await;
            // Whatever the end was, nothing may be written to this address any more.
            if let Err(error) = listener.leave().await {
                tracing::debug!(%error, "an address could not be removed; it expires by itself");
            }
            end
        }
        Err(error) => End::of(&error),
    };
    gauge.dec();
    state.metrics.provisionings_total.with_label_values(&[end.outcome()]).inc();
    if let Some((code, reason)) = end.close() {
        socket.close(code, reason).await;
    }
    drop(seat);
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The envelope is on its way to the peer.
    Done,
    /// Nobody wrote in time.
    Expired,
    /// The peer left, or the connection was lost.
    Left,
    /// The peer broke a rule.
    Refused,
    /// The database failed.
    Failed,
}

impl End {
    fn of(error: &ProvisioningError) -> Self {
        tracing::debug!(%error, "a provisioning websocket failed");
        Self::Failed
    }

    fn outcome(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Left => "left",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The code to close with, where the socket is ours to close.
    fn close(self) -> Option<(CloseCode, &'static str)> {
        match self {
            Self::Done => Some((CloseCode::NORMAL, "done")),
            Self::Expired => Some((EXPIRED, "expired")),
            Self::Left => None,
            Self::Refused => Some((CloseCode::POLICY, "refused")),
            Self::Failed => Some((CloseCode::TRY_AGAIN, "try again")),
        }
    }
}

struct Listener<'a> {
    state: &'a State,
    address: Address,
    heard: LiveSubscription,
    until: Instant,
    scanned: bool,
}

impl<'a> Listener<'a> {
    /// Makes an address, and tells the peer.
    async fn begin(state: &'a State, socket: &mut Socket) -> Result<Self, ProvisioningError> {
        let ttl = state.settings.provisioning.ttl;
        let plain = PlainToken::generate().map_err(DbError::other)?;
        let address = Address::of(&plain);
        // Heard from before the row is there, so that nothing falls between the two.
        let heard = hints::listen(&state.live, address.0);
        let expires_at = state.clock.now() + ttl;
        state.db.write(move |conn| provisioning::insert(conn, address.0, expires_at)).await?;
        let fingerprint = state.key.public().fingerprint();
        let frame = ServerFrame::Address {
            address: plain.expose(),
            expires_in: ttl.as_secs(),
            server_key_fingerprint: &fingerprint,
        };
        // A peer that is gone already is noticed by the first look at its socket.
        let _ = socket.send_text(&frame.to_text());
        Ok(Self { state, address, heard, until: Instant::now() + ttl, scanned: false })
    }

    async fn run(&mut self, socket: &mut Socket) -> End {
        loop {
            let look = Instant::now() + self.state.settings.provisioning.recheck;
            let step = tokio::select! {
                // Nothing is to be said on this websocket.
                message = socket.next() => Some(message.map_or(End::Left, |_| End::Refused)),
                () = sleep_until(self.until) => Some(End::Expired),
                // Told or not, one more look decides.
                _ = timeout_at(look, self.heard.recv()) => match self.look(socket).await {
                    Ok(end) => end,
                    Err(error) => Some(End::of(&error)),
                },
            };
            if let Some(end) = step {
                return end;
            }
        }
    }

    /// Reads the row, and tells the peer what is new.
    async fn look(&mut self, socket: &mut Socket) -> Result<Option<End>, ProvisioningError> {
        let (Address(address), now) = (self.address, self.state.clock.now());
        let row = self.state.db.read(move |conn| provisioning::find(conn, address)).await?;
        // Withdrawn by whoever wrote, since nobody took it in time.
        let Some(ProvisioningRow { scanned_at, envelope, .. }) = row else { return Ok(Some(End::Expired)) };
        if scanned_at.is_some() && !self.scanned {
            self.scanned = true;
            let _ = socket.send_text(&ServerFrame::Scanned.to_text());
        }
        if envelope.is_none() {
            return Ok(None);
        }
        // Taken first: of this and a withdrawal exactly one is told that it was done. Should this process die before the
        // frame is out, the envelope is lost; both devices find out, since no device appears.
        let Some(envelope) = self.state.db.write(move |conn| provisioning::take(conn, address, now)).await?
        else {
            return Ok(Some(End::Expired));
        };
        let sent = socket.send_text(&ServerFrame::Envelope { body: &envelope }.to_text());
        socket.drained().await;
        hints::changed(&self.state.live, address);
        Ok(Some(if sent.is_ok() { End::Done } else { End::Left }))
    }

    async fn leave(&self) -> Result<(), ProvisioningError> {
        let Address(address) = self.address;
        if self.state.db.write(move |conn| provisioning::withdraw(conn, address)).await? {
            hints::changed(&self.state.live, address);
        }
        Ok(())
    }
}
