//! Messages from handsets: what an SMSC brings, whose it is, and what the owner gets of it.

pub(crate) mod owners;
mod part;

pub(crate) use part::{Fragment, InboundKey, Place, join};
