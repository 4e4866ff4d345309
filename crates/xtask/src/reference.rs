//! `docs/api/`: the interfaces as people read them, from `proto/openapi` and `proto/asyncapi.yaml`.
//!
//! In: the descriptions that are checked in. Out: a page for each service, and one of all paths. The topics' description
//! is only checked: against the names in the code, and its references.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bus::topics;
use serde_json::Value;

mod page;
mod shape;

/// What each service is for, in the order of the index.
const SERVICES: [(&str, &str); 7] = [
    ("auth", "accounts, sessions, tokens, e-mail and telephone numbers"),
    ("keystore", "devices, identity keys, prekeys"),
    ("mailbox", "messages that wait for devices"),
    ("sync", "keys agreed on by QR code, linking of devices"),
    ("notify", "channels, subscriptions, Web Push"),
    ("relay", "gateway clients, SMS in and out by modems"),
    ("sms-gateway", "SMS by SMPP"),
];

/// Topics that somebody consumes, each of which has dead letters.
const CONSUMED: [&str; 4] =
    [topics::SEND_SMS, topics::ACCOUNT_EVENTS, topics::MAILBOX_EVENTS, topics::NOTIFY];
/// Topics that others than we consume.
const TOLD: [&str; 2] = [topics::SMS_STATUS, topics::SMS_INBOUND];

const NOTICE: &str = "<!-- Made by `cargo xtask reference`; edit what it is made of. -->\n";

/// Writes the pages, or compares them when `check` is set.
///
/// # Errors
/// What has drifted or does not fit, one a line, or why it cannot be told.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let mut pages = Vec::new();
    let mut index = format!(
        "{NOTICE}\n# Interfaces over HTTP\n\nIdentity and content of a message are base64 in JSON; times are Unix milliseconds \
         unless a field says otherwise. Errors are problems (RFC 9457): tell them apart by the last part of `type`. The same, \
         for tools: [proto/openapi](../../proto/openapi); topics: [proto/asyncapi.yaml](../../proto/asyncapi.yaml).\n"
    );
    let mut operations = 0;
    for (service, purpose) in SERVICES {
        let description = read_json(&root.join(format!("proto/openapi/{service}.json")))?;
        index.push_str(&format!(
            "\n## [{service}]({service}.md): {purpose}\n\n{}",
            page::index(service, &description)
        ));
        pages.push((
            format!("{service}.md"),
            format!("{NOTICE}\n{}", page::write(service, purpose, &description)),
        ));
        operations += page::operations(&description).count();
    }
    pages.push(("README.md".to_owned(), index));

    let mut findings = topics_findings(root)?;
    for (name, fresh) in &pages {
        let path = root.join("docs/api").join(name);
        if fs::read_to_string(&path).is_ok_and(|kept| kept == *fresh) {
            continue;
        }
        if check {
            findings.push(format!("docs/api/{name} has drifted; run `cargo xtask reference`"));
        } else {
            write(&path, fresh)?;
        }
    }
    if findings.is_empty() {
        Ok(format!("reference: {operations} operations and {} topics", CONSUMED.len() * 2 + TOLD.len()))
    } else {
        Err(findings.join("\n"))
    }
}

fn topics_findings(root: &Path) -> Result<Vec<String>, String> {
    let path = root.join("proto/asyncapi.yaml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let description: Value = serde_norway::from_str(&text).map_err(|error| error.to_string())?;
    let dead = CONSUMED.iter().map(|topic| topics::dead_letters_of(topic));
    let wanted = CONSUMED.iter().chain(&TOLD).map(|topic| (*topic).to_owned()).chain(dead).collect();
    let mut findings = differing(&description, &wanted);
    findings.extend(dangling(&description, &|file| root.join("proto").join(file).exists()));
    Ok(findings.into_iter().map(|finding| format!("proto/asyncapi.yaml: {finding}")).collect())
}

/// Topics that are described and are not there, or the other way round.
fn differing(description: &Value, wanted: &BTreeSet<String>) -> Vec<String> {
    let channels = description["channels"].as_object();
    let described: BTreeSet<String> = channels
        .into_iter()
        .flatten()
        .filter_map(|(_, channel)| channel["address"].as_str().map(str::to_owned))
        .collect();
    let differing = described.symmetric_difference(wanted);
    differing.map(|topic| format!("{topic} is described or exists, not both")).collect()
}

/// References that lead nowhere.
fn dangling(description: &Value, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut open = vec![description];
    let mut found = Vec::new();
    while let Some(value) = open.pop() {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            let leads = match to.strip_prefix('#') {
                Some(pointer) => description.pointer(pointer).is_some(),
                None => exists(to),
            };
            if !leads {
                found.push(format!("{to} leads nowhere"));
            }
        }
        open.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
    found
}

fn read_json(path: &PathBuf) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_topic_too_many_and_one_too_few_are_found() {
        let description = json!({"channels": {"a": {"address": "known"}, "b": {"address": "invented"}}});

        let findings = differing(&description, &["known".to_owned(), "forgotten".to_owned()].into());

        assert_eq!(
            findings,
            ["forgotten is described or exists, not both", "invented is described or exists, not both"]
        );
    }

    #[test]
    fn references_that_lead_nowhere_are_found() {
        let description = json!({
            "a": [{"$ref": "#/b"}, {"$ref": "#/c"}],
            "b": {"schema": {"$ref": "./there.json"}, "other": {"$ref": "./gone.json"}},
        });

        let mut findings = dangling(&description, &|file| file == "./there.json");
        findings.sort();

        assert_eq!(findings, ["#/c leads nowhere", "./gone.json leads nowhere"]);
    }
}
