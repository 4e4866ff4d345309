//! Why a session, or the connection to a namespace, ended.

use std::fmt;

use crate::codec::Malformed;

/// The first thing that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The client left the namespace (DISCONNECT).
    ClientLeft,
    /// The client closed the transport, by a packet or a close frame.
    ClientClosed,
    /// The connection broke, or a held poll was given up by the client.
    Lost,
    /// No pong came in time.
    PingTimeout,
    /// No namespace was joined in time.
    ConnectTimeout,
    /// The client sent what the protocol does not have.
    Malformed(Malformed),
    /// Two polls, or two posts, at the same time.
    Concurrent,
    /// The client reads too slowly: what waited for it was over the limit. Nothing of it was kept.
    SlowConsumer,
    /// The process is stopping.
    Draining,
    /// The application ended it, and says why; the client of a websocket is told.
    Application(&'static str),
    /// A fault on this side.
    Fault,
}

impl Reason {
    /// Every kind, as labels of a metric have it.
    pub const LABELS: [&'static str; 11] = [
        "client_left",
        "client_closed",
        "lost",
        "ping_timeout",
        "connect_timeout",
        "malformed",
        "concurrent",
        "slow_consumer",
        "draining",
        "application",
        "fault",
    ];

    /// Returns the kind as a label.
    pub fn as_str(&self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or_default()
    }

    pub(crate) fn index(&self) -> usize {
        match self {
            Self::ClientLeft => 0,
            Self::ClientClosed => 1,
            Self::Lost => 2,
            Self::PingTimeout => 3,
            Self::ConnectTimeout => 4,
            Self::Malformed(_) => 5,
            Self::Concurrent => 6,
            Self::SlowConsumer => 7,
            Self::Draining => 8,
            Self::Application(_) => 9,
            Self::Fault => 10,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientLeft => formatter.write_str("the client left"),
            Self::ClientClosed => formatter.write_str("the client closed"),
            Self::Lost => formatter.write_str("the connection is lost"),
            Self::PingTimeout => formatter.write_str("no pong in time"),
            Self::ConnectTimeout => formatter.write_str("no CONNECT in time"),
            Self::Malformed(what) => what.fmt(formatter),
            Self::Concurrent => formatter.write_str("two requests of a kind at the same time"),
            Self::SlowConsumer => formatter.write_str("read faster"),
            Self::Draining => formatter.write_str("restarting"),
            Self::Application(why) => formatter.write_str(why),
            Self::Fault => formatter.write_str("a fault of the server"),
        }
    }
}
