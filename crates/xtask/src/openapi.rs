//! `proto/openapi/<service>.json`: written from, or compared with, what each service's binary prints.

use std::{fs, path::Path, process::Command};

/// The services that have an HTTP interface, and so a description.
const SERVICES: [&str; 7] = ["auth", "keystore", "mailbox", "sync", "notify", "relay", "sms-gateway"];

/// Writes the descriptions, or compares them when `check` is set.
///
/// # Errors
/// Which description drifted, or why one could not be made.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let mut drifted = Vec::new();
    for service in SERVICES {
        let path = root.join("proto/openapi").join(format!("{service}.json"));
        let fresh = describe(root, service)?;
        let kept = fs::read(&path).unwrap_or_default();
        if fresh != kept && check {
            drifted.push(format!("{} has drifted; run `cargo xtask openapi`", path.display()));
        } else if fresh != kept {
            fs::write(&path, &fresh).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    if drifted.is_empty() {
        Ok(format!("openapi: {} descriptions are up to date", SERVICES.len()))
    } else {
        Err(drifted.join("\n"))
    }
}

fn describe(root: &Path, service: &str) -> Result<Vec<u8>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--bin", &format!("sealpost-{service}"), "--", "openapi"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo run: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("sealpost-{service} openapi: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
