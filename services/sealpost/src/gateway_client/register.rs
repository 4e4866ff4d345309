//! Registering: an operator's part.

use std::path::PathBuf;

use clap::Args;
use common::models::E164;
use common::models::gateway::{GatewayCredentials, NewGatewayClient, OperatorKey, SeedKind};

use crate::admin::Operator;
use crate::console::{self, Outcome};
use crate::files;

/// What is to be registered.
#[derive(Args)]
pub(crate) struct Register {
    /// File for the client's credentials; it must not exist yet
    #[arg(long, value_name = "FILE", default_value = "gateway-client.json")]
    credentials: PathBuf,
    /// The number of its SIM, such as +237677123456: shown in the public list
    #[arg(long, value_name = "NUMBER")]
    msisdn: Option<E164>,
    /// What operators call it
    #[arg(long)]
    label: Option<String>,
    /// An operator whose SMS it sends, such as mtn; may be given several times [default: that of its number]
    #[arg(long = "operator", value_name = "NAME")]
    operators: Vec<OperatorKey>,
    /// It can tell other modems their numbers
    #[arg(long)]
    seeder: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Register {
    pub(super) async fn run(self) -> Outcome {
        let Self { credentials: path, msisdn, label, operators, seeder, operator } = self;
        if path.exists() {
            return Err(
                format!("{}: is there already; remove it, or name another file", path.display()).into()
            );
        }
        let wanted = NewGatewayClient {
            label,
            msisdn,
            kind: if seeder { SeedKind::Seeder } else { SeedKind::Seed },
            operators: (!operators.is_empty()).then_some(operators),
            protocols: None,
        };
        let made: GatewayCredentials = operator.post(&["v1", "gateway-clients"], &wanted).await?;
        files::create(&path, format!("{}\n", serde_json::to_string(&made)?).as_bytes())
            .map_err(|error| format!("{}: {error}", path.display()))?;
        console::print_line(made.client_id.as_str())?;
        console::say(&format!("credentials of the client: {}", path.display()));
        Ok(())
    }
}
