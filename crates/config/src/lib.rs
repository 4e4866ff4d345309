//! Layered settings for any [`serde::Deserialize`] type; this crate knows no section of its own.
//!
//! In: one TOML file, the environment (`SEALPOST__SECTION__FIELD`), overrides from the command line, in rising
//! order of precedence over the defaults that each settings type carries (`#[serde(default)]`).
//! Out: typed sections ([`Config::section`]) or a [`ConfigError`] that names every fault with its place and source.
//!
//! What must hold: an unknown field is an error (settings types carry `#[serde(deny_unknown_fields)]`), and no
//! error, log line or `Debug` output of this crate ever shows a value, because any value may be a secret.
//!
//! A field `token` may be given as `token_file` (in the file or the environment): the named file's content, without
//! one trailing line break, becomes the value. A field whose own name ends in `_file` is left alone.

mod error;
mod files;
mod layers;
mod section;

pub use error::{ConfigError, Fault};
pub use layers::{Config, Origin};
