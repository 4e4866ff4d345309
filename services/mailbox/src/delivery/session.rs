//! What one connected device is owed, as a state machine without socket, clock and store.
//!
//! In: frames of the client, pages of the mailbox, hints. Out: frames to send, pages to fetch, envelopes to remove, the
//! end. What must hold: only what was sent is acked; envelopes are sent in the order of their `seq`, each once; there
//! are never more unanswered ones than the window allows; the end of the backlog is told once, after its last answer.

use std::collections::BTreeMap;

use common::models::EnvelopeId;
use common::models::problem::{Problem, ProblemKind};
use common::models::ws::{self, ClientFrame, KeysLow, QueueEmpty, ServerFrame, WsRequest, WsResponse};
use serde::Serialize;
use web::ws::CloseCode;

use crate::domain::online::OnlineEnvelope;
use crate::domain::receive::Envelope;
use crate::store::envelopes::PageRequest;

/// Envelopes of one page; the window may leave room for fewer.
const PAGE: usize = 100;

/// How far a session may go without answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Envelopes.
    pub(crate) envelopes: usize,
    /// Bytes of content; one envelope more always fits.
    pub(crate) bytes: usize,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What was stored before the device connected is on its way, up to this `seq`.
    Backlog { until: i64 },
    /// The device knows that it has caught up.
    Live,
    /// Nothing more is sent; answers still count.
    Draining,
}

/// What happens to a session.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The client sent a frame.
    Frame(ClientFrame),
    /// The client sent something else.
    Malformed,
    /// The page that was asked for.
    Stored { envelopes: Vec<Envelope>, more: bool },
    /// There may be envelopes.
    Notified,
    /// Prekeys run out.
    KeysLow(KeysLow),
    /// An envelope that is not stored, and not kept.
    Online(Box<OnlineEnvelope>),
    /// The same device connected elsewhere.
    Displaced,
    /// The session, the device or the account ended.
    Revoked,
}

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Send a frame.
    Send(ServerFrame),
    /// Read a page, and give it back as [`Input::Stored`]; there is one at a time.
    Fetch(PageRequest),
    /// Remove this envelope: the client has it.
    Ack { seq: i64, guid: EnvelopeId },
    /// Close, and do nothing more.
    Close(CloseCode),
}

/// One connected device.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    window: Window,
    /// The `seq` of the last envelope sent.
    sent: i64,
    next_request: u64,
    /// By the number of the request that carries it; numbers grow with `seq`.
    unanswered: BTreeMap<u64, Unanswered>,
    unanswered_bytes: usize,
    fetching: bool,
    /// The mailbox may hold envelopes after `sent`.
    behind: bool,
}

#[derive(Debug)]
struct Unanswered {
    seq: i64,
    guid: EnvelopeId,
    bytes: usize,
}

impl Session {
    /// Begins with the backlog, which ends at `last_seq`.
    pub(crate) fn begin(last_seq: i64, window: Window) -> (Self, Vec<Output>) {
        let mut session = Self {
            phase: Phase::Backlog { until: last_seq },
            window,
            sent: 0,
            next_request: 1,
            unanswered: BTreeMap::new(),
            unanswered_bytes: 0,
            fetching: false,
            behind: true,
        };
        let mut outputs = Vec::new();
        session.go_on(&mut outputs);
        (session, outputs)
    }

    /// Where it stands.
    #[cfg(test)]
    fn phase(&self) -> Phase {
        self.phase
    }

