//! Cryptography: what protects passwords, tokens, prekeys and SMS.
//!
//! Pure functions over bytes. Errors never tell secrets, and tell no more about a failed check than that it failed.

pub mod data_key;
pub mod jws;
pub mod keys;
pub mod oaep;
pub mod password;
pub mod secret;
pub mod sms_envelope;
pub mod sms_inbound;
pub mod sms_payload;
pub mod token;
pub mod vault;
pub mod xeddsa;

pub use data_key::DataKey;
pub use secret::Secret;
