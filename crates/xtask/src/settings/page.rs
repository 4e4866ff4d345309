//! Settings as `docs/settings.md` lists them.

use serde_json::Value;

use super::model::{Kind, Setting};
use super::values::toml;

/// A table with so few fields, none of them a table, is told within its row.
const SMALL: usize = 2;

/// Writes a section with the tables in it.
pub(super) fn section(name: &str, read_by: &str, docs: &str, settings: &[Setting]) -> String {
    let read_by = match read_by {
        "every program" => "every program".to_owned(),
        service => format!("`sealpost-{service}`, and the standalone"),
    };
    let mut page = format!("\n## `[{name}]`\n\n{docs}\n\nRead by {read_by}.\n");
    table(&mut page, name, settings);
    page
}

/// Writes the rows of a table, and then the tables below it.
fn table(page: &mut String, path: &str, settings: &[Setting]) {
    let (below, own): (Vec<&Setting>, Vec<&Setting>) =
        settings.iter().partition(|setting| large(&setting.kind).is_some());
    if !own.is_empty() {
        *page += "\n| Setting | Type | Default | Refused with | Meaning |\n|---|---|---|---|---|\n";
    }
    for setting in own {
        let Setting { name, kind, .. } = setting;
        let (variable, default) = (variable(path, setting), default(setting));
        let (kind, refused, meaning) = (kind_name(kind), refused(setting), meaning(setting));
        *page += &format!("| `{name}`<br>`{variable}` | {kind} | {default} | {refused} | {meaning} |\n");
    }
    // A place in a list is named in variables alone.
    let plain = path.replace(".0", "");
    for setting in below {
        let (heading, path) = match &setting.kind {
            Kind::List(_) => (format!("[[{plain}.{}]]", setting.name), format!("{path}.{}.0", setting.name)),
            Kind::Named(_) => {
                let heading = format!("[{plain}.{}.NAME]", setting.name);
                (heading, format!("{path}.{}.NAME", setting.name))
            }
            _ => (format!("[{plain}.{}]", setting.name), format!("{path}.{}", setting.name)),
        };
        *page += &format!("\n### `{heading}`\n\n{}\n", cell(&setting.docs));
        table(page, &path, large(&setting.kind).unwrap_or_default());
    }
}

/// The settings of a table that has rows of its own.
fn large(kind: &Kind) -> Option<&[Setting]> {
    match kind {
        Kind::Table(settings)
            if settings.len() > SMALL || settings.iter().any(|one| large(&one.kind).is_some()) =>
        {
            Some(settings)
        }
        Kind::List(of) | Kind::Named(of) => large(of),
        _ => None,
    }
}

fn variable(path: &str, setting: &Setting) -> String {
    let path = match &setting.kind {
        Kind::Named(_) => format!("{path}.{}.NAME", setting.name),
        Kind::Secret(of) if matches!(**of, Kind::Named(_)) => format!("{path}.{}.NAME", setting.name),
        _ => format!("{path}.{}", setting.name),
    };
    super::variable(&path)
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "`true` or `false`".to_owned(),
        // No program meets the bounds of wider ones.
        Kind::Integer(least, Some(most)) if *most <= u64::from(u16::MAX) => {
            format!("integer, {least} to {most}")
        }
        Kind::Integer(0, _) => "integer".to_owned(),
        Kind::Integer(least, _) => format!("integer, {least} or more"),
        Kind::Number => "number".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Term => "time, or `never`".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Form(says) => (*says).to_owned(),
        Kind::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.written)).collect();
            words.join(", ")
        }
        Kind::Secret(of) if matches!(**of, Kind::Text) => "**secret**".to_owned(),
        Kind::Secret(of) => format!("**secret**: {}", kind_name(of)),
        Kind::Private(of) => kind_name(of),
        Kind::List(of) => format!("list: {}", kind_name(of)),
        Kind::Named(of) => format!("by name: {}", kind_name(of)),
        Kind::Table(settings) => {
            let fields: Vec<String> =
                settings.iter().map(|one| format!("`{}` ({})", one.name, kind_name(&one.kind))).collect();
            format!("table of {}", fields.join(" and "))
        }
        Kind::Any => "text or table".to_owned(),
    }
}

fn default(setting: &Setting) -> String {
    match &setting.default {
        _ if setting.needed => "required".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(value) => format!("`{}`", toml(value).replace('|', "\\|")),
        None => "none".to_owned(),
    }
}

/// What a start says of a value that its type takes, and that cannot work.
fn refused(setting: &Setting) -> String {
    cell(&setting.rules.join("; "))
}

fn meaning(setting: &Setting) -> String {
    let mut meaning = setting.docs.clone();
    for (name, docs) in parts(&setting.kind) {
        if !docs.is_empty() {
            meaning += &format!(" `{name}`: {docs}");
        }
    }
    cell(&meaning)
}

/// The words, or the fields, that are told within the row.
fn parts(kind: &Kind) -> Vec<(&str, &str)> {
    match kind {
        Kind::Words(words) => words.iter().map(|word| (word.written.as_str(), word.docs.as_str())).collect(),
        Kind::Table(fields) => {
            fields.iter().map(|field| (field.name.as_str(), field.docs.as_str())).collect()
        }
        Kind::List(of) | Kind::Named(of) | Kind::Secret(of) | Kind::Private(of) => parts(of),
        _ => Vec::new(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::model::Choice;
    use super::*;

    fn setting(name: &str, kind: Kind, default: Option<Value>) -> Setting {
        Setting { name: name.into(), docs: "One.".into(), kind, default, needed: false, rules: Vec::new() }
    }

    #[test]
    fn a_row_tells_variable_type_default_rule_and_meaning() {
        let word =
            |written: &str| Choice { written: written.into(), variant: String::new(), docs: "It.".into() };
        let settings = [
            Setting { rules: vec!["is above 0".into()], ..setting("ttl", Kind::Time, Some(json!("30d"))) },
            setting("mode", Kind::Words(vec![word("a"), word("b")]), Some(json!("a"))),
            setting(
                "smsc",
                Kind::List(Box::new(Kind::Table(vec![
                    setting("host", Kind::Text, Some(json!(""))),
                    setting("port", Kind::Integer(0, Some(65_535)), Some(json!(2775))),
                    setting("password", Kind::Secret(Box::new(Kind::Text)), None),
                ]))),
                Some(json!([])),
            ),
        ];

        let page = section("x", "mailbox", "Two.", &settings);

        for line in [
            "## `[x]`",
            "Read by `sealpost-mailbox`, and the standalone.",
            "| `ttl`<br>`SEALPOST__X__TTL` | time | `\"30d\"` | is above 0 | One. |",
            "| `mode`<br>`SEALPOST__X__MODE` | `a`, `b` | `\"a\"` |  | One. `a`: It. `b`: It. |",
            "### `[[x.smsc]]`",
            "| `host`<br>`SEALPOST__X__SMSC__0__HOST` | text | empty |  | One. |",
            "| `port`<br>`SEALPOST__X__SMSC__0__PORT` | integer, 0 to 65535 | `2775` |  | One. |",
            "| `password`<br>`SEALPOST__X__SMSC__0__PASSWORD` | **secret** | none |  | One. |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
