//! The page of a service.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shape;

/// One method of one path.
pub(super) struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    tag: &'a str,
    description: &'a Value,
}

impl Operation<'_> {
    fn title(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// The place that GitHub gives to the heading.
    fn anchor(&self) -> String {
        let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
        self.title().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    }

    fn summary(&self) -> String {
        cell(self.description["summary"].as_str().unwrap_or_default())
    }
}

/// Lists what a service does.
pub(super) fn operations(description: &Value) -> impl Iterator<Item = Operation<'_>> {
    description["paths"].as_object().into_iter().flatten().flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, description)| Operation {
            method,
            path,
            tag: description["tags"][0].as_str().unwrap_or("other"),
            description,
        })
    })
}

/// The lines of a service in the index.
pub(super) fn index(service: &str, description: &Value) -> String {
    let row = |one: Operation<'_>| {
        format!("| [`{}`]({service}.md#{}) | {} |\n", one.title(), one.anchor(), one.summary())
    };
    let rows: String = operations(description).map(row).collect();
    format!("| | |\n|---|---|\n{rows}")
}

/// The whole page.
pub(super) fn write(service: &str, purpose: &str, description: &Value) -> String {
    let mut groups: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for one in operations(description) {
        groups.entry(one.tag).or_default().push(one);
    }
    let mut page = format!("# {service}: {purpose}\n");
    for (tag, group) in groups {
        page.push_str(&format!("\n## {tag}\n"));
        page.extend(group.iter().map(operation));
    }
    let schemas = description["components"]["schemas"].as_object();
    page.push_str("\n## Schemas\n");
    page.extend(
        schemas.into_iter().flatten().map(|(name, schema)| format!("\n### {name}\n{}", object(schema))),
    );
    page
}

fn operation(one: &Operation<'_>) -> String {
    let description = one.description;
    let mut text = format!("\n### {}\n\n{}\n", one.title(), one.summary());
    if let Some(more) = description["description"].as_str() {
        text.push_str(&format!("\n{}\n", cell(more)));
    }
    text.push_str(&format!("\nCredential: {}.\n", credential(&description["security"])));
    let parameters = description["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        text.push_str("\n| Parameter | In | Type | |\n|---|---|---|---|\n");
        text.extend(parameters.iter().map(parameter));
    }
    for (media, content) in description["requestBody"]["content"].as_object().into_iter().flatten() {
        text.push_str(&format!("\nBody ({media}): {}\n", shape::words(&content["schema"])));
    }
    text.push_str("\n| Answer | | Body |\n|---|---|---|\n");
    text.extend(description["responses"].as_object().into_iter().flatten().map(answer));
    text
}

fn credential(security: &Value) -> String {
    let Some(choices) = security.as_array() else { return "none".to_owned() };
    let names = choices.iter().map(|choice| {
        let names = choice.as_object().into_iter().flatten().map(|(name, _)| format!("`{name}`"));
        Some(names.collect::<Vec<_>>().join(" and ")).filter(|names| !names.is_empty())
    });
    names.map(|names| names.unwrap_or_else(|| "none".to_owned())).collect::<Vec<_>>().join(" or ")
}

fn parameter(parameter: &Value) -> String {
    let text = |key: &str| cell(parameter[key].as_str().unwrap_or_default());
    let needed = if parameter["required"] == true { "" } else { ", may be left out" };
    format!(
        "| `{}` | {}{needed} | {} | {} |\n",
        text("name"),
        text("in"),
        pipes(&shape::words(&parameter["schema"])),
        text("description")
    )
}

fn answer((status, answer): (&String, &Value)) -> String {
    let bodies = answer["content"].as_object().into_iter().flatten().map(|(media, content)| {
        let shown = content.get("schema").map(shape::words).unwrap_or_default();
        if media == "application/json" { shown } else { format!("{media} {shown}").trim_end().to_owned() }
    });
    let bodies = bodies.collect::<Vec<_>>().join(", ");
    format!(
        "| {status} | {} | {} |\n",
        cell(answer["description"].as_str().unwrap_or_default()),
        pipes(&bodies)
    )
}

fn object(schema: &Value) -> String {
    let described =
        schema["description"].as_str().map(|text| format!("\n{}\n", cell(text))).unwrap_or_default();
    let Some(fields) = schema["properties"].as_object() else {
        return format!("{described}\n{}\n", shape::words(schema));
    };
    let required = schema["required"].as_array();
    let rows = fields.iter().map(|(name, field)| {
        let needed = required.is_some_and(|required| required.iter().any(|one| one == name));
        let needed = if needed { "" } else { "may be missing" };
        let described = cell(field["description"].as_str().unwrap_or_default());
        format!("| `{name}` | {} | {needed} | {described} |\n", pipes(&shape::words(field)))
    });
    let rows: String = rows.collect();
    format!("{described}\n| Field | Type | | |\n|---|---|---|---|\n{rows}")
}

/// A text as one line of a table.
fn cell(text: &str) -> String {
    pipes(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn pipes(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operation_is_told_with_all_that_a_caller_needs() {
        let description = json!({
            "paths": {"/v1/things/{id}": {"put": {
                "tags": ["things"], "summary": "Puts a thing\n| there.", "security": [{"session": []}, {}],
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/x/Thing"}}}},
                "responses": {"204": {"description": "it is there"}},
            }}},
            "components": {"schemas": {"Thing": {
                "type": "object", "description": "A thing.", "required": ["name"],
                "properties": {"name": {"type": "string"}, "size": {"type": "integer", "description": "In bytes."}},
            }}},
        });

        assert_eq!(
            write("toy", "things", &description),
            "# toy: things\n\n## things\n\n### PUT /v1/things/{id}\n\nPuts a thing \\| there.\n\nCredential: `session` or none.\n\n\
             | Parameter | In | Type | |\n|---|---|---|---|\n| `id` | path | string |  |\n\n\
             Body (application/json): [Thing](#thing)\n\n| Answer | | Body |\n|---|---|---|\n| 204 | it is there |  |\n\n\
             ## Schemas\n\n### Thing\n\nA thing.\n\n| Field | Type | | |\n|---|---|---|---|\n| `name` | string |  |  |\n\
             | `size` | integer | may be missing | In bytes. |\n"
        );
        assert_eq!(
            index("toy", &description),
            "| | |\n|---|---|\n| [`PUT /v1/things/{id}`](toy.md#put-v1thingsid) | Puts a thing \\| there. |\n"
        );
    }
}
