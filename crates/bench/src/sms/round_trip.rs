//! A bind with a small window to an SMSC that is far away: whether the gateway keeps the window full.

use std::time::{Duration, Instant};

use smpp::smsc::Span;

use super::CLIENT;
use super::records::Batch;
use super::statuses::Listener;
use super::world::World;
use crate::error::BenchError;
use crate::report::{Table, progress, say, whole};

/// From a submission to its response.
const LATENCY: Duration = Duration::from_millis(50);
/// Submissions without a response, at most: 200 a second at that distance.
const WINDOW: usize = 10;
/// Submissions a second that must be reached.
const TARGET: f64 = 180.0;
const NAME: &str = "distant";

/// Measures and prints; the gateway of `world` is started anew for it.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn run(world: &mut World, statuses: &mut Listener, quick: bool) -> Result<(), BenchError> {
    let count = if quick { 400 } else { 2_000 };
    world.smsc.behave(|behaviour| behaviour.latency = Span::exactly(LATENCY));
    world.gateway(WINDOW).await?;
    let batch = Batch::seal(&world.sealing, CLIENT, NAME, count).await?;
    progress(&format!("{count} records to an SMSC that is {} ms away", LATENCY.as_millis()));

    let mut counts = world.smsc.counts();
    let before = counts.borrow_and_update().accepted;
    let accepting = async {
        let gone = |_| BenchError::unexpected("the SMSC simulator has ended");
        counts.wait_for(|counts| counts.accepted > before).await.map_err(gone)?;
        let first = Instant::now();
        counts.wait_for(|counts| counts.accepted >= before + count as u64).await.map_err(gone)?;
        Ok(first.elapsed())
    };
    let mut statuses = statuses.begin(NAME);
    let (time, _) = tokio::try_join!(accepting, world.pass(&batch, &mut statuses))?;

    // The first window is on its way when time begins to count.
    let rate = count.saturating_sub(WINDOW) as f64 / time.as_secs_f64().max(0.001);
    let ideal = WINDOW as f64 / LATENCY.as_secs_f64();
    let title = format!("SMS: one bind, window {WINDOW}, responses after {} ms", LATENCY.as_millis());
    let mut table = Table::new(title, &["measure", "value"]);
    table.row(["submissions/s".to_owned(), whole(rate)]);
    table.row(["window / response time".to_owned(), whole(ideal)]);
    table.print();
    let verdict = if rate >= TARGET { "reached" } else { "missed" };
    say(&format!("  target: {} submissions a second: {verdict}", whole(TARGET)));
    Ok(())
}
