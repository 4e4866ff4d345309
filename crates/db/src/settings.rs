//! Where the database is and how many connections may be open to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::DbError;

/// The two backends. Which one follows from the scheme of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL: one database, one schema per service.
    Postgres,
    /// SQLite: one file per service.
    Sqlite,
}

/// How hard SQLite tries that a commit survives a power cut. PostgreSQL ignores it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// Each commit is on disk before it is reported.
    #[default]
    Full,
    /// The last commits may be lost in a power cut (never in a crash of the process); the file stays sound.
    Normal,
}

impl Synchronous {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// The section `[database]`. `Debug` hides a password in the URL.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DbSettings {
    /// `sqlite:PATH` or `postgres://user:password@host:port/database` (anything libpq understands).
    pub url: String,
    /// Connections of the pool at most; a [`Batcher`](crate::Batcher) has one more of its own.
    pub pool_size: u32,
    /// How long a call waits for a connection before it gives up.
    #[serde(with = "humantime_serde")]
    pub checkout_timeout: Duration,
    /// Durability of SQLite commits.
    pub sqlite_synchronous: Synchronous,
}

impl DbSettings {
    /// Settings for `url` with the default pool.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// The URL without everything that may be a secret: the user part and the query.
    pub fn shown_url(&self) -> String {
        redacted(&self.url)
    }

    /// Tells the backend from the URL alone.
    ///
    /// # Errors
    /// [`DbError::Settings`] when the scheme is neither `sqlite:` nor `postgres://`.
    pub fn backend(&self) -> Result<Backend, DbError> {
        match self.target()? {
            Target::Postgres(_) => Ok(Backend::Postgres),
            Target::Sqlite(_) => Ok(Backend::Sqlite),
        }
    }

    pub(crate) fn target(&self) -> Result<Target, DbError> {
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Ok(Target::Postgres(with_timeouts(&self.url)));
        }
        let Some(path) = self.url.strip_prefix("sqlite:") else {
            return Err(DbError::Settings("database.url must begin with sqlite: or postgres://".into()));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        // A pooled `:memory:` would be another, empty database on each connection, and SQLite reads
        // `file:` as the start of a URI with options of its own.
        if path.is_empty() || path.starts_with(':') || path.starts_with("file:") {
            return Err(DbError::Settings("database.url needs the path of a file after sqlite:".into()));
        }
        Ok(Target::Sqlite(PathBuf::from(path)))
    }
}

impl Default for DbSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:sealpost.sqlite".into(),
            pool_size: 8,
            checkout_timeout: Duration::from_secs(2),
            sqlite_synchronous: Synchronous::Full,
        }
    }
}

impl fmt::Debug for DbSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbSettings")
            .field("url", &self.shown_url())
            .field("pool_size", &self.pool_size)
            .field("checkout_timeout", &self.checkout_timeout)
            .field("sqlite_synchronous", &self.sqlite_synchronous)
            .finish()
    }
}

pub(crate) enum Target {
    Postgres(String),
    Sqlite(PathBuf),
}

/// libpq waits for ever for a host that swallows packets; these end such a wait unless the operator chose
/// other values.
const TIMEOUTS: [(&str, &str); 3] =
    [("connect_timeout", "5"), ("keepalives_idle", "30"), ("tcp_user_timeout", "15000")];

fn with_timeouts(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in TIMEOUTS {
        if !url.contains(&format!("{name}=")) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={value}"));
        }
    }
    url
}

/// Cuts everything that may be a secret: the user part and the query.
fn redacted(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://[redacted]{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_decides_the_backend() {
        let backend = |url: &str| DbSettings::new(url).backend();

        assert_eq!(backend("postgres://u@h/d").unwrap(), Backend::Postgres);
        assert_eq!(backend("postgresql:///d?host=/run").unwrap(), Backend::Postgres);
        assert_eq!(backend("sqlite:data/auth.sqlite").unwrap(), Backend::Sqlite);
        for bad in ["", "mysql://h/d", "sqlite:", "sqlite::memory:", "sqlite:file:x?mode=ro", "/plain/path"] {
            assert!(matches!(backend(bad), Err(DbError::Settings(_))), "{bad}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let text = format!("{:?}", DbSettings::new("postgres://app:s3c@ret@db:5432/sealpost?password=s3c"));

        assert!(!text.contains("s3c"), "{text}");
        assert!(text.contains("@db:5432/sealpost"), "{text}");
    }

    #[test]
    fn timeouts_are_added_but_never_replaced() {
        let Ok(Target::Postgres(url)) = DbSettings::new("postgres://h/d?connect_timeout=1").target() else {
            panic!("a PostgreSQL URL");
        };

        assert_eq!(url, "postgres://h/d?connect_timeout=1&keepalives_idle=30&tcp_user_timeout=15000");
    }
}
