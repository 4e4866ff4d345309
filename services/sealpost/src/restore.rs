//! `sealpost restore`: an installation out of a backup.
//!
//! In: a folder that `sealpost backup` made, and settings that say where the tables are to be. Out: a data directory on which
//! `serve` can be started, and where the settings name a PostgreSQL, its tables. What must hold: nothing is made of a backup
//! that is not as it was written, or that a newer version wrote; the data directory and the tables are complete or not
//! there. Tables are brought to this version as files, before PostgreSQL sees a row of them.
//!
//! Bus and tables are separate snapshots, so events that were published since shortly before the backup are marked as
//! not published: the server asks its bus which of them are there, and publishes the others. A one-time key that waited
//! then may have been given out since, so none waits afterwards.

use std::path::{Path, PathBuf};

use bus::{BusKind, BusSettings, outbox};
use clap::Args;
use common::models::{Clock as _, SystemClock, UnixMillis};
use service::{App as _, DatabaseSection};

use crate::backup::{self, BUS, FOLDERS, Manifest, make_folder, named};
use crate::console::{self, Outcome};
use crate::installation::{Installation, note_moved};
use crate::interrupt::Interrupt;
use crate::services;
use crate::tables;
use crate::unfinished::Unfinished;

#[derive(Args)]
#[command(mut_arg("data_dir", |arg| arg.help("The data directory to make")))]
pub(crate) struct Restore {
    /// The folder that `sealpost backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only verify the backup; needs no settings and no database
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    installation: Installation,
}

impl Restore {
    /// Restores.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it; there is neither a data directory nor a row then.
    pub(crate) async fn run(self, interrupt: Interrupt) -> Outcome {
        let Self { from, check, installation } = self;
        let manifest = Manifest::verified(&from, &interrupt)?;
        let what = format!(
            "{} of {}, by version {}: {} files, {} rows",
            from.display(),
            manifest.begun_at.to_rfc3339_seconds(),
            manifest.version,
            manifest.files.len(),
            manifest.rows(),
        );
        if check {
            console::say(&format!("sound: {what}"));
            return Ok(());
        }
        let config = installation.load()?;
        let (database, bus): (DatabaseSection, BusSettings) =
            (config.section("database")?, config.section("bus")?);
        let to_postgres = installation.files(&database)?.is_none();
        let data_dir = installation.data_dir;
        if !is_empty(&data_dir) {
            return Err(format!("{} is not empty: name another --data-dir", data_dir.display()).into());
        }

        let mut unfinished = Unfinished::of(&data_dir)?;
        copy(&manifest, &from, unfinished.path(), &interrupt)?;
        let again = prepare(unfinished.path(), manifest.begun_at).await?;
        interrupt.check()?;
        let only_tables = manifest.files.keys().all(|name| is_of_a_service(name));
        if to_postgres {
            let moved = tables::to_postgres(&database, unfinished.path(), &interrupt).await?;
            let rows: i64 = moved.iter().map(|(_, rows)| rows).sum();
            console::say(&format!("{rows} rows are in PostgreSQL, each table compared with the backup"));
            if !only_tables {
                // From here on the tables are there: what follows is a matter of names.
                unfinished.outlive();
                let (rest, data) = (unfinished.path().display().to_string(), data_dir.display());
                without_tables(unfinished).map_err(|error| {
                    format!(
                        "{error}. The rows are there, and the rest of the data directory is in {rest}: move what is in it to \
                         {data}, except the services' SQLite files"
                    )
                })?;
            }
        } else {
            unfinished.keep()?;
        }
        explain(&manifest, &data_dir, bus.kind);
        console::say(&format!(
            "restored: {what}; {again} events will be published again unless the bus has them"
        ));
        Ok(())
    }
}

/// Whether a data directory can be made of it. A volume has a folder of its file system.
fn is_empty(data_dir: &Path) -> bool {
    let entries = std::fs::read_dir(data_dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).all(|name| name == "lost+found")
}

