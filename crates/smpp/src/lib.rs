//! SMPP 3.4: the codec, an ESME that keeps itself bound, and an SMSC simulator.
//!
//! - [`codec`]: octets to typed PDUs and back; tolerant when it reads, strict when it writes.
//! - [`session`]: one session of an ESME as a state machine, without sockets.
//! - [`esme`]: the tokio driver that keeps such a session bound for ever.
//! - [`smsc`]: an SMSC simulator with scripted behaviour.
//! - [`tls`]: TLS for both.
//!
//! Section numbers in these documents are those of "Short Message Peer to Peer Protocol Specification v3.4,
//! Issue 1.2". Message text, passwords and full numbers are in no `Debug` output and no log line of this crate.

pub mod codec;
pub mod esme;
mod outgoing;
mod random;
pub mod session;
pub mod smsc;
pub mod tls;
