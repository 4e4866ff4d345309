//! What stands before the services, made from `proto/paths.toml`: locations of nginx, routes of Caddy, the Ingress of
//! Kubernetes.
//!
//! Out: three files that say so in their first line. What a table of paths does not decide (certificates, names, limits)
//! is in files beside them, by hand.

use std::{fmt::Write as _, fs, path::Path};

use crate::paths::{ANY, Entry, Table};

/// Who answers entries that every process could.
const FIRST: &str = "auth";

const NOTE: &str = "# Made from proto/paths.toml by `cargo xtask ingress`; do not edit.\n";

/// A file, and how it is made.
type Output = (&'static str, fn(&[Entry]) -> String);

const OUTPUTS: [Output; 3] = [
    ("deploy/nginx/locations.conf", nginx),
    ("deploy/caddy/routes.caddy", caddy),
    ("k8s/base/ingress.yaml", kubernetes),
];

/// Writes the files, or compares them when `check` is set.
///
/// # Errors
/// Which file has drifted, or could not be read or written.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let table = Table::read(root)?;
    let mut drifted = Vec::new();
    for (name, make) in OUTPUTS {
        let (path, fresh) = (root.join(name), make(&table.path));
        if fs::read_to_string(&path).is_ok_and(|kept| kept == fresh) {
            continue;
        }
        if check {
            drifted.push(format!("{name} is not what proto/paths.toml makes; run `cargo xtask ingress`"));
        } else {
            fs::write(&path, fresh).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    if drifted.is_empty() {
        Ok(format!("ingress: {} files have the {} public paths", OUTPUTS.len(), table.path.len()))
    } else {
        Err(drifted.join("\n"))
    }
}

/// The service that a proxy sends an entry to.
fn target(entry: &Entry) -> &str {
    if entry.service == ANY { FIRST } else { &entry.service }
}

/// The name of a group of processes: those of a service, or the same with each client at one of them.
fn upstream(entry: &Entry) -> String {
    format!("{}{}", target(entry), if entry.sticky { "-sticky" } else { "" })
}

/// The most specific first, so that whoever reads from the top finds what a proxy finds.
fn sorted(entries: &[Entry]) -> Vec<&Entry> {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by_key(|entry| (entry.exact.is_none(), std::cmp::Reverse(entry.name().len())));
    entries
}

/// nginx: a prefix is two locations, as its own would also take `/v1/keys2` for something below `/v1/keys`.
fn nginx(entries: &[Entry]) -> String {
    let mut text = NOTE.to_owned();
    for entry in sorted(entries) {
        let (path, upstream) = (entry.name(), upstream(entry));
        let _ = writeln!(text, "location = {path} {{ proxy_pass http://{upstream}; }}");
        if entry.prefix.is_some() {
            let _ = writeln!(text, "location {path}/ {{ proxy_pass http://{upstream}; }}");
        }
    }
    text.push_str("location / { return 404; }\n");
    text
}

/// Caddy: `handle` blocks exclude each other; the first that fits decides.
fn caddy(entries: &[Entry]) -> String {
    let mut text = NOTE.to_owned();
    for (number, entry) in sorted(entries).into_iter().enumerate() {
        let path = entry.name();
        let below = if entry.prefix.is_some() { format!(" {path}/*") } else { String::new() };
        let upstream = upstream(entry);
        let _ = writeln!(text, "@{number} path {path}{below}\nhandle @{number} {{\n\timport {upstream}\n}}");
    }
    text.push_str("handle {\n\trespond 404\n}\n");
    text
}

/// Kubernetes: one Ingress, and one more for paths that need a client to stay at one pod, as that is said for a whole
/// Ingress.
fn kubernetes(entries: &[Entry]) -> String {
    let mut text = NOTE.to_owned();
    for (name, sticky) in [("sealpost", false), ("sealpost-sticky", true)] {
        let stay =
            if sticky { "\n    nginx.ingress.kubernetes.io/upstream-hash-by: $remote_addr" } else { "" };
        let _ = write!(
            text,
            "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations:
    # Those of ingress-nginx. Services take 4 MiB at most.
    nginx.ingress.kubernetes.io/proxy-body-size: 5m
    nginx.ingress.kubernetes.io/proxy-buffering: \"off\"
    nginx.ingress.kubernetes.io/proxy-read-timeout: \"120\"
    nginx.ingress.kubernetes.io/proxy-send-timeout: \"120\"
    # A request that has reached a service may have been done, even if its answer is lost: only the client repeats it.
    nginx.ingress.kubernetes.io/proxy-next-upstream: \"off\"{stay}
spec:
  ingressClassName: nginx
  tls:
    - hosts: [sealpost.example.org]
      secretName: sealpost-tls
  rules:
    - host: sealpost.example.org
      http:
        paths:
"
        );
        for entry in sorted(entries).into_iter().filter(|entry| entry.sticky == sticky) {
            let kind = if entry.exact.is_some() { "Exact" } else { "Prefix" };
            let (path, service) = (entry.name(), target(entry));
            let _ = writeln!(
                text,
                "          - {{ path: {path}, pathType: {kind}, backend: {{ service: {{ name: {service}, port: {{ name: http }} }} }} }}"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Entry> {
        let table: Table = toml::from_str(
            "[[path]]\nprefix = '/a'\nservice = 'auth'\n[[path]]\nprefix = '/a/long'\nservice = 'notify'\nsticky = true\n[[path]]\nexact = '/'\nservice = 'any'\n",
        )
        .unwrap();
        table.path
    }

    #[test]
    fn nginx_takes_a_prefix_and_what_is_below_it_alone() {
        assert_eq!(
            nginx(&table()).lines().skip(1).collect::<Vec<_>>(),
            [
                "location = / { proxy_pass http://auth; }",
                "location = /a/long { proxy_pass http://notify-sticky; }",
                "location /a/long/ { proxy_pass http://notify-sticky; }",
                "location = /a { proxy_pass http://auth; }",
                "location /a/ { proxy_pass http://auth; }",
                "location / { return 404; }",
            ]
        );
    }

    #[test]
    fn caddy_meets_the_longer_path_first() {
        let text = caddy(&table());

        let places = ["path /\n", "path /a/long /a/long/*\n", "path /a /a/*\n"].map(|path| text.find(path));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    }

    #[test]
    fn what_has_to_stay_at_one_pod_is_in_an_ingress_of_its_own() {
        let text = kubernetes(&table());

        let (all, sticky) = text.split_once("name: sealpost-sticky").unwrap();
        assert!(all.contains("path: /a,") && !all.contains("/a/long"), "{all}");
        assert!(sticky.contains("path: /a/long,") && sticky.contains("upstream-hash-by"), "{sticky}");
    }

    #[test]
    fn a_file_that_has_drifted_is_named() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["proto", "deploy/nginx", "deploy/caddy", "k8s/base"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("proto/paths.toml"), "[[path]]\nprefix = '/a'\nservice = 'auth'\n")
            .unwrap();
        run(root.path(), false).unwrap();
        assert!(run(root.path(), true).is_ok());

        fs::write(root.path().join("k8s/base/ingress.yaml"), "paths: []").unwrap();

        assert!(run(root.path(), true).unwrap_err().starts_with("k8s/base/ingress.yaml"));
    }
}
