//! `sealpost restore`: a data directory out of a backup.
//!
//! In: a folder that `sealpost backup` made. Out: a data directory on which `serve` can be started. What must hold: nothing
//! is made of a backup that is not as it was written, or that a newer version wrote; the data directory is complete or
//! not there.
//!
//! Bus and tables are separate snapshots, so events that were published since shortly before the backup are marked as
//! not published: the server asks its bus which of them are there, and publishes the others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::outbox;
use clap::Args;
use common::models::UnixMillis;
use service::DatabaseSection;

use crate::backup::{Manifest, Unfinished, make_folder};
use crate::console::{self, Outcome};
use crate::data_dir::DataDir;
use crate::services;

/// An event is marked a little later than it is published, by a clock that may have been set meanwhile.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Restore {
    /// The folder that `sealpost backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only verify the backup
    #[arg(long)]
    check: bool,
    /// The data directory to make
    #[arg(long, value_name = "DIR", env = "SEALPOST_DATA_DIR", default_value = DataDir::DEFAULT)]
    data_dir: PathBuf,
}

impl Restore {
    /// Restores.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it; there is no data directory then.
    pub(crate) async fn run(self) -> Outcome {
        let Self { from, check, data_dir } = self;
        let manifest = Manifest::verified(&from)?;
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
        if std::fs::read_dir(&data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!("{} is not empty: name another --data-dir", data_dir.display()).into());
        }
        let unfinished = Unfinished::beside(&data_dir)?;
        copy(&manifest, &from, unfinished.path())?;
        let again = prepare(unfinished.path(), manifest.begun_at).await?;
        unfinished.keep_as(&data_dir)?;
        console::say(&format!(
            "restored: {what}; {again} events will be published again unless the bus has them"
        ));
        Ok(())
    }
}

fn copy(manifest: &Manifest, from: &Path, to: &Path) -> Outcome {
    for folder in ["secrets", "public"] {
        make_folder(&to.join(folder))?;
    }
    let bar = console::progress(manifest.files.len(), "restoring");
    for name in manifest.files.keys() {
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

/// Brings the tables to this version, and has recent events published again; tells how many.
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
        if service.publishes {
            let since = begun_at - MARGIN;
            again += db.write(move |conn| outbox::republish_since(conn, since)).await.map_err(told)?;
        }
    }
    Ok(again)
}
