//! The secrets of an installation, as operators make them: `deploy/secrets`, then `k8s/secrets`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use testkit::program;

use super::{SERVICES, render, text};

/// A Secret: its keys with what they hold.
pub(super) type Secret = BTreeMap<String, Vec<u8>>;

/// What was made.
pub(super) struct Made {
    /// The folder that Compose takes.
    pub(super) folder: PathBuf,
    /// The Secrets of the cluster, by name.
    pub(super) secrets: BTreeMap<String, Secret>,
}

/// Makes all of them in `scratch`.
///
/// # Errors
/// What the scripts say.
pub(super) fn make(root: &Path, tools: &Path, scratch: &Path) -> Result<Made, String> {
    let folder = scratch.join("secrets");
    let sealpost = program::binary("sealpost").or_else(|_| beside("sealpost"))?;
    let mut script = Command::new(root.join("deploy/secrets"));
    script.arg(&folder).env("SEALPOST", sealpost);
    render::output("deploy/secrets", &mut script)?;
    let first = contents(&folder)?;
    render::output("deploy/secrets, a second time", &mut script)?;
    if contents(&folder)? != first {
        return Err("deploy/secrets, a second time: changes what is there".to_owned());
    }
    // What an operator brings along: logins of a Kafka with users.
    let write = |name: &str, content: &str| {
        fs::write(folder.join(name), content).map_err(|error| format!("{name}: {error}"))
    };
    for service in SERVICES {
        write(&format!("kafka-{service}"), "a password of Kafka")?;
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    openssl.args(["-subj", "/CN=authority", "-keyout", "/dev/null", "-out"]).arg(folder.join("kafka-ca.crt"));
    render::output("openssl req", &mut openssl)?;

    let mut script = Command::new(root.join("k8s/secrets"));
    let printed = render::output("k8s/secrets", script.arg(&folder).env("KUBECTL", tools.join("kubectl")))?;
    let secrets = render::parse(&printed)?.iter().map(secret).collect::<Result<_, _>>()?;
    Ok(Made { folder, secrets })
}

/// What is in each file of a folder.
fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(told)?.collect::<Result<Vec<_>, _>>().map_err(told)?;
    entries.iter().map(|entry| Ok((entry.path(), fs::read(entry.path()).map_err(told)?))).collect()
}

/// The program in the folder of this one.
pub(super) fn beside(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = this.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} was not built", path.display())) }
}

fn secret(document: &Value) -> Result<(String, Secret), String> {
    let keys = document.get("data").and_then(Value::as_object).into_iter().flatten();
    let keys = keys.map(|(key, value)| {
        let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
        bytes.map(|bytes| (key.clone(), bytes)).map_err(|error| format!("Secret key {key}: {error}"))
    });
    Ok((text(document, "/metadata/name").to_owned(), keys.collect::<Result<_, _>>()?))
}
