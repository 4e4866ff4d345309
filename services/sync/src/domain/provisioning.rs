//! Linking of devices: a new device waits on a websocket behind a random address, which it shows as a QR code; a device
//! that is logged in writes one envelope there. What is in the envelope is between the two (`proto/provisioning.md`).
//!
//! In: addresses, envelopes, signs that a code was read. Out: at most one envelope for each address, to the one websocket
//! that has it; to whoever wrote it, whether that websocket has taken it.
//!
//! What must hold: an address works once, for so long as its websocket is open and `ttl` at most; it is in no table, only
//! its hash is. The websocket and the call may be in different processes: the row decides, the live fan-out is a nudge,
//! and both sides look again now and then. Whoever hands over is told 204 only after the row says that the envelope was
//! taken: if the websocket's process died, nobody takes it, and the envelope is withdrawn.

mod frames;
mod hints;
mod listener;

use std::sync::Arc;
use std::time::Duration;

use common::crypto::token::{HashedToken, InvalidToken, PlainToken};
use common::models::problem::{AsProblem, ProblemKind};
use common::models::{Base64Bytes, UnixMillis};
use db::DbError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

pub(crate) use self::listener::serve;
use crate::app::State;
use crate::store::provisioning;

/// How long a row outlives its address, for whoever waits to be told that its envelope was taken.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A verb of provisioning failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProvisioningError {
    /// Nobody waits at this address (any more): unknown, used, expired or left, which of them is not told.
    #[error("nobody waits at this address")]
    NobodyWaits,
    /// There is nothing in the envelope.
    #[error("the envelope is empty")]
    Empty,
    /// The envelope is larger than the setting allows.
    #[error("the envelope is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// This process has all the websockets it may have.
    #[error("too many devices wait to be linked at the moment")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AsProblem for ProvisioningError {
    fn kind(&self) -> ProblemKind {
        match self {
            Self::NobodyWaits => ProblemKind::NotFound("provisioning-address-not-found"),
            Self::Empty => ProblemKind::Unprocessable("empty-envelope"),
            Self::TooLarge { .. } => ProblemKind::TooLarge,
            Self::Busy => ProblemKind::Unavailable,
            Self::Db(error) => error.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy => Some(Duration::from_secs(5)),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// An address as whoever writes to it knows it. Any other text is an address where nobody waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(HashedToken);

impl Address {
    fn of(token: &PlainToken) -> Self {
        Self(token.hashed())
    }
}

impl std::str::FromStr for Address {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        text.parse().map(|token: PlainToken| Self::of(&token))
    }
}

/// The places for websockets in this process.
#[derive(Clone, Debug)]
pub(crate) struct Seats(Arc<Semaphore>);

impl Seats {
    pub(crate) fn new(max_sockets: usize) -> Self {
        Self(Arc::new(Semaphore::new(max_sockets.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes a place for as long as the permit lives.
    ///
    /// # Errors
    /// [`ProvisioningError::Busy`].
    pub(crate) fn take(&self) -> Result<OwnedSemaphorePermit, ProvisioningError> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| ProvisioningError::Busy)
    }
}

/// Notes that the QR code of an address was read, which its page shows.
///
/// # Errors
/// [`ProvisioningError::NobodyWaits`].
pub(crate) async fn scanned(state: &State, Address(address): Address) -> Result<(), ProvisioningError> {
    let now = state.clock.now();
    if !state.db.write(move |conn| provisioning::mark_scanned(conn, address, now)).await? {
        return Err(ProvisioningError::NobodyWaits);
    }
    hints::changed(&state.live, address);
    Ok(())
}

/// Hands an envelope over to whoever waits at an address, and waits until they have it.
///
/// # Errors
/// [`ProvisioningError::NobodyWaits`], [`ProvisioningError::Empty`], [`ProvisioningError::TooLarge`].
pub(crate) async fn hand_over(
    state: &State,
    Address(address): Address,
    envelope: Base64Bytes,
) -> Result<(), ProvisioningError> {
    let settings = &state.settings.provisioning;
    if envelope.as_slice().is_empty() {
        return Err(ProvisioningError::Empty);
    }
    if envelope.as_slice().len() > settings.max_envelope_bytes {
        return Err(ProvisioningError::TooLarge { limit: settings.max_envelope_bytes });
    }
    // Heard from before the envelope is there, so that nothing falls between the two.
    let mut heard = hints::listen(&state.live, address);
    let now = state.clock.now();
    if !state.db.write(move |conn| provisioning::leave(conn, address, envelope, now)).await? {
        return Err(ProvisioningError::NobodyWaits);
    }
    hints::changed(&state.live, address);
    let until = Instant::now() + settings.delivery_timeout;
    while Instant::now() < until {
        // Told or not, one more look decides.
        let _ = timeout_at(until.min(Instant::now() + settings.recheck), heard.recv()).await;
        match state.db.read(move |conn| provisioning::find(conn, address)).await? {
            Some(row) if row.taken_at.is_some() => return Ok(()),
            Some(_) => {}
            None => return Err(ProvisioningError::NobodyWaits),
        }
    }
    // The websocket, or its process, is gone without a word. Taken in the last moment, it stays.
    let withdrawn = state.db.write(move |conn| provisioning::withdraw(conn, address)).await?;
    if withdrawn { Err(ProvisioningError::NobodyWaits) } else { was_taken(state, address).await }
}

async fn was_taken(state: &State, address: HashedToken) -> Result<(), ProvisioningError> {
    let row = state.db.read(move |conn| provisioning::find(conn, address)).await?;
    row.filter(|row| row.taken_at.is_some()).map(drop).ok_or(ProvisioningError::NobodyWaits)
}

/// Removes the addresses that expired some time before `now`.
pub(super) async fn sweep(state: &State, now: UnixMillis) -> Result<(), DbError> {
    let batch = state.settings.sweep_batch;
    let old = now - REMEMBERED;
    while state.db.write(move |conn| provisioning::prune(conn, old, batch.into())).await? >= batch as usize {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn an_address_is_43_characters_that_are_32_bytes_and_nothing_else(text in "[A-Za-z0-9_=+/ -]{0,50}") {
            let read = text.parse::<Address>();

            if read.is_ok() {
                proptest::prop_assert_eq!(text.len(), 43);
                proptest::prop_assert!(!text.contains(['=', '+', '/', ' ']));
            }
        }
    }

    #[test]
    fn a_process_has_so_many_seats() {
        let seats = Seats::new(1);

        let first = seats.take().unwrap();
        assert!(matches!(seats.take(), Err(ProvisioningError::Busy)));
        drop(first);

        assert!(seats.take().is_ok());
    }
}
