//! Back ends over HTTP, against a provider that a test scripts octet by octet.

mod generic;
mod kannel;
mod killed;
mod receipts;
mod stub;
mod tls;
mod unknown;
mod wasp;

use std::time::Duration;

use sms_gateway::{Connection, Settings, WaspSettings};

use crate::harness::World;

pub(crate) const USER: &str = "clinic-7";
pub(crate) const PASSWORD: &str = "s3cret-of-the-clinic";
pub(crate) const NUMBER: &str = "255123456789";

/// Limits that a provider meets which is only late, as on a machine that stands still for some seconds.
fn connection() -> Connection {
    Connection {
        connect_timeout: Duration::from_secs(10),
        response_timeout: Duration::from_secs(15),
        pause: Duration::from_millis(100),
        pause_max: Duration::from_millis(400),
        max_answer_bytes: 4096,
        ..Connection::default()
    }
}

/// The same for a provider that says nothing.
fn impatient() -> Connection {
    Connection {
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(4),
        ..connection()
    }
}

/// Longer than that.
const LATE: Duration = Duration::from_secs(8);

/// A gateway whose only back end is a WASP provider with these URLs.
fn wasp(world: &World, urls: &[String]) -> Settings {
    let wasp = WaspSettings {
        name: "vodacom".into(),
        urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
        username: USER.into(),
        password: PASSWORD.into(),
        connection: connection(),
        ..WaspSettings::default()
    };
    Settings { smsc: Vec::new(), wasp: vec![wasp], ..world.settings() }
}

/// A URL at which nobody listens.
fn nobody() -> String {
    format!("http://127.0.0.1:{}/", testkit::process::ports::free())
}
