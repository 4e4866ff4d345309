//! Which installation a tool works on: the settings that `serve` would have, and its data directory.

use std::path::{Path, PathBuf};

use clap::Args;
use config::{Config, ConfigError};
use service::{DatabaseSection, Options, environment};

use crate::data_dir::DataDir;

/// The options by which a tool finds it.
#[derive(Args)]
pub(crate) struct Installation {
    /// Settings file (TOML); SEALPOST__SECTION__FIELD in the environment overrides it
    #[arg(long, value_name = "FILE", env = "SEALPOST_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory of a standalone: secrets, SQLite files, the embedded bus
    #[arg(long, value_name = "DIR", env = "SEALPOST_DATA_DIR", default_value = DataDir::DEFAULT)]
    pub(crate) data_dir: PathBuf,
}

impl Installation {
    /// Loads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        Options { config: self.config.clone(), ..Options::default() }.load(environment())
    }

    /// Where the SQLite files are; none where the tables are in PostgreSQL.
    ///
    /// # Errors
    /// A URL of one SQLite file, which `serve` refuses, too.
    pub(crate) fn files(&self, settings: &DatabaseSection) -> Result<Option<&Path>, ConfigError> {
        match settings.url.as_str() {
            "" => Ok(Some(&self.data_dir)),
            url if url.starts_with("sqlite:") => Err(one_file()),
            _ => Ok(None),
        }
    }
}

/// What is wrong with the URL of a single SQLite file.
pub(crate) fn one_file() -> ConfigError {
    let problem = "names one SQLite file, but every service has its own: leave it out, and give --data-dir";
    ConfigError::invalid("database.url", problem)
}
