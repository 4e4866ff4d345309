//! `sealpost backup`: an installation as a folder from which another one can be made.
//!
//! In: settings, and the data directory of a standalone, whether a server uses it or not. Out: a new folder with a SQLite file
//! for each service, the embedded bus, the secrets and public keys, the files that the settings name, and a manifest. The
//! tables have this form wherever they are kept, so that a backup can be restored to either database. What must hold: what
//! was acknowledged before the backup began is in it; the folder is complete or not there; its owner alone can read it.
//!
//! On PostgreSQL all tables are one snapshot. Each SQLite file is one of its own, a moment after the one before it, so the
//! order counts. The bus comes first: what a service took from it later is taken once more after a restore, which it
//! recognises, and what a service published later is published again by `restore`. auth comes last, and keystore before
//! mailbox: an account without devices, or a mailbox without its device, is harmless.

mod manifest;
pub(crate) mod named;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{BusKind, BusSettings};
use clap::Args;
use common::models::{Clock as _, SystemClock, UnixMillis};
use config::Config;
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::files;
use crate::installation::Installation;
use crate::interrupt::Interrupt;
use crate::services;
use crate::tables;
use crate::unfinished::Unfinished;

use manifest::Kind;
pub(crate) use manifest::Manifest;

/// The embedded bus, in a data directory and in a backup.
pub(crate) const BUS: &str = "bus.sqlite";
/// The folders that are copied as they are.
pub(crate) const FOLDERS: [&str; 2] = ["secrets", "public"];

#[derive(Args)]
pub(crate) struct Backup {
    /// The folder to make; it is not encrypted, and has every secret of the installation in it
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Leave out the files that the settings name (secrets, the vault, certificates): they are kept elsewhere
    #[arg(long)]
    without_named_files: bool,
    #[command(flatten)]
    installation: Installation,
}

impl Backup {
    /// Makes the backup.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it; there is no backup then.
    pub(crate) async fn run(self, interrupt: Interrupt) -> Outcome {
        let Self { to, without_named_files, installation } = self;
        let config = installation.load()?;
        let source = Source::of(&config, &installation)?;
        if to.exists() {
            return Err(format!("{} exists already", to.display()).into());
        }
        let named = match without_named_files {
            true => Vec::new(),
            false => named::files_outside(&config, &source.folders()),
        };

        let unfinished = Unfinished::of(&to)?;
        let mut manifest = Manifest::begun(SystemClock.now());
        source.copy(unfinished.path(), &mut manifest, &interrupt).await?;
        if let Some(file) = manifest.lacks() {
            let data = installation.data_dir.display();
            return Err(
                format!("{data} has no {file}: if its tables are in PostgreSQL, give --config").into()
            );
        }
        named::copy(&named, unfinished.path(), &mut manifest)?;
        files::create(&unfinished.path().join(Manifest::FILE), &serde_json::to_vec_pretty(&manifest)?)?;
        interrupt.check()?;
        unfinished.keep()?;
        source.explain(&named, &manifest);
        console::say(&format!(
            "{}: {} files, {} rows. It is not encrypted and holds every secret: only its owner can read it, keep it so",
            to.display(),
            manifest.files.len(),
            manifest.rows(),
        ));
        Ok(())
    }
}

/// What is backed up.
struct Source {
    /// The data directory; none for services that run apart from each other.
    data: Option<PathBuf>,
    /// Where the tables are.
    database: DatabaseSection,
    /// PostgreSQL, not files in the data directory.
    on_postgres: bool,
    /// Where events are.
    bus: BusKind,
}

impl Source {
    fn of(config: &Config, installation: &Installation) -> Outcome<Self> {
        let database: DatabaseSection = config.section("database")?;
        let on_postgres = installation.files(&database)?.is_none();
        let data = installation.data_dir.join("secrets").is_dir().then(|| installation.data_dir.clone());
        if data.is_none() && !on_postgres {
            let path = installation.data_dir.display();
            return Err(format!("{path} is no data directory of a standalone").into());
        }
        let bus: BusSettings = config.section("bus")?;
        Ok(Self { data, database, on_postgres, bus: bus.kind })
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.data.iter().flat_map(|data| FOLDERS.map(|folder| data.join(folder))).collect()
    }

    /// Copies everything but the files that the settings name.
    async fn copy(&self, to: &Path, manifest: &mut Manifest, interrupt: &Interrupt) -> Outcome {
        let bus = self.data.as_ref().filter(|_| self.bus == BusKind::Embedded).map(|data| data.join(BUS));
        if let Some(bus) = bus.filter(|bus| bus.exists()) {
            snapshot(&bus, &to.join(BUS))?;
            manifest.add(to, BUS, Kind::Database)?;
        }
        interrupt.check()?;
        let services = services::all().into_iter().filter(|service| service.migrations.is_some());
        let names: Vec<String> = services.map(|service| service.file()).collect();
        match &self.data {
            Some(data) if !self.on_postgres => copy_files(data, to, &names, interrupt)?,
            _ => {
                for name in &names {
                    private(&to.join(name))?;
                }
                tables::from_postgres(&self.database, to, interrupt).await?;
            }
        }
        for name in names.iter().filter(|name| to.join(name).exists()) {
            manifest.add(to, name, Kind::Database)?;
        }
        for folder in FOLDERS {
            make_folder(&to.join(folder))?;
            let Some(data) = &self.data else { continue };
            for name in names_in(&data.join(folder))? {
                let name = format!("{folder}/{name}");
                files::create(&to.join(&name), &console::read(&data.join(&name))?)?;
                manifest.add(to, &name, Kind::Plain)?;
            }
        }
        Ok(())
    }

    /// Says what a person could overlook.
    fn explain(&self, named: &[(String, PathBuf)], manifest: &Manifest) {
        if self.data.is_none() {
            console::say(
                "no data directory of a standalone: secrets are in it as far as the settings name files",
            );
        }
        for (setting, file) in named {
            console::say(&format!("{} is in it, which {setting} names", file.display()));
        }
        if self.bus == BusKind::Kafka {
            console::say(&format!(
                "the bus is a Kafka, which is not in it: after a restore, set the consumer groups back to {}",
                bus_since(manifest.begun_at).to_rfc3339_seconds(),
            ));
        }
    }
}

/// Events are marked a little later than they are published, by a clock that may have been set meanwhile.
const MARGIN: Duration = Duration::from_secs(60);

/// Since when bus and tables of a backup may not agree.
pub(crate) fn bus_since(begun_at: UnixMillis) -> UnixMillis {
    begun_at - MARGIN
}

fn copy_files(data: &Path, to: &Path, names: &[String], interrupt: &Interrupt) -> Outcome {
    let bar = console::progress(names.len(), "backing up");
    for name in names {
        interrupt.check()?;
        let from = data.join(name);
        if from.exists() {
            snapshot(&from, &to.join(name))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn snapshot(from: &Path, to: &Path) -> Outcome {
    private(to)?;
    Ok(db::snapshot(from, to).map_err(|error| format!("{}: {error}", from.display()))?)
}

/// The names of the files in a folder, sorted; those that are being written are not among them.
fn names_in(folder: &Path) -> Outcome<Vec<String>> {
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
