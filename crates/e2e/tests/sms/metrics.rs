//! What a gateway counts, as numbers.

use testkit::program::Program;

/// The sum of all series that begin with `prefix`: a name, perhaps with its first labels. 0 when there is none yet.
pub(crate) async fn total(program: &Program, prefix: &str) -> u64 {
    let metrics = program.internal.get("/metrics").await.expect(200).text();
    let value = |line: &str| {
        let rest = line.strip_prefix(prefix)?;
        let (_, value) = rest.rsplit_once(' ')?;
        value.parse::<f64>().ok()
    };
    metrics.lines().filter_map(value).sum::<f64>() as u64
}
