//! The websockets of this process: at most one for each mailbox.
//!
//! A device that connects takes the seat of its mailbox; whoever had it is told to leave. Between processes the same is
//! told by a live hint that carries an [`Announcement`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use telemetry::prometheus::IntGauge;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::domain::MailboxId;

/// A connection older than this gives way to any other. Between younger ones their ids decide, so that of two that hear
/// of each other one stays.
const YOUNG: Duration = Duration::from_secs(10);

/// Who sits where. Clones share it.
#[derive(Clone)]
pub(crate) struct Sockets(Arc<Shared>);

struct Shared {
    process: Uuid,
    seats: Mutex<HashMap<MailboxId, Taken>>,
    gauge: IntGauge,
}

struct Taken {
    connection: Uuid,
    displaced: CancellationToken,
    left: CancellationToken,
}

/// Tells one connection of a device from the next, in all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announcement {
    process: Uuid,
    connection: Uuid,
}

impl Announcement {
    pub(crate) fn new(process: Uuid) -> Self {
        Self { process, connection: Uuid::now_v7() }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.process.into_bytes(), self.connection.into_bytes()].concat()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (process, connection) = bytes.split_at_checked(16)?;
        Some(Self {
            process: Uuid::from_slice(process).ok()?,
            connection: Uuid::from_slice(connection).ok()?,
        })
    }
}

impl Sockets {
    /// Makes the registry of a process; `gauge` shows how many seats are taken.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self(Arc::new(Shared { process: Uuid::new_v4(), seats: Mutex::default(), gauge }))
    }

    /// Tells whether a device is connected to this process.
    pub(crate) fn holds(&self, id: MailboxId) -> bool {
        self.0.seats().contains_key(&id)
    }

    /// Takes the seat of a mailbox, and tells whoever had it to leave.
    pub(crate) fn take(&self, id: MailboxId) -> Seat {
        let announcement = Announcement::new(self.0.process);
        let (displaced, left) = (CancellationToken::new(), CancellationToken::new());
        let taken =
            Taken { connection: announcement.connection, displaced: displaced.clone(), left: left.clone() };
        let mut seats = self.0.seats();
        let earlier = seats.insert(id, taken);
        self.0.gauge.set(i64::try_from(seats.len()).unwrap_or(i64::MAX));
        drop(seats);
        let earlier = earlier.map(|earlier| {
            earlier.displaced.cancel();
            earlier.left
        });
        Seat {
            sockets: self.clone(),
            id,
            announcement,
            since: Instant::now(),
            displaced,
            earlier,
            _left: left.drop_guard(),
        }
    }
}

impl Shared {
    fn seats(&self) -> MutexGuard<'_, HashMap<MailboxId, Taken>> {
        // Entries are put in and taken out whole.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The seat of one connection, left when it is dropped.
pub(crate) struct Seat {
    sockets: Sockets,
    id: MailboxId,
    announcement: Announcement,
    since: Instant,
    displaced: CancellationToken,
    earlier: Option<CancellationToken>,
    _left: DropGuard,
}

impl Seat {
    /// What to tell the other processes.
    pub(crate) fn announcement(&self) -> Announcement {
        self.announcement
    }

    /// Waits, for no longer than `patience`, until the connection that had the seat has left it.
    pub(crate) async fn earlier_left(&mut self, patience: Duration) {
        if let Some(earlier) = self.earlier.take() {
            // If it does not leave in time, the device gets some envelopes on both, which it has to bear anyway.
            let _ = tokio::time::timeout(patience, earlier.cancelled()).await;
        }
    }

    /// Resolves when the same device has connected to this process again.
    pub(crate) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Tells whether a connection that announced itself takes this one's place. Those of this process are told by
    /// [`Seat::displaced`].
    pub(crate) fn gives_way_to(&self, other: Announcement) -> bool {
        let is_later = || other.connection > self.announcement.connection || self.since.elapsed() > YOUNG;
        other.process != self.announcement.process && is_later()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.sockets.0.seats();
        // The successor may have the entry already.
        if seats.get(&self.id).is_some_and(|taken| taken.connection == self.announcement.connection) {
            seats.remove(&self.id);
        }
        self.sockets.0.gauge.set(i64::try_from(seats.len()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use common::models::{AccountId, DeviceId};
    use futures_util::FutureExt;

    use super::*;

    fn sockets() -> Sockets {
        Sockets::new(IntGauge::new("sockets", "Devices connected.").unwrap())
    }

    fn id() -> MailboxId {
        MailboxId { account: AccountId::new(), device: DeviceId::new(1).unwrap() }
    }

    #[tokio::test]
    async fn a_successor_keeps_the_seat_when_its_predecessor_leaves() {
        let (sockets, id) = (sockets(), id());
        let first = sockets.take(id);

        let mut second = sockets.take(id);

        assert!(first.displaced().now_or_never().is_some());
        assert!(second.displaced().now_or_never().is_none());
        drop(first);
        let first_left = Instant::now();
        second.earlier_left(Duration::from_secs(60)).await;
        assert!(first_left.elapsed() < Duration::from_secs(30));
        assert!(sockets.holds(id));
        drop(second);
        assert!(!sockets.holds(id));
        assert_eq!(sockets.0.gauge.get(), 0);
    }

    #[test]
    fn of_two_that_hear_of_each_other_one_stays() {
        let id = id();
        let (here, there) = (sockets(), sockets());
        let (mine, other) = (here.take(id), there.take(id));

        let leaves = [mine.gives_way_to(other.announcement()), other.gives_way_to(mine.announcement())];

        assert_eq!(leaves, [true, false]);
        assert!(!mine.gives_way_to(mine.announcement()));
    }
}
