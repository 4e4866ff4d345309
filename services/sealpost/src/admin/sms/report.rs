//! `sealpost admin sms report`: what became of messages, by client and day.

use clap::Args;
use serde_json::{Map, Value};

use super::super::Operator;
use crate::console::{self, Outcome};

/// Columns: name in the answer, and at the head of the table.
const COLUMNS: [(&str, &str); 14] = [
    ("client", "client"),
    ("day", "day"),
    ("smsc", "smsc"),
    ("requests", "requests"),
    ("segments", "segments"),
    ("sent", "sent"),
    ("delivered", "delivered"),
    ("failed", "failed"),
    ("expired", "expired"),
    ("invalid", "invalid"),
    ("unknown", "unknown"),
    ("waiting", "waiting"),
    ("medianSeconds", "median s"),
    ("p95Seconds", "p95 s"),
];
/// Columns before the figures.
const WORDS: usize = 3;

#[derive(Args)]
pub(crate) struct Report {
    /// Of this client alone
    #[arg(long)]
    client: Option<String>,
    /// The first day, of UTC, such as 2026-11-28 [default: 31 days with the last one]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// A line for each SMSC
    #[arg(long)]
    by_smsc: bool,
    /// Print it as CSV
    #[arg(long)]
    csv: bool,
    /// Print it as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Report {
    /// Prints the report.
    pub(super) async fn run(self) -> Outcome {
        let Self { client, from, to, by_smsc, csv, json, operator } = self;
        let given = [("client", &client), ("from", &from), ("to", &to)];
        let mut query: Vec<(&str, &str)> =
            given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        if by_smsc {
            query.push(("by-smsc", "true"));
        }
        let lines: Vec<Map<String, Value>> = operator.get("report", &query).await?;
        if json {
            return console::print_line(&serde_json::to_string_pretty(&lines)?);
        }
        let rows = lines.iter().map(|line| COLUMNS.map(|(name, _)| cell(line.get(name))));
        let rows: Vec<[String; COLUMNS.len()]> = rows.collect();
        if csv {
            return print_csv(&rows);
        }
        table(&rows, by_smsc).iter().try_for_each(|line| console::print_line(line))
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn print_csv(rows: &[[String; COLUMNS.len()]]) -> Outcome {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for row in rows {
        writer.write_record(row)?;
    }
    let text = String::from_utf8(writer.into_inner()?)?;
    console::print_line(text.trim_end())
}

/// Lays the rows out under their heads, figures to the right.
fn table(rows: &[[String; COLUMNS.len()]], by_smsc: bool) -> Vec<String> {
    let head = COLUMNS.map(|(_, head)| head.to_owned());
    let all: Vec<&[String; COLUMNS.len()]> = std::iter::once(&head).chain(rows).collect();
    let shown = (0..COLUMNS.len()).filter(|column| by_smsc || COLUMNS[*column].0 != "smsc");
    let widths: Vec<(usize, usize)> = shown
        .map(|column| (column, all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()))
        .collect();
    let line = |row: &&[String; COLUMNS.len()]| {
        let cells = widths.iter().map(|&(column, width)| match column < WORDS {
            true => format!("{:<width$}", row[column]),
            false => format!("{:>width$}", row[column]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_each_other() {
        let mut row = COLUMNS.map(|_| "7".to_owned());
        row[0] = "clinic-north".into();
        row[3] = "1234567890".into();

        let lines = table(&[row], false);

        assert!(lines[0].starts_with("client        day    requests  segments"), "{}", lines[0]);
        assert!(lines[1].starts_with("clinic-north  7    1234567890         7"), "{}", lines[1]);
    }
}
