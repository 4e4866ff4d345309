//! The table of public paths (`proto/paths.toml`) against what the services really serve (`proto/openapi/*.json`).
//!
//! Out: one line per path that the table sends to another service or nowhere, and per entry that nothing serves.

use std::{collections::BTreeSet, fs, path::Path};

use crate::paths::{ANY, Table};

/// Checks the table against the checked-in interface descriptions.
///
/// # Errors
/// The findings, one a line, or which file could not be read.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let table = Table::read(root)?;
    let served = served(&root.join("proto/openapi"))?;
    let findings = findings(&table, &served);
    if findings.is_empty() {
        Ok(format!("routes: {} public paths are where the table says", served.len()))
    } else {
        Err(findings.join("\n"))
    }
}

/// Every public (path, service) of the interface descriptions; internal paths are not in the table.
fn served(folder: &Path) -> Result<BTreeSet<(String, String)>, String> {
    let mut served = BTreeSet::new();
    let files = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for file in
        files.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"))
    {
        let service = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let spec: serde_json::Value =
            serde_json::from_str(&read(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        let paths = spec.get("paths").and_then(|paths| paths.as_object()).into_iter().flatten();
        served.extend(
            paths
                .map(|(path, _)| (path.clone(), service.clone()))
                .filter(|(path, _)| !path.starts_with("/internal/")),
        );
    }
    Ok(served)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn findings(table: &Table, served: &BTreeSet<(String, String)>) -> Vec<String> {
    let best = |path: &str| {
        table.path.iter().filter_map(|entry| Some((entry.fits(path)?, entry))).max_by_key(|(fit, _)| *fit)
    };
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for (path, service) in served {
        match best(path) {
            Some((_, entry)) if entry.service == *service || entry.service == ANY => {
                used.insert(entry.name());
            }
            Some((_, entry)) => findings
                .push(format!("{path} is served by {service}; paths.toml sends it to {}", entry.service)),
            None => findings.push(format!("{path} is served by {service}; paths.toml does not have it")),
        }
    }
    let unused = table
        .path
        .iter()
        .filter(|entry| entry.service != ANY && entry.described && !used.contains(entry.name()));
    findings.extend(
        unused.map(|entry| {
            format!("{} is in paths.toml; {} serves nothing there", entry.name(), entry.service)
        }),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &str) -> Table {
        toml::from_str(entries).unwrap()
    }

    fn served(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
        pairs.iter().map(|(path, service)| ((*path).to_owned(), (*service).to_owned())).collect()
    }

    #[test]
    fn a_prefix_takes_what_is_below_it_and_an_exact_entry_wins() {
        let table = table(
            "[[path]]\nprefix = '/v1/a'\nservice = 'auth'\n[[path]]\nexact = '/v1/a/x'\nservice = 'mailbox'\n",
        );

        assert_eq!(
            findings(&table, &served(&[("/v1/a/b", "auth"), ("/v1/a/x", "mailbox")])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_path_that_only_begins_alike_is_not_below_a_prefix() {
        let table = table("[[path]]\nprefix = '/v1/a'\nservice = 'auth'\n");

        let found = findings(&table, &served(&[("/v1/a", "auth"), ("/v1/ab", "auth")]));

        assert_eq!(found, ["/v1/ab is served by auth; paths.toml does not have it"]);
    }

    #[test]
    fn an_entry_for_a_protocol_of_its_own_needs_no_description() {
        let table = table("[[path]]\nprefix = '/socket.io'\nservice = 'notify'\ndescribed = false\n");

        assert_eq!(findings(&table, &served(&[])), Vec::<String>::new());
    }

    #[test]
    fn a_path_sent_to_the_wrong_service_and_an_entry_without_routes_are_found() {
        let table = table("[[path]]\nprefix = '/v1/a'\nservice = 'auth'\n");

        let found = findings(&table, &served(&[("/v1/a", "mailbox")]));

        assert_eq!(
            found,
            [
                "/v1/a is served by mailbox; paths.toml sends it to auth",
                "/v1/a is in paths.toml; auth serves nothing there"
            ]
        );
    }
}
