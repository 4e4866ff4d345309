//! `sealpost admin devices`: the devices of an account, and how their keys do.

use clap::{Args, Subcommand};
use common::models::events::PreKeyKind;
use common::models::operators::{DeviceFacts, DeviceKeys};
use common::models::{AccountId, DeviceId, UnixMillis};
use reqwest::Method;

use super::accounts::account_id;
use super::{Operator, table};
use crate::console::{self, Outcome};

/// The heads of [`row`].
pub(super) const HEADS: [&str; 8] =
    ["device", "kind", "state", "created", "last seen", "one-time keys", "Kyber keys", "signed key of"];

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the devices of an account, with how many one-time prekeys each has left
    List(List),
    /// Remove a device, with its keys and messages; its session ends
    Remove(Remove),
}

#[derive(Args)]
pub(crate) struct List {
    /// The account's id, or its name
    account: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// The account's id, or its name
    account: String,
    /// The device
    device: DeviceId,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(List { account, json, operator }) => {
                let account = account_id(&operator, &account).await?;
                let found = of_account(&operator, account).await?;
                if json {
                    return console::print_line(&serde_json::to_string_pretty(&found)?);
                }
                let rows: Vec<_> = found.devices.iter().map(|one| row(one, None)).collect();
                table::print(HEADS, &rows)
            }
            Self::Remove(Remove { account, device, json, operator }) => {
                let account = account_id(&operator, &account).await?;
                let number = device.to_string();
                let path = [
                    "internal",
                    "keystore",
                    "v1",
                    "operators",
                    "accounts",
                    account.as_str(),
                    "devices",
                    &number,
                ];
                operator.order(Method::DELETE, &path).await?;
                match json {
                    true => console::print_line(r#"{"removed": true}"#),
                    false => console::print_line(&format!("device {device} of account {account} is removed")),
                }
            }
        }
    }
}

/// The devices of an account.
///
/// # Errors
/// Why they cannot be told.
pub(super) async fn of_account(operator: &Operator, account: AccountId) -> Outcome<DeviceKeys> {
    let path = ["internal", "keystore", "v1", "operators", "accounts", account.as_str(), "devices"];
    operator.call(Method::GET, &path, &[], |request| request).await
}

/// A line of the table; `seen`: the beginning of the day on which tokens were last asked for.
pub(super) fn row(device: &DeviceFacts, seen: Option<UnixMillis>) -> [String; 8] {
    let left = |kind| {
        let of_kind = device.pre_keys.iter().find(|one| one.kind == kind);
        of_kind.map_or_else(String::new, |one| one.left.to_string())
    };
    let day = |at: UnixMillis| at.to_rfc3339_seconds().chars().take("2026-11-28".len()).collect();
    [
        device.device_id.to_string(),
        device.kind.as_str().to_owned(),
        device.state.clone(),
        day(device.created_at),
        seen.map(day).unwrap_or_default(),
        left(PreKeyKind::Ec),
        left(PreKeyKind::Pq),
        device.rotated_at.map(|at| at.to_rfc3339_seconds()).unwrap_or_default(),
    ]
}
