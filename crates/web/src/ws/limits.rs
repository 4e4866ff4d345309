//! What one socket may take.

use std::time::Duration;

/// Bounds of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketLimits {
    /// Largest incoming message, in bytes, fragments joined. A larger one closes with 1009.
    pub message_bytes: usize,
    /// Most bytes that wait to be written; one frame more is always accepted by an empty queue.
    pub queue_bytes: usize,
    /// Most frames that wait to be written.
    pub queue_frames: usize,
    /// Silence after which the peer is pinged.
    pub ping: Duration,
    /// Silence after which the connection is given up.
    pub idle: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            queue_bytes: 4 * 1024 * 1024,
            queue_frames: 1024,
            ping: Duration::from_secs(30),
            idle: Duration::from_secs(90),
        }
    }
}
