//! `docs/settings.md` and `services/sealpost/settings.schema.json`: which settings there are, written from the code that reads them.
//!
//! In: the sources, for names, types and doc comments, and the running code, for defaults, each of which is written into a
//! settings file and read back. Out: the reference below what
//! people wrote, and the same as a JSON Schema; or findings, if one of them has drifted, or if a setting is read in a way
//! that is not understood here.

mod defaults;
mod model;
mod page;
mod rules;
mod schema;
mod shown;
mod source;
mod values;

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use defaults::{Defaults, SECTIONS};
use model::{Model, Setting};
use source::Sources;

use crate::files;

const PAGE: &str = "docs/settings.md";
const SCHEMA: &str = "services/sealpost/settings.schema.json";
const BEGIN: &str =
    "<!-- Written by `cargo xtask settings`; change the doc comments in the code instead. -->\n";

/// Writes reference and schema, or compares them when `check` is set.
///
/// # Errors
/// What is wrong, a finding a line, or which file could not be read.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let sources = sources(root)?;
    let defaults = Defaults::take()?;
    let model = Model { sources: &sources, defaults: &defaults };
    let kept = files::text(&root.join(PAGE))?;
    let (above, _) = kept.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has no line {BEGIN}"))?;

    let mut page = format!("{above}{BEGIN}");
    let (mut schema, mut count) = (Map::new(), 0);
    for section in &SECTIONS {
        let declared = sources
            .get(section.member, section.of)
            .ok_or_else(|| format!("{}::{} is not there", section.member, section.of))?;
        let settings = model.table(declared, None)?;
        count += number(&settings);
        page += &page::section(section.name, section.read_by, &declared.docs, &settings);
        let mut table = schema::table(&settings);
        table["description"] = Value::from(declared.docs.as_str());
        table["x-readBy"] = Value::from(section.read_by);
        put(&mut schema, section.name, table);
    }
    let schema = serde_json::to_string_pretty(&schema::file(schema)).map_err(|error| error.to_string())?;

    let mut findings = others_than_read(&model)?;
    for (file, fresh) in [(PAGE, page), (SCHEMA, format!("{schema}\n"))] {
        let path = root.join(file);
        if fs::read_to_string(&path).unwrap_or_default() == fresh {
            continue;
        }
        if check {
            findings.push(format!("{file} has drifted; run `cargo xtask settings`"));
        } else {
            fs::write(&path, fresh).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    if findings.is_empty() {
        Ok(format!("settings: {count} settings are as {PAGE} and {SCHEMA} have them"))
    } else {
        Err(findings.join("\n"))
    }
}

/// Defaults that a program would not have, were they written into its settings file as they are told here.
fn others_than_read(model: &Model<'_>) -> Result<Vec<String>, String> {
    let mut findings = Vec::new();
    for one in &model.defaults.types {
        let declared = model.sources.get(&one.member, &one.name);
        let declared = declared.ok_or_else(|| format!("{}::{} is not there", one.member, one.name))?;
        findings.extend(one.is_default(&values::file(&model.table(declared, None)?)).err());
    }
    Ok(findings)
}

/// The environment variable of a dotted path.
fn variable(path: &str) -> String {
    format!("SEALPOST__{}", path.replace('.', "__").to_uppercase())
}

/// Puts the table of a section in its place, which is a table deeper for `compat.woosh`.
fn put(properties: &mut Map<String, Value>, section: &str, table: Value) {
    match section.split_once('.') {
        None => {
            properties.insert(section.to_owned(), table);
        }
        Some((outer, inner)) => {
            let outer = properties.entry(outer).or_insert_with(|| schema::table(&[]));
            outer["properties"][inner] = table;
        }
    }
}

/// How many settings a table has, with those of the tables in it.
fn number(settings: &[Setting]) -> usize {
    let below = |kind: &model::Kind| match kind {
        model::Kind::Table(settings) => number(settings),
        model::Kind::List(of) | model::Kind::Named(of) => match &**of {
            model::Kind::Table(settings) => number(settings),
            _ => 1,
        },
        _ => 1,
    };
    settings.iter().map(|setting| below(&setting.kind)).sum()
}

/// Reads the types of all members but the tools.
fn sources(root: &Path) -> Result<Sources, String> {
    let mut sources = Sources::default();
    for group in ["crates", "services"] {
        for member in files::entries(&root.join(group))? {
            let name = member.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
            if ["bench", "e2e", "testkit", "xtask", "sealpost"].contains(&name.as_str()) {
                continue;
            }
            for file in files::sources(&member.join("src"))? {
                let read = sources.add(&name, &files::text(&file)?);
                read.map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests;
