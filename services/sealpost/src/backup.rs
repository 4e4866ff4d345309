//! `sealpost backup`: a standalone's data directory as a folder from which another one can be made.
//!
//! In: the data directory, whether a server uses it or not. Out: a new folder with the SQLite file of each service, the bus,
//! the secrets and public keys as they are, and a manifest. What must hold: what was acknowledged before the backup began
//! is in it; the folder is complete or not there; its owner alone can read it.
//!
//! Each file is a snapshot of its own, a moment after the one before it, so the order counts. The bus comes first: what
//! a service took from it later is taken once more after a restore, which it recognises, and what a service published
//! later is published again by `restore`. auth comes last, and keystore before mailbox: an account without devices, or a
//! mailbox without its device, is harmless.

mod manifest;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bus::{BusKind, BusSettings};
use clap::Args;
use common::models::{Clock as _, SystemClock};
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::files;
use crate::installation::Installation;
use crate::services;

use manifest::Kind;
pub(crate) use manifest::Manifest;

/// The embedded bus, in a data directory and in a backup.
pub(crate) const BUS: &str = "bus.sqlite";
/// The folders that are copied as they are.
const FOLDERS: [&str; 2] = ["secrets", "public"];

#[derive(Args)]
pub(crate) struct Backup {
    /// The folder to make; it is not encrypted, and has every secret of the installation in it
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    installation: Installation,
}

impl Backup {
    /// Makes the backup.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it; there is no backup then.
    pub(crate) fn run(self) -> Outcome {
        let Self { to, installation } = self;
        let config = installation.load()?;
        refuse_elsewhere(&config.section("database")?, &config.section("bus")?)?;
        if to.exists() {
            return Err(format!("{} exists already", to.display()).into());
        }
        let data = &installation.data_dir;
        if !data.join("secrets").is_dir() {
            return Err(format!("{} is no data directory of a standalone", data.display()).into());
        }

        let unfinished = Unfinished::beside(&to)?;
        let manifest = copy(data, unfinished.path())?;
        files::create(&unfinished.path().join(Manifest::FILE), &serde_json::to_vec_pretty(&manifest)?)?;
        unfinished.keep_as(&to)?;
        console::say(&format!(
            "{}: {} files, {} rows. It is not encrypted and holds every secret: only its owner can read it, keep it so",
            to.display(),
            manifest.files.len(),
            manifest.rows(),
        ));
        Ok(())
    }
}

/// What is not in the data directory is backed up by its own tools.
fn refuse_elsewhere(database: &DatabaseSection, bus: &BusSettings) -> Outcome {
    if !database.url.is_empty() {
        return Err(
            "the tables are not in the data directory: back the database up with pg_dump, and the secrets \
                    beside it"
                .into(),
        );
    }
    if bus.kind == BusKind::Kafka {
        return Err(
            "the bus is a Kafka, which keeps its own copies: a backup of the tables alone would miss what \
                    is still on it"
                .into(),
        );
    }
    Ok(())
}

/// Copies everything into `to`.
fn copy(data: &Path, to: &Path) -> Outcome<Manifest> {
    let mut manifest = Manifest::begun(SystemClock.now());
    let databases: Vec<String> = std::iter::once(BUS.to_owned())
        .chain(services::all().iter().map(|service| format!("{}.sqlite", service.section())))
        .collect();
    let bar = console::progress(databases.len() + FOLDERS.len(), "backing up");
    for name in databases {
        let from = data.join(&name);
        if from.exists() {
            let copy = to.join(&name);
            private(&copy)?;
            db::snapshot(&from, &copy).map_err(|error| format!("{}: {error}", from.display()))?;
            manifest.add(to, &name, Kind::Database)?;
        }
        bar.inc(1);
    }
    for folder in FOLDERS {
        make_folder(&to.join(folder))?;
        for name in names(&data.join(folder))? {
            let name = format!("{folder}/{name}");
            files::create(&to.join(&name), &console::read(&data.join(&name))?)?;
            manifest.add(to, &name, Kind::Plain)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(manifest)
}

/// The names of the files in a folder, sorted; those that are being written are not among them.
fn names(folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    let read = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| "a file whose name is not UTF-8")?;
        if entry.file_type()?.is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// An empty file that its owner alone can read: SQLite writes into it, and would give one of its own the usual mode.
fn private(path: &Path) -> Outcome {
    Ok(files::create(path, b"")?)
}

/// Makes a folder that its owner alone can read.
pub(crate) fn make_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

/// A folder that goes away unless it is finished.
pub(crate) struct Unfinished(tempfile::TempDir);

impl Unfinished {
    /// Makes one in the folder that `target` is to be in, so that it can take its name at once.
    ///
    /// # Errors
    /// Those of the operating system, with the folder.
    pub(crate) fn beside(target: &Path) -> Outcome<Self> {
        let folder = files::folder(target);
        let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let made =
            tempfile::Builder::new().prefix(".unfinished-").permissions(owner_alone).tempdir_in(folder);
        Ok(Self(made.map_err(|error| format!("{}: {error}", folder.display()))?))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives it its name; one that is taken by more than an empty folder stays as it is.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn keep_as(self, target: &Path) -> Outcome {
        for folder in std::fs::read_dir(self.path())?.flatten().filter(|entry| entry.path().is_dir()) {
            files::sync(&folder.path())?;
        }
        files::sync(self.path())?;
        std::fs::rename(self.path(), target).map_err(|error| format!("{}: {error}", target.display()))?;
        // There is nothing left to remove.
        let _ = self.0.keep();
        Ok(files::sync(files::folder(target))?)
    }
}
