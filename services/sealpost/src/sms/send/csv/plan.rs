//! The whole file, checked before anything is sent: numbers, texts, what they need.

use std::collections::HashMap;
use std::path::Path;

use common::models::E164;
use sms::{Reference, message_parts};
use sms_gateway::Price;
use zeroize::Zeroizing;

use super::table::Table;
use super::template::Template;
use crate::console::{self, Outcome};

/// Faults and doubles that are shown one by one.
const SHOWN: usize = 20;
/// Longest texts that a dry run shows.
const EXAMPLES: usize = 3;

/// One message.
pub(super) struct Planned {
    /// The line that it is for.
    pub(super) line: u64,
    pub(super) number: E164,
    pub(super) text: Zeroizing<String>,
    parts: u64,
    alphabet: &'static str,
}

/// What is to be done with a file.
pub(super) struct Plan {
    pub(super) messages: Vec<Planned>,
    /// Lines with the number of an earlier one, with that line.
    doubles: Vec<(u64, u64)>,
    skipped: bool,
}

impl Plan {
    /// Checks every row.
    ///
    /// # Errors
    /// When a row has a fault; all of them have been told then.
    pub(super) fn make(
        path: &Path,
        table: &Table,
        (number, template): (usize, &Template),
        skip_doubles: bool,
    ) -> Outcome<Self> {
        let mut faults = Vec::new();
        let mut plan = Self { messages: Vec::new(), doubles: Vec::new(), skipped: skip_doubles };
        let mut seen = HashMap::new();
        for row in &table.rows {
            let mut fault = |what: String| faults.push(format!("{}:{}: {what}", path.display(), row.line));
            for column in template.columns().filter(|column| row.field(*column).is_empty()) {
                let name = table.columns.get(column).map_or("", String::as_str);
                fault(format!("{name} is empty"));
            }
            let number = match plain(row.field(number)).parse::<E164>() {
                Ok(number) => number,
                Err(error) => {
                    fault(error.to_string());
                    continue;
                }
            };
            let text = Zeroizing::new(template.fill(|column| row.field(column).to_owned()));
            let parts = match message_parts(&text, Reference::Eight(0)) {
                Ok(parts) => parts,
                Err(error) => {
                    fault(error.to_string());
                    continue;
                }
            };
            if let Some(first) = seen.get(&number) {
                plan.doubles.push((row.line, *first));
                if skip_doubles {
                    continue;
                }
            } else {
                seen.insert(number.clone(), row.line);
            }
            let (parts, alphabet) = (parts.segments.into(), parts.coding.as_str());
            plan.messages.push(Planned { line: row.line, number, text, parts, alphabet });
        }
        if faults.is_empty() {
            return Ok(plan);
        }
        tell(&faults);
        Err(format!("{}: {} faults; nothing was sent", path.display(), faults.len()).into())
    }

    /// Tells of numbers that are there more than once.
    pub(super) fn tell_doubles(&self, path: &Path) {
        let what = if self.skipped { "left out" } else { "sent to again; --skip-duplicates leaves it out" };
        let line = |(line, first): &(u64, u64)| {
            format!("{}:{line}: has the number of line {first}: {what}", path.display())
        };
        tell(&self.doubles.iter().map(line).collect::<Vec<_>>());
    }

    /// Says how much it is: messages, parts, alphabets, cost.
    pub(super) fn summary(&self, price: Option<Price>) -> String {
        let parts = self.messages.iter().map(|message| message.parts).sum();
        let of = |alphabet| self.messages.iter().filter(|message| message.alphabet == alphabet).count();
        let messages = self.messages.len();
        let cost = price.map_or(String::new(), |price| format!(", cost {}", price.times(parts)));
        let ucs2 = of(sms::Coding::Ucs2.as_str());
        format!("{messages} messages, {parts} parts ({} gsm7, {ucs2} ucs2){cost}", messages - ucs2)
    }

    /// Gives the longest texts, each with what it needs.
    pub(super) fn longest(&self) -> Vec<String> {
        let mut longest: Vec<&Planned> = self.messages.iter().collect();
        longest.sort_by_key(|message| {
            (std::cmp::Reverse((message.parts, message.text.chars().count())), message.line)
        });
        let shown = |message: &&Planned| {
            let (line, parts, alphabet) = (message.line, message.parts, message.alphabet);
            let characters = message.text.chars().count();
            format!("line {line}: {parts} parts, {alphabet}, {characters} characters: {}", *message.text)
        };
        longest.iter().take(EXAMPLES).map(shown).collect()
    }
}

/// Drops what people write between digits.
fn plain(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, ' ' | '\u{A0}' | '-' | '.' | '(' | ')' | '/')).collect()
}

fn tell(lines: &[String]) {
    for line in lines.iter().take(SHOWN) {
        console::say(line);
    }
    if lines.len() > SHOWN {
        console::say(&format!("... and {} more", lines.len() - SHOWN));
    }
}
