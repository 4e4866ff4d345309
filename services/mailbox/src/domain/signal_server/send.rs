//! Sending to the device of an account.

use std::sync::Arc;

use common::models::{AccountId, SharedClock, SignalServerId, UnixMillis};
use db::{Batcher, BatcherSettings, Db, DbConn, DbError};

use super::{SignalServerError, meant};
use crate::app::State;
use crate::domain::MailboxError;
use crate::settings::MailboxSettings;
use crate::store::signal_server::devices::{self, DeviceRow};
use crate::store::signal_server::sends::{self, StoredRow};

/// A message on its way in. A registration id is none for a number that no device can have.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) sender: AccountId,
    /// What the sender believes its own to be.
    pub(crate) sender_registration_id: Option<SignalServerId>,
    pub(crate) recipient: AccountId,
    /// That of the device that it is encrypted to.
    pub(crate) recipient_registration_id: Option<SignalServerId>,
    pub(crate) content: String,
}

/// How full a queue may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Most messages.
    pub(crate) most: i64,
    /// Most bytes of content.
    pub(crate) most_bytes: i64,
}

impl Terms {
    fn of(settings: &MailboxSettings) -> Self {
        Self {
            most: i64::from(settings.max_envelopes),
            most_bytes: i64::try_from(settings.max_bytes).unwrap_or(i64::MAX),
        }
    }
}

/// Stores messages that arrive together in one transaction. Clones share the thread that does.
#[derive(Clone)]
pub(crate) struct Sender {
    batcher: Batcher<Outgoing, Option<StoredRow>, DbError>,
    terms: Terms,
}

impl Sender {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`DbError::Other`] when the system gives none.
    pub(crate) fn start(
        db: &Db,
        settings: Arc<MailboxSettings>,
        clock: SharedClock,
    ) -> Result<Self, DbError> {
        let terms = Terms::of(&settings);
        let batch = BatcherSettings { name: "s-sends", max_batch: settings.batch, queue: settings.queue };
        let store =
            move |conn: &mut DbConn, batch: &[Outgoing]| store_fitting(conn, batch, terms, clock.now());
        Ok(Self { batcher: Batcher::spawn_where(db, batch, |_| true, store)?, terms })
    }
}

/// Stores a message. It is on disk when this returns.
///
/// # Errors
/// [`SignalServerError`] by its variants, [`MailboxError::Full`]; nothing is stored then, unless it is
/// [`DbError::CommitUnknown`].
pub(crate) async fn send(state: &State, message: Outgoing) -> Result<StoredRow, SignalServerError> {
    let stored = match state.sender.batcher.submit(message.clone()).await? {
        Some(stored) => stored,
        // Something speaks against it: what, and does it still?
        None => {
            let (terms, now) = (state.sender.terms, state.clock.now());
            state.db.write(move |conn| store_judged(conn, &message, terms, now)).await?
        }
    };
    state.metrics.signal_server_messages_total.with_label_values(&["stored"]).inc();
    Ok(stored)
}

/// Stores what nothing speaks against; `None` for the others.
fn store_fitting(
    conn: &mut DbConn,
    batch: &[Outgoing],
    terms: Terms,
    now: UnixMillis,
) -> Result<Vec<Option<StoredRow>>, DbError> {
    let mut answers: Vec<Option<StoredRow>> = batch.iter().map(|_| None).collect();
    match conn {
        DbConn::Pg(c) => {
            for (place, row) in sends::store(c, batch, &terms, now)? {
                let place = usize::try_from(place).map_err(DbError::other)?;
                if let Some(answer) = answers.get_mut(place) {
                    *answer = Some(row);
                }
            }
        }
        DbConn::Sqlite(_) => {
            for (message, answer) in batch.iter().zip(&mut answers) {
                *answer = match store_judged(conn, message, terms, now) {
                    Ok(row) => Some(row),
                    Err(SignalServerError::Other(MailboxError::Db(error))) => return Err(error),
                    // Refused before anything was written.
                    Err(_) => None,
                };
            }
        }
    }
    Ok(answers)
}

/// Stores a message, or says what speaks against it.
fn store_judged(
    conn: &mut DbConn,
    message: &Outgoing,
    terms: Terms,
    now: UnixMillis,
) -> Result<StoredRow, SignalServerError> {
    let own = devices::find(conn, message.sender)?;
    let device = devices::lock(conn, message.recipient)?;
    let (own, device) = judge(message, own, device, terms)?;
    Ok(sends::insert(conn, (message.recipient, device), own, &message.content, now)?)
}

/// Says what speaks against a message, and stores nothing.
///
/// # Errors
/// Those of [`send`].
pub(crate) async fn check(state: &State, message: Outgoing) -> Result<(), SignalServerError> {
    let terms = state.sender.terms;
    let judging = state.db.read(move |conn| {
        let (own, device) = (devices::find(conn, message.sender)?, devices::find(conn, message.recipient)?);
        judge(&message, own, device, terms).map(drop)
    });
    judging.await
}

/// Judges a message by the devices of both ends, in the order of the contract.
fn judge(
    message: &Outgoing,
    own: Option<DeviceRow>,
    device: Option<DeviceRow>,
    terms: Terms,
) -> Result<(DeviceRow, DeviceRow), SignalServerError> {
    let own = meant(own, message.sender_registration_id)?;
    let device = device.ok_or(SignalServerError::NoRecipientDevice)?;
    if message.recipient_registration_id != Some(device.registration_id) {
        return Err(SignalServerError::RecipientChanged);
    }
    let bytes = i64::try_from(message.content.len()).unwrap_or(i64::MAX);
    if device.message_count >= terms.most || device.byte_count.saturating_add(bytes) > terms.most_bytes {
        return Err(MailboxError::Full { devices: Vec::new() }.into());
    }
    Ok((own, device))
}
