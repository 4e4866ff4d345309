//! Events of an SMSC's session, translated: which segment each is about, and what it means.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use smpp::codec::{CommandStatus, DeliverSm};
use smpp::esme::Response;
use sms::decode_text;
use sms::receipt::{Receipt as ReceiptText, ReceiptState, ReceiptTlvs};
use tokio::time::Instant;

use crate::domain::attempt::{JobKey, PartEvent};
use crate::domain::receipt::Fate;
use crate::settings::Settings;
use common::models::UnixMillis;

/// Pause before what was not written is tried again.
const NOT_SENT_PAUSE: Duration = Duration::from_millis(500);
/// The longest id that is taken for one; SMPP allows 64 octets.
const LONGEST_ID: usize = 255;
/// Alphabet of two octets a character, in which some SMSCs write receipts, too.
const UCS2: u8 = 8;

/// A segment that was handed to the session.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    /// Of which job.
    pub(crate) key: JobKey,
    /// Which segment.
    pub(crate) part: i32,
    /// Which copy of it.
    pub(crate) copy: i32,
    /// How often the job was tried before.
    pub(crate) tries: i32,
}

/// The segments that a session has, by token.
#[derive(Default)]
pub(crate) struct Flights(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next: u64,
    /// No outcome yet.
    open: HashMap<u64, Flight>,
    /// When the last one was answered, or the first one handed over.
    moved_at: Option<Instant>,
    /// Reported as unknown; a late response may come.
    unknown: HashMap<u64, Flight>,
}

impl Flights {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a segment and gives its token.
    pub(crate) fn register(&self, flight: Flight) -> u64 {
        let mut inner = self.inner();
        let token = inner.next;
        inner.next += 1;
        if inner.open.is_empty() {
            inner.moved_at = Some(Instant::now());
        }
        inner.open.insert(token, flight);
        token
    }

    /// Tells how long none was answered of those that wait for it.
    pub(crate) fn still_for(&self) -> Duration {
        let inner = self.inner();
        let moved = inner.moved_at.filter(|_| !inner.open.is_empty());
        moved.map(|at| at.elapsed()).unwrap_or_default()
    }

    /// Counts those without an outcome.
    pub(crate) fn open(&self) -> usize {
        self.inner().open.len()
    }

    /// Takes a segment out whose outcome has come.
    pub(crate) fn land(&self, token: u64) -> Option<Flight> {
        let mut inner = self.inner();
        inner.moved_at = Some(Instant::now());
        inner.open.remove(&token).or_else(|| inner.unknown.remove(&token))
    }

    /// Notes that no response came in time, and goes on waiting for a late one.
    pub(crate) fn lose(&self, token: u64) -> Option<Flight> {
        let mut inner = self.inner();
        let flight = inner.open.remove(&token)?;
        inner.unknown.insert(token, flight.clone());
        Some(flight)
    }

    /// Takes all out that the session never took.
    pub(crate) fn abandon(&self) -> Vec<Flight> {
        self.inner().open.drain().map(|(_, flight)| flight).collect()
    }
}

/// When to try again, and how long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Takes the settings' figures.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { first: settings.throttle_backoff, longest: settings.throttle_backoff_max }
    }

    /// Gives the pause after `tries` tries that were throttled; `salt` spreads those that were throttled together.
    fn after(self, tries: i32, salt: u64) -> Duration {
        let doublings = u32::try_from(tries).unwrap_or_default().min(16);
        let pause = self.first.saturating_mul(1 << doublings).min(self.longest);
        pause + pause.mul_f64((salt % 16) as f64 / 64.0)
    }

    /// Translates a response.
    pub(crate) fn response(self, response: Response, flight: &Flight, now: UnixMillis) -> PartEvent {
        let Response { token, status, message_id, .. } = response;
        if status.is_ok() {
            return accepted(message_id);
        }
        if status.is_throttle() {
            return self.throttled((flight, token), Duration::ZERO, now);
        }
        PartEvent::Refused(status.into())
    }

    /// Says that a segment was not taken for now; `wish`: the pause that was asked for.
    pub(crate) fn throttled(
        self,
        (flight, token): (&Flight, u64),
        wish: Duration,
        now: UnixMillis,
    ) -> PartEvent {
        PartEvent::Throttled { retry_at: now + self.after(flight.tries, token).max(wish) }
    }

    /// Says that a segment was not written.
    pub(crate) fn not_sent(self, now: UnixMillis) -> PartEvent {
        PartEvent::NotSent { retry_at: now + NOT_SENT_PAUSE }
    }
}

/// Says that a segment was taken. Without an id that a table can hold, it is as if it had none.
fn accepted(message_id: String) -> PartEvent {
    PartEvent::Accepted { message_id: Some(message_id).filter(|id| !id.is_empty() && is_storable(id)) }
}

