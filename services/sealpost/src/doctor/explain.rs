//! `doctor --explain`: every setting with its value here, where that comes from, what it means and its default.
//!
//! In: the settings as `serve` would have them, and their description, which is made from the code (`cargo xtask
//! settings`). Out: an entry for each setting that was asked for. It asks nothing and starts nothing. What must hold: no
//! secret is shown, and of what may hold one no more than that it is set.

mod describe;
mod lines;
mod mask;
mod near;

use config::{Config, Origin};
use serde::Serialize;

use self::describe::Described;
use self::lines::Lines;
use crate::console::{self, Coded, Outcome};
use crate::installation::Installation;
use crate::serve::secrets;

/// The description of all settings, for editors, too.
pub(super) const SCHEMA: &str = include_str!("../../settings.schema.json");

/// What is told of one setting.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    setting: String,
    /// Its value, as a settings file would have it; none where it is not set and has no default.
    value: Option<String>,
    /// Where the value comes from.
    from: String,
    means: String,
    /// What it can be.
    takes: String,
    /// What a start says of a value that cannot work.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_with: Option<String>,
    default: Option<String>,
    variable: String,
    read_by: String,
}

impl Entry {
    fn text(&self) -> String {
        let value = self.value.as_deref().unwrap_or("not set");
        let refused =
            self.refused_with.as_ref().map_or(String::new(), |says| format!("  refused   with \"{says}\"\n"));
        let default = self.default.as_deref().unwrap_or("none");
        format!(
            "{} = {value}\n  from      {}\n  means     {}\n  takes     {}\n{refused}  default   {default}\n  \
             variable  {}\n  read by   {}\n",
            self.setting, self.from, self.means, self.takes, self.variable, self.read_by
        )
    }
}

/// Explains the settings whose dotted name is `name` or begins with it; all for an empty one.
///
/// # Errors
/// A name that no setting has, with those that come near; settings that cannot be read.
pub(super) fn run(installation: &Installation, name: &str, json: bool) -> Outcome {
    let mut config = installation.load()?;
    if installation.data_dir.is_dir() {
        // What cannot be read is told by the checks; here it is as if it were not there.
        let _ = secrets::present(&mut config, &installation.data_dir);
    }
    let lines = Lines::of(installation.config.as_deref());
    let all = describe::all(&config)?;
    let name = name.to_lowercase();
    let wanted: Vec<&Described> = all.iter().filter(|one| one.is_within(&name)).collect();
    if wanted.is_empty() {
        return Err(unknown(&name, &all).into());
    }
    let entries = wanted.into_iter().map(|one| entry(one, &config, &lines));
    if json {
        let entries: Vec<Entry> = entries.collect();
        return console::print_line(&serde_json::to_string_pretty(&entries)?);
    }
    let blocks: Vec<String> = entries.map(|entry| entry.text()).collect();
    console::print(blocks.join("\n"))
}

fn entry(one: &Described, config: &Config, lines: &Lines) -> Entry {
    let file = format!("{}_file", one.path);
    // Of the two forms the one of the higher layer counts; `doctor` itself tells of both in one layer.
    let origin = config.origin(&one.path).or_else(|| below(one, config)).max(config.origin(&file));
    let by_file = config.origin(&file).is_some() && config.origin(&file) == origin;
    let default = one.default.as_ref().map(ToString::to_string);
    let value = match (&one.value, &origin) {
        (_, Some(_)) if by_file => Some("[read from a file]".to_owned()),
        (Some(value), Some(_)) => Some(mask::shown(value, one.secret, one.private)),
        _ => default.clone(),
    };
    let path = if by_file { &file } else { &one.path };
    let from = match &origin {
        None => "default".to_owned(),
        Some(Origin::Program(place)) => format!("the standalone, which keeps it: {place}"),
        Some(Origin::File(name)) => match lines.of_setting(path) {
            Some(line) => format!("file {name}, line {line}"),
            None => format!("file {name}"),
        },
        Some(origin) => origin.to_string(),
    };
    Entry {
        setting: one.path.clone(),
        value,
        from,
        means: one.means.clone(),
        takes: one.takes.clone(),
        refused_with: one.refused_with.clone(),
        default,
        variable: format!("SEALPOST__{}", one.path.replace('.', "__").to_uppercase()),
        read_by: one.read_by.clone(),
    }
}

/// Where the entries of a map come from that only its entries tell of.
fn below(one: &Described, config: &Config) -> Option<Origin> {
    let entries = one.value.as_ref()?.as_object()?;
    entries.keys().filter_map(|name| config.origin(&format!("{}.{name}", one.path))).max()
}

fn unknown(name: &str, all: &[Described]) -> Coded {
    let near = near::nearest(name, all.iter().map(|one| one.path.as_str()));
    let hint = match near.as_slice() {
        [] => String::new(),
        near => format!("; near are {}", near.join(", ")),
    };
    Coded { code: 2, text: format!("no section and no setting is called {name}{hint}") }
}
