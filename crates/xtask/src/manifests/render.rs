//! Overlays as they would be applied, and whether Kubernetes would take them.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize as _;
use serde_json::Value;

/// The oldest and the newest Kubernetes that the manifests are for.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Renders `k8s/overlays/NAME`.
///
/// # Errors
/// What kubectl says.
pub(super) fn overlay(root: &Path, tools: &Path, name: &str) -> Result<String, String> {
    let mut kubectl = Command::new(tools.join("kubectl"));
    kubectl.arg("kustomize").arg(root.join("k8s/overlays").join(name));
    output("kubectl kustomize", &mut kubectl)
}

/// What a strict validation finds, of all documents.
///
/// # Errors
/// When it cannot be run.
pub(super) fn invalid(tools: &Path, text: &str) -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    for version in VERSIONS {
        // By its interpreter: the first line of the script names the folder where it was installed first.
        let mut validate = Command::new(tools.join("python"));
        validate.arg(tools.join("kubernetes-validate")).args(["-k", version, "--strict", "--quiet", "-"]);
        let child = validate.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("kubernetes-validate: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text.as_bytes()).map_err(|error| format!("kubernetes-validate: {error}"))?;
        }
        let output = child.wait_with_output().map_err(|error| format!("kubernetes-validate: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            findings.push(format!("Kubernetes {version}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(findings)
}

/// Reads the documents of a YAML stream, with merge keys resolved.
///
/// # Errors
/// What is no YAML.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, String> {
    let mut documents = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let wrong = |error: serde_norway::Error| format!("YAML: {error}");
        let mut value = serde_norway::Value::deserialize(document).map_err(wrong)?;
        value.apply_merge().map_err(wrong)?;
        if !value.is_null() {
            documents.push(serde_json::to_value(value).map_err(|error| format!("YAML: {error}"))?);
        }
    }
    Ok(documents)
}

/// Runs a program to its end, and gives what it printed.
///
/// # Errors
/// When it fails, with what it said.
pub(super) fn output(name: &str, command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
