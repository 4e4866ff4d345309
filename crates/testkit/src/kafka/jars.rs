//! The broker's jars: fetched once with Maven, kept in the cache folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{InfraError, complete};

/// Of the version that `deploy/test-peers/kafka/pom.xml` names: another version there needs another folder here.
const FOLDER: &str = "kafka-4.1.0";

/// Fetches the jars unless the cache (`$SEALPOST_CACHE`, else `.cache` in the repository) has them; answers their
/// folder. Processes that call it at the same time wait for one download.
///
/// # Errors
/// [`InfraError::Missing`] without Java or Maven, [`InfraError::Command`] when Maven fails.
pub fn fetch() -> Result<PathBuf, InfraError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cache = std::env::var_os("SEALPOST_CACHE").map_or_else(|| root.join(".cache"), PathBuf::from);
    let jars = cache.join(FOLDER);
    need("java", "install a Java runtime 17 or newer, on Debian default-jre-headless")?;
    if jars.exists() {
        return Ok(jars);
    }
    need("mvn", "install Maven, on Debian the package maven")?;
    std::fs::create_dir_all(&cache).map_err(|error| InfraError::Io("cache folder", error))?;
    let lock = File::create(cache.join(format!("{FOLDER}.lock"))).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| InfraError::Io("lock of the cache folder", error))?;
    if jars.exists() {
        return Ok(jars);
    }
    let partial = cache.join(format!("{FOLDER}.partial"));
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "-f"])
        .arg(root.join("deploy/test-peers/kafka/pom.xml"))
        .arg("dependency:copy-dependencies")
        .arg(format!(
            "-DoutputDirectory={}",
            std::path::absolute(&partial).unwrap_or(partial.clone()).display()
        ));
    complete("mvn dependency:copy-dependencies", &mut maven)?;
    std::fs::rename(&partial, &jars).map_err(|error| InfraError::Io("jars", error))?;
    Ok(jars)
}

fn need(program: &str, hint: &str) -> Result<(), InfraError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if found { Ok(()) } else { Err(InfraError::Missing { what: program.to_owned(), hint: hint.to_owned() }) }
}
