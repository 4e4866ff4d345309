//! One connection: moves octets between the socket and a [`Session`], and events to the owner.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

use super::driver::{Inputs, Outputs, now, until_held_is};
use super::pace::Pace;
use super::{
    CloseReason, Delivery, EsmeSettings, EsmeState, Event, LinkError, Query, QueryError, Submission,
};
use crate::codec::{CommandStatus, DEFAULT_MAX_FRAME, Pdu, QuerySmResp, split_frame};
use crate::outgoing::{Outgoing, push};
use crate::session::{Input, Output, Session};

/// No more is read, and no submission taken, while so many octets wait to be written: a peer that does not read gets no
/// memory of ours, and what it does not get stays certainly unsent.
const OUTGOING_LIMIT: usize = 256 * 1024;
/// Submissions that are given back at once while the bind pauses.
const GIVEN_BACK: usize = 64;
/// How long the last octets of a closing link may take, in either direction.
const LAST_OCTETS: Duration = Duration::from_secs(1);

/// How a link ended.
pub(super) struct LinkEnd {
    pub(super) error: LinkError,
    pub(super) was_bound: bool,
}

/// One connection and its session.
pub(super) struct Link<'a> {
    session: Session,
    number: u64,
    inbox: BytesMut,
    outgoing: Outgoing,
    /// Filled by the session, emptied by [`Link::act`].
    todo: Vec<Output>,
    queries: HashMap<u64, oneshot::Sender<Result<QuerySmResp, QueryError>>>,
    next_query: u64,
    end: Option<LinkError>,
    was_bound: bool,
    smsc: &'a str,
    drain: Duration,
    gives_back: bool,
    pace: &'a mut Pace,
    inputs: &'a mut Inputs,
    outputs: &'a mut Outputs,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        settings: &'a EsmeSettings,
        number: u64,
        pace: &'a mut Pace,
        inputs: &'a mut Inputs,
        outputs: &'a mut Outputs,
    ) -> Self {
        Self {
            session: Session::new(settings.session(), now()),
            number,
            inbox: BytesMut::with_capacity(64 * 1024),
            outgoing: Outgoing::default(),
            todo: Vec::new(),
            queries: HashMap::new(),
            next_query: 0,
            end: None,
            was_bound: false,
            smsc: &settings.name,
            drain: settings.drain,
            gives_back: settings.give_back_when_paused,
            pace,
            inputs,
            outputs,
        }
    }

    /// Runs the session over a connection until it ends.
    pub(super) async fn run(
        mut self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> LinkEnd {
        self.step(Input::Connected);
        self.turns(&mut reader, &mut writer).await;
        self.finish(&mut writer).await
    }

    /// Takes turns until the link has ended. Every branch may be dropped unfinished without losing anything.
    async fn turns(&mut self, reader: &mut (impl AsyncRead + Unpin), writer: &mut (impl AsyncWrite + Unpin)) {
        let mut taken = Vec::new();
        // Of no use any more: the owner has no handle left, or holds it.
        let (mut closed, mut held) = (false, false);
        let mut stopping = false;
        let owner = self.outputs.owner();
        let hold = until_held_is(self.inputs.held.clone(), true);
        tokio::pin!(hold);
        while self.end.is_none() {
            let time = now();
            let clear = self.outputs.is_clear();
            let relieved = self.outgoing.unwritten_octets().len() < OUTGOING_LIMIT;
            let wanted = if clear && relieved { self.session.room() } else { 0 };
            let room = self.pace.allowance(time, wanted);
            self.outputs.counters.show(self.pace, time);
            let giving_back = clear && !closed && (held || self.gives_back && self.pace.is_paused(time));
            let count = if giving_back { GIVEN_BACK } else { room };
            let paced = if wanted > room { self.pace.next_due(time) } else { None };
            let deadlines = [self.session.next_deadline(), paced, self.pace.next_rise()];
            let deadline = deadlines.into_iter().flatten().min();
            tokio::select! {
                pushed = push(writer, self.outgoing.unwritten_octets()), if !self.outgoing.is_done() => match pushed {
                    Ok(count) => self.outgoing.pushed(count),
                    Err(error) => self.lose(reader, &error).await,
                },
                read = reader.read_buf(&mut self.inbox), if clear && relieved => self.received(read),
                // If it fails, the next branch is ready too.
                _ = self.outputs.flush(), if !clear => {}
                () = owner.closed() => self.end = Some(LinkError::Closed(CloseReason::Requested)),
                count = self.inputs.submissions.recv_many(&mut taken, count), if count > 0 => {
                    closed |= count == 0;
                    stopping |= closed;
                    // Not the time of before the wait: they would count for a second long past, and their responses be late
                    // at once.
                    let taken_at = now();
                    let back = taken.extract_if(.., |one: &mut Submission| giving_back || one.is_late(taken_at));
                    back.for_each(|Submission { token, .. }| self.outputs.tell(Event::NotSent { token }));
                    self.pace.spend(taken_at, taken.len());
                    for mut submission in taken.drain(..) {
                        submission.take_off_what_it_waited(taken_at);
                        let input = Input::Submit { token: submission.token, pdu: submission.pdu };
                        self.session.step(taken_at, input, &mut self.todo);
                    }
                    self.act();
                    if count == 0 {
                        self.step(Input::Unbind { patience: self.drain });
                    }
                }
                Some(query) = self.inputs.queries.recv() => self.query(query),
                () = self.inputs.answers.wake.notified() => self.answer(),
                () = sleep_until(deadline), if clear => self.tick(reader).await,
                () = &mut hold, if !stopping => {
                    (held, stopping) = (true, true);
                    self.step(Input::Unbind { patience: self.drain });
                }
                () = self.inputs.stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.step(Input::Unbind { patience: self.drain });
                }
            }
        }
    }

    /// One input, and all that follows from it.
    fn step(&mut self, input: Input) {
        self.session.step(now(), input, &mut self.todo);
        self.act();
    }

    fn act(&mut self) {
        // Before the owner hears of it: his figures are never behind his events.
        self.outputs.counters.in_flight.store(self.session.in_flight(), Ordering::Relaxed);
        let mut todo = std::mem::take(&mut self.todo);
        while !todo.is_empty() {
            for output in todo.drain(..) {
                self.act_on(output);
            }
            // What could not be encoded goes back to the session, which may have more to say.
            std::mem::swap(&mut todo, &mut self.todo);
        }
        self.todo = todo;
    }

    fn act_on(&mut self, output: Output) {
        match output {
            Output::Send(pdu) => match self.outgoing.push(&pdu) {
                Ok(()) => {}
                // Its number is the peer's, and none of ours.
                Err(error) if pdu.is_response() => {
                    tracing::error!(smsc = %self.smsc, %error, "an answer fits no PDU");
                }
                Err(error) => {
                    let input = Input::Unsendable { sequence: pdu.sequence, error };
                    self.session.step(now(), input, &mut self.todo);
                }
            },
            Output::Close(reason) => self.end = Some(LinkError::Closed(reason)),
            Output::Bound(resp) => {
                self.was_bound = true;
                self.outputs.counters.binds.fetch_add(1, Ordering::Relaxed);
                self.outputs.set_state(EsmeState::Bound);
                tracing::info!(smsc = %self.smsc, system_id = %resp.system_id, "bound");
                self.outputs.tell(Event::Bound { system_id: resp.system_id });
            }
            Output::Responded(response) => {
                self.watch_pace(response.status);
                self.outputs.tell(Event::Responded(response));
            }
            Output::LateResponse(response) => {
                self.watch_pace(response.status);
                self.outputs.tell(Event::LateResponse(response));
            }
            Output::Unknown { token } => self.outputs.tell(Event::Unknown { token }),
            Output::NotSent { token } => self.outputs.tell(Event::NotSent { token }),
            Output::Invalid { token, error } => self.outputs.tell(Event::Invalid { token, error }),
            Output::Queried { token, result } => {
                if let Some(reply) = self.queries.remove(&token) {
                    // Whoever asked may have gone.
                    let _ = reply.send(result);
                }
            }
            Output::Deliver { id, message } => {
                let answers = self.inputs.answers.clone();
                self.outputs.tell(Event::Deliver(Delivery { message, id, link: self.number, answers }));
            }
            Output::Unexpected { what } => {
                self.outputs.counters.unexpected.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(smsc = %self.smsc, what, "unexpected PDU");
            }
            Output::Ended { in_flight } => {
                if self.was_bound {
                    let reason = self.end.unwrap_or(LinkError::Lost(io::ErrorKind::UnexpectedEof));
                    self.outputs.tell(Event::Unbound { reason, in_flight });
                }
            }
        }
    }

    fn received(&mut self, read: io::Result<usize>) {
        match read {
            Ok(0) => self.end = Some(LinkError::Lost(io::ErrorKind::UnexpectedEof)),
            Ok(_) => self.read_frames(),
            Err(error) => self.end = Some(LinkError::lost(&error)),
        }
    }

    /// Goes slower when the SMSC asks for it, and faster again when it does not.
    fn watch_pace(&mut self, status: CommandStatus) {
        if status.is_ok() {
            self.pace.accepted(now());
        } else if status.is_throttle() {
            let pauses = self.pace.pauses_total();
            self.pace.throttled(now());
            if self.pace.pauses_total() > pauses {
                tracing::warn!(smsc = %self.smsc, %status, rate = self.pace.rate(), "throttled: the bind pauses");
            }
        }
    }

    fn read_frames(&mut self) {
        let time = now();
        while self.end.is_none() {
            let input = match split_frame(&mut self.inbox, DEFAULT_MAX_FRAME) {
                Ok(Some(frame)) => Pdu::decode(&frame).map_or_else(Input::Malformed, Input::Received),
                Ok(None) => break,
                Err(error) => {
                    self.end = Some(LinkError::Framing(error));
                    break;
                }
            };
            self.session.step(time, input, &mut self.todo);
            self.act();
        }
    }

    fn query(&mut self, Query { pdu, reply }: Query) {
        let token = self.next_query;
        self.next_query += 1;
        self.queries.insert(token, reply);
        self.step(Input::Query { token, pdu });
    }

    fn answer(&mut self) {
        for answer in self.inputs.answers.take() {
            if answer.link == self.number {
                self.step(Input::Answer { id: answer.id, status: answer.status });
            }
        }
    }

    /// Lets time pass, but only after all that has come in already: a response that waits in the socket is not late.
    async fn tick(&mut self, reader: &mut (impl AsyncRead + Unpin)) {
        loop {
            let read = tokio::select! {
                biased;
                read = reader.read_buf(&mut self.inbox) => Some(read),
                () = std::future::ready(()) => None,
            };
            match read {
                Some(read) => self.received(read),
                None => break,
            }
            if self.end.is_some() || !self.outputs.is_clear() {
                return;
            }
        }
        self.step(Input::Tick);
    }

    /// Ends a link that takes no octets any more. What the peer said before is read still, also when the owner is behind:
    /// its responses are all that tells of messages which it has.
    async fn lose(&mut self, reader: &mut (impl AsyncRead + Unpin), error: &io::Error) {
        let last = async {
            while self.end.is_none() {
                let read = reader.read_buf(&mut self.inbox).await;
                self.received(read);
            }
        };
        // A connection that is broken says so when it is read.
        let _ = tokio::time::timeout(LAST_OCTETS, last).await;
        self.end.get_or_insert(LinkError::lost(error));
    }

    async fn finish(mut self, writer: &mut (impl AsyncWrite + Unpin)) -> LinkEnd {
        let last = async {
            while !self.outgoing.is_empty() {
                match writer.write(self.outgoing.unwritten_octets()).await {
                    Ok(count) if count > 0 => self.outgoing.pushed(count),
                    Ok(_) | Err(_) => break,
                }
            }
            // The peer may have closed first.
            let _ = writer.shutdown().await;
        };
        if matches!(self.end, Some(LinkError::Closed(_))) {
            // What it could not write counts as not written.
            let _ = tokio::time::timeout(LAST_OCTETS, last).await;
        }
        let error = self.end.unwrap_or(LinkError::Lost(io::ErrorKind::UnexpectedEof));
        let unwritten = self.outgoing.unwritten();
        self.step(Input::Disconnected { unwritten });
        LinkEnd { error, was_bound: self.was_bound }
    }
}

/// Sleeps until then, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
