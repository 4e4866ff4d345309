//! `docs/metrics.md` against what a server really shows.

use crate::program::Place;
use crate::serving::Standalone;

const REFERENCE: &str = include_str!("../../../../../docs/metrics.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_series_of_a_standalone_is_in_the_reference() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;

    let page = server.internal.get("/metrics").await.expect(200).text();

    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: Vec<(&str, &str)> = types.filter_map(|line| line.split_once(' ')).collect();
    let ours: Vec<_> = shown.iter().filter(|(name, _)| !name.starts_with("process_")).collect();
    assert!(ours.len() > 30, "{page}");
    for (name, kind) in ours {
        let row = format!("| `{name}` | {kind} |");
        assert!(REFERENCE.contains(&row), "{row} is not in docs/metrics.md");
    }
}
