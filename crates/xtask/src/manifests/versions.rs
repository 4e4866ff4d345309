//! The version of a release: one for the workspace, and the same wherever images are named.

use std::path::Path;

use cargo_metadata::MetadataCommand;

use super::read;

/// Files that name it, and what stands before it there, each time.
const PLACES: [(&str, &str); 3] = [
    ("deploy/Dockerfile", "ARG VERSION="),
    ("deploy/docker-bake.hcl", "variable \"VERSION\" { default = \""),
    ("k8s/overlays/production/kustomization.yaml", "newTag: "),
];

/// What is wrong with it.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn findings(root: &Path) -> Result<Vec<String>, String> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec();
    let metadata = metadata.map_err(|error| error.to_string())?;
    let versions = metadata.packages.iter().map(|package| package.version.to_string());
    let mut versions: Vec<String> = versions.collect();
    versions.dedup();
    let [version] = versions.as_slice() else {
        return Ok(vec![format!("the crates have different versions: {}", versions.join(", "))]);
    };
    let mut findings = Vec::new();
    for (file, before) in PLACES {
        findings.extend(check(file, &read(&root.join(file))?, before, version));
    }
    Ok(findings)
}

fn check(file: &str, text: &str, before: &str, version: &str) -> Vec<String> {
    let named: Vec<&str> = text
        .split(before)
        .skip(1)
        .map(|rest| {
            rest.split(|end: char| end.is_whitespace() || "\"},".contains(end)).next().unwrap_or(rest)
        })
        .collect();
    if named.is_empty() {
        return vec![format!("{file}: nothing after {before}")];
    }
    let others = named.into_iter().filter(|named| *named != version);
    others.map(|other| format!("{file}: version {other}, the workspace has {version}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_that_names_another_version_is_found() {
        let text = "a { newTag: 0.1.0 }\nb { newTag: 0.2.0, c }\nnewTag: 0.1.0\n";

        assert_eq!(check("f", text, "newTag: ", "0.1.0"), ["f: version 0.2.0, the workspace has 0.1.0"]);
        assert_eq!(check("f", "ARG VERSION=0.1.0", "ARG VERSION=", "0.1.0"), Vec::<String>::new());
        assert_eq!(check("f", "default = \"0.1.0\" }", "default = \"", "0.1.0"), Vec::<String>::new());
        assert_eq!(check("f", "", "newTag: ", "0.1.0"), ["f: nothing after newTag: "]);
    }
}
