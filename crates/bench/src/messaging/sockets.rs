//! What an idle websocket costs in memory: that of the process; what the kernel keeps for a connection is not in it.

use std::time::Duration;

use common::models::AccountId;
use futures_util::future::try_join_all;
use tokio::net::TcpStream;

use super::{World, mailboxes, pid};
use crate::error::BenchError;
use crate::http::{Connection, address};
use crate::machine::open_files;
use crate::report::{Table, mebibytes, progress, whole};
use crate::usage::memory;

/// Files that are open beside the sockets, here and in the service.
const OTHER_FILES: usize = 256;

/// Handshakes at the same time.
const CLIENTS: usize = 16;

/// Comes when a socket has been served all there was for it.
const IDLE: &[u8] = b"/v1/queue/empty";

/// Let what the handshakes left behind be freed.
const REST: Duration = Duration::from_secs(3);

/// Connects, measures and prints; on a mailbox service that has just started.
///
/// # Errors
/// Any [`BenchError`].
pub(super) async fn measure(world: &mut World) -> Result<(), BenchError> {
    let wanted = world.plan.sockets;
    let count = wanted.min(open_files().saturating_sub(OTHER_FILES));
    progress(&format!("opening {count} mailboxes, restarting sealpost-mailbox"));
    let accounts: Vec<AccountId> = (0..count).map(|_| AccountId::new()).collect();
    mailboxes::open(&world.mailbox, &accounts).await?;
    // What was freed would be used again, and hide what the sockets need.
    world.mailbox.stop().await?;
    world.mailbox.restart().await?;
    // The first few bring what all share: pools, threads, the first blocks of each allocator.
    let (first, rest) = accounts.split_at(count.min(CLIENTS));
    let _kept = connect(world, first).await?;
    tokio::time::sleep(REST).await;
    let before = memory(pid(&world.mailbox)?)?;
    progress(&format!("connecting {count} websockets"));
    let sockets = connect(world, rest).await?;
    tokio::time::sleep(REST).await;
    let after = memory(pid(&world.mailbox)?)?;
    let closed = sockets.iter().filter(|socket| matches!(socket.try_read(&mut [0; 64]), Ok(0))).count();
    if closed > 0 {
        return Err(BenchError::unexpected(format!("{closed} websockets were closed by the service")));
    }

    let cut =
        if count < wanted { format!(" ({wanted} wanted, limited by open files)") } else { String::new() };
    let mut table = Table::new(
        format!("Idle websockets: {count}{cut}, each with an empty mailbox"),
        &["resident", "before MiB", "after MiB", "peak MiB", "bytes each"],
    );
    let grown = after.resident.saturating_sub(before.resident) as f64;
    table.row([
        "sealpost-mailbox".to_owned(),
        mebibytes(before.resident),
        mebibytes(after.resident),
        mebibytes(after.peak),
        whole(grown / rest.len().max(1) as f64),
    ]);
    table.print();
    Ok(())
}

async fn connect(world: &World, accounts: &[AccountId]) -> Result<Vec<TcpStream>, BenchError> {
    let (address, device) = (address(&world.mailbox.url)?, mailboxes::device()?);
    let parts = accounts.chunks(accounts.len().div_ceil(CLIENTS).max(1));
    let connected = parts.map(async |part| {
        let mut sockets = Vec::with_capacity(part.len());
        for account in part {
            let handshake = format!(
                "GET /v1/websocket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: json.v1\r\n\r\n",
                world.auth.token(*account, Some(device))
            );
            let failed = |error| BenchError::Io("a websocket", error);
            let connection = Connection::open(address).await.map_err(failed)?;
            sockets.push(connection.upgrade(handshake.as_bytes(), IDLE).await.map_err(failed)?);
        }
        Ok::<_, BenchError>(sockets)
    });
    Ok(try_join_all(connected).await?.into_iter().flatten().collect())
}
