//! The tables of all services, moved between PostgreSQL and a folder of SQLite files.
//!
//! In: settings that lead to PostgreSQL, and a folder. Out: the same rows on the other side. What must hold: on PostgreSQL
//! it is one transaction over all schemas, so what is read belongs to one moment, and what is written is there for all
//! services or for none; both sides have the tables of this very version, and no migration runs meanwhile.

use std::path::Path;

use db::{Db, DbError, Migrations, Session, TransferError};
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::interrupt::{Interrupt, Interrupted};
use crate::services::{self, Hosted};

/// What went wrong with which service.
#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error("{service}: {source}")]
    Service { service: &'static str, source: TransferError },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A service with tables, on PostgreSQL and as a SQLite file.
struct Pair {
    service: Hosted,
    migrations: &'static Migrations,
    postgres: Db,
    sqlite: Db,
}

impl Pair {
    /// All of them.
    fn all(settings: &DatabaseSection, folder: &Path) -> Outcome<Vec<Self>> {
        let with_tables =
            services::all().into_iter().filter_map(|service| Some((service, service.migrations?)));
        let pairs = with_tables.map(|(service, migrations)| {
            let postgres = service.database(settings, None)?;
            let sqlite = service.database(&DatabaseSection::default(), Some(folder))?;
            Ok(Self { service, migrations, postgres, sqlite })
        });
        pairs.collect()
    }

    /// Puts the service's name before what a database said.
    fn told(&self) -> impl Fn(DbError) -> String + use<> {
        let name = self.service.name;
        move |error| format!("{name}: {error}")
    }

    fn moved(&self, source: TransferError) -> MoveError {
        MoveError::Service { service: self.service.name, source }
    }
}

/// Copies all tables out of PostgreSQL into new SQLite files in `folder`.
///
/// # Errors
/// What went wrong, for a person; the folder may have anything in it then.
pub(crate) async fn from_postgres(
    settings: &DatabaseSection,
    folder: &Path,
    interrupt: &Interrupt,
) -> Outcome {
    let pairs = Pair::all(settings, folder)?;
    let mut session = held(&pairs)?;
    for pair in &pairs {
        same_version(&pair.postgres, pair.service.name, pair.migrations, "PostgreSQL").await?;
        pair.sqlite.migrate(pair.migrations).await.map_err(pair.told())?;
        interrupt.check()?;
    }
    let bar = console::counter("rows");
    let copied = session.read(|postgres| {
        pairs.iter().try_for_each(|pair| {
            let file = folder.join(pair.service.file());
            let mut watch = watch(&bar, interrupt);
            db::fill(&file, |sqlite| db::transfer(postgres, sqlite, pair.postgres.schema(), &mut watch))
                .map(drop)
                .map_err(|error| pair.moved(error))
        })
    });
    bar.finish_and_clear();
    ended(copied)
}

/// Copies all tables from the SQLite files in `folder`, which nobody else uses, into the empty tables of PostgreSQL, and
/// makes these before where they are not there. Returns how many rows each service has.
///
/// # Errors
/// What went wrong, for a person; PostgreSQL has no row then, unless it is not known how the commit ended.
pub(crate) async fn to_postgres(
    settings: &DatabaseSection,
    folder: &Path,
    interrupt: &Interrupt,
) -> Outcome<Vec<(&'static str, i64)>> {
    let pairs = Pair::all(settings, folder)?;
    for pair in &pairs {
        let file = folder.join(pair.service.file());
        if !file.is_file() {
            return Err(format!("{} is missing", file.display()).into());
        }
        same_version(&pair.sqlite, pair.service.name, pair.migrations, &file.display().to_string()).await?;
    }
    for pair in &pairs {
        not_newer(&pair.postgres, pair.service.name, pair.migrations, "PostgreSQL").await?;
        pair.postgres.migrate(pair.migrations).await.map_err(pair.told())?;
        interrupt.check()?;
    }
    let mut session = held(&pairs)?;
    let bar = console::counter("rows");
    let copied = session.write(|postgres| {
        let service = |pair: &Pair| {
            let mut watch = watch(&bar, interrupt);
            let rows = Session::open(&pair.sqlite)?
                .read(|sqlite| db::transfer(sqlite, postgres, pair.postgres.schema(), &mut watch))
                .map_err(|error| pair.moved(error))?;
            Ok((pair.service.name, rows.values().sum()))
        };
        pairs.iter().map(service).collect()
    });
    bar.finish_and_clear();
    ended(copied)
}

/// A connection beside which no migration runs.
fn held(pairs: &[Pair]) -> Outcome<Session> {
    let first = pairs.first().ok_or("no service has tables")?;
    let mut session = Session::open(&first.postgres)?;
    session.hold_migrations(pairs.iter().map(|pair| &pair.postgres))?;
    Ok(session)
}

/// Refuses tables that another version has made; the columns would not be the same ones.
async fn same_version(db: &Db, service: &str, migrations: &'static Migrations, place: &str) -> Outcome {
    not_newer(db, service, migrations, place).await?;
    let missing = db.missing(migrations).await.map_err(|error| format!("{service}: {error}"))?;
    match missing.first() {
        None => Ok(()),
        Some(version) => Err(format!(
            "{place}: {service} has not got migration {version}: run `sealpost migrate` first, or use the \
             version that serves"
        )
        .into()),
    }
}

async fn not_newer(db: &Db, service: &str, migrations: &'static Migrations, place: &str) -> Outcome {
    let unknown = db.unknown(migrations).await.map_err(|error| format!("{service}: {error}"))?;
    match unknown.first() {
        None => Ok(()),
        Some(version) => Err(format!(
            "{place}: {service} has migration {version} of a newer version of sealpost: use that one"
        )
        .into()),
    }
}

fn watch<'a>(bar: &'a indicatif::ProgressBar, interrupt: &'a Interrupt) -> impl FnMut(u64) -> bool + 'a {
    |rows| {
        bar.inc(rows);
        !interrupt.is_wanted()
    }
}

fn ended<T>(moved: Result<T, MoveError>) -> Outcome<T> {
    moved.map_err(|error| match error {
        MoveError::Service { source: TransferError::Stopped, .. } => Interrupted.into(),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests;
