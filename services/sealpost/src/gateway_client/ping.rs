//! Pinging.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use common::models::E164;
use common::models::gateway::{Imsi, SeedKind};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::credentials::{Relay, accepted};
use crate::console::{self, Outcome};

/// What a modem says of itself.
#[derive(Args)]
pub(crate) struct Ping {
    /// The IMSI of its SIM: 6 to 15 digits
    #[arg(long)]
    imsi: Imsi,
    /// Its number
    #[arg(long, value_name = "NUMBER")]
    msisdn: E164,
    /// It can tell other modems their numbers
    #[arg(long)]
    seeder: bool,
    /// How often; a modem is listed for 20 seconds after a ping
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// How many times [default: until it is stopped]
    #[arg(long)]
    count: Option<NonZeroU64>,
    #[command(flatten)]
    relay: Relay,
}

impl Ping {
    pub(super) async fn run(self) -> Outcome {
        let Self { imsi, msisdn, seeder, every, count, relay } = self;
        if every.is_zero() {
            return Err("--every: more than nothing is expected".into());
        }
        let caller = relay.caller()?;
        let kind = if seeder { SeedKind::Seeder } else { SeedKind::Seed };
        let body = json!({"IMSI": imsi, "MSISDN": msisdn, "seed_type": kind});
        let mut timer = tokio::time::interval(every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left = count.map_or(u64::MAX, NonZeroU64::get);
        while left > 0 {
            timer.tick().await;
            console::print_line(&accepted(caller.post(&["seeds", "ping"], &body).await?).await?)?;
            left -= 1;
        }
        Ok(())
    }
}