    /// One step. Every input has an answer in every phase.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Frame(ClientFrame::Response(response)) => self.answered(&response, &mut outputs),
            _ if self.phase == Phase::Draining => {}
            Input::Frame(ClientFrame::Request(request)) => outputs.push(answer(&request)),
            Input::Malformed => self.end(CloseCode::INVALID, &mut outputs),
            Input::Stored { envelopes, more } => self.stored(envelopes, more, &mut outputs),
            Input::Notified => self.behind = true,
            Input::KeysLow(keys) => self.request(ws::KEYS_LOW, &keys, &mut outputs),
            Input::Online(envelope) => self.request(ws::ONLINE_MESSAGE, &envelope, &mut outputs),
            Input::Displaced => self.end(CloseCode::REPLACED, &mut outputs),
            Input::Revoked => self.end(CloseCode::REVOKED, &mut outputs),
        }
        self.go_on(&mut outputs);
        outputs
    }

    fn answered(&mut self, response: &WsResponse, outputs: &mut Vec<Output>) {
        // An answer to something else, or a second one, changes nothing.
        let Some(envelope) = self.unanswered.remove(&response.id) else { return };
        self.unanswered_bytes -= envelope.bytes;
        if response.is_success() {
            outputs.push(Output::Ack { seq: envelope.seq, guid: envelope.guid });
        }
    }

    fn stored(&mut self, envelopes: Vec<Envelope>, more: bool, outputs: &mut Vec<Output>) {
        if !std::mem::take(&mut self.fetching) {
            return;
        }
        // A hint that came meanwhile may be about something after this page.
        self.behind |= more;
        for envelope in envelopes {
            if envelope.seq <= self.sent {
                continue;
            }
            let bytes = envelope.content.as_slice().len();
            self.sent = envelope.seq;
            let unanswered = Unanswered { seq: envelope.seq, guid: envelope.guid, bytes };
            self.unanswered.insert(self.next_request, unanswered);
            self.unanswered_bytes += bytes;
            self.request(ws::MESSAGE, &envelope, outputs);
        }
        if let (false, Phase::Backlog { until }) = (more, self.phase) {
            // Nothing of the backlog is left in the mailbox, even if its last envelopes were removed meanwhile.
            self.sent = self.sent.max(until);
        }
    }

    /// Tells the end of the backlog when it is due, and fetches when there is room.
    fn go_on(&mut self, outputs: &mut Vec<Output>) {
        if let Phase::Backlog { until } = self.phase {
            let unanswered = self.unanswered.first_key_value().is_some_and(|(_, first)| first.seq <= until);
            if self.sent >= until && !unanswered {
                self.phase = Phase::Live;
                self.request(ws::QUEUE_EMPTY, &QueueEmpty { last_seq: until }, outputs);
            }
        }
        let envelopes = self.window.envelopes.saturating_sub(self.unanswered.len());
        let bytes = self.window.bytes.saturating_sub(self.unanswered_bytes);
        // Answers come one by one; a page for each would be many small ones.
        let room = self.unanswered.is_empty()
            || (envelopes * 4 >= self.window.envelopes.max(1)
                && envelopes > 0
                && bytes * 4 >= self.window.bytes.max(1));
        if self.phase != Phase::Draining && self.behind && !self.fetching && room {
            self.behind = false;
            self.fetching = true;
            outputs.push(Output::Fetch(PageRequest { after: self.sent, limit: envelopes.min(PAGE), bytes }));
        }
    }

    fn request(&mut self, path: &str, body: &impl Serialize, outputs: &mut Vec<Output>) {
        let id = self.next_request;
        self.next_request += 1;
        outputs.push(match serde_json::to_value(body) {
            Ok(body) => Output::Send(ServerFrame::Request(WsRequest {
                id,
                verb: "PUT".to_owned(),
                path: path.to_owned(),
                body: Some(body),
            })),
            // Our own types always have a form in JSON.
            Err(_) => Output::Close(CloseCode::ERROR),
        });
    }

    fn end(&mut self, code: CloseCode, outputs: &mut Vec<Output>) {
        self.phase = Phase::Draining;
        outputs.push(Output::Close(code));
    }
}

fn answer(request: &WsRequest) -> Output {
    let (status, body) = match (request.verb.as_str(), request.path.as_str()) {
        ("GET", ws::KEEPALIVE) => (200, None),
        _ => {
            let problem = Problem::new(ProblemKind::NotFound("not-found"));
            (problem.status, serde_json::to_value(problem).ok())
        }
    };
    Output::Send(ServerFrame::Response(WsResponse { id: request.id, status, body }))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
