//! `sealpost admin api-keys`: who has an API key. The keys are settings: they are made, and taken away, there.

use clap::{Args, Subcommand, ValueEnum};
use common::crypto::token::PlainToken;
use common::models::operators::{ApiKeyHolder, ApiKeyHolders};
use reqwest::Method;
use serde_json::json;

use super::{Operator, table};
use crate::console::{self, Outcome};

/// Who takes API keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Taker {
    /// Back-ends that publish notifications.
    Notify,
    /// Clients that send SMS over HTTP.
    SmsGateway,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List who has a key, and what it is for; never the key
    List(List),
    /// Make a key, and print the lines of the settings that it takes to count; it is kept nowhere else
    Create(Create),
}

#[derive(Args)]
pub(crate) struct List {
    /// The keys of this service alone [default: both]
    #[arg(long = "of", value_name = "SERVICE", value_enum)]
    of: Option<Taker>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Args)]
pub(crate) struct Create {
    /// Who is to take it
    #[arg(value_enum)]
    of: Taker,
    /// What the key is called, or the SMS client that it is to send for
    name: String,
}

impl Taker {
    fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::SmsGateway => "sms-gateway",
        }
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::List(list) => list.run().await,
            Self::Create(Create { of, name }) => create(of, &name),
        }
    }
}

impl List {
    async fn run(self) -> Outcome {
        let Self { of, json, operator } = self;
        let takers = of.as_ref().map_or_else(Taker::value_variants, std::slice::from_ref);
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        for taker in takers {
            let service = taker.as_str();
            let path = ["internal", service, "v1", "api-keys"];
            let holders: ApiKeyHolders = operator.call(Method::GET, &path, &[], |request| request).await?;
            for ApiKeyHolder { name, may } in holders.api_keys {
                values.push(json!({"service": service, "name": name, "may": may}));
                rows.push([service.to_owned(), name, may]);
            }
        }
        match json {
            true => console::print_line(&serde_json::to_string_pretty(&values)?),
            false => table::print(["service", "name", "may"], &rows),
        }
    }
}

fn create(of: Taker, name: &str) -> Outcome {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err("a name is some characters, none of them a control character".into());
    }
    let key = PlainToken::generate()?;
    let (name, key) = (json!(name), json!(key.expose()));
    let lines = match of {
        Taker::Notify => format!("[notify.auth_keys]\n{name} = {key}"),
        Taker::SmsGateway => format!("[sms_gateway.http_keys]\n{key} = {name}"),
    };
    console::print_line(&lines)?;
    let service = of.as_str();
    console::say(&format!(
        "it counts once it is in the settings of {service}, and {service} was started again"
    ));
    Ok(())
}
