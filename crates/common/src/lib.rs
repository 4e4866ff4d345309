//! Models and cryptography that every Sealpost service shares: pure data and pure functions, no I/O.
//!
//! [`models`] holds what travels between services and clients (ids, times, problems, events, frames, SMS records),
//! [`crypto`] what protects it (passwords, tokens, signatures, the SMS envelope, the vault). Text and bytes come in,
//! checked types go out; nothing here reads a file, a socket or a database.
//!
//! Features: `diesel` maps ids, times and bytes to `Text`, `Integer`, `BigInt` and `Binary` columns of any back end;
//! `utoipa` describes the models for OpenAPI.

pub mod crypto;
pub mod models;
