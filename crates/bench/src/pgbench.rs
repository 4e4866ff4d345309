//! PostgreSQL's own load generator, on the server that the services use: the yardstick.

use std::path::Path;

use testkit::database::administer;
use testkit::postgres::Postgres;
use testkit::process;

use crate::error::BenchError;
use crate::load::Until;
use crate::machine::cores;

/// What it measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transactions {
    /// How many were done.
    pub(crate) count: u64,
    /// How many a second, connecting not counted.
    pub(crate) rate: f64,
}

/// Runs `script` with so many clients in the simple query protocol, one transaction per run of the script.
///
/// # Errors
/// With its output, also when a transaction failed.
pub(crate) async fn run(
    postgres: &Postgres,
    clients: usize,
    until: Until,
    script: &str,
) -> Result<Transactions, BenchError> {
    let failed = |error| BenchError::Io("pgbench", error);
    let folder = process::scratch("pgbench")?;
    let file = folder.path().join("script.sql");
    std::fs::write(&file, script).map_err(failed)?;
    let output = tokio::process::Command::new(postgres.program("pgbench"))
        .args(["-n", "-M", "simple", "-c", &clients.to_string(), "-j", &cores().min(clients).to_string()])
        .args(limit(until, clients))
        .arg("-f")
        .arg(&file)
        .arg(postgres.url())
        .output()
        .await
        .map_err(failed)?;
    let (text, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let result = output.status.success().then(|| parse(&text)).flatten();
    result.ok_or_else(|| BenchError::unexpected(format!("pgbench failed:\n{text}{complaints}")))
}

fn limit(until: Until, clients: usize) -> [String; 2] {
    match until {
        Until::Elapsed(time) => ["-T".to_owned(), time.as_secs().max(1).to_string()],
        Until::Requests(count) => ["-t".to_owned(), (count / clients as u64).max(1).to_string()],
    }
}

fn parse(text: &str) -> Option<Transactions> {
    let after = |mark: &str| Some(text.lines().find_map(|line| line.strip_prefix(mark))?.trim_start());
    let first = |mark: &str| after(mark)?.split([' ', '/']).next();
    let none_failed = first("number of failed transactions:").is_none_or(|count| count == "0");
    let transactions = Transactions {
        count: first("number of transactions actually processed:")?.parse().ok()?,
        rate: first("tps =")?.parse().ok()?,
    };
    none_failed.then_some(transactions)
}

/// Runs statements on the server.
///
/// # Errors
/// When it refuses one.
pub(crate) async fn administrate(postgres: &Postgres, sql: impl Into<String>) -> Result<(), BenchError> {
    let (url, sql) = (postgres.url(), sql.into());
    let done = tokio::task::spawn_blocking(move || administer(&url, &sql)).await;
    done.map_err(|error| BenchError::of("PostgreSQL", error))?
        .map_err(|error| BenchError::of("PostgreSQL", error))
}

/// Counts the rows of a table.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn count_rows(postgres: &Postgres, table: &str) -> Result<u64, BenchError> {
    let psql = postgres.program("psql");
    let rows = tokio::process::Command::new(Path::new(&psql))
        .args(["-XAtc", &format!("SELECT count(*) FROM {table}"), &postgres.url()])
        .output()
        .await
        .map_err(|error| BenchError::Io("psql", error))?;
    let text = String::from_utf8_lossy(&rows.stdout);
    text.trim().parse().map_err(|_| BenchError::of(table, String::from_utf8_lossy(&rows.stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "transaction type: s.sql\nnumber of transactions actually processed: 320/320\n\
                          number of failed transactions: 0 (0.000%)\nlatency average = 1.1 ms\n\
                          tps = 2843.516 (without initial connection time)\n";

    #[test]
    fn counts_and_rates_are_read_from_its_output() {
        assert_eq!(parse(OUTPUT), Some(Transactions { count: 320, rate: 2843.516 }));
        assert_eq!(parse(&OUTPUT.replace("320/320", "320")).map(|run| run.count), Some(320));
    }

    #[test]
    fn failed_transactions_are_no_result() {
        assert_eq!(parse(&OUTPUT.replace(": 0 (0", ": 3 (0")), None);
    }
}
