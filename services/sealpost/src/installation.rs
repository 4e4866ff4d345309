//! Which installation a tool works on: the settings that `serve` would have, and its data directory.

use std::path::{Path, PathBuf};

use clap::Args;
use config::{Config, ConfigError};
use service::{DatabaseSection, Options, environment};

use crate::data_dir::DataDir;
use crate::files;

/// In a data directory whose tables are in PostgreSQL: tools that are not told where must not take its SQLite files, or the
/// lack of them, for the tables.
const MOVED: &str = "tables-are-in-postgres";

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
    /// A URL of one SQLite file, or none for a data directory whose tables are in PostgreSQL; `serve` refuses both, too.
    pub(crate) fn files(&self, settings: &DatabaseSection) -> Result<Option<&Path>, ConfigError> {
        match settings.url.as_str() {
            "" => not_moved(&self.data_dir).map(|()| Some(self.data_dir.as_path())),
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

/// Refuses a data directory whose tables are in PostgreSQL, where the settings name none.
///
/// # Errors
/// What to do about it.
pub(crate) fn not_moved(data_dir: &Path) -> Result<(), ConfigError> {
    let mark = data_dir.join(MOVED);
    if !mark.exists() {
        return Ok(());
    }
    let (data, mark) = (data_dir.display(), mark.display());
    let problem = format!(
        "is not set, but the tables of {data} are in PostgreSQL: give the settings that name it, by --config or SEALPOST_CONFIG. \
         Only to begin anew with the SQLite files, which have nothing of what came since, remove {mark}"
    );
    Err(ConfigError::invalid("database.url", problem))
}

/// Notes in a data directory that its tables are in PostgreSQL.
///
/// # Errors
/// Those of the operating system, with the file.
pub(crate) fn note_moved(data_dir: &Path) -> Result<(), String> {
    let mark = data_dir.join(MOVED);
    files::replace(&mark, b"").map_err(|error| format!("{}: {error}", mark.display()))
}
