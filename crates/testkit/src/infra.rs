//! Everything that a run of the whole suite shares: one server of each kind, started together, found by tests through
//! the environment.

use crate::kafka::{self, Kafka};
use crate::postgres::{self, Postgres};
use crate::process::InfraError;
use crate::rabbitmq::{self, RabbitMq};

/// The shared servers; stopped when dropped.
#[derive(Debug)]
pub struct Infra {
    kafka: Kafka,
    postgres: Postgres,
    rabbitmq: RabbitMq,
}

impl Infra {
    /// Starts all servers at the same time.
    ///
    /// # Errors
    /// The first [`InfraError`]; what had started is stopped.
    pub async fn start() -> Result<Self, InfraError> {
        let (kafka, postgres, rabbitmq) =
            tokio::try_join!(Kafka::start(), Postgres::start(), RabbitMq::start())?;
        Ok(Self { kafka, postgres, rabbitmq })
    }

    /// The variables by which the tests' handles find the servers.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            (kafka::SHARED, self.kafka.bootstrap().to_owned()),
            (postgres::SHARED, self.postgres.url()),
            (rabbitmq::SHARED, self.rabbitmq.url()),
            (rabbitmq::SHARED_MANAGEMENT, self.rabbitmq.management_url()),
        ]
    }
}
