//! Series as `docs/metrics.md` lists them.

use std::collections::BTreeMap;

use super::read::{Kind, Series};

/// What the members of `crates/` that make series are called there.
const SHARED: [(&str, &str); 3] = [
    ("crates/bus", "Every service that reads topics"),
    ("crates/service", "Every service with an outbox"),
    ("crates/web", "Every program"),
];

/// Writes a table for each member, the services first.
pub(super) fn reference(series: &BTreeMap<String, Vec<Series>>) -> String {
    let is_shared = |member: &str| !member.starts_with("services/");
    let mut members: Vec<(&String, &Vec<Series>)> = series.iter().collect();
    members.sort_by_key(|(member, _)| (is_shared(member), *member));
    members.into_iter().map(|(member, series)| table(&title(member), series)).collect()
}

fn title(member: &str) -> String {
    let shared = SHARED.iter().find(|(name, _)| *name == member).map(|(_, title)| (*title).to_owned());
    shared.unwrap_or_else(|| format!("`{}`", member.rsplit('/').next().unwrap_or(member)))
}

fn table(title: &str, series: &[Series]) -> String {
    let rows = series.iter().map(|one| {
        let labels: Vec<String> = one.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, unit, help) = (kind(one.kind), unit(&one.name), one.help.replace('|', "\\|"));
        format!("| `{}` | {kind} | {} | {unit} | {help} |\n", one.name, labels.join(", "))
    });
    let rows: String = rows.collect();
    format!("\n### {title}\n\n| Series | Type | Labels | Unit | Meaning |\n|---|---|---|---|---|\n{rows}")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

/// Reads the unit off the name, where Prometheus wants it; where there is none, the meaning says what is counted.
fn unit(name: &str) -> &'static str {
    let name = name.trim_end_matches("_total");
    let units = ["seconds", "bytes", "jobs", "records"];
    units.into_iter().find(|unit| name.ends_with(&format!("_{unit}"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_come_first_and_each_series_is_a_row() {
        let one = |name: &str, kind, labels: &[&str]| Series {
            name: name.to_owned(),
            kind,
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            help: "One | two.".to_owned(),
        };
        let series = BTreeMap::from([
            ("crates/web".to_owned(), vec![one("http_requests_total", Kind::Counter, &["route", "status"])]),
            ("services/auth".to_owned(), vec![one("taken_seconds", Kind::Histogram, &[])]),
        ]);

        let written = reference(&series);

        let lines: Vec<&str> = written.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            [lines[0], lines[3], lines[4], lines[7]],
            [
                "### `auth`",
                "| `taken_seconds` | histogram |  | seconds | One \\| two. |",
                "### Every program",
                "| `http_requests_total` | counter | `route`, `status` |  | One \\| two. |",
            ]
        );
    }
}
