//! Documents of one overlay that refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{SERVICES, list, secrets::Secret, text};

/// Every reference that leads nowhere, and every rule for pods that one breaks.
pub(super) fn findings(docs: &[Value], secrets: &BTreeMap<String, Secret>) -> Vec<String> {
    let cluster = Cluster { docs, secrets };
    let mut findings = Vec::new();
    for doc in docs {
        let mut found = Vec::new();
        match text(doc, "/kind") {
            "Deployment" | "StatefulSet" | "Job" => {
                cluster.workload(doc, &mut found);
                safe(doc, &mut found);
            }
            "Service" => cluster.service(doc, &mut found),
            "Ingress" => cluster.ingress(doc, &mut found),
            "PodDisruptionBudget"
                if cluster.selected(doc.pointer("/spec/selector/matchLabels")).next().is_none() =>
            {
                found.push("selects no pod".to_owned());
            }
            "HorizontalPodAutoscaler" => {
                let (kind, name) =
                    (text(doc, "/spec/scaleTargetRef/kind"), text(doc, "/spec/scaleTargetRef/name"));
                if cluster.find(kind, name).is_none() {
                    found.push(format!("scales {kind} {name}, which is not there"));
                }
            }
            _ => {}
        }
        let name = format!("{} {}", text(doc, "/kind"), text(doc, "/metadata/name"));
        findings.extend(found.into_iter().map(|what| format!("{name}: {what}")));
    }
    findings.extend(cluster.missing());
    findings
}

/// The documents, and the Secrets that the operator makes beside them.
pub(super) struct Cluster<'a> {
    pub(super) docs: &'a [Value],
    pub(super) secrets: &'a BTreeMap<String, Secret>,
}

impl<'a> Cluster<'a> {
    fn find(&self, kind: &str, name: &str) -> Option<&'a Value> {
        self.docs.iter().find(|doc| text(doc, "/kind") == kind && text(doc, "/metadata/name") == name)
    }

    /// The workloads whose pods have all of these labels.
    fn selected(&self, labels: Option<&'a Value>) -> impl Iterator<Item = &'a Value> {
        workloads(self.docs).filter(move |doc| labels.is_some_and(|labels| has(doc, labels)))
    }

    /// Each service has what a service has.
    fn missing(&self) -> Vec<String> {
        let wanted = |service: &str| {
            [
                ("Deployment", service.to_owned()),
                ("Service", service.to_owned()),
                ("ServiceAccount", service.to_owned()),
                ("PodDisruptionBudget", service.to_owned()),
                ("NetworkPolicy", service.to_owned()),
                ("Job", format!("migrate-{service}")),
            ]
        };
        let all = SERVICES.iter().flat_map(|service| wanted(service));
        let gone = all.filter(|(kind, name)| self.find(kind, name).is_none());
        gone.map(|(kind, name)| format!("{kind} {name} is missing")).collect()
    }

    fn workload(&self, doc: &Value, found: &mut Vec<String>) {
        let account = text(doc, "/spec/template/spec/serviceAccountName");
        if !account.is_empty() && self.find("ServiceAccount", account).is_none() {
            found.push(format!("runs as {account}, which is not there"));
        }
        if doc.pointer("/spec/selector/matchLabels").is_some_and(|labels| !has(doc, labels)) {
            found.push("does not select its own pods".to_owned());
        }
        let volumes = list(doc, "/spec/template/spec/volumes");
        for volume in volumes {
            self.config_map(text(volume, "/configMap/name"), found);
            self.secret(text(volume, "/secret/secretName"), list(volume, "/secret/items"), found);
            for source in list(volume, "/projected/sources") {
                self.secret(text(source, "/secret/name"), list(source, "/secret/items"), found);
            }
        }
        let claims =
            list(doc, "/spec/volumeClaimTemplates").iter().map(|claim| text(claim, "/metadata/name"));
        let names: BTreeSet<&str> =
            volumes.iter().map(|volume| text(volume, "/name")).chain(claims).collect();
        for container in list(doc, "/spec/template/spec/containers") {
            for source in list(container, "/envFrom") {
                self.config_map(text(source, "/configMapRef/name"), found);
            }
            for mount in list(container, "/volumeMounts") {
                if !names.contains(text(mount, "/name")) {
                    found.push(format!("mounts {}, which is no volume", text(mount, "/name")));
                }
            }
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                for how in ["httpGet", "tcpSocket"] {
                    let port = text(container, &format!("/{probe}/{how}/port"));
                    if !port.is_empty() && !names_of_ports(doc).contains(port) {
                        found.push(format!("{probe} asks port {port}, which it does not have"));
                    }
                }
            }
        }
        let annotated = text(doc, "/spec/template/metadata/annotations/prometheus.io~1port");
        if !annotated.is_empty() && !ports(doc).any(|port| port == annotated) {
            found.push(format!("has metrics at port {annotated}, which it does not have"));
        }
    }

    fn config_map(&self, name: &str, found: &mut Vec<String>) {
        if !name.is_empty() && self.find("ConfigMap", name).is_none() {
            found.push(format!("needs ConfigMap {name}, which is not there"));
        }
    }

    fn secret(&self, name: &str, items: &[Value], found: &mut Vec<String>) {
        if name.is_empty() {
            return;
        }
        let Some(secret) = self.secrets.get(name) else {
            found.push(format!("needs Secret {name}, which k8s/secrets does not make"));
            return;
        };
        for key in items.iter().map(|item| text(item, "/key")).filter(|key| !secret.contains_key(*key)) {
            found.push(format!("needs {key} of Secret {name}, which is not in it"));
        }
    }

    fn service(&self, doc: &'a Value, found: &mut Vec<String>) {
        let pods: Vec<&Value> = self.selected(doc.pointer("/spec/selector")).collect();
        if pods.is_empty() {
            found.push("selects no pod".to_owned());
        }
        for (port, pod) in
            list(doc, "/spec/ports").iter().flat_map(|port| pods.iter().map(move |pod| (port, pod)))
        {
            let target = port.get("targetPort").or(port.get("port")).map(plain).unwrap_or_default();
            if !names_of_ports(pod).contains(target.as_str()) && !ports(pod).any(|port| port == target) {
                found.push(format!("leads to port {target}, which its pods do not have"));
            }
        }
    }

    fn ingress(&self, doc: &Value, found: &mut Vec<String>) {
        for rule in list(doc, "/spec/rules") {
            for path in list(rule, "/http/paths") {
                let (name, port) =
                    (text(path, "/backend/service/name"), text(path, "/backend/service/port/name"));
                let service = self.find("Service", name);
                let ports = service.map_or(&[][..], |service| list(service, "/spec/ports"));
                if !ports.iter().any(|known| text(known, "/name") == port) {
                    found.push(format!("{} leads to {name}:{port}, which is not there", text(path, "/path")));
                }
            }
        }
    }
}

