//! `docs/metrics.md`: which series there are, written from the code that makes them, below what people wrote about them.
//!
//! In: the invocations of `telemetry::metrics!` in all sources, and the series that `bus` makes by itself. Out: the part
//! of the file between two marks; or findings, if that part has drifted, if the part above, an alert, the dashboard or the
//! console names a series that does not exist, or if a series is made in a way that is not read here.

mod read;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use read::Series;

use crate::files::{entries, sources, text};

const FILE: &str = "docs/metrics.md";
const BEGIN: &str =
    "<!-- Written by `cargo xtask metrics`; change the doc comments in the code instead. -->\n";
/// What else names series.
const WATCHERS: [&str; 6] = [
    "crates/web/assets/console/console.js",
    "crates/web/assets/console/panels.js",
    "deploy/grafana/sealpost.json",
    "deploy/prometheus/alerts.test.yaml",
    ALERTS,
    RUNBOOK,
];
const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const RUNBOOK: &str = "docs/runbook.md";
const END: &str = "<!-- End of what is written. -->\n";

/// Writes the reference, or compares it when `check` is set.
///
/// # Errors
/// What is wrong, a finding a line, or which file could not be read.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let path = root.join(FILE);
    let kept = text(&path)?;
    let (above, rest) = kept.split_once(BEGIN).ok_or_else(|| format!("{FILE} has no line {BEGIN}"))?;
    let (_, below) = rest.split_once(END).ok_or_else(|| format!("{FILE} has no line {END}"))?;
    let series = series(root)?;
    let fresh = format!("{above}{BEGIN}{}{END}{below}", write::reference(&series));
    let all: Vec<&Series> = series.values().flatten().collect();
    let mut findings: Vec<String> =
        [above, below].iter().flat_map(|text| strangers(FILE, text, &all)).collect();
    for watcher in WATCHERS {
        findings.extend(strangers(watcher, &text(&root.join(watcher))?, &all));
    }
    findings.extend(without_entry(&text(&root.join(ALERTS))?, &text(&root.join(RUNBOOK))?));
    if check && fresh != kept {
        findings.push(format!("{FILE} has drifted; run `cargo xtask metrics`"));
    }
    if !findings.is_empty() {
        return Err(findings.join("\n"));
    }
    if fresh != kept {
        fs::write(&path, fresh).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(format!("metrics: {} series are as {FILE} has them", all.len()))
}

/// Reads all series, by the member of the workspace that makes them.
fn series(root: &Path) -> Result<BTreeMap<String, Vec<Series>>, String> {
    let mut series: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for group in ["services", "crates"] {
        for member in entries(&root.join(group))? {
            // `telemetry` makes the macro, and this program has it in its tests.
            let name = member.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let folder = member.join("src");
            if name == "telemetry" || name == "xtask" || !folder.is_dir() {
                continue;
            }
            for file in sources(&folder)? {
                let found =
                    read::file(&text(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
                if !found.is_empty() {
                    series.entry(format!("{group}/{name}")).or_default().extend(found);
                }
            }
        }
    }
    Ok(series)
}

/// Names in a hand-written file that look like series and are none.
fn strangers(file: &str, text: &str, series: &[&Series]) -> Vec<String> {
    let word = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let ours = |name: &&str| {
        ["sealpost_", "bus_worker_", "http_request", "websockets_", "rate_limited_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let unknown = |name: &&str| !series.iter().any(|one| one.shows(name));
    text.split(word)
        .filter(ours)
        .filter(unknown)
        .map(|name| format!("{file} speaks of {name}, which no service has"))
        .collect()
}

/// Alerts that the runbook has no entry for, and entries of no alert.
fn without_entry(alerts: &str, runbook: &str) -> Vec<String> {
    let alerts: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let entries: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let missing = alerts.iter().filter(|alert| !entries.contains(alert));
    let unused = entries.iter().filter(|entry| !alerts.contains(entry));
    let missing = missing.map(|alert| format!("{RUNBOOK} has no entry for the alert {alert}"));
    missing
        .chain(unused.map(|entry| format!("{RUNBOOK} has an entry for {entry}, which is no alert")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_written_text_may_name_only_series_that_exist() {
        let source = "telemetry::metrics! { struct M(\"sealpost_x_\") {\n/// Time.\ntaken_seconds: Histogram = &[1.0],\n} }";
        let read = read::file(source).unwrap();
        let series: Vec<&Series> = read.iter().collect();

        let text =
            "`sealpost_x_taken_seconds_bucket`, sealpost_x_taken_seconds, sealpost_y_total and process_cpu";

        assert_eq!(
            strangers("a.md", text, &series),
            ["a.md speaks of sealpost_y_total, which no service has"]
        );
    }

    #[test]
    fn each_alert_has_its_entry_and_each_entry_its_alert() {
        let alerts = "groups:\n  - rules:\n      - alert: One\n      - alert: Two\n";

        assert_eq!(
            without_entry(alerts, "# Runbook\n\n### Two\n\n### Three\n"),
            [
                "docs/runbook.md has no entry for the alert One",
                "docs/runbook.md has an entry for Three, which is no alert"
            ]
        );
    }

    #[test]
    fn the_reference_is_that_of_this_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");

        assert_eq!(run(&root, true).map(|_| ()), Ok(()));
    }
}
