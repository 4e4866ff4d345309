//! The manifests as they are, and each broken in one place.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// An overlay as it is.
struct Overlay {
    docs: Vec<Value>,
    made: secrets::Made,
    _scratch: TempDir,
}

impl Overlay {
    fn render(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let (tools, scratch) = (peers::fetch_kubernetes().unwrap(), tempfile::tempdir().unwrap());
        let made = secrets::make(&root, &tools, scratch.path()).unwrap();
        let docs = render::parse(&render::overlay(&root, &tools, name).unwrap()).unwrap();
        Self { docs, made, _scratch: scratch }
    }

    /// What is found once the place at `pointer` in a document holds something else.
    fn findings_with(&self, kind: &str, name: &str, pointer: &str, value: Value) -> Vec<String> {
        let mut docs = self.docs.clone();
        let doc =
            docs.iter_mut().find(|doc| text(doc, "/kind") == kind && text(doc, "/metadata/name") == name);
        *doc.unwrap().pointer_mut(pointer).unwrap_or_else(|| panic!("{kind} {name} has no {pointer}")) =
            value;
        [cluster::findings(&docs, &self.made.secrets), policies::findings(&docs)].concat()
    }

    fn pod(&self, name: &str) -> Pod {
        let pods = pod::of_cluster("dev", &self.docs, &self.made.secrets).unwrap();
        pods.into_iter().find(|pod| pod.name == format!("dev: {name}")).unwrap()
    }
}

#[test]
fn a_reference_that_leads_nowhere_is_found() {
    let overlay = Overlay::render("dev");
    let template = "/spec/template/spec";

    for (kind, name, pointer, value, finding) in [
        (
            "Service",
            "auth",
            "/spec/selector/app.kubernetes.io~1component",
            json!("auht"),
            "Service auth: selects no pod",
        ),
        ("Service", "auth", "/spec/ports/0/targetPort", json!("web"), "leads to port web"),
        ("Service", "auth", "/spec/ports/0/name", json!("web"), "leads to auth:http, which is not there"),
        (
            "Deployment",
            "mailbox",
            &format!("{template}/serviceAccountName"),
            json!("nobody"),
            "runs as nobody",
        ),
        (
            "Deployment",
            "mailbox",
            &format!("{template}/volumes/1/projected/sources/0/secret/name"),
            json!("internal"),
            "needs Secret internal",
        ),
        (
            "Deployment",
            "mailbox",
            &format!("{template}/containers/0/envFrom/0/configMapRef/name"),
            json!("site"),
            "needs ConfigMap site",
        ),
        (
            "Deployment",
            "mailbox",
            &format!("{template}/containers/0/readinessProbe/httpGet/port"),
            json!("health"),
            "readinessProbe asks port health",
        ),
        (
            "Deployment",
            "mailbox",
            &format!("{template}/containers/0/securityContext/readOnlyRootFilesystem"),
            json!(false),
            "may write to its image",
        ),
        (
            "Deployment",
            "smsc",
            &format!("{template}/volumes/0/secret/items/0/key"),
            json!("password"),
            "needs password of Secret sealpost-sms-gateway",
        ),
        (
            "HorizontalPodAutoscaler",
            "mailbox",
            "/spec/scaleTargetRef/name",
            json!("mailboxes"),
            "scales Deployment mailboxes",
        ),
        ("Job", "migrate-sync", "/metadata/name", json!("migrate"), "Job migrate-sync is missing"),
        ("NetworkPolicy", "nobody", "/spec/policyTypes", json!(["Ingress"]), "no policy shuts off"),
        (
            "NetworkPolicy",
            "mailbox",
            "/spec/egress/0/to/0/podSelector/matchLabels/app.kubernetes.io~1component",
            json!("relay"),
            "mailbox -> relay:internal is open, but mailbox does not call relay",
        ),
        (
            "NetworkPolicy",
            "mailbox",
            "/spec/ingress",
            json!([]),
            "keystore -> mailbox:internal is not opened by mailbox",
        ),
    ] {
        let findings = overlay.findings_with(kind, name, pointer, value);

        assert!(findings.iter().any(|found| found.contains(finding)), "{finding}: {findings:?}");
    }
    assert_eq!(cluster::findings(&overlay.docs, &overlay.made.secrets), Vec::<String>::new());
    assert_eq!(policies::findings(&overlay.docs), Vec::<String>::new());
}

#[tokio::test]
async fn a_setting_a_secret_or_a_probe_that_the_program_does_not_have_is_found() {
    let overlay = Overlay::render("dev");
    let broken = |change: &dyn Fn(&mut Pod)| {
        let mut pod = overlay.pod("Deployment auth");
        change(&mut pod);
        pod
    };
    let set =
        |pod: &mut Pod, name: &str, value: &str| pod.environment.insert(name.to_owned(), value.to_owned());

    for (pod, finding) in [
        (broken(&|pod| drop(set(pod, "SEALPOST__AUTH__REGISTRATON", "open"))), "registraton"),
        (broken(&|pod| drop(set(pod, "SEALPOST__AUHT__REGISTRATION", "open"))), "auht"),
        (broken(&|pod| drop(set(pod, "SEALPOST__HTTP__LISTEN", "0.0.0.0:8000"))), "port http"),
        (broken(&|pod| drop(set(pod, "SEALPOST__HTTP__DRAIN_TIMEOUT", "60s"))), "is killed after"),
        (
            broken(&|pod| drop(pod.files.remove(Path::new("/run/secrets/auth-signing-key")))),
            "auth.signing_key",
        ),
        (broken(&|pod| pod.probes.push("/healthz".to_owned())), "answers /healthz with 404"),
        (broken(&|pod| pod.arguments = vec!["serv".to_owned()]), "ended"),
    ] {
        let findings = start::findings(&pod).await.unwrap();

        assert!(findings.iter().any(|found| found.contains(finding)), "{finding}: {findings:?}");
    }
    assert_eq!(start::findings(&overlay.pod("Deployment auth")).await.unwrap(), Vec::<String>::new());
}
