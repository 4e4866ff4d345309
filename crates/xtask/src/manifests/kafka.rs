//! Topics and rights of Kafka (`deploy/kafka`) against the names in the code, and what repeats them against them.

use std::{collections::BTreeSet, path::Path};

use bus::topics;

use super::{SERVICES, files, list, read, render, text};

/// The topics that services use. Of dead letters there are those of each topic that somebody consumes.
const TOPICS: [&str; 6] = [
    topics::SEND_SMS,
    topics::SMS_STATUS,
    topics::SMS_INBOUND,
    topics::ACCOUNT_EVENTS,
    topics::MAILBOX_EVENTS,
    topics::NOTIFY,
];

/// The name by which an outbox reads the end of a topic: `crates/bus/src/kafka/recent.rs`.
const OUTBOX: &str = "sealpost-outbox";

/// Copies for kustomize, which reads nothing outside of its own folders.
const COPIES: [&str; 2] = ["topics", "apply"];

/// What does not fit.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn findings(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("deploy/kafka");
    let (made, rights) = (read(&folder.join("topics"))?, read(&folder.join("acls"))?);
    let mut findings = check(&made, &rights);
    for name in COPIES {
        if read(&folder.join(name))? != read(&root.join("k8s/overlays/dev/topics").join(name))? {
            findings.push(format!("k8s/overlays/dev/topics/{name} is not the same as deploy/kafka/{name}"));
        }
    }
    let mut examples = Vec::new();
    for path in files(&root.join("k8s/examples"), "yaml")? {
        examples.extend(render::parse(&read(&path)?)?);
    }
    let declared: BTreeSet<(String, String)> = examples
        .iter()
        .filter(|doc| text(doc, "/kind") == "KafkaTopic")
        .map(|doc| (text(doc, "/metadata/name").to_owned(), doc["spec"]["partitions"].to_string()))
        .collect();
    let wanted: BTreeSet<(String, String)> =
        rows(&made).filter_map(|row| Some(((*row.first()?).to_owned(), (*row.get(1)?).to_owned()))).collect();
    for (name, partitions) in declared.symmetric_difference(&wanted) {
        findings.push(format!(
            "k8s/examples and deploy/kafka/topics differ about {name} ({partitions} partitions)"
        ));
    }
    let users = examples.iter().filter(|doc| text(doc, "/kind") == "KafkaUser");
    let granted: BTreeSet<(String, String, bool)> = users
        .flat_map(|user| {
            let topics = list(user, "/spec/authorization/acls")
                .iter()
                .filter(|acl| text(acl, "/resource/type") == "topic");
            topics.map(|acl| {
                let writes = list(acl, "/operations").iter().any(|operation| operation == "Write");
                (text(user, "/metadata/name").to_owned(), text(acl, "/resource/name").to_owned(), writes)
            })
        })
        .collect();
    for (user, topic, _) in granted.symmetric_difference(&granted_by(&rights)) {
        findings.push(format!("k8s/examples and deploy/kafka/acls differ about {user} and {topic}"));
    }
    Ok(findings)
}

/// Each principal, its topics, and whether it may write there.
fn granted_by(rights: &str) -> BTreeSet<(String, String, bool)> {
    let rows: Vec<Vec<&str>> = rows(rights).filter(|row| row.len() >= 3).collect();
    rows.iter()
        .map(|row| {
            let writes =
                rows.iter().any(|other| other[0] == row[0] && other[1] == "write" && other[2] == row[2]);
            (row[0].to_owned(), row[2].to_owned(), writes)
        })
        .collect()
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|row| !row.is_empty())
}

fn check(made: &str, rights: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let names: BTreeSet<&str> = rows(made).filter_map(|row| row.first().copied()).collect();
    for topic in TOPICS.iter().filter(|topic| !names.contains(**topic)) {
        findings.push(format!("deploy/kafka/topics does not have {topic}"));
    }
    let known =
        |name: &str| TOPICS.iter().any(|topic| name == *topic || name == topics::dead_letters_of(topic));
    for name in names.iter().filter(|name| !known(name)) {
        findings.push(format!("deploy/kafka/topics has {name}, which no service uses"));
    }
    for row in rows(rights) {
        let [principal, right, topic, group @ ..] = row.as_slice() else {
            findings.push(format!("deploy/kafka/acls: {row:?} says too little"));
            continue;
        };
        if !principal.strip_prefix("sealpost-").is_some_and(|service| SERVICES.contains(&service)) {
            findings.push(format!("deploy/kafka/acls: {principal} is no service"));
        }
        if !names.contains(topic) {
            findings.push(format!("deploy/kafka/acls: {topic} is not among the topics"));
        }
        // Who consumes has a group, and a place for what it cannot use.
        let dead = topics::dead_letters_of(topic);
        let consumes = *right == "read" && group.len() == 1;
        if !consumes && (*right != "write" || !matches!(group, [] | [OUTBOX])) {
            findings
                .push(format!("deploy/kafka/acls: {row:?} is neither a reader with a group nor a writer"));
        }
        let buries = rows(rights).any(|other| other.starts_with(&[principal, "write", &dead]));
        if consumes && !buries {
            findings.push(format!("deploy/kafka/acls: {principal} reads {topic}, and may not write {dead}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_or_a_right_that_is_missing_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let made = read(&root.join("deploy/kafka/topics")).unwrap();
        let rights = read(&root.join("deploy/kafka/acls")).unwrap();
        assert_eq!(check(&made, &rights), Vec::<String>::new());

        let less = check(&made.replace("\nnotify  ", "\nnotfy  "), &rights);
        let unburied = check(&made, &rights.replace("sealpost-notify       write  notify-dead\n", ""));
        let stranger = check(&made, &rights.replace("sealpost-sync  ", "sealpost-snyc  "));

        assert!(less.contains(&"deploy/kafka/topics does not have notify".to_owned()), "{less:?}");
        assert_eq!(
            unburied,
            ["deploy/kafka/acls: sealpost-notify reads notify, and may not write notify-dead"]
        );
        assert!(
            stranger.contains(&"deploy/kafka/acls: sealpost-snyc is no service".to_owned()),
            "{stranger:?}"
        );
    }
}
