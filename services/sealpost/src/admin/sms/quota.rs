//! `sealpost admin sms quota`: how much clients may send, and have sent.

use common::models::UnixMillis;
use serde::Deserialize;

use super::Plain;
use crate::console::{self, Outcome};

#[derive(Deserialize)]
struct QuotaView {
    client: String,
    period: String,
    limit: i64,
    used: i64,
    until: UnixMillis,
}

/// Prints a line for each quota.
pub(super) async fn run(Plain { operator }: Plain) -> Outcome {
    let quotas: Vec<QuotaView> = operator.get("quotas", &[]).await?;
    if quotas.is_empty() {
        console::say("no client has a quota");
    }
    for QuotaView { client, period, limit, used, until } in quotas {
        let until = until.to_rfc3339_seconds();
        console::print_line(&format!("{client}\t{period}\t{used} of {limit} segments\tuntil {until}"))?;
    }
    Ok(())
}
