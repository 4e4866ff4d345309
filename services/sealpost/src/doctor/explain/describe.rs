//! The description of the settings, laid over those that are set.

use config::{Config, ConfigError};
use serde_json::{Map, Value};

use super::SCHEMA;

/// A setting, or an entry of a list or map of them, with what is set.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// Its dotted name. The part of an entry that is not there is `N` or `NAME`.
    pub(super) path: String,
    pub(super) value: Option<Value>,
    pub(super) default: Option<Value>,
    pub(super) means: String,
    pub(super) takes: String,
    pub(super) refused_with: Option<String>,
    pub(super) read_by: String,
    pub(super) secret: bool,
    pub(super) private: bool,
}

impl Described {
    /// Tells whether it has this name, or is below it: places in lists may be left out.
    pub(super) fn is_within(&self, name: &str) -> bool {
        let within = |path: &str| {
            path.to_lowercase()
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_place = |part: &str| part == "N" || part.parse::<usize>().is_ok();
        let plain: Vec<&str> = self.path.split('.').filter(|part| !is_place(part)).collect();
        name.is_empty() || within(&self.path) || within(&plain.join("."))
    }
}

/// Describes all settings.
///
/// # Errors
/// A section that is no table.
pub(super) fn all(config: &Config) -> Result<Vec<Described>, ConfigError> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let mut all = Vec::new();
    for (name, section) in properties(&schema).into_iter().flatten() {
        let set: Value = config.section(name)?;
        walk(name, section, Some(&set), "", &mut all);
    }
    Ok(all)
}

/// The fields of a table.
fn properties(node: &Value) -> Option<&Map<String, Value>> {
    node.get("properties")?.as_object()
}

fn walk(path: &str, node: &Value, set: Option<&Value>, read_by: &str, all: &mut Vec<Described>) {
    let read_by = node.get("x-readBy").and_then(Value::as_str).unwrap_or(read_by);
    // A variable may hold a whole table as text, which is then told as it is.
    let as_text = set.is_some_and(Value::is_string);
    if let Some(fields) = properties(node).filter(|_| !as_text) {
        for (name, field) in fields {
            let set = set.and_then(|set| set.get(name));
            walk(&format!("{path}.{name}"), field, set, read_by, all);
        }
        return;
    }
    // A list or a map of tables is described by its entries, and by one that could be.
    let (entry, unnamed) = match (node.get("items"), node.get("additionalProperties")) {
        (Some(entry), _) => (entry, "N"),
        (None, Some(entry)) => (entry, "NAME"),
        (None, None) => (&Value::Null, ""),
    };
    if properties(entry).is_some() && !as_text {
        let entries: Vec<(String, &Value)> = match set {
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(place, item)| (place.to_string(), item)).collect()
            }
            Some(Value::Object(map)) => map.iter().map(|(name, item)| (name.clone(), item)).collect(),
            _ => Vec::new(),
        };
        if entries.is_empty() {
            walk(&format!("{path}.{unnamed}"), entry, None, read_by, all);
        }
        for (name, item) in entries {
            walk(&format!("{path}.{name}"), entry, Some(item), read_by, all);
        }
        return;
    }
    all.push(Described {
        path: path.to_owned(),
        value: set.cloned(),
        default: node.get("default").cloned(),
        means: means(node),
        takes: takes(node),
        refused_with: node.get("x-refusedWith").and_then(Value::as_str).map(str::to_owned),
        read_by: read_by.to_owned(),
        secret: holds(node, "writeOnly"),
        private: holds(node, "x-private"),
    });
}

/// Tells whether a mark is on a setting, or on anything in it.
fn holds(node: &Value, mark: &str) -> bool {
    node.get(mark).is_some_and(|found| found == true)
        || ["items", "additionalProperties"].iter().any(|of| node.get(of).is_some_and(|of| holds(of, mark)))
        || properties(node).is_some_and(|fields| fields.values().any(|field| holds(field, mark)))
}

fn means(node: &Value) -> String {
    let says = |node: &Value| node.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut means = says(node);
    for word in words(node) {
        if let Some(written) = word.get("const").and_then(Value::as_str) {
            means += &format!("\n              {written}: {}", says(word));
        }
    }
    means
}

/// The words that a setting, or an entry of it, can be.
fn words(node: &Value) -> &[Value] {
    let inner = node.get("items").unwrap_or(node);
    inner.get("anyOf").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn takes(node: &Value) -> String {
    let kind = node.get("x-type").and_then(Value::as_str).unwrap_or("table");
    match kind {
        "word" => words(node).iter().filter_map(|word| word["const"].as_str()).collect::<Vec<_>>().join(", "),
        "list" => format!("a list: {}", takes(&node["items"])),
        "by name" => format!("by names of yours: {}", takes(&node["additionalProperties"])),
        "integer" => match (node["minimum"].as_u64(), node["maximum"].as_u64()) {
            (Some(least), Some(most)) => format!("integer, {least} to {most}"),
            (Some(least), None) => format!("integer, {least} or more"),
            (None, _) => "integer".to_owned(),
        },
        kind => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(settings: &[(&str, &str)]) -> Vec<Described> {
        let settings = settings.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
        all(&Config::load(None, [], settings).unwrap()).unwrap()
    }

    #[test]
    fn entries_of_lists_are_described_each_and_one_where_there_is_none() {
        let without = described(&[]);
        let with = described(&[("sms_gateway.smsc.0.host", "a"), ("sms_gateway.smsc.1.host", "b")]);

        let hosts = |all: &[Described]| -> Vec<(String, Option<Value>)> {
            let hosts = all.iter().filter(|one| one.is_within("sms_gateway.smsc.host"));
            hosts.map(|one| (one.path.clone(), one.value.clone())).collect()
        };
        assert_eq!(hosts(&without), [("sms_gateway.smsc.N.host".to_owned(), None)]);
        assert_eq!(
            hosts(&with),
            [
                ("sms_gateway.smsc.0.host".to_owned(), Some("a".into())),
                ("sms_gateway.smsc.1.host".to_owned(), Some("b".into())),
            ]
        );
    }

    #[test]
    fn a_secret_is_one_wherever_it_is() {
        let all = described(&[("notify.auth_keys.shop", "a key"), ("relay.rabbitmq_users.p", "a password")]);

        for path in ["internal.token", "notify.auth_keys", "relay.rabbitmq_users", "sms_gateway.http_keys"] {
            assert!(all.iter().any(|one| one.path == path && one.secret), "{path}");
        }
        assert!(all.iter().any(|one| one.path == "relay.publisher" && one.private));
    }

    #[test]
    fn a_name_finds_a_section_a_setting_and_nothing_that_only_begins_so() {
        let all = described(&[]);
        let count = |name: &str| all.iter().filter(|one| one.is_within(name)).count();

        assert_eq!((count("mailbox.ttl"), count("mailbox.tt"), count("mail")), (1, 0, 0));
        assert!(count("mailbox") > 10 && count("") > 300);
    }
}
