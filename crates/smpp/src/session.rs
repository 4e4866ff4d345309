//! One SMPP session of an ESME as a state machine: no socket, no clock of its own.
//!
//! In: [`Input`]s, each with the time. Out: [`Output`]s, appended in the order in which they are to be acted on. The
//! driver sends what it is told to, calls again at [`Session::next_deadline`], and ends with
//! [`Input::Disconnected`].
//!
//! What must hold:
//! - Every accepted submission gets exactly one of: `Responded`; `NotSent`; `Invalid`; `Unknown`, which a
//!   `LateResponse` may follow; or a place in the list of `Ended`.
//! - A slot of the window stays taken until its response or the end of the session, also after a timeout: the SMSC
//!   still holds the request, and a freed slot would make the real window wider than the agreed one. A session that has
//!   lost half of its window that way ends in good order.
//! - A request whose outcome is unknown is never repeated here.

mod exchange;
mod kind;
mod phase;
mod window;

use std::time::{Duration, Instant};

use crate::codec::{
    BadPdu, Bind, BindResp, Body, CommandStatus, DataSmResp, EncodeError, Pdu, SubmitSm, Tlvs,
};
pub use exchange::{CloseReason, DeliveryId, InFlight, Input, Output, QueryError, Response};
pub use kind::BindKind;
use phase::{LAST_ANSWERS, Phase};
use window::{Answered, Request, Window};

/// What a session is told once.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Which bind.
    pub kind: BindKind,
    /// Its parameters.
    pub bind: Bind,
    /// Most requests without a response, at least 1.
    pub window: usize,
    /// How long a response may take.
    pub response_timeout: Duration,
    /// How long the peer may be silent before it is asked whether it lives.
    pub enquire_link: Duration,
}

/// One session, from its connection to its end.
#[derive(Debug)]
pub struct Session {
    settings: SessionSettings,
    phase: Phase,
    window: Window,
    last_received: Instant,
    /// When an enquire_link that is under way must have been answered.
    probe: Option<Instant>,
}

impl Session {
    /// Makes the session of one connection.
    pub fn new(settings: SessionSettings, now: Instant) -> Self {
        let window = Window::new(settings.window.max(1), settings.response_timeout);
        Self { settings, phase: Phase::Fresh, window, last_received: now, probe: None }
    }

    /// Gives the number of submissions that would find a slot now.
    pub fn room(&self) -> usize {
        match self.phase {
            Phase::Bound if self.settings.kind != BindKind::Receiver => self.window.room(),
            _ => 0,
        }
    }

    /// Gives the number of taken slots.
    pub fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// Gives the time at which [`Input::Tick`] is due; `None` when nothing is waited for.
    pub fn next_deadline(&self) -> Option<Instant> {
        let of_link =
            self.is_up().then(|| self.probe.unwrap_or(self.last_received + self.settings.enquire_link));
        let of_window = self.window.next_deadline().filter(|_| self.phase != Phase::Closed);
        let bound = self.phase == Phase::Bound;
        let stuck_at = self.window.stuck_at().filter(|_| bound);
        let worn_at = self.window.worn_at().filter(|_| bound);
        [self.phase.deadline(), of_link, of_window, stuck_at, worn_at].into_iter().flatten().min()
    }

    fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Bound | Phase::Draining { .. })
    }

    /// Makes one transition. Every input has an answer in every phase; what does not belong there changes nothing.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected => self.bind(now, out),
            Input::Received(pdu) => self.receive(now, pdu, out),
            Input::Malformed(bad) => self.receive_malformed(now, bad, out),
            Input::Submit { token, pdu } => self.submit(now, token, pdu, out),
            Input::Query { token, pdu } => match self.open(Request::Query { token }, now) {
                Some(sequence) => out.push(Output::Send(Pdu::ok(sequence, Body::QuerySm(pdu)))),
                None => out.push(Output::Queried { token, result: Err(QueryError::NotSent) }),
            },
            Input::Answer { id, status } => self.answer(id, status, out),
            Input::Unsendable { sequence, error } => self.unsendable(sequence, error, out),
            Input::Tick => self.tick(now, out),
            Input::Unbind { patience } => self.unbind(now, patience, out),
            Input::Disconnected { unwritten } => self.end(&unwritten, out),
        }
        self.finish_drain(now, out);
        self.finish_leaving(out);
    }

    fn bind(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.phase != Phase::Fresh {
            return;
        }
        let sequence = self.window.next_sequence();
        self.phase = Phase::Binding { sequence, deadline: now + self.settings.response_timeout };
        self.last_received = now;
        out.push(Output::Send(Pdu::ok(sequence, self.settings.kind.request(self.settings.bind.clone()))));
    }

    fn submit(&mut self, now: Instant, token: u64, mut pdu: SubmitSm, out: &mut Vec<Output>) {
        if self.settings.bind.interface_version < 0x34 {
            // Before SMPP 3.4 there are no optional parameters: hints can be left out, the text cannot.
            if let Some(tag) = pdu.tlvs.essential() {
                out.push(Output::Invalid { token, error: EncodeError::OptionalParameter(tag) });
                return;
            }
            pdu.tlvs = Tlvs::default();
        }
        match self.open(Request::Submit { token }, now) {
            Some(sequence) => out.push(Output::Send(Pdu::ok(sequence, Body::SubmitSm(pdu)))),
            None => out.push(Output::NotSent { token }),
        }
    }

    fn open(&mut self, request: Request, now: Instant) -> Option<u32> {
        if self.room() == 0 { None } else { self.window.open(request, now) }
    }

    fn receive(&mut self, now: Instant, pdu: Pdu, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Fresh | Phase::Closed) {
            return;
        }
        self.last_received = now;
        self.probe = None;
        let Pdu { status, sequence, body } = pdu;
        match body {
            Body::BindReceiverResp(resp)
            | Body::BindTransmitterResp(resp)
            | Body::BindTransceiverResp(resp) => {
                self.bind_answered(sequence, status, resp, out);
            }
            Body::SubmitSmResp(resp) => match self.window.answer_submit(sequence) {
                Some(answered) => respond(answered, (status, resp.message_id), now, out),
                None => out.push(Output::Unexpected { what: "submit_sm_resp" }),
            },
            Body::QuerySmResp(resp) => match self.window.answer_query(sequence) {
                Some(Answered { token, late: false, .. }) if status.is_ok() => {
                    out.push(Output::Queried { token, result: Ok(resp) });
                }
                Some(Answered { token, late: false, .. }) => {
                    out.push(Output::Queried { token, result: Err(QueryError::Refused(status)) });
                }
                Some(Answered { late: true, .. }) | None => {
                    out.push(Output::Unexpected { what: "query_sm_resp" })
                }
            },
            Body::GenericNack => self.nacked(sequence, status, now, out),
            Body::DeliverSm(message) => {
                out.push(Output::Deliver { id: DeliveryId { sequence, data_sm: false }, message });
            }
            Body::DataSm(data) => {
                out.push(Output::Deliver {
                    id: DeliveryId { sequence, data_sm: true },
                    message: data.into(),
                });
            }
            Body::EnquireLink => out.push(Output::Send(Pdu::ok(sequence, Body::EnquireLinkResp))),
            // Once more: it has its time already.
            Body::Unbind if matches!(self.phase, Phase::Leaving { .. }) => {}
            Body::Unbind => self.phase = Phase::Leaving { sequence, deadline: now + LAST_ANSWERS },
            Body::UnbindResp => match self.phase {
                Phase::Unbinding { reason, .. } => self.close(reason, out),
                _ => out.push(Output::Unexpected { what: body_name(&body) }),
            },
            // An alert has no response (SMPP 3.4 §4.12), and nobody waits for one here.
            Body::EnquireLinkResp | Body::AlertNotification(_) => {}
            // outbind asks for a bind over this very connection before there is one (§4.1.7); we bind anyway.
            Body::Outbind(_) | Body::DeliverSmResp | Body::DataSmResp(_) => {
                out.push(Output::Unexpected { what: body_name(&body) });
            }
            Body::BindReceiver(_)
            | Body::BindTransmitter(_)
            | Body::BindTransceiver(_)
            | Body::SubmitSm(_)
            | Body::QuerySm(_) => {
                out.push(Output::Unexpected { what: body_name(&body) });
                let nack = Pdu { status: CommandStatus::RINVCMDID, sequence, body: Body::GenericNack };
                out.push(Output::Send(nack));
            }
        }
    }

    fn bind_answered(&mut self, sequence: u32, status: CommandStatus, resp: BindResp, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Binding { sequence: own, .. } if own == sequence => {
                if status.is_ok() {
                    self.phase = Phase::Bound;
                    out.push(Output::Bound(resp));
                } else {
                    self.close(CloseReason::Refused(status), out);
                }
            }
            _ => out.push(Output::Unexpected { what: "bind response" }),
        }
    }

    /// A generic_nack with the number of a request is its answer (SMPP 3.4 §3.3).
    fn nacked(&mut self, sequence: u32, status: CommandStatus, now: Instant, out: &mut Vec<Output>) {
        // A nack is a refusal whatever its status says.
        let status = if status.is_ok() { CommandStatus::RUNKNOWNERR } else { status };
        if matches!(self.phase, Phase::Binding { sequence: own, .. } if own == sequence) {
            self.close(CloseReason::Refused(status), out);
        } else if let Some(answered) = self.window.answer_submit(sequence) {
            respond(answered, (status, String::new()), now, out);
        } else if let Some(answered) = self.window.answer_query(sequence) {
            if !answered.late {
                let result = Err(QueryError::Refused(status));
                out.push(Output::Queried { token: answered.token, result });
            }
        } else {
            out.push(Output::Unexpected { what: "generic_nack" });
        }
    }

    fn receive_malformed(&mut self, now: Instant, bad: BadPdu, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Fresh | Phase::Closed) {
            return;
        }
        self.last_received = now;
        self.probe = None;
        out.push(Output::Unexpected { what: "malformed PDU" });
        out.extend(bad.nack().map(Output::Send));
    }

    fn answer(&mut self, id: DeliveryId, status: CommandStatus, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Fresh | Phase::Closed) {
            return;
        }
        let body = if id.data_sm { Body::DataSmResp(DataSmResp::default()) } else { Body::DeliverSmResp };
        out.push(Output::Send(Pdu { status, sequence: id.sequence, body }));
    }

    fn unsendable(&mut self, sequence: u32, error: EncodeError, out: &mut Vec<Output>) {
        if let Some(Answered { token, .. }) = self.window.answer_submit(sequence) {
            out.push(Output::Invalid { token, error });
        } else if let Some(Answered { token, late: false, .. }) = self.window.answer_query(sequence) {
            out.push(Output::Queried { token, result: Err(QueryError::Invalid(error)) });
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Fresh | Phase::Closed => return,
            Phase::Binding { deadline, .. } if now >= deadline => self.close(CloseReason::BindTimeout, out),
            Phase::Unbinding { deadline, reason } if now >= deadline => self.close(reason, out),
            Phase::Draining { deadline, reason } if now >= deadline => self.send_unbind(reason, now, out),
            Phase::Leaving { sequence, deadline } if now >= deadline => self.let_go(sequence, out),
            Phase::Binding { .. }
            | Phase::Bound
            | Phase::Draining { .. }
            | Phase::Unbinding { .. }
            | Phase::Leaving { .. } => {}
        }
        self.window.expire(now, |request| {
            out.push(match request {
                Request::Submit { token } => Output::Unknown { token },
                Request::Query { token } => Output::Queried { token, result: Err(QueryError::NoAnswer) },
            });
        });
        if !self.is_up() {
            return;
        }
        if self.phase == Phase::Bound && self.window.is_stuck(now) {
            self.close(CloseReason::WindowStuck, out);
            return;
        }
        if self.phase == Phase::Bound && self.window.worn_at().is_some_and(|at| now >= at) {
            // Those that may still be answered are waited for: only a new session gives the other slots back.
            let deadline = now + self.settings.response_timeout;
            self.phase = Phase::Draining { reason: CloseReason::WindowWorn, deadline };
        }
        match self.probe {
            Some(deadline) if now >= deadline => self.close(CloseReason::LinkDead, out),
            None if now >= self.last_received + self.settings.enquire_link => {
                self.probe = Some(now + self.settings.response_timeout);
                out.push(Output::Send(Pdu::ok(self.window.next_sequence(), Body::EnquireLink)));
            }
            Some(_) | None => {}
        }
    }

    fn unbind(&mut self, now: Instant, patience: Duration, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Fresh | Phase::Binding { .. } => self.close(CloseReason::Requested, out),
            Phase::Bound => {
                self.phase = Phase::Draining { reason: CloseReason::Requested, deadline: now + patience };
            }
            Phase::Draining { .. } | Phase::Unbinding { .. } | Phase::Leaving { .. } | Phase::Closed => {}
        }
    }

    fn finish_drain(&mut self, now: Instant, out: &mut Vec<Output>) {
        if let Phase::Draining { reason, .. } = self.phase
            && self.window.nothing_awaited()
        {
            self.send_unbind(reason, now, out);
        }
    }

    fn finish_leaving(&mut self, out: &mut Vec<Output>) {
        if let Phase::Leaving { sequence, .. } = self.phase
            && self.window.nothing_awaited()
        {
            self.let_go(sequence, out);
        }
    }

    fn let_go(&mut self, sequence: u32, out: &mut Vec<Output>) {
        out.push(Output::Send(Pdu::ok(sequence, Body::UnbindResp)));
        self.close(CloseReason::PeerUnbound, out);
    }

    fn send_unbind(&mut self, reason: CloseReason, now: Instant, out: &mut Vec<Output>) {
        self.phase = Phase::Unbinding { reason, deadline: now + self.settings.response_timeout };
        out.push(Output::Send(Pdu::ok(self.window.next_sequence(), Body::Unbind)));
    }

    fn close(&mut self, reason: CloseReason, out: &mut Vec<Output>) {
        self.phase = Phase::Closed;
        out.push(Output::Close(reason));
    }

    fn end(&mut self, unwritten: &[u32], out: &mut Vec<Output>) {
        self.phase = Phase::Closed;
        let mut in_flight = Vec::new();
        for (sequence, request, reported) in self.window.drain() {
            match request {
                Request::Submit { token } if unwritten.contains(&sequence) && !reported => {
                    out.push(Output::NotSent { token });
                }
                Request::Submit { token } => in_flight.push(InFlight { token, reported }),
                Request::Query { token } if !reported => {
                    out.push(Output::Queried { token, result: Err(QueryError::NoAnswer) });
                }
                Request::Query { .. } => {}
            }
        }
        out.push(Output::Ended { in_flight });
    }
}

fn respond(
    answered: Answered,
    (status, message_id): (CommandStatus, String),
    now: Instant,
    out: &mut Vec<Output>,
) {
    let took = now.saturating_duration_since(answered.since);
    let response = Response { token: answered.token, status, message_id, took };
    out.push(if answered.late { Output::LateResponse(response) } else { Output::Responded(response) });
}

fn body_name(body: &Body) -> &'static str {
    body.command_id().as_str()
}

#[cfg(test)]
mod tests;
