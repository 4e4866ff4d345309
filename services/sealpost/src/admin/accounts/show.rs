//! Everything that the services know of an account, in one place. A service that is away leaves its part out, and is named.

use common::models::AccountId;
use common::models::operators::{AccountFacts, DeviceFacts, DeviceKeys, MaskedContact, Queues};
use reqwest::Method;
use serde::Serialize;

use crate::admin::{Operator, devices, queue, table};
use crate::console::{self, Outcome};

/// The parts, as `--json` prints them.
#[derive(Serialize)]
struct Whole {
    account: AccountFacts,
    devices: Option<DeviceKeys>,
    queues: Option<Queues>,
}

pub(super) async fn run(operator: &Operator, account: AccountId, json: bool) -> Outcome {
    let path = ["internal", "auth", "v1", "operators", "accounts", account.as_str()];
    let facts: AccountFacts = operator.call(Method::GET, &path, &[], |request| request).await?;
    let devices = devices::of_account(operator, account).await;
    let queues = queue::of_account(operator, account).await;
    let mut away = Vec::new();
    for (service, error) in [("keystore", devices.as_ref().err()), ("mailbox", queues.as_ref().err())] {
        away.extend(error.map(|error| format!("{service}: {error}")));
    }
    let whole = Whole { account: facts, devices: devices.ok(), queues: queues.ok() };
    match json {
        true => console::print_line(&serde_json::to_string_pretty(&whole)?)?,
        false => whole.print()?,
    }
    if away.is_empty() { Ok(()) } else { Err(format!("this is not all: {}", away.join("; ")).into()) }
}

impl Whole {
    fn print(&self) -> Outcome {
        let AccountFacts { summary, email, phone, second_factor, sessions, block_reason, .. } = &self.account;
        let contact = |contact: &Option<MaskedContact>| match contact {
            Some(one) if one.verified => one.masked.clone(),
            Some(one) => format!("{} (not verified)", one.masked),
            None => "none".to_owned(),
        };
        let blocked = match (summary.blocked_at, block_reason) {
            (Some(at), Some(reason)) => format!("since {}: {reason}", at.to_rfc3339_seconds()),
            _ => "no".to_owned(),
        };
        for (what, value) in [
            ("account", summary.account_id.to_string()),
            ("name", summary.username.clone()),
            ("kind", summary.kind.as_str().to_owned()),
            ("created", summary.created_at.to_rfc3339_seconds()),
            ("blocked", blocked),
            ("sessions", sessions.to_string()),
            ("second factor", if *second_factor { "yes" } else { "no" }.to_owned()),
            ("e-mail", contact(email)),
            ("phone", contact(phone)),
        ] {
            console::print_line(&format!("{what:<14}{value}"))?;
        }
        let rows: Vec<_> =
            self.devices.iter().flat_map(|all| &all.devices).map(|one| self.row(one)).collect();
        if self.devices.is_some() {
            console::print_line("")?;
            table::print(devices::HEADS, &rows)?;
        }
        if let Some(queues) = &self.queues {
            console::print_line("")?;
            table::print(queue::HEADS, &queues.queues.iter().map(queue::row).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// A device, with the day on which auth has seen it last.
    fn row(&self, device: &DeviceFacts) -> [String; 8] {
        let seen = self.account.seen.iter().find(|seen| seen.device_id == device.device_id);
        devices::row(device, seen.map(|seen| seen.seen_at))
    }
}
