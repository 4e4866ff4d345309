//! A websocket that a session holds: messages in, frames out, pings and closing by itself.
//!
//! Everything happens inside [`Socket::next`]: reading, writing what was queued, answering pings, pinging, the idle limit
//! and the close frame when the process drains. A session that waits for other things too waits for them and `next` in
//! one `tokio::select!`; `next` can be dropped at any time without loss.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{net::TcpStream, task::coop::poll_proceed};

use super::{
    CloseCode,
    frame::{Frame, Incoming, Message, Reader},
    limits::SocketLimits,
    queue::Queue,
    tracker::Seat,
    wheel::{Alarm, Tick, Wheel, ticks},
};

/// How long a peer may take to answer our close frame.
const CLOSE_HANDSHAKE: Duration = Duration::from_secs(2);
/// Enough queued bytes to be worth a write before the session comes back to `next`.
const WRITE_AT_BYTES: usize = 32 * 1024;

thread_local! {
    /// One read buffer for all sockets of a worker; only unfinished frames are kept by the socket itself.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The peer reads too slowly: close with 1013.
    #[error("the outgoing queue is full")]
    Full,
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
}

/// The process is stopping, and the peer has not been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the process is stopping")]
pub struct Draining;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed, with the code it gave.
    Peer(Option<u16>),
    /// The session closed, with this code.
    Local(CloseCode),
    /// The peer broke the protocol or a limit; it was told this code.
    Fault(CloseCode),
    /// The process is stopping.
    Drain,
    /// Nothing came from the peer for the idle limit.
    Idle,
    /// The connection broke.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Our close frame is queued; the peer has until `until` to read and answer it.
    Closing {
        until: Tick,
    },
    /// The peer's close frame is answered; only the answer is still to be written.
    Flushing {
        until: Tick,
    },
    Closed,
}

/// One accepted websocket.
#[derive(Debug)]
pub struct Socket {
    io: TcpStream,
    reader: Reader,
    queue: Queue,
    limits: Rc<SocketLimits>,
    wheel: Rc<Wheel>,
    alarm: Rc<Alarm>,
    heard: Tick,
    pinged: Tick,
    state: State,
    end: Option<End>,
    _seat: Seat,
}

impl Socket {
    pub(super) fn new(io: TcpStream, read: BytesMut, limits: Rc<SocketLimits>, seat: Seat) -> Self {
        let wheel = seat.wheel();
        let now = wheel.now();
        Self {
            io,
            reader: Reader::new(read, limits.message_bytes),
            queue: Queue::default(),
            limits,
            wheel,
            alarm: Rc::default(),
            heard: now,
            pinged: now,
            state: State::Open,
            end: None,
            _seat: seat,
        }
    }

    /// Waits for the next message; `None` once the connection has ended ([`Socket::end`] tells why).
    ///
    /// Safe to drop before it is ready.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`Socket::next`], for a session that has something to put in order before the peer hears that the process is
    /// stopping: it may be back on another one at once.
    ///
    /// # Errors
    /// [`Draining`] when the process is stopping; the close, with [`CloseCode::RESTART`], is the caller's.
    pub async fn next_unless_draining(&mut self) -> Result<Option<Message>, Draining> {
        poll_fn(|context| {
            self.alarm.wakes(context.waker());
            if self.wheel.draining() && self.state == State::Open {
                return Poll::Ready(Err(Draining));
            }
            self.poll_on(context).map(Ok)
        })
        .await
    }

