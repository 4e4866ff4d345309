//! One session, as its requests, its task and all who send to it share it.
//!
//! Everything is under one short lock: what waits to be sent, the state of the session, and whom to wake. Nobody is
//! woken, and nothing of the protocol called, while it is held.

mod polling;
mod queue;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use serde_json::json;
use web::ws::Frame;

pub(super) use self::polling::PollAnswer;
use self::queue::Queue;
pub(super) use self::queue::part;
use super::request::Refused;
use super::{Engine, Protocol};
use crate::session::Reason;
use crate::session::engine::{EngineSession, Refusal};
use crate::session::heartbeat::Beat;
use crate::sid::Sid;

/// What happens to a packet that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// The session ends: its client reads too slowly.
    #[default]
    Kept,
    /// The packet is left out.
    Volatile,
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session, or the connection to the namespace, has ended or has not begun.
    #[error("the client is not connected")]
    Closed,
    /// The client reads too slowly. Unless the packet was volatile, its session has ended now.
    #[error("too much waits for the client")]
    Full,
}

/// One session.
pub struct Link<P: Protocol> {
    sid: Sid,
    peer: Option<IpAddr>,
    opened: Instant,
    engine: Arc<Engine<P>>,
    state: Mutex<State>,
    session: P::Session,
}

struct State {
    session: EngineSession,
    queue: Queue,
    /// Who takes what is queued: a held poll, or the task of a websocket.
    consumer: Option<Waker>,
    /// The session's task.
    driver: Option<Waker>,
    /// Whether a post is being dealt with.
    posting: bool,
    attend: bool,
    /// Whether the end was counted, and whether the protocol was told.
    counted: bool,
    finished: bool,
}

/// What the session's task has to do.
pub(super) enum Turn {
    /// The session has ended, and nothing of its client is being dealt with.
    Ended(Reason),
    /// There is something to send.
    Send,
    /// The protocol wants to be called.
    Attend,
    /// A websocket carries the session now, which has a task of its own.
    Moved,
    /// Nothing before this moment.
    Wait(Instant),
}

/// Who takes a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turns {
    /// The task of a session that polls.
    Polling,
    /// The task of a websocket. `busy`: a message is being dealt with; `room`: the socket takes more.
    Websocket { busy: bool, room: bool },
}

impl<P: Protocol> Link<P> {
    /// Tells whether another session may be opened; exact enough, as it is asked before.
    pub(super) fn has_room(engine: &Engine<P>) -> bool {
        engine.counters.sessions.load(Relaxed) < engine.settings.max_sessions
    }

    /// Opens a session, and queues its handshake.
    pub(super) fn open(
        engine: &Arc<Engine<P>>,
        peer: Option<IpAddr>,
        websocket: bool,
    ) -> Result<Arc<Self>, Refused> {
        let sid =
            Sid::random().ok_or_else(|| Refused::Host(Box::new(web::Failure::internal("no randomness"))))?;
        let (opened, settings) = (Instant::now(), &engine.settings);
        let upgrades: &[&str] = if websocket { &[] } else { &["websocket"] };
        let handshake = json!({
            "sid": sid.as_str(),
            "upgrades": upgrades,
            "pingInterval": u64::try_from(settings.ping_interval.as_millis()).unwrap_or(u64::MAX),
            "pingTimeout": u64::try_from(settings.ping_timeout.as_millis()).unwrap_or(u64::MAX),
            "maxPayload": settings.max_payload,
        });
        let open = if websocket { EngineSession::websocket } else { EngineSession::polling };
        let mut state = State {
            session: open(opened, &settings.pace()),
            queue: Queue::default(),
            consumer: None,
            driver: None,
            posting: false,
            attend: false,
            counted: false,
            finished: false,
        };
        state.queue.push(Frame::text(&format!("0{handshake}")));
        engine.counters.sessions.fetch_add(1, Relaxed);
        engine.counters.opened.fetch_add(1, Relaxed);
        let session = engine.protocol.session();
        let link = Arc::new(Self {
            sid,
            peer,
            opened,
            engine: Arc::clone(engine),
            state: Mutex::new(state),
            session,
        });
        engine.table.insert(Arc::clone(&link));
        engine.protocol.opened(&link);
        Ok(link)
    }

    /// Returns the id of the session.
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// Returns where the client is, as the hosting server sees it.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// Returns when the session was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Returns the server.
    pub fn engine(&self) -> &Arc<Engine<P>> {
        &self.engine
    }

    /// Returns what the protocol keeps of the session.
    pub fn session(&self) -> &P::Session {
        &self.session
    }