fn is_storable(id: &str) -> bool {
    id.len() <= LONGEST_ID && !id.contains('\0')
}

/// Says that a segment cannot be written as submit_sm at all; the checks of intake should have told.
pub(crate) fn unwritable() -> PartEvent {
    PartEvent::Refused(CommandStatus::RINVMSGLEN.into())
}

/// Reads a receipt: the SMSC's id and what it says. `None` when it names no id.
pub(crate) fn read_receipt(message: &DeliverSm) -> Option<(String, Fate)> {
    let receipt = parse(message)?;
    // What no table can hold is no id of ours.
    is_storable(&receipt.id).then(|| (receipt.id, Fate::of(receipt.state, receipt.err.as_deref())))
}

/// Tells whether the text of a message names an id and a state that receipts have.
pub(crate) fn reads_like_receipt(message: &DeliverSm) -> bool {
    parse(message).is_some_and(|receipt| receipt.state != ReceiptState::Unrecognised)
}

fn parse(message: &DeliverSm) -> Option<ReceiptText> {
    let tlvs = ReceiptTlvs {
        message_id: message.tlvs.receipted_message_id(),
        message_state: message.tlvs.message_state(),
        network_error: message.tlvs.network_error_code(),
    };
    let wide = (message.data_coding == UCS2).then(|| decode_text(UCS2, message.text())).flatten();
    match &wide {
        Some(text) => ReceiptText::read(text.as_bytes(), tlvs),
        None => ReceiptText::read(message.text(), tlvs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(tries: i32) -> Flight {
        Flight { key: JobKey { client_id: "acme".into(), id: "1".into() }, part: 1, copy: 0, tries }
    }

    fn receipt(text: &str) -> DeliverSm {
        DeliverSm { esm_class: 4, short_message: text.as_bytes().to_vec(), ..DeliverSm::default() }
    }

    #[test]
    fn an_outcome_lands_once_and_a_lost_one_may_land_late() {
        let flights = Flights::default();
        let (first, second) = (flights.register(flight(0)), flights.register(flight(0)));

        assert!(flights.lose(first).is_some());
        assert_eq!(flights.open(), 1);
        assert!(flights.lose(first).is_none());
        assert!(flights.land(first).is_some());
        assert!(flights.land(first).is_none());
        assert!(flights.land(second).is_some());
        assert!(flights.abandon().is_empty());
    }

    #[test]
    fn throttling_backs_off_up_to_a_limit() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        let retry = |tries, token| {
            let status = CommandStatus::RTHROTTLED;
            let response = Response { token, status, message_id: String::new(), took: Duration::ZERO };
            match backoff.response(response, &flight(tries), UnixMillis(0)) {
                PartEvent::Throttled { retry_at } => retry_at.as_i64(),
                other => panic!("{other:?}"),
            }
        };

        assert_eq!(retry(0, 0), 1_000);
        assert_eq!(retry(2, 0), 4_000);
        assert_eq!(retry(60, 0), 10_000);
        assert!((10_000..12_500).contains(&retry(60, 15)));
    }

    #[test]
    fn an_id_that_no_table_can_hold_is_none() {
        let id = |id: &str| match accepted(id.to_owned()) {
            PartEvent::Accepted { message_id } => message_id,
            other => panic!("{other:?}"),
        };

        assert_eq!(id("0012").as_deref(), Some("0012"));
        assert_eq!([id(""), id("1\x002"), id(&"9".repeat(256))], [None, None, None]);
    }

    #[test]
    fn a_receipt_is_read_without_its_text() {
        let (id, fate) = read_receipt(&receipt("id:0012 stat:UNDELIV err:017 text:secret")).unwrap();

        assert_eq!(id, "0012");
        assert_eq!(fate.text(), Some("undeliverable, error 017"));
    }

    #[test]
    fn only_what_names_an_id_and_a_state_reads_like_a_receipt() {
        let reads = |text: &str| reads_like_receipt(&DeliverSm { esm_class: 0, ..receipt(text) });

        assert!(reads("id:0012 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hello"));
        assert!(reads("ID:0012 STAT:undeliv"));
        for text in ["id: 12 is where we meet", "my id:12 stat:fine", "stat:DELIVRD", "hello", ""] {
            assert!(!reads(text), "{text}");
        }
    }

    #[test]
    fn a_receipt_without_id_or_with_an_impossible_one_is_none() {
        assert!(read_receipt(&receipt("stat:DELIVRD")).is_none());
        assert!(read_receipt(&receipt(&format!("id:{} stat:DELIVRD", "9".repeat(256)))).is_none());
    }
}
