//! The SMSCs, as far as a connection goes: a bind could push out the one that a running gateway has.

use std::time::Duration;

use config::Config;
use futures_util::future::join_all;
use sms_gateway::SmscSettings;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to each SMSC, and sends nothing.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let Ok(settings) = config.section::<sms_gateway::Settings>("sms_gateway") else {
        return Vec::new();
    };
    let others = settings.wasp.len() + settings.http.len();
    if settings.smsc.is_empty() && others == 0 {
        let advice = "configure [[sms_gateway.smsc]]; a standalone has a simulator until then";
        return vec![Finding::warning("smsc", "none is configured: SMS reach no phone", advice)];
    }
    join_all(settings.smsc.iter().map(one)).await
}

async fn one(smsc: &SmscSettings) -> Finding {
    let check = format!("smsc {}", smsc.name);
    let place = format!("{}:{}", smsc.host, smsc.port);
    let reached = match timeout(PATIENCE, TcpStream::connect((smsc.host.as_str(), smsc.port))).await {
        Ok(reached) => reached.map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    };
    match reached {
        Ok(_) => Finding::ok(check, format!("{place} takes connections")),
        Err(error) => Finding::failed(
            check,
            format!("{place}: {error}"),
            "are host and port right, and does the provider allow this address?",
        ),
    }
}
