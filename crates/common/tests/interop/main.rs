//! Checks against others: libsignal's signatures, the known SMS clients' messages, the programs `openssl` and
//! `keytool`, npm's HPKE, the golden records in `proto/bus`, and diesel's back ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "diesel")]
mod columns;
mod hpke;
mod program;
mod records;
mod sms;
mod vault;
mod vault_x25519;
mod xeddsa;
