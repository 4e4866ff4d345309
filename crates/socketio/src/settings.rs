//! What can be set, with defaults as the reference server has them.

use std::time::Duration;

use serde::Deserialize;

use crate::session::heartbeat::Pace;
use crate::session::socket::SocketLimits;

/// Settings of a server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// From a pong to the next ping.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// How long a client may take to join its first namespace.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a websocket may take to complete an upgrade.
    #[serde(with = "humantime_serde")]
    pub upgrade_timeout: Duration,
    /// Largest body of a post, largest answer of a poll, largest message of a websocket, in bytes. The client is told.
    pub max_payload: usize,
    /// Most packets of one answer of a poll; the next poll gets the rest. Clients on python-engineio take no more than 16,
    /// and drop the connection.
    pub poll_packets: usize,
    /// Most attachments of one packet.
    pub max_attachments: usize,
    /// Most bytes of one packet with its attachments.
    pub max_packet_bytes: usize,
    /// Most namespaces of one session.
    pub max_namespaces: usize,
    /// Most sessions at a time; further ones are answered 503.
    pub max_sessions: usize,
    /// Most messages that wait for one session; a client that lets more gather is closed.
    pub queue_messages: usize,
    /// Most bytes that wait for one session; one packet more is always taken by an empty queue.
    pub queue_bytes: usize,
    /// Which pages of other origins may connect.
    pub cors: CorsSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            poll_packets: 16,
            max_attachments: 10,
            max_packet_bytes: 4_000_000,
            max_namespaces: 16,
            max_sessions: 100_000,
            queue_messages: 1024,
            queue_bytes: 4 * 1024 * 1024,
            cors: CorsSettings::default(),
        }
    }
}

impl Settings {
    pub(crate) fn pace(&self) -> Pace {
        Pace { interval: self.ping_interval, timeout: self.ping_timeout }
    }

    pub(crate) fn socket_limits(&self) -> SocketLimits {
        SocketLimits {
            namespaces: self.max_namespaces,
            attachments: self.max_attachments,
            packet_bytes: self.max_packet_bytes,
        }
    }
}

/// Cross-origin rules (Fetch standard). Browsers hold pages to them for polling only; the server does for websockets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins whose pages may connect (`https://app.example`), or `*` for all. None: no headers are sent, and no
    /// origin is refused. A request without `Origin`, or of a page of this host, is always taken.
    pub origins: Vec<String>,
    /// Whether browsers may send cookies and read the answer.
    pub credentials: bool,
}
