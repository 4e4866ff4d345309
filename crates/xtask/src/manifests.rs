//! What operators are given (`k8s/`, `deploy/`) against the code.
//!
//! In: the overlays as kubectl renders them, `compose.yaml`, the units of systemd, the Dockerfile, the lists for Kafka, and
//! the programs as they were built. Out: one line for each thing that does not fit.
//!
//! References are followed from document to document. Settings are given to the real programs, with the files and the
//! environment that a pod or a container would have, on secrets that `deploy/secrets` makes: a setting, a secret or a probe
//! that is misnamed is one that a program refuses or does not answer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use testkit::peers;

mod cluster;
mod compose;
mod image;
mod kafka;
mod pod;
mod policies;
mod render;
mod secrets;
mod start;
mod units;
mod versions;

use pod::Pod;

/// The services, each a program `sealpost-NAME`.
const SERVICES: [&str; 7] = ["auth", "keystore", "mailbox", "sync", "notify", "relay", "sms-gateway"];

const OVERLAYS: [&str; 2] = ["dev", "production"];

/// Checks everything.
///
/// # Errors
/// The findings, one a line, or what could not be run.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let root = &root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let mut findings = Vec::new();
    let mut documents = 0;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let tools = peers::fetch_kubernetes().map_err(|error| error.to_string())?;
    let made = secrets::make(root, &tools, scratch.path())?;

    let mut pods = compose::pods(&compose::read(root)?, &made)?;
    findings.extend(compose::findings(&compose::read(root)?));
    for overlay in OVERLAYS {
        let text = render::overlay(root, &tools, overlay)?;
        findings.extend(within(overlay, render::invalid(&tools, &text)?));
        let docs = render::parse(&text)?;
        documents += docs.len();
        findings.extend(within(overlay, cluster::findings(&docs, &made.secrets)));
        findings.extend(within(overlay, policies::findings(&docs)));
        pods.extend(pod::of_cluster(overlay, &docs, &made.secrets)?);
    }
    for example in files(&root.join("k8s/examples"), "yaml")? {
        documents += render::parse(&read(&example)?)?.len();
    }
    findings.extend(image::findings(root)?);
    findings.extend(units::findings(root)?);
    findings.extend(versions::findings(root)?);
    findings.extend(kafka::findings(root)?);

    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    for pod in &pods {
        findings.extend(within(&pod.name, runtime.block_on(start::findings(pod))?));
    }
    if findings.is_empty() {
        Ok(format!("manifests: {documents} documents and {} programs in their places", pods.len()))
    } else {
        Err(findings.join("\n"))
    }
}

fn within(place: &str, findings: Vec<String>) -> impl Iterator<Item = String> {
    findings.into_iter().map(move |finding| format!("{place}: {finding}"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

/// The text at a JSON pointer; empty where there is none.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer; empty where there is none.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
