//! Readiness checks for what services depend on.

use async_trait::async_trait;
use bus::Bus;
use db::Db;
use web::Check;

/// The service's database answers.
#[derive(Clone)]
pub struct DatabaseCheck(pub Db);

#[async_trait]
impl Check for DatabaseCheck {
    fn name(&self) -> &str {
        "database"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.to_string())
    }
}

/// The bus answers. Only for services that cannot do their work without it: one that publishes through an outbox can.
#[derive(Clone)]
pub struct BusCheck(pub Bus);

#[async_trait]
impl Check for BusCheck {
    fn name(&self) -> &str {
        "bus"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.to_string())
    }
}
