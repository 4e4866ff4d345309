//! The interfaces of the SMSWithoutBorders gateway server, as its clients know them: texts instead of problems, keys in
//! capitals. What differs is in `docs/compat/sms-relay.md`.

mod fields;
pub(crate) mod intake;
mod lists;
mod refusal;
pub(crate) mod seeds;
pub(crate) mod sms;
pub(crate) mod v3;
