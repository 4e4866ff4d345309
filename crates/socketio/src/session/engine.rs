//! One Engine.IO session: which transport carries it, what may be asked of it, and when it ends.
//!
//! Requests of a client travel on several connections, so what it sent first may be seen second. Two answers wait a
//! moment for that: the noop that ends a poll during an upgrade, and the one that follows a close packet.

use std::time::{Duration, Instant};

use super::Reason;
use super::heartbeat::{Beat, Heartbeat, Pace};

/// How long a poll is held between the probe and the end of an upgrade, unless there is something to send. The
/// reference server looks every 100 ms.
const HOLD_WHILE_PROBED: Duration = Duration::from_millis(50);

/// How long a session that was closed by a packet still owes a poll its noop.
pub const LINGER: Duration = Duration::from_millis(50);

/// Why a request cannot be taken. The session may have ended by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session has ended, which is as if it had never been.
    Ended,
    /// Another transport carries the session.
    OtherTransport,
    /// There is one of the kind already.
    Second,
}

/// What a held poll gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollStep {
    /// What waits to be sent.
    Packets,
    /// A noop.
    Noop,
    /// A close packet.
    Close,
    /// A refusal: the session has moved to a websocket.
    Moved,
    /// Nothing yet; there will be something at that moment, if not before.
    Hold(Option<Instant>),
}

#[derive(Clone, Copy, Debug)]
enum Upgrade {
    /// No websocket is there.
    None,
    /// One is there and has said nothing.
    Attached,
    /// It was answered its probe.
    Probed(Instant),
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Polling { poll: Option<Instant>, post: bool, upgrade: Upgrade },
    Websocket,
    Ended { reason: Reason, owes_noop: bool },
}

/// The state of one session.
#[derive(Debug)]
pub struct EngineSession {
    transport: Transport,
    heartbeat: Heartbeat,
}

impl EngineSession {
    /// Opens a session that polls.
    pub fn polling(now: Instant, pace: &Pace) -> Self {
        let transport = Transport::Polling { poll: None, post: false, upgrade: Upgrade::None };
        Self { transport, heartbeat: Heartbeat::new(now, pace) }
    }

    /// Opens a session on a websocket.
    pub fn websocket(now: Instant, pace: &Pace) -> Self {
        Self { transport: Transport::Websocket, heartbeat: Heartbeat::new(now, pace) }
    }

