//! `sealpost migrate`: brings the tables of all services to the state that this program was written for, or moves those of a
//! standalone to PostgreSQL.
//!
//! In: settings, and a data directory where the tables are SQLite files. Out: a line for each migration that was applied, or
//! for each service that was moved. It can be run again, and by several at once; a service's migrations are applied in
//! order or, on SQLite, not at all, and a standalone's tables are moved all together or not at all.

mod from_sqlite;

use std::path::{Path, PathBuf};

use clap::Args;
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::data_dir::DataDir;
use crate::installation::Installation;
use crate::interrupt::Interrupt;
use crate::services;

#[derive(Args)]
pub(crate) struct Migrate {
    /// Move all tables of the standalone with this data directory, which is stopped, to the empty PostgreSQL of the settings
    #[arg(long, value_name = "DIR")]
    from_sqlite: Option<PathBuf>,
    #[command(flatten)]
    installation: Installation,
}

impl Migrate {
    /// Migrates.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) async fn run(self, interrupt: Interrupt) -> Outcome {
        let config = self.installation.load()?;
        let settings: DatabaseSection = config.section("database")?;
        // The files of a server that runs are its own.
        let files = self.installation.files(&settings)?;
        if let Some(standalone) = self.from_sqlite {
            return match files {
                Some(_) => Err("database.url names no PostgreSQL to move to: give --config".into()),
                None => from_sqlite::run(&standalone, &settings, &config.section("bus")?, &interrupt).await,
            };
        }
        let data = files.map(DataDir::open).transpose()?;
        let mut applied = Vec::new();
        let outcome = all(&settings, data.as_ref().map(DataDir::path), &interrupt, &mut applied).await;
        // Only now: a reader that goes away does not stop it half-way.
        console::printed(applied.iter().try_for_each(|line| console::print_line(line)))?;
        outcome?;
        console::say(&match applied.len() {
            0 => "nothing to do: all tables are as this program needs them".to_owned(),
            applied => format!("{applied} applied"),
        });
        Ok(())
    }
}

/// Migrates the tables of all services, and writes down what was applied, also when it fails.
async fn all(
    settings: &DatabaseSection,
    data_dir: Option<&Path>,
    interrupt: &Interrupt,
    applied: &mut Vec<String>,
) -> Outcome {
    for service in services::all() {
        let Some(migrations) = service.migrations else { continue };
        interrupt.check()?;
        let db = service.database(settings, data_dir)?;
        let versions = db.migrate(migrations).await.map_err(|error| format!("{}: {error}", service.name))?;
        applied.extend(versions.iter().map(|version| format!("{}: applied {version}", service.name)));
    }
    Ok(())
}
