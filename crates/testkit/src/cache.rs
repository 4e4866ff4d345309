//! What is fetched once and kept: in `$SEALPOST_CACHE`, else `.cache` in the repository.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::process::InfraError;

/// Gives the folder `name` of the cache. `fetch` fills it, under another name until it is complete, unless it is there;
/// processes that ask at the same time wait for one download.
pub(crate) fn folder(
    name: &str,
    fetch: impl FnOnce(&Path) -> Result<(), InfraError>,
) -> Result<PathBuf, InfraError> {
    let cache = std::env::var_os("SEALPOST_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from);
    // Programs that run in other folders are told of it.
    let cache = std::path::absolute(cache).map_err(|error| InfraError::Io("cache folder", error))?;
    let folder = cache.join(name);
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&cache).map_err(|error| InfraError::Io("cache folder", error))?;
    let lock = File::create(cache.join(format!("{name}.lock"))).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| InfraError::Io("lock of the cache folder", error))?;
    if folder.exists() {
        return Ok(folder);
    }
    let partial = cache.join(format!("{name}.partial"));
    fetch(&partial)?;
    std::fs::rename(&partial, &folder).map_err(|error| InfraError::Io("cache folder", error))?;
    Ok(folder)
}

/// The root of the checkout.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
