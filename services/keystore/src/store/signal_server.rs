//! Devices and prekeys of signal_server. They are apart from ours; only the row of the account is shared, whose lock
//! makes all that changes them take turns, and whose tombstone keeps a late registration out.

pub(crate) mod bundles;
pub(crate) mod devices;
pub(crate) mod prekeys;
pub(crate) mod rows;
