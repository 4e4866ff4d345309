//! What an idle subscriber costs in memory of the server's process.

use std::time::Duration;

use super::subscribers::Subscribers;
use super::{Contender, World};
use crate::error::BenchError;
use crate::machine::open_files;
use crate::report::{Table, mebibytes, progress, say, whole};
use crate::usage::memory;

/// Files that are open beside the sockets, here and in the server.
const OTHER_FILES: usize = 256;

/// Subscribers that bring what all share: pools, threads, the first blocks of each allocator.
const FIRST: usize = 16;

/// Let what the handshakes left behind be freed.
const REST: Duration = Duration::from_secs(3);

/// Most bytes that one of ours may cost.
const TARGETS: [(Contender, f64); 2] =
    [(Contender::SealpostSocketIo, 4000.0), (Contender::SealpostWebsocket, 2000.0)];

/// Connects, measures and prints.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &World<'_>) -> Result<(), BenchError> {
    let count = world.plan.idle.min(open_files().saturating_sub(OTHER_FILES));
    let mut table = Table::new(
        format!("Idle subscribers: {count}"),
        &["server", "before MiB", "after MiB", "bytes each"],
    );
    let mut verdicts = Vec::new();
    for contender in Contender::ALL {
        progress(&format!("{}: {count} idle subscribers", contender.name()));
        let server = world.start(contender).await?;
        let _first = Subscribers::open(server.address, &server.opening, FIRST).await?;
        tokio::time::sleep(REST).await;
        let before = memory(server.pid)?.resident;
        let subscribers = Subscribers::open(server.address, &server.opening, count).await?;
        tokio::time::sleep(REST).await;
        let after = memory(server.pid)?.resident;
        subscribers.reach(0).await?;
        let each = after.saturating_sub(before) as f64 / count as f64;
        table.row([contender.name().to_owned(), mebibytes(before), mebibytes(after), whole(each)]);
        if let Some((_, most)) = TARGETS.iter().find(|(ours, _)| *ours == contender) {
            let verdict = if each <= *most { "reached" } else { "missed" };
            verdicts.push(format!(
                "  target: {}: at most {} bytes: {verdict}",
                contender.name(),
                whole(*most)
            ));
        }
    }
    table.print();
    verdicts.iter().for_each(|verdict| say(verdict));
    Ok(())
}
