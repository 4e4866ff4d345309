//! Mailboxes for devices that nobody registered: opened as keystore would.

use common::models::internal::OpenMailbox;
use common::models::{AccountId, DeviceId, Generation, RegistrationId};
use futures_util::future::try_join_all;
use testkit::program::Program;

use super::INTERNAL;
use crate::error::BenchError;
use crate::http::{Connection, address, request};

/// Connections that open mailboxes at the same time.
const CLIENTS: usize = 16;

/// The registration id of all of them.
pub(super) const REGISTRATION: i64 = 1234;

/// The one device of each account.
pub(super) fn device() -> Result<DeviceId, BenchError> {
    DeviceId::new(1).map_err(|error| BenchError::of("a device id", error))
}

/// Opens the mailbox of the one device of each account.
///
/// # Errors
/// The first that cannot be opened.
pub(super) async fn open(mailbox: &Program, accounts: &[AccountId]) -> Result<(), BenchError> {
    let address = address(&mailbox.internal_url)?;
    let registration_id =
        RegistrationId::new(REGISTRATION).map_err(|error| BenchError::of("a registration id", error))?;
    let parts = accounts.chunks(accounts.len().div_ceil(CLIENTS).max(1));
    let opened = parts.map(async |part| {
        let failed = |error| BenchError::Io("opening mailboxes", error);
        let mut connection = Connection::open(address).await.map_err(failed)?;
        for account in part {
            let body = OpenMailbox { generation: Generation::new(), registration_id };
            let body = serde_json::to_vec(&body).map_err(|error| BenchError::of("a body", error))?;
            let path = format!("/internal/mailbox/v1/mailboxes/{account}/1");
            let request = request("PUT", &path, INTERNAL, &body);
            connection.exchange(&request).await.map_err(failed)?.success("opening a mailbox")?;
        }
        Ok(())
    });
    try_join_all(opened).await.map(drop)
}
