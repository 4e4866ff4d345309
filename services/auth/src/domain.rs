//! The verbs of this service: register, log in, link, refresh, bind, end, delete. No HTTP, no SQL text.

pub(crate) mod accounts;
mod attempts;
pub(crate) mod blocks;
mod credentials;
mod error;
pub(crate) mod hasher;
pub(crate) mod housekeeping;
pub(crate) mod invites;
pub(crate) mod links;
pub(crate) mod login;
pub(crate) mod lookup;
pub(crate) mod mail;
pub(crate) mod passwords;
pub(crate) mod phone;
mod privacy;
pub(crate) mod sessions;
pub(crate) mod signal_server;
pub(crate) mod sync;
mod tokens;
pub(crate) mod totp;
pub(crate) mod turns;
pub(crate) mod woosh;

pub(crate) use credentials::{EmailAddress, Password, Username};
pub(crate) use error::AuthError;
pub(crate) use tokens::{AccountToken, TokenIssuer};
