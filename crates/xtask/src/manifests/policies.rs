//! Network policies: everybody is shut off, each opening is made from both sides, and those between services are the
//! calls that the code makes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    SERVICES,
    cluster::{has, names_of_ports, plain, ports, workloads},
    list, text,
};

/// Who calls whom on the internal listener: `crates/service/src/platform.rs` makes the clients, and each service's
/// `app.rs` takes those that it uses. All but relay and sms-gateway ask auth who may call; auth and keystore nudge.
const CALLS: [(&str, &str); 9] = [
    ("auth", "keystore"),
    ("auth", "mailbox"),
    ("keystore", "auth"),
    ("keystore", "mailbox"),
    ("mailbox", "auth"),
    ("notify", "auth"),
    ("relay", "sync"),
    ("sync", "auth"),
    ("sync", "relay"),
];

/// A pair of workloads and a port between them.
type Edge = (String, String, String);

/// What is open that should not be, or shut that should be open.
pub(super) fn findings(docs: &[Value]) -> Vec<String> {
    let mut findings = Vec::new();
    let denied = docs.iter().any(|doc| {
        text(doc, "/kind") == "NetworkPolicy"
            && doc
                .pointer("/spec/podSelector")
                .and_then(Value::as_object)
                .is_some_and(serde_json::Map::is_empty)
            && list(doc, "/spec/policyTypes").len() == 2
            && doc.pointer("/spec/ingress").is_none()
            && doc.pointer("/spec/egress").is_none()
    });
    if !denied {
        findings.push("no policy shuts off what no policy names".to_owned());
    }
    let (mut out, mut into) = (BTreeSet::new(), BTreeSet::new());
    for policy in docs.iter().filter(|doc| text(doc, "/kind") == "NetworkPolicy") {
        let own: Vec<&Value> =
            workloads(docs).filter(|doc| selects(policy.pointer("/spec/podSelector"), doc)).collect();
        if own.is_empty() {
            findings.push(format!("NetworkPolicy {} selects no pod", text(policy, "/metadata/name")));
        }
        for rule in list(policy, "/spec/egress") {
            out.extend(edges(docs, &own, rule, "/to"));
        }
        for rule in list(policy, "/spec/ingress") {
            into.extend(
                edges(docs, &own, rule, "/from").into_iter().map(|(own, peer, port)| (peer, own, port)),
            );
        }
    }
    for (from, to, port) in out.symmetric_difference(&into) {
        let side = if out.contains(&(from.clone(), to.clone(), port.clone())) { to } else { from };
        findings.push(format!("{from} -> {to}:{port} is not opened by {side}"));
    }
    for (from, to, port) in &out {
        let services = SERVICES.contains(&from.as_str()) && SERVICES.contains(&to.as_str());
        if services && !CALLS.contains(&(from.as_str(), to.as_str())) {
            findings.push(format!("{from} -> {to}:{port} is open, but {from} does not call {to}"));
        }
        let target = workloads(docs).find(|doc| text(doc, "/metadata/name") == to);
        let known = target.is_some_and(|doc| {
            names_of_ports(doc).contains(port.as_str()) || ports(doc).any(|one| one == *port)
        });
        if !known {
            findings.push(format!("{from} -> {to}:{port} is open, but {to} has no such port"));
        }
    }
    for (from, to) in CALLS {
        if !out.iter().any(|edge| edge.0 == from && edge.1 == to) {
            findings.push(format!("{from} -> {to} is shut, but {from} calls {to}"));
        }
    }
    findings
}

/// The pairs that a rule opens within the namespace.
fn edges(docs: &[Value], own: &[&Value], rule: &Value, side: &str) -> Vec<Edge> {
    let peers = list(rule, side).iter().filter(|peer| peer.get("namespaceSelector").is_none());
    let peers = peers.filter_map(|peer| peer.get("podSelector"));
    let peers: Vec<&Value> =
        peers.flat_map(|selector| workloads(docs).filter(move |doc| selects(Some(selector), doc))).collect();
    let name = |doc: &Value| text(doc, "/metadata/name").to_owned();
    let mut edges = Vec::new();
    for port in list(rule, "/ports").iter().filter_map(|port| port.get("port")).map(plain) {
        for (own, peer) in own.iter().flat_map(|own| peers.iter().map(move |peer| (own, peer))) {
            // Both sides say the same port by its name or its number.
            let target = if side == "/to" { peer } else { own };
            edges.push((name(own), name(peer), named(target, &port)));
        }
    }
    edges
}

/// The name of a port of a workload, if it has one.
fn named(workload: &Value, port: &str) -> String {
    let containers = list(workload, "/spec/template/spec/containers").iter();
    let mut known = containers.flat_map(|container| list(container, "/ports"));
    let found = known.find(|known| known.get("containerPort").is_some_and(|number| plain(number) == port));
    found.map_or_else(|| port.to_owned(), |found| text(found, "/name").to_owned())
}

/// Whether a selector takes the pods of a workload.
fn selects(selector: Option<&Value>, workload: &Value) -> bool {
    let Some(selector) = selector else {
        return false;
    };
    let labels = selector.get("matchLabels").is_none_or(|labels| has(workload, labels));
    let own = workload.pointer("/spec/template/metadata/labels");
    let within = |expression: &Value| {
        let value = own.and_then(|own| own.get(text(expression, "/key")));
        text(expression, "/operator") == "In"
            && value.is_some_and(|value| list(expression, "/values").contains(value))
    };
    labels && list(selector, "/matchExpressions").iter().all(within)
}
