//! Delivery: channels in use and who is in them, what other processes publish, what was missed, and the doors.
//!
//! A publication comes from the writer of this process, from another process over the live bus, or from the history when
//! both have failed to bring it. [`hub::Hub`] puts what comes into the order of its offsets, once for the whole process,
//! and hands each publication to the loop of each worker thread that has clients in the channel. The loop puts it into
//! the bounded inbox of each client and wakes it. Every form is encoded once and shared.

mod attendance;
mod catching;
mod channel;
mod door;
mod hub;
mod inbox;
mod joining;
pub(crate) mod patrol;
pub(crate) mod pods;
mod presence;
mod recent;
mod session;
mod socketio;
mod stream;
mod worker;

pub(crate) use self::socketio::ChannelApi;
pub(crate) use attendance::Attendance;
pub(crate) use hub::{Hub, Means};
pub(crate) use joining::Joining;
pub(crate) use presence::Presence;
pub(crate) use session::serve;
pub(crate) use stream::{read_event_id, stream};
