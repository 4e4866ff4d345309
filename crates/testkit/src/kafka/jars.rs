//! The broker's jars: fetched once with Maven, kept in the cache folder.

use std::path::PathBuf;
use std::process::Command;

use crate::cache;
use crate::process::{InfraError, complete};

/// Of the version that `deploy/test-peers/kafka/pom.xml` names: another version there needs another folder here.
const FOLDER: &str = "kafka-4.1.0";

/// Fetches the jars unless the cache has them; answers their folder.
///
/// # Errors
/// [`InfraError::Missing`] without Java or Maven, [`InfraError::Command`] when Maven fails.
pub fn fetch() -> Result<PathBuf, InfraError> {
    need("java", "install a Java runtime 17 or newer, on Debian default-jre-headless")?;
    cache::folder(FOLDER, |into| {
        need("mvn", "install Maven, on Debian the package maven")?;
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", "-f"])
            .arg(cache::repository().join("deploy/test-peers/kafka/pom.xml"))
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", into.display()));
        complete("mvn dependency:copy-dependencies", &mut maven)
    })
}

fn need(program: &str, hint: &str) -> Result<(), InfraError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if found { Ok(()) } else { Err(InfraError::Missing { what: program.to_owned(), hint: hint.to_owned() }) }
}