/// What a pod must not be able to do, whoever gets into it.
fn safe(doc: &Value, found: &mut Vec<String>) {
    let spec = "/spec/template/spec";
    let is = |value: &Value, pointer: &str, wanted: bool| {
        value.pointer(pointer).and_then(Value::as_bool) == Some(wanted)
    };
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    rule(is(doc, &format!("{spec}/automountServiceAccountToken"), false), "has a token of the cluster");
    rule(is(doc, &format!("{spec}/securityContext/runAsNonRoot"), true), "may be root");
    rule(
        text(doc, &format!("{spec}/securityContext/seccompProfile/type")) == "RuntimeDefault",
        "has no seccomp profile",
    );
    for container in list(doc, &format!("{spec}/containers")) {
        let ours =
            text(container, "/image").rsplit('/').next().is_some_and(|image| image.starts_with("sealpost"));
        let drops = list(container, "/securityContext/capabilities/drop");
        rule(is(container, "/securityContext/allowPrivilegeEscalation", false), "may gain privileges");
        rule(drops.iter().any(|one| one == "ALL"), "keeps capabilities");
        rule(
            !ours || is(container, "/securityContext/readOnlyRootFilesystem", true),
            "may write to its image",
        );
        rule(container.pointer("/resources/requests/memory").is_some(), "asks for no memory");
        rule(container.pointer("/resources/limits/memory").is_some(), "has no limit of memory");
    }
}

/// Documents with pods.
pub(super) fn workloads(docs: &[Value]) -> impl Iterator<Item = &Value> {
    docs.iter().filter(|doc| doc.pointer("/spec/template/spec/containers").is_some())
}

/// Whether the pods of a workload have all of these labels.
pub(super) fn has(workload: &Value, labels: &Value) -> bool {
    let own = workload.pointer("/spec/template/metadata/labels");
    labels.as_object().is_some_and(|labels| {
        labels.iter().all(|(name, value)| own.and_then(|own| own.get(name)) == Some(value))
    })
}

fn container_ports(workload: &Value) -> impl Iterator<Item = &Value> {
    list(workload, "/spec/template/spec/containers").iter().flat_map(|container| list(container, "/ports"))
}

/// The names of a workload's ports.
pub(super) fn names_of_ports(workload: &Value) -> BTreeSet<&str> {
    container_ports(workload).map(|port| text(port, "/name")).collect()
}

/// The numbers of a workload's ports.
pub(super) fn ports(workload: &Value) -> impl Iterator<Item = String> {
    container_ports(workload).filter_map(|port| port.get("containerPort").map(plain))
}

/// A name or a number, as text.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
