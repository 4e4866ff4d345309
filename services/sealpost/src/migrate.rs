//! `sealpost migrate`: brings the tables of all services to the state that this program was written for.
//!
//! In: settings, and a data directory where the tables are SQLite files. Out: a line for each migration that was applied.
//! It can be run again, and by several at once; a service's migrations are applied in order or, on SQLite, not at all.

use clap::Args;
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::data_dir::DataDir;
use crate::installation::Installation;
use crate::services;

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    installation: Installation,
}

impl Migrate {
    /// Migrates.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) async fn run(self) -> Outcome {
        let config = self.installation.load()?;
        let settings: DatabaseSection = config.section("database")?;
        // The files of a server that runs are its own.
        let data = self.installation.files(&settings)?.map(DataDir::open).transpose()?;
        let mut applied = 0;
        for service in services::all() {
            let Some(migrations) = service.migrations else { continue };
            let db = service.database(&settings, data.as_ref().map(DataDir::path))?;
            let versions =
                db.migrate(migrations).await.map_err(|error| format!("{}: {error}", service.name))?;
            for version in &versions {
                console::print_line(&format!("{}: applied {version}", service.name))?;
            }
            applied += versions.len();
        }
        console::say(&match applied {
            0 => "nothing to do: all tables are as this program needs them".to_owned(),
            applied => format!("{applied} applied"),
        });
        Ok(())
    }
}
