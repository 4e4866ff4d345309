//! The HTTP interface: the same contract as on the bus, for producers without Kafka.

pub(crate) mod admin;
mod feed;
pub(crate) mod inbound;
pub(crate) mod key;
pub(crate) mod receipts;
pub(crate) mod report;
pub(crate) mod sms;
pub(crate) mod statuses;
