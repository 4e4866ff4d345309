//! Cryptography: what protects passwords, tokens, prekeys and SMS.
//!
//! Pure functions over bytes. Errors never tell secrets, and tell no more about a failed check than that it failed.

pub mod jws;
pub mod password;
pub mod secret;
pub mod token;

pub use secret::Secret;