    /// Queues a frame; it is written when the session comes back to [`Socket::next`] or calls [`Socket::flush`], together
    /// with whatever else was queued.
    ///
    /// # Errors
    /// [`SendError::Full`] when the queue is at its limit (the frame is not taken), [`SendError::Closed`].
    pub fn send(&mut self, frame: Frame) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::Closed);
        }
        let frame = frame.into_bytes();
        let over_bytes = self.queue.bytes() + frame.len() > self.limits.queue_bytes;
        if self.queue.frames() >= self.limits.queue_frames || (over_bytes && !self.queue.is_empty()) {
            return Err(SendError::Full);
        }
        self.queue.push(frame);
        if self.queue.bytes() >= WRITE_AT_BYTES {
            self.flush();
        }
        Ok(())
    }

    /// Encodes and queues a text message.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send(Frame::text(text))
    }

    /// Writes what the kernel takes at once; the rest follows in [`Socket::next`].
    pub fn flush(&mut self) {
        if self.state != State::Closed && self.queue.write_to(&self.io).is_err() {
            self.finish(End::Lost);
        }
    }

    /// Waits until all that was queued is written, without reading anything meanwhile, or the connection has ended: for a
    /// session that has more to send than the queue takes. Safe to drop before.
    pub async fn drained(&mut self) {
        let mut waits = false;
        poll_fn(|context| {
            self.alarm.wakes(context.waker());
            loop {
                let before = self.queue.bytes();
                self.poll_write(context);
                // Its answers to pings are not read meanwhile. What the kernel takes after it had no room is a sign of
                // life as well: the peer has taken something, which one that is gone does not.
                if waits && self.queue.bytes() < before {
                    self.heard = self.wheel.now();
                }
                waits = !self.queue.is_empty();
                if self.queue.is_empty() || self.state != State::Open || self.wheel.draining() {
                    return Poll::Ready(());
                }
                if !self.check_time() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }

    /// Sends a close frame after what is queued, and waits up to two seconds for the peer to answer it. The connection has
    /// ended then. By reference: a future that takes the socket would hold room for a second one as long as it lives.
    pub async fn close(&mut self, code: CloseCode, reason: &str) {
        self.begin_close(code, reason, End::Local(code));
        while self.next().await.is_some() {}
    }

    /// Tells why the connection ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Tells whether the process is stopping, for a session that is busy, and so does not hear it from [`Socket::next`].
    pub fn is_draining(&self) -> bool {
        self.wheel.draining()
    }

    /// Returns how many bytes wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// The poll behind [`Socket::next`], for a session that is written as one.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.alarm.wakes(context.waker());
        if self.wheel.draining() {
            self.begin_close(CloseCode::RESTART, "restarting", End::Drain);
        }
        self.poll_on(context)
    }

    fn poll_on(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        if self.state != State::Open {
            self.check_time();
        }
        loop {
            self.poll_write(context);
            if self.state == State::Closed {
                return Poll::Ready(None);
            }
            if matches!(self.state, State::Open | State::Closing { .. }) {
                // A read buffer full of small frames must not keep the worker's other sockets waiting.
                let Poll::Ready(coop) = poll_proceed(context) else { return Poll::Pending };
                coop.made_progress();
                match self.reader.read() {
                    Ok(Some(Incoming::Message(message))) if self.state == State::Open => {
                        return Poll::Ready(Some(message));
                    }
                    Ok(Some(incoming)) => {
                        self.answer(incoming);
                        continue;
                    }
                    Ok(None) => {}
                    Err(fault) => {
                        self.begin_close(fault.code, fault.reason, End::Fault(fault.code));
                        self.reader.discard();
                        continue;
                    }
                }
            }
            match self.io.poll_read_ready(context) {
                // Silence is judged only now: what came while the session was busy has been read first.
                Poll::Pending if self.check_time() => {}
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => self.read(),
                Poll::Ready(Err(_)) => self.finish(End::Lost),
            }
        }
    }

    /// Writes what is queued without reading on, for a session that is busy with the message before. Ready when nothing is
    /// left to be written.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_write(context);
        if self.state == State::Closed || self.queue.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn answer(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Ping(payload) if self.state == State::Open => {
                // A peer that pings without reading the answers is a slow reader like any other.
                if self.send(Frame::pong(&payload)) == Err(SendError::Full) {
                    self.begin_close(CloseCode::TRY_AGAIN, "read faster", End::Fault(CloseCode::TRY_AGAIN));
                }
            }
            Incoming::Close(code) => {
                if self.state == State::Open {
                    let echo = code.map_or(CloseCode::NORMAL, CloseCode::new);
                    self.begin_close(echo, "", End::Peer(code));
                }
                if let State::Closing { until } = self.state {
                    self.state = State::Flushing { until };
                }
                self.reader.discard();
            }
            Incoming::Message(_) | Incoming::Ping(_) | Incoming::Pong => {}
        }
    }

    fn read(&mut self) {
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let count = self.io.try_read(scratch)?;
            // After our close frame only the peer's answer to it matters; the reader still has to find it.
            if let (State::Open | State::Closing { .. }, Some(bytes)) = (self.state, scratch.get(..count)) {
                self.reader.push(bytes);
            }
            Ok(count)
        });
        match read {
            Ok(0) => self.finish(End::Lost),
            Ok(_) => self.heard = self.wheel.now(),
            Err(error) => self.lost_unless_waiting(&error),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) {
        while self.state != State::Closed && !self.queue.is_empty() {
            match self.queue.write_to(&self.io) {
                Ok(true) => {}
                Ok(false) => match self.io.poll_write_ready(context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => self.lost_unless_waiting(&error),
                },
                Err(_) => self.finish(End::Lost),
            }
        }
        if matches!(self.state, State::Flushing { .. }) {
            self.finish(End::Lost);
        }
    }

    /// Does what is due by the wheel, else sets the alarm for it. Tells whether it did something.
    fn check_time(&mut self) -> bool {
        let now = self.wheel.now();
        let due = match self.state {
            State::Open => self.heard.max(self.pinged) + ticks(self.limits.ping),
            State::Closing { until } | State::Flushing { until } => until,
            State::Closed => return false,
        };
        let idle_at = self.heard + ticks(self.limits.idle);
        if self.state == State::Open && idle_at <= now {
            self.begin_close(CloseCode::AWAY, "no sign of life", End::Idle);
        } else if due > now {
            let due = if self.state == State::Open { due.min(idle_at) } else { due };
            self.wheel.set(&self.alarm, due);
            return false;
        } else if self.state == State::Open {
            self.pinged = now;
            self.queue.push(Frame::ping().into_bytes());
        } else {
            self.finish(End::Lost);
        }
        true
    }

    fn begin_close(&mut self, code: CloseCode, reason: &str, end: End) {
        if self.state != State::Open {
            return;
        }
        let until = self.wheel.now() + ticks(CLOSE_HANDSHAKE);
        self.queue.push(Frame::close(code, reason).into_bytes());
        self.state = State::Closing { until };
        self.end.get_or_insert(end);
        self.wheel.set(&self.alarm, until);
    }

    /// Ends the connection; a reason given before stays.
    fn finish(&mut self, end: End) {
        self.state = State::Closed;
        self.end.get_or_insert(end);
        self.alarm.silence();
    }

    fn lost_unless_waiting(&mut self, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            self.finish(End::Lost);
        }
    }
}

impl Drop for Socket {
    /// A session that ends without closing still leaves a close frame, if the kernel takes it at once.
    fn drop(&mut self) {
        let code = if std::thread::panicking() {
            CloseCode::ERROR
        } else if self.wheel.draining() {
            CloseCode::RESTART
        } else {
            CloseCode::NORMAL
        };
        self.begin_close(code, "", End::Local(code));
        self.flush();
        self.alarm.silence();
    }
}