    /// Queues the frames of one packet: the first a text frame that begins with a digit of Engine.IO, binary ones as
    /// they are. `gate` is asked under the lock of the queue, so that what it tells still holds when they are queued.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Closed`] also when the gate is shut.
    pub fn send(&self, frames: &[Frame], class: Class, gate: impl FnOnce() -> bool) -> Result<(), SendError> {
        let bytes: usize = frames.iter().map(Frame::size).sum();
        let settings = &self.engine.settings;
        let mut state = self.lock();
        if state.session.ended().is_some() || !gate() {
            return Err(SendError::Closed);
        }
        let over_messages = state.queue.frames() + frames.len() > settings.queue_messages;
        let over_bytes = state.queue.bytes() + bytes > settings.queue_bytes;
        if (over_messages || over_bytes) && !state.queue.is_empty() {
            if class == Class::Volatile {
                self.engine.counters.dropped.fetch_add(1, Relaxed);
            } else {
                self.end_locked(state, Reason::SlowConsumer);
            }
            return Err(SendError::Full);
        }
        frames.iter().for_each(|frame| state.queue.push(frame.clone()));
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Ends the session; a reason given before stays.
    pub fn end(&self, reason: Reason) {
        self.end_locked(self.lock(), reason);
    }

    /// Has [`Protocol::attend`] called by the session's task.
    pub fn attend(&self) {
        let mut state = self.lock();
        state.attend = true;
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Returns why the session has ended, once it has.
    pub fn ended(&self) -> Option<Reason> {
        self.lock().session.ended()
    }

    pub(super) fn pong(&self) {
        self.lock().session.pong(Instant::now(), &self.engine.settings.pace());
    }

    /// Tells whether no post is being dealt with; else the waker is woken when that is so.
    pub(super) fn is_idle(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if state.posting {
            set(&mut state.driver, waker);
        }
        !state.posting
    }

    /// Takes a websocket that wants to carry the session.
    pub(super) fn attach(&self) -> Result<(), Refusal> {
        self.change(|state, now| {
            self.look(state, now, false);
            state.session.attach()
        })
    }

    pub(super) fn probed(&self) -> bool {
        self.change(|state, now| state.session.probed(now))
    }

    pub(super) fn detach(&self) {
        self.change(|state, _| state.session.detach());
    }

    pub(super) fn upgrade(&self) -> bool {
        self.change(|state, _| state.session.upgrade())
    }

    /// Takes frames for a socket; none when nothing is queued.
    pub(super) fn take_batch(&self) -> VecDeque<Frame> {
        self.lock().queue.take_batch()
    }

    /// Says what the session's task has to do; it is woken when that changes.
    pub(super) fn turn(&self, turns: Turns, waker: &Waker) -> Turn {
        let mut state = self.lock();
        let busy = match turns {
            Turns::Polling if state.session.is_websocket() => return Turn::Moved,
            Turns::Polling => false,
            Turns::Websocket { busy, .. } => busy,
        };
        let until = self.look(&mut state, Instant::now(), busy);
        let busy = busy || state.posting;
        let turn = match state.session.ended() {
            Some(reason) if !busy && !state.session.lingers() => return Turn::Ended(reason),
            _ if state.attend && !busy => {
                state.attend = false;
                return Turn::Attend;
            }
            _ => Turn::Wait(until),
        };
        if let Turns::Websocket { room, .. } = turns {
            if room && !state.queue.is_empty() {
                return Turn::Send;
            }
            set(&mut state.consumer, waker);
        }
        set(&mut state.driver, waker);
        // A ping that was queued just now is for the poll.
        let consumer = (turns == Turns::Polling && !state.queue.is_empty()).then(|| state.consumer.take());
        drop(state);
        consumer.flatten().into_iter().for_each(Waker::wake);
        turn
    }

    /// Tells the protocol that the session has ended, and forgets it. Once.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        let Some(reason) = state.session.ended().filter(|_| !state.finished) else { return };
        state.finished = true;
        self.release(state);
        self.engine.table.remove(self.sid);
        self.engine.counters.sessions.fetch_sub(1, Relaxed);
        tracing::debug!(session = ?self.sid, reason = reason.as_str(), "session ended");
        self.engine.protocol.ended(self, reason);
    }

    /// Does what is due by the heartbeat; returns when to look again.
    fn look(&self, state: &mut State, now: Instant, busy: bool) -> Instant {
        let pace = self.engine.settings.pace();
        if state.session.ended().is_none() {
            match state.session.beat(now, busy || state.posting, &pace) {
                Beat::Wait(until) => return until,
                Beat::Ping => {
                    state.queue.push(Frame::text("2"));
                    return now;
                }
                Beat::Gone => self.count_end(state),
            }
        }
        now + pace.interval
    }

    /// Changes the state.
    fn change<T>(&self, change: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state, Instant::now());
        self.release(state);
        result
    }

    fn end_locked(&self, mut state: MutexGuard<'_, State>, reason: Reason) {
        state.session.end(reason);
        self.release(state);
    }

    fn count_end(&self, state: &mut State) {
        let Some(reason) = state.session.ended().filter(|_| !state.counted) else { return };
        state.counted = true;
        self.engine.counters.ended(reason);
        // A client that is sent away may still get what was sent before.
        if !matches!(reason, Reason::Application(_) | Reason::Draining | Reason::ConnectTimeout) {
            state.queue = Queue::default();
        }
    }

    /// Gives the lock back, and wakes whoever may be waiting for what was changed.
    fn release(&self, mut state: MutexGuard<'_, State>) {
        self.count_end(&mut state);
        let (consumer, driver) = (state.consumer.take(), state.driver.take());
        drop(state);
        consumer.into_iter().chain(driver).for_each(Waker::wake);
    }

    /// No code panics while it holds the lock half-way through a change, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(slot: &mut Option<Waker>, waker: &Waker) {
    if !slot.as_ref().is_some_and(|held| held.will_wake(waker)) {
        *slot = Some(waker.clone());
    }
}

impl<P: Protocol> std::fmt::Debug for Link<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Link").field("sid", &self.sid).finish_non_exhaustive()
    }
}
