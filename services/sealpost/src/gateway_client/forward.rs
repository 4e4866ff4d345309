//! Handing in SMS that came in.

use std::io::BufRead as _;

use clap::Args;
use common::models::E164;
use serde_json::json;

use super::credentials::{Caller, Relay, accepted};
use crate::console::{self, Outcome};

/// What came in.
#[derive(Args)]
pub(crate) struct Forward {
    /// Who has sent it
    #[arg(long, value_name = "NUMBER")]
    from: E164,
    /// What it says, as the app has encrypted it [default: each line of stdin]
    #[arg(long, value_name = "TEXT")]
    sms: Option<String>,
    /// The last part of the path
    #[arg(long, value_name = "NAME", default_value = "gateway-client")]
    platform: String,
    #[command(flatten)]
    relay: Relay,
}

impl Forward {
    pub(super) async fn run(self) -> Outcome {
        let Self { from, sms, platform, relay } = self;
        let caller = relay.caller()?;
        if let Some(sms) = sms {
            return hand_in(&caller, &platform, &from, &sms).await;
        }
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if !line.trim().is_empty() {
                hand_in(&caller, &platform, &from, &line).await?;
            }
        }
        Ok(())
    }
}

async fn hand_in(caller: &Caller, platform: &str, from: &E164, text: &str) -> Outcome {
    let body = json!({"text": text, "MSISDN": from});
    let answer = caller.post(&["sms", "platform", platform], &body).await?;
    console::print_line(&accepted(answer).await?)
}
