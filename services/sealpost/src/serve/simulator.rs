//! The SMSC of a standalone that has none.

use std::io;
use std::time::Duration;

use common::crypto::token::{NoRandomness, PlainToken};
use common::models::{Clock as _, SystemClock};
use config::Config;
use service::StartError;
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, IdFormat, Receipts, Smsc, SmscSettings, Span};

/// Its name in rows and metrics, and the system id of its one account.
const NAME: &str = "simulator";
const SYSTEM_ID: &str = "sealpost";
/// The longest that SMPP has room for.
const PASSWORD_LENGTH: usize = 8;

/// Where the settings name what messages go to.
const BACK_ENDS: [&str; 3] = ["sms_gateway.smsc", "sms_gateway.wasp", "sms_gateway.http"];

/// Starts a simulator on a free port of this machine, which no stranger can bind to, and makes it the gateway's one
/// SMSC; none when the settings name an SMSC or a provider, which messages are meant for.
///
/// # Errors
/// When the system gives no port or no random numbers.
pub(super) async fn start_unless_configured(config: &mut Config) -> Result<Option<Smsc>, StartError> {
    if BACK_ENDS.iter().any(|back_end| config.is_set(back_end)) {
        return Ok(None);
    }
    let password = password().map_err(|error| StartError::service("sealpost", error))?;
    let smsc = Smsc::start(settings(&password)).await.map_err(|error| {
        StartError::service("sealpost", io::Error::new(error.kind(), format!("the SMSC simulator: {error}")))
    })?;
    let port = smsc.address().port().to_string();
    for (field, value) in [
        ("name", NAME),
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("system_id", SYSTEM_ID),
        ("password", password.as_str()),
        ("simulated", "true"),
    ] {
        config.fill(&format!("sms_gateway.smsc.0.{field}"), value, "the built-in simulator");
    }
    Ok(Some(smsc))
}

fn password() -> Result<String, NoRandomness> {
    Ok(PlainToken::generate()?.expose().chars().take(PASSWORD_LENGTH).collect())
}

fn settings(password: &str) -> SmscSettings {
    let receipts = Receipts {
        delay: Span { min: Duration::from_millis(200), max: Duration::from_millis(500) },
        ..Receipts::default()
    };
    // Ids count up from 1 again after a restart; with the time before them they do not meet those of earlier runs.
    let ids = IdFormat::Prefixed(format!("{:x}-", SystemClock.now().as_i64()));
    SmscSettings {
        accounts: vec![Account { system_id: SYSTEM_ID.into(), password: Password::new(password) }],
        behaviour: Behaviour { ids, receipts: Some(receipts), ..Behaviour::default() },
        // Nobody asks for what was accepted, and it is plaintext.
        keep: 0,
        ..SmscSettings::default()
    }
}
