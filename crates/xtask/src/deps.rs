//! The architecture rules of `docs/architecture.md`, checked against what `Cargo.toml` files declare.
//!
//! In: `cargo metadata`. Out: one line per broken rule. Only normal and build dependencies count; a
//! dev-dependency may reach up to `testkit`, but never from one service to another.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Services: independent of each other, assembled only by [`ASSEMBLERS`].
const SERVICES: [&str; 7] = ["auth", "keystore", "mailbox", "sync", "notify", "relay", "sms-gateway"];

/// The members that may depend on services.
const ASSEMBLERS: [&str; 4] = ["sealpost", "e2e", "xtask", "bench"];

/// The members that are tests or tools throughout, and so may use `testkit` in their own code.
const TOOLS: [&str; 3] = ["e2e", "xtask", "bench"];

/// Which of our crates a shared crate may use. A crate that is not listed here is unknown to the architecture.
const ARROWS: [(&str, &[&str]); 13] = [
    ("rsa-lanes", &[]),
    ("common", &["rsa-lanes"]),
    ("config", &[]),
    ("smpp", &[]),
    ("socketio", &["web"]),
    ("telemetry", &[]),
    ("sms", &["common"]),
    ("db", &["common"]),
    ("bus", &["common", "db", "telemetry"]),
    ("web", &["common", "telemetry"]),
    ("clients", &["common", "telemetry"]),
    ("webhook", &["common", "telemetry"]),
    ("service", &["bus", "clients", "common", "config", "db", "telemetry", "web"]),
];

/// Crates of pure functions, and what would give them I/O, a clock of their own or a runtime.
const PURE: [&str; 3] = ["rsa-lanes", "common", "sms"];
const IMPURE: [&str; 12] = [
    "actix-rt",
    "actix-web",
    "diesel_migrations",
    "hyper",
    "lapin",
    "mio",
    "rdkafka",
    "reqwest",
    "tokio",
    "tracing",
    "rusqlite",
    "libsqlite3-sys",
];

/// Checks every rule.
///
/// # Errors
/// The findings, one a line, or why `cargo metadata` could not be read.
pub(crate) fn check() -> Result<String, String> {
    let metadata = MetadataCommand::new().exec().map_err(|error| error.to_string())?;
    let findings = findings(&declared(&metadata));
    if findings.is_empty() {
        Ok(format!("architecture: {} members keep the rules", metadata.workspace_members.len()))
    } else {
        Err(findings.join("\n"))
    }
}

/// What a workspace member declares.
#[derive(Debug, Default, Clone)]
struct Declared {
    /// Normal and build dependencies, by package name.
    normal: BTreeSet<String>,
    /// Dev-dependencies, by package name.
    dev: BTreeSet<String>,
    /// Dependencies with a version requirement written in the member itself.
    own_versions: BTreeSet<String>,
}

fn declared(metadata: &Metadata) -> BTreeMap<String, Declared> {
    let mut members = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let mut declared = Declared::default();
        for dependency in &package.dependencies {
            let list = if dependency.kind == DependencyKind::Development {
                &mut declared.dev
            } else {
                &mut declared.normal
            };
            list.insert(dependency.name.clone());
        }
        declared.own_versions = own_versions(package.manifest_path.as_std_path());
        members.insert(package.name.to_string(), declared);
    }
    members
}

/// Dependency lines that name a version instead of `workspace = true`. Read as text: metadata no longer tells.
fn own_versions(manifest: &std::path::Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    let mut in_dependencies = false;
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if let Some((name, value)) = line.split_once('=')
            && in_dependencies
            && !name.trim().ends_with(".workspace")
            && !value.contains("workspace = true")
        {
            found.insert(name.trim().to_owned());
        }
    }
    found
}

fn findings(members: &BTreeMap<String, Declared>) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, declared) in members {
        let ours = |list: &BTreeSet<String>| {
            list.iter().filter(|d| members.contains_key(*d)).cloned().collect::<Vec<_>>()
        };
        let is_service = SERVICES.contains(&name.as_str());
        let assembles = ASSEMBLERS.contains(&name.as_str());
        for dependency in ours(&declared.normal).iter().chain(&ours(&declared.dev)) {
            if SERVICES.contains(&dependency.as_str()) && !assembles {
                findings.push(format!(
                    "{name} depends on the service {dependency}; services meet over the wire only"
                ));
            }
        }
        for dependency in ours(&declared.normal) {
            if dependency == "testkit" && !TOOLS.contains(&name.as_str()) {
                findings.push(format!("{name} uses testkit outside [dev-dependencies]"));
            }
            match ARROWS.iter().find(|(from, _)| from == name) {
                Some((_, allowed)) if !allowed.contains(&dependency.as_str()) => {
                    findings.push(format!("{name} -> {dependency} is not an arrow of the architecture"));
                }
                None if !is_service && !assembles && name != "testkit" => {
                    findings.push(format!(
                        "{name} is not in the architecture; add it to docs/architecture.md and to this table"
                    ));
                }
                _ => {}
            }
        }
        if PURE.contains(&name.as_str()) {
            for dependency in declared.normal.iter().filter(|d| IMPURE.contains(&d.as_str())) {
                findings.push(format!("{name} is free of I/O, but depends on {dependency}"));
            }
        }
        for dependency in &declared.own_versions {
            findings.push(format!(
                "{name} gives {dependency} a version of its own; use [workspace.dependencies]"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(entries: &[(&str, &[&str], &[&str])]) -> BTreeMap<String, Declared> {
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        entries
            .iter()
            .map(|(name, normal, dev)| {
                (
                    (*name).to_owned(),
                    Declared { normal: set(normal), dev: set(dev), own_versions: BTreeSet::new() },
                )
            })
            .collect()
    }

    #[test]
    fn a_service_may_not_use_another_not_even_in_tests() {
        let members = workspace(&[("auth", &[], &[]), ("mailbox", &[], &["auth"])]);

        assert_eq!(
            findings(&members),
            ["mailbox depends on the service auth; services meet over the wire only"]
        );
    }

    #[test]
    fn common_stays_free_of_io() {
        let members = workspace(&[("common", &["serde", "tokio"], &["proptest"])]);

        assert_eq!(findings(&members), ["common is free of I/O, but depends on tokio"]);
    }

    #[test]
    fn arrows_point_down_only() {
        let members =
            workspace(&[("common", &[], &[]), ("db", &["common", "web"], &[]), ("web", &["common"], &[])]);

        assert_eq!(findings(&members), ["db -> web is not an arrow of the architecture"]);
    }

    #[test]
    fn this_workspace_keeps_the_rules() {
        assert_eq!(check().map(|_| ()), Ok(()));
    }
}
