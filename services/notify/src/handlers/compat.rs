//! Interfaces of other systems, over the same domain functions.

pub(crate) mod channel_api;
