//! Readiness checks for what services depend on.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bus::Bus;
use db::{Db, Migrations};
use web::Check;

use crate::app::App;

/// The service's database answers, and has every migration that this program was built with. One that was migrated further, by a
/// newer release, will do: its migrations leave what this one needs.
pub struct DatabaseCheck {
    db: Db,
    name: &'static str,
    migrations: Option<&'static Migrations>,
    /// Applied migrations stay, so they are looked up until all were seen once.
    migrated: AtomicBool,
}

impl DatabaseCheck {
    /// The check of `A`, whose tables are in `db`.
    #[must_use]
    pub fn of<A: App>(db: Db) -> Self {
        Self { db, name: A::NAME, migrations: A::migrations(), migrated: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Check for DatabaseCheck {
    fn name(&self) -> &str {
        "database"
    }

    async fn check(&self) -> Result<(), String> {
        let migrations = match self.migrations {
            Some(migrations) if !self.migrated.load(Ordering::Relaxed) => migrations,
            _ => return self.db.ping().await.map_err(|error| error.to_string()),
        };
        let missing = self.db.missing(migrations).await.map_err(|error| error.to_string())?;
        if missing.is_empty() {
            self.migrated.store(true, Ordering::Relaxed);
            return Ok(());
        }
        Err(format!("migrations are missing, run `sealpost-{} migrate`: {}", self.name, missing.join(", ")))
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
