//! A program as a pod or a container runs it: arguments, environment, files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{list, secrets::Secret, text};

/// A program of ours with all that its settings come from.
#[derive(Debug, Default)]
pub(super) struct Pod {
    /// Where it is described.
    pub(super) name: String,
    /// The program, such as `sealpost-mailbox`.
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    /// Its files outside of the image.
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
    /// The ports that others are told, by name.
    pub(super) ports: BTreeMap<String, u64>,
    /// What is asked of it on its internal listener.
    pub(super) probes: Vec<String>,
    /// How long it may take to end, in seconds, after the signal to end.
    pub(super) grace: u64,
}

/// The pods of ours in an overlay.
///
/// # Errors
/// A mount that cannot be understood.
pub(super) fn of_cluster(
    overlay: &str,
    docs: &[Value],
    secrets: &BTreeMap<String, Secret>,
) -> Result<Vec<Pod>, String> {
    let mut pods = Vec::new();
    for doc in docs.iter().filter(|doc| doc.pointer("/spec/template/spec").is_some()) {
        for container in list(doc, "/spec/template/spec/containers") {
            let image = text(container, "/image").rsplit('/').next().unwrap_or_default();
            let program = image.split(':').next().unwrap_or_default();
            if program.starts_with("sealpost") {
                let name = format!("{overlay}: {} {}", text(doc, "/kind"), text(doc, "/metadata/name"));
                pods.push(pod(name, program, doc, container, &Sources { docs, secrets })?);
            }
        }
    }
    Ok(pods)
}

/// What mounts and environment refer to.
struct Sources<'a> {
    docs: &'a [Value],
    secrets: &'a BTreeMap<String, Secret>,
}

impl Sources<'_> {
    /// The entries of a ConfigMap; none where it does not exist, which is found elsewhere.
    fn config_map(&self, name: &str) -> BTreeMap<String, String> {
        let found = self
            .docs
            .iter()
            .find(|doc| text(doc, "/kind") == "ConfigMap" && text(doc, "/metadata/name") == name);
        let entries = found.and_then(|doc| doc.get("data")?.as_object()).into_iter().flatten();
        entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// The files of a volume.
    fn files(&self, volume: &Value) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        if let Some(source) = volume.get("configMap") {
            let entries = self.config_map(text(source, "/name")).into_iter();
            files.extend(entries.map(|(key, value)| (key, value.into_bytes())));
        }
        if let Some(source) = volume.get("secret") {
            files.extend(self.chosen(text(source, "/secretName"), list(source, "/items")));
        }
        for source in list(volume, "/projected/sources") {
            files.extend(self.chosen(text(source, "/secret/name"), list(source, "/secret/items")));
        }
        files
    }

    /// The keys of a Secret under the names that they are mounted as: all, or those that are listed.
    fn chosen(&self, secret: &str, items: &[Value]) -> BTreeMap<String, Vec<u8>> {
        let Some(secret) = self.secrets.get(secret) else {
            return BTreeMap::new();
        };
        if items.is_empty() {
            return secret.clone();
        }
        let item =
            |item: &Value| Some((text(item, "/path").to_owned(), secret.get(text(item, "/key"))?.clone()));
        items.iter().filter_map(item).collect()
    }
}

fn pod(
    name: String,
    program: &str,
    doc: &Value,
    container: &Value,
    sources: &Sources<'_>,
) -> Result<Pod, String> {
    let environment = environment(doc, container, sources);
    let mut files = BTreeMap::new();
    for mount in list(container, "/volumeMounts") {
        let wanted = text(mount, "/name");
        let volumes = list(doc, "/spec/template/spec/volumes");
        let volume = volumes.iter().find(|volume| text(volume, "/name") == wanted);
        let volume = volume.ok_or_else(|| format!("{name}: there is no volume {wanted}"))?;
        let path = Path::new(text(mount, "/mountPath"));
        let part =
            expand(&format!("{}{}", text(mount, "/subPath"), text(mount, "/subPathExpr")), &environment);
        for (file, content) in sources.files(volume) {
            match part.as_str() {
                "" => files.insert(path.join(file), content),
                part if part == file => files.insert(path.to_owned(), content),
                _ => None,
            };
        }
    }
    let ports = list(container, "/ports").iter();
    let probes = ["/startupProbe", "/livenessProbe", "/readinessProbe"];
    let mut probes: Vec<String> =
        probes.iter().map(|probe| text(container, &format!("{probe}/httpGet/path")).to_owned()).collect();
    probes.push(text(doc, "/spec/template/metadata/annotations/prometheus.io~1path").to_owned());
    probes.retain(|path| !path.is_empty());
    let seconds = |pointer: &str| doc.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let pause = container.pointer("/lifecycle/preStop/sleep/seconds").and_then(Value::as_u64).unwrap_or(0);
    Ok(Pod {
        name,
        program: program.to_owned(),
        arguments: list(container, "/args").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        files,
        ports: ports
            .filter_map(|port| Some((text(port, "/name").to_owned(), port.get("containerPort")?.as_u64()?)))
            .collect(),
        probes,
        grace: seconds("/spec/template/spec/terminationGracePeriodSeconds").saturating_sub(pause),
        environment,
    })
}

/// Every variable, those of ConfigMaps first, as those of the container go before them.
fn environment(doc: &Value, container: &Value, sources: &Sources<'_>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for source in list(container, "/envFrom") {
        environment.extend(sources.config_map(text(source, "/configMapRef/name")));
    }
    for variable in list(container, "/env") {
        let field = text(variable, "/valueFrom/fieldRef/fieldPath");
        let label = field.strip_prefix("metadata.labels['").and_then(|rest| rest.strip_suffix("']"));
        let value = match label {
            Some(label) => {
                let labels = doc.pointer("/spec/template/metadata/labels");
                labels.and_then(|labels| labels.get(label)?.as_str()).unwrap_or_default().to_owned()
            }
            None => expand(text(variable, "/value"), &environment),
        };
        environment.insert(text(variable, "/name").to_owned(), value);
    }
    environment
}

/// Puts variables in the places of `$(NAME)`.
fn expand(text: &str, environment: &BTreeMap<String, String>) -> String {
    environment.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}