/// Finishes a data directory whose tables are in PostgreSQL.
fn without_tables(unfinished: Unfinished) -> Outcome {
    for (_, file) in files_of_services(unfinished.path()) {
        std::fs::remove_file(file)?;
    }
    note_moved(unfinished.path())?;
    unfinished.keep()
}

/// Says what a person has to do before the server is started.
fn explain(manifest: &Manifest, data_dir: &Path, bus: BusKind) {
    let named = data_dir.join(named::FOLDER);
    if named.is_dir() {
        console::say(&format!("{}: files of the settings, put them where yours name them", named.display()));
    }
    for setting in manifest.keys_elsewhere() {
        console::say(&format!(
            "{setting} is not in the backup: with another one than before, accounts or their data are lost"
        ));
    }
    match (bus, manifest.files.contains_key(BUS)) {
        (BusKind::Kafka, false) => console::say(&format!(
            "set the consumer groups on the Kafka back to {} before you start: what was taken since is not in the tables",
            backup::bus_since(manifest.begun_at).to_rfc3339_seconds(),
        )),
        (BusKind::Kafka, true) => {
            console::say(
                "the backup has an embedded bus, and the settings have a Kafka: what waits on it stays there",
            );
        }
        (BusKind::Embedded, false) => {
            console::say("the backup has no embedded bus: what waited on its Kafka is not here")
        }
        (BusKind::Embedded, true) => {}
    }
}

fn files_of_services(folder: &Path) -> impl Iterator<Item = (services::Hosted, PathBuf)> {
    services::all()
        .into_iter()
        .map(move |service| (service, folder.join(service.file())))
        .filter(|(_, file)| file.exists())
}

fn is_of_a_service(name: &str) -> bool {
    services::all().iter().any(|service| service.file() == name)
}

fn copy(manifest: &Manifest, from: &Path, to: &Path, interrupt: &Interrupt) -> Outcome {
    for folder in FOLDERS {
        make_folder(&to.join(folder))?;
    }
    if manifest.files.keys().any(|name| Path::new(name).starts_with(named::FOLDER)) {
        make_folder(&to.join(named::FOLDER))?;
    }
    let bar = console::progress(manifest.files.len(), "restoring");
    for name in manifest.files.keys() {
        interrupt.check()?;
        let target = to.join(name);
        std::fs::copy(from.join(name), &target).map_err(|error| format!("{name}: {error}"))?;
        // `copy` takes the mode along, which whoever kept the backup may have changed.
        std::fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        std::fs::File::open(&target)?.sync_all()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    // The source may have changed since it was verified, and a disk may lie.
    let mut copied = Manifest::begun(manifest.begun_at);
    for (name, entry) in &manifest.files {
        copied.add(to, name, entry.kind)?;
    }
    if copied.files == manifest.files { Ok(()) } else { Err("the copy is not what was backed up".into()) }
}

/// Brings the tables to this version, withdraws one-time keys, and has recent events published again; tells how many.
async fn prepare(data_dir: &Path, begun_at: UnixMillis) -> Outcome<usize> {
    let settings = DatabaseSection::default();
    let mut again = 0;
    for service in services::all() {
        let Some(migrations) = service.migrations else { continue };
        let told = |error: db::DbError| format!("{}: {error}", service.name);
        let db = service.database(&settings, Some(data_dir))?;
        let unknown = db.unknown(migrations).await.map_err(told)?;
        if !unknown.is_empty() {
            return Err(format!("{}: a newer version of sealpost wrote this backup", service.name).into());
        }
        db.migrate(migrations).await.map_err(told)?;
        if service.name == keystore::App::NAME {
            // Some have been fetched since, and who fetches one again can begin nothing with it.
            let now = SystemClock.now();
            db.write(move |conn| keystore::withdraw_one_time_keys(conn, now)).await.map_err(told)?;
        }
        if service.publishes {
            let since = backup::bus_since(begun_at);
            again += db.write(move |conn| outbox::republish_since(conn, since)).await.map_err(told)?;
        }
    }
    Ok(again)
}
