//! The services of the product, as the tools see them: name, tables, and the part of the settings that is theirs.

use std::path::Path;

use config::{Config, ConfigError};
use db::{Db, DbError, Migrations};
use service::{App, DatabaseSection};

/// One service.
#[derive(Clone, Copy)]
pub(crate) struct Hosted {
    /// Its name, such as `sms-gateway`.
    pub(crate) name: &'static str,
    /// Its tables; none for a service without a database.
    pub(crate) migrations: Option<&'static Migrations>,
    /// Whether it publishes events, through a table `outbox`.
    pub(crate) publishes: bool,
    /// Reads its section of the settings, and forgets what it has read.
    pub(crate) read: fn(&Config) -> Result<(), ConfigError>,
}

/// Why the database of a service cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// They cannot work, or the database does not.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Hosted {
    fn of<A: App>(publishes: bool) -> Self {
        let read = |config: &Config| config.section::<A::Settings>(&A::section()).map(drop);
        Self { name: A::NAME, migrations: A::migrations(), publishes, read }
    }

    /// The name of its section, its schema and its SQLite file.
    pub(crate) fn section(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The name of its SQLite file.
    pub(crate) fn file(&self) -> String {
        format!("{}.sqlite", self.section())
    }

    /// The handle on its database; makes no connection, and no file.
    ///
    /// # Errors
    /// [`Unusable`] for settings that cannot work.
    pub(crate) fn database(
        &self,
        settings: &DatabaseSection,
        data_dir: Option<&Path>,
    ) -> Result<Db, Unusable> {
        let section = self.section();
        Ok(Db::new(&settings.of(&section, data_dir)?, &section)?)
    }
}

/// The services, in the order in which they are copied ([`crate::backup`] tells why).
pub(crate) fn all() -> [Hosted; 7] {
    [
        Hosted::of::<sms_gateway::App>(true),
        Hosted::of::<relay::App>(false),
        Hosted::of::<sync::App>(false),
        Hosted::of::<notify::App>(false),
        Hosted::of::<keystore::App>(true),
        Hosted::of::<mailbox::App>(true),
        Hosted::of::<auth::App>(true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_that_publish_are_those_with_an_outbox() {
        let (data, settings) = (tempfile::tempdir().unwrap(), DatabaseSection::default());
        for service in all() {
            let db = service.database(&settings, Some(data.path())).unwrap();
            db.migrate(service.migrations.unwrap()).await.unwrap();

            let rows = db::inspect(&data.path().join(service.file())).unwrap().rows;

            assert_eq!(rows.contains_key("outbox"), service.publishes, "{}", service.name);
        }
    }
}
