//! `deploy/compose.yaml`: whether its references hold, and its programs as pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Pod, SERVICES, list, render, secrets::Made, text};

/// The file, with its merge keys resolved.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(root: &Path) -> Result<Value, String> {
    let documents = render::parse(&super::read(&root.join("deploy/compose.yaml"))?)?;
    let mut file = documents.into_iter().next().ok_or("deploy/compose.yaml is empty")?;
    // Files are named from its own folder.
    file["folder"] = Value::from(root.join("deploy").display().to_string());
    Ok(file)
}

/// What refers to something that is not there.
pub(super) fn findings(file: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let mut finding = |service: &str, what: String| findings.push(format!("compose.yaml: {service}: {what}"));
    let services = entries(file, "services");
    let defined = |kind: &str| entries(file, kind).keys().copied().collect::<BTreeSet<&str>>();
    for name in SERVICES {
        for wanted in [name.to_owned(), format!("migrate-{name}")] {
            if !services.contains_key(wanted.as_str()) {
                finding(&wanted, "is missing".to_owned());
            }
        }
    }
    for (name, service) in &services {
        for (kind, key) in [("secrets", "source"), ("configs", "source")] {
            for used in list(service, &format!("/{kind}")) {
                let used = used.as_str().unwrap_or_else(|| text(used, &format!("/{key}")));
                if !defined(kind).contains(used) {
                    finding(name, format!("there is no {used} among the {kind}"));
                }
            }
        }
        for (other, how) in entries(service, "depends_on") {
            let condition = text(how, "/condition");
            let Some(other_service) = services.get(other) else {
                finding(name, format!("depends on {other}, which is not there"));
                continue;
            };
            let ends = text(other_service, "/restart") == "no";
            if ends != (condition == "service_completed_successfully") {
                finding(name, format!("waits for {other} by {condition}"));
            }
            // nginx asks for addresses once.
            if *name == "proxy" && how.get("restart") != Some(&Value::Bool(true)) {
                finding(name, format!("keeps the old address of {other} when that is made anew"));
            }
        }
        for volume in list(service, "/volumes").iter().filter_map(Value::as_str) {
            let source = volume.split(':').next().unwrap_or_default();
            let here = source.starts_with('.').then(|| folder(file).join(source));
            if here.is_some_and(|path| !path.exists()) {
                finding(name, format!("mounts {source}, which is not there"));
            }
        }
    }
    for (name, config) in entries(file, "configs") {
        if !folder(file).join(text(config, "/file")).exists() {
            finding(name, "its file is not there".to_owned());
        }
    }
    findings
}

/// The containers of ours, with the secrets that `deploy/secrets` has made.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn pods(file: &Value, made: &Made) -> Result<Vec<Pod>, String> {
    let mut pods = Vec::new();
    for (name, service) in entries(file, "services") {
        let program = text(service, "/image");
        if !program.starts_with("sealpost") {
            continue;
        }
        let mut files = BTreeMap::new();
        for secret in list(service, "/secrets").iter().filter_map(Value::as_str) {
            let source = entries(file, "secrets").get(secret).map(|secret| text(secret, "/file"));
            let stem = source.and_then(|source| source.strip_prefix("./.secrets/")).unwrap_or_default();
            // What is not made is not mounted, and the program says so.
            if let Ok(content) = fs::read(made.folder.join(stem)) {
                files.insert(Path::new("/run/secrets").join(secret), content);
            }
        }
        for config in list(service, "/configs") {
            let source =
                entries(file, "configs").get(text(config, "/source")).map(|config| text(config, "/file"));
            let path = folder(file).join(source.unwrap_or_default());
            let content = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.insert(PathBuf::from(text(config, "/target")), content);
        }
        let environment = entries(service, "environment").into_iter();
        let environment = environment.map(|(name, value)| (name.to_owned(), filled(value)));
        let arguments: Vec<String> =
            list(service, "/command").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let serves = arguments.is_empty();
        pods.push(Pod {
            name: format!("compose.yaml: {name}"),
            program: program.to_owned(),
            // The image's CMD.
            arguments: if serves { vec!["serve".to_owned()] } else { arguments },
            environment: environment.collect(),
            files,
            ports: BTreeMap::new(),
            // The image's HEALTHCHECK.
            probes: if serves { vec!["/health/ready".to_owned()] } else { Vec::new() },
            grace: text(service, "/stop_grace_period").trim_end_matches('s').parse().unwrap_or(0),
        });
    }
    Ok(pods)
}

/// A value with something for what the operator fills in (`${NAME:?why}`).
fn filled(value: &Value) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value.strip_prefix("${SEALPOST_PUBLIC_URL") {
        Some(_) => "https://sealpost.example.org".to_owned(),
        None => value,
    }
}

fn folder(file: &Value) -> &Path {
    Path::new(text(file, "/folder"))
}

/// The entries of an object; none where there is no such object.
fn entries<'a>(value: &'a Value, key: &str) -> BTreeMap<&'a str, &'a Value> {
    let object = value.get(key).and_then(Value::as_object).into_iter().flatten();
    object.map(|(name, value)| (name.as_str(), value)).collect()
}
