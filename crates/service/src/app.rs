//! What a service is to the program that runs it.

use std::fmt;

use db::Migrations;
use serde::de::DeserializeOwned;
use web::{RoutesFn, Service};

use crate::error::StartError;
use crate::platform::Platform;

/// An option of a service's program that stands for settings: `--name`.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// The dotted paths of the settings that it turns on, each a boolean.
    pub settings: &'static [&'static str],
    /// The dotted paths of secrets that are made up for the run if they are not in the environment.
    pub made_up: &'static [&'static str],
    /// Whether the run has a data directory of its own, removed at its end, if none is named.
    pub scratch: bool,
    /// What it is for, in one line.
    pub help: &'static str,
}

/// What a service does with access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessTokens {
    /// Its callers have other credentials: it needs no auth.
    Unused,
    /// Some of its callers have them: until auth has told the public keys, these are refused with 503, and the others served.
    Accepted,
    /// Its callers have them: it is ready once auth has told the public keys.
    Required,
}

/// A service: its settings, tables and routes, and how it is put together.
pub trait App: 'static {
    /// Its name, as in `sealpost-<name>`, paths and metrics: `mailbox`, `sms-gateway`.
    const NAME: &'static str;

    /// The options that its program has beside those of all programs.
    const SWITCHES: &'static [Switch] = &[];

    /// Its section of the settings; `Debug` is safe to log. Derives `Deserialize` with `#[serde(default,
    /// deny_unknown_fields)]`.
    type Settings: DeserializeOwned + fmt::Debug;

    /// Tells what it does with access tokens.
    fn access_tokens(_settings: &Self::Settings) -> AccessTokens {
        AccessTokens::Required
    }

    /// Its migrations; none for a service without tables.
    fn migrations() -> Option<&'static Migrations>;

    /// Its public routes, for the interface description; the same function as in the [`Service`].
    fn routes() -> RoutesFn;

    /// Puts it together. Opens no listener, and needs no other service, database or broker to be there: what is away
    /// shows in a check. Runs within the runtime, and must not block.
    ///
    /// # Errors
    /// Settings that cannot work ([`StartError::Config`]), or what else cannot change by itself.
    fn build(settings: Self::Settings, platform: &Platform) -> Result<Service, StartError>;

    /// The name of its section and of its schema: its name with `_` for `-`.
    fn section() -> String {
        Self::NAME.replace('-', "_")
    }
}
