//! What the program of every service shares: settings, handles, command line, and the tasks that each process needs.
//!
//! In: an [`App`] (a service's settings, migrations, routes and how it is put together) and the settings from file,
//! environment and flags. Out: a process that serves it.
//!
//! - [`main`] is the whole `main` of a service's program; [`Host`] serves any number of services in one process, for
//!   the standalone and tests.
//! - [`Platform`] holds what services share: bus, live fan-out, gate, clients, clock.
//! - The guard keeps the gate's keys and revocations up to date; [`handle_account_events`] gives a service its consumer
//!   of `account-events` and its nudge.
//! - [`operators`] tells who operators are, and keeps the log of what they do.
//! - [`Retention`] and [`Overdue`] remove what is old; [`privacy`] tells operators what there is of one account.
//! - [`woosh`] and [`signal_server`] are what the parts of those interfaces share.
//!
//! What must hold: nothing outside the process is needed to start; what is away makes the process not ready, and heals
//! without a restart. Without its secrets a process refuses to start.

mod account_events;
mod app;
mod checks;
mod error;
mod guard;
mod host;
pub mod operators;
mod outbox;
mod platform;
pub mod privacy;
mod program;
mod retention;
mod revocations;
mod settings;
pub mod signal_server;
mod sweeper;
pub mod woosh;

pub use account_events::{AccountEvents, Announcer, account_event_record, handle_account_events};
pub use app::{AccessTokens, App, Switch};
pub use checks::{BusCheck, DatabaseCheck};
pub use error::StartError;
pub use host::{Host, Ready, Surroundings, migrate};
pub use outbox::publish_outbox;
pub use platform::Platform;
pub use program::{Options, block_on, environment, main, migrate as migrate_one, openapi, report, serve};
pub use retention::{Overdue, Retention};
pub use revocations::{ACCOUNT_EVENT_KIND, MAX_ACCESS_TTL};
pub use settings::{CommonSettings, DatabaseSection, InternalSection, LiveSection, SECTIONS};
pub use sweeper::sweep_every;
