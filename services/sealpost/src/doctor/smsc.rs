//! The SMSCs and the other back ends of the gateway: reached, over TLS where that is set, and with `--bind` let in.
//!
//! Without `--bind` nothing is sent to an SMSC: a bind could push out the one that a running gateway has.

use std::time::Duration;

use config::Config;
use futures_util::future::join_all;
use sms_gateway::{Settings, SmscSettings};
use url::Url;

use super::Finding;
use super::reach::reach;
use crate::sms::smsc::try_smsc;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to each, and binds to the SMSCs if that is asked for; no message is sent.
pub(super) async fn examine(config: &Config, bind: bool) -> Vec<Finding> {
    let Ok(settings) = config.section::<Settings>("sms_gateway") else {
        return Vec::new();
    };
    if settings.smsc.is_empty() && settings.wasp.is_empty() && settings.http.is_empty() {
        let advice = "configure [[sms_gateway.smsc]]; a standalone has a simulator until then";
        return vec![Finding::warning("smsc", "none is configured: SMS reach no phone", advice)];
    }
    let mut findings = join_all(settings.smsc.iter().map(|smsc| one(smsc, bind))).await;
    for (name, urls) in providers(&settings) {
        findings.extend(join_all(urls.iter().map(|url| provider(&name, url))).await);
    }
    findings
}

async fn one(smsc: &SmscSettings, bind: bool) -> Finding {
    let check = format!("smsc {}", smsc.name);
    let place = format!("{}:{}", smsc.host, smsc.port);
    match try_smsc(smsc.clone(), PATIENCE, bind).await {
        Ok(says) => Finding::ok(check, format!("{place}: {says}")),
        Err(refused) => Finding::failed(check, format!("{place}: {}", refused.text), refused.advice),
    }
}

/// The providers over HTTP, each with where it is.
fn providers(settings: &Settings) -> Vec<(String, Vec<Url>)> {
    let wasps = settings.wasp.iter().map(|wasp| (wasp.name.to_string(), wasp.urls.clone()));
    let others = settings.http.iter().map(|http| {
        let origin = http.url.as_ref().and_then(sms_gateway::UrlTemplate::origin);
        (http.name.to_string(), origin.into_iter().collect())
    });
    wasps.chain(others).collect()
}

async fn provider(name: &str, url: &Url) -> Finding {
    const ADVICE: &str =
        "is the address right, and may this machine reach it? Messages wait or fail meanwhile";
    reach(&format!("provider {name}"), url, PATIENCE, ADVICE).await
}