    /// Returns why it has ended, once it has.
    pub fn ended(&self) -> Option<Reason> {
        match self.transport {
            Transport::Ended { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Tells whether a websocket carries it.
    pub fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::Websocket)
    }

    /// Tells whether a poll may still come for the noop that follows a close packet.
    pub fn lingers(&self) -> bool {
        matches!(self.transport, Transport::Ended { owes_noop: true, .. })
    }

    /// Lets no more poll come for that noop.
    pub fn forgive(&mut self) {
        if let Transport::Ended { owes_noop, .. } = &mut self.transport {
            *owes_noop = false;
        }
    }

    /// Ends it; a reason given before stays. Tells whether it was open.
    pub fn end(&mut self, reason: Reason) -> bool {
        let owes_noop = match self.transport {
            Transport::Ended { .. } => return false,
            Transport::Polling { poll, .. } => poll.is_none() && reason == Reason::ClientClosed,
            Transport::Websocket => false,
        };
        self.transport = Transport::Ended { reason, owes_noop };
        true
    }

    /// Takes a poll to be held.
    ///
    /// # Errors
    /// [`Refusal`]; a second poll ends the session.
    pub fn begin_poll(&mut self, now: Instant) -> Result<(), Refusal> {
        match &mut self.transport {
            Transport::Polling { poll: poll @ None, .. } => *poll = Some(now),
            Transport::Polling { .. } => {
                self.end(Reason::Concurrent);
                return Err(Refusal::Second);
            }
            Transport::Websocket => return Err(Refusal::OtherTransport),
            Transport::Ended { owes_noop, .. } if *owes_noop => *owes_noop = false,
            Transport::Ended { .. } => return Err(Refusal::Ended),
        }
        Ok(())
    }

    /// Says what the held poll gets. `waiting`: whether there is something to send.
    pub fn poll_step(&self, now: Instant, waiting: bool) -> PollStep {
        match self.transport {
            Transport::Ended { reason: Reason::ClientClosed, .. } => PollStep::Noop,
            Transport::Ended { .. } => PollStep::Close,
            Transport::Websocket => PollStep::Moved,
            Transport::Polling { .. } if waiting => PollStep::Packets,
            Transport::Polling { poll: Some(held), upgrade: Upgrade::Probed(probed), .. } => {
                match held.max(probed) + HOLD_WHILE_PROBED {
                    until if until <= now => PollStep::Noop,
                    until => PollStep::Hold(Some(until)),
                }
            }
            Transport::Polling { .. } => PollStep::Hold(None),
        }
    }

    /// Notes that the held poll got its answer.
    pub fn end_poll(&mut self) {
        if let Transport::Polling { poll, .. } = &mut self.transport {
            *poll = None;
        }
    }

    /// Takes a post.
    ///
    /// # Errors
    /// [`Refusal`]; a second post ends the session.
    pub fn begin_post(&mut self) -> Result<(), Refusal> {
        match &mut self.transport {
            Transport::Polling { post: post @ false, .. } => *post = true,
            Transport::Polling { .. } => {
                self.end(Reason::Concurrent);
                return Err(Refusal::Second);
            }
            Transport::Websocket => return Err(Refusal::OtherTransport),
            Transport::Ended { .. } => return Err(Refusal::Ended),
        }
        Ok(())
    }

    /// Notes that everything in the post was dealt with.
    pub fn end_post(&mut self, now: Instant, pace: &Pace) {
        if let Transport::Polling { post, .. } = &mut self.transport {
            *post = false;
        }
        self.heartbeat.spare(now, pace);
    }

    /// Takes a websocket that wants to carry the session.
    ///
    /// # Errors
    /// [`Refusal`]: the websocket is closed, and nothing else happens.
    pub fn attach(&mut self) -> Result<(), Refusal> {
        match &mut self.transport {
            Transport::Polling { upgrade: upgrade @ Upgrade::None, .. } => *upgrade = Upgrade::Attached,
            Transport::Polling { .. } => return Err(Refusal::Second),
            Transport::Websocket => return Err(Refusal::OtherTransport),
            Transport::Ended { .. } => return Err(Refusal::Ended),
        }
        Ok(())
    }

    /// Notes that the websocket was answered its probe. False when the session has ended.
    pub fn probed(&mut self, now: Instant) -> bool {
        match &mut self.transport {
            Transport::Polling { upgrade, .. } => *upgrade = Upgrade::Probed(now),
            Transport::Websocket | Transport::Ended { .. } => return false,
        }
        true
    }

    /// Notes that the websocket is gone before it carried the session.
    pub fn detach(&mut self) {
        if let Transport::Polling { upgrade, .. } = &mut self.transport {
            *upgrade = Upgrade::None;
        }
    }

    /// Moves the session to the websocket that was probed. False when there is none.
    pub fn upgrade(&mut self) -> bool {
        let probed = matches!(self.transport, Transport::Polling { upgrade: Upgrade::Probed(_), .. });
        if probed {
            self.transport = Transport::Websocket;
        }
        probed
    }

    /// Notes a pong.
    pub fn pong(&mut self, now: Instant, pace: &Pace) {
        self.heartbeat.pong(now, pace);
    }

    /// Looks at the time; [`Beat::Gone`] has ended the session. While what a client sent is being dealt with (`busy`)
    /// it cannot be heard, and is not given up.
    pub fn beat(&mut self, now: Instant, busy: bool, pace: &Pace) -> Beat {
        if busy {
            self.heartbeat.spare(now, pace);
        }
        let beat = self.heartbeat.beat(now, pace);
        if beat == Beat::Gone {
            self.end(Reason::PingTimeout);
        }
        beat
    }
}

#[cfg(test)]
mod tests;
