//! Devices whose bundles are fetched.

use common::models::AccountId;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::json;
use testkit::program::Program;
use testkit::signal::{DeviceRegistration, Identity, pre_keys};

use super::{Kind, UPLOAD};
use crate::error::BenchError;
use crate::http::{self, Connection, address};
use crate::messaging::World;

/// Registrations at the same time.
const CLIENTS: usize = 8;

/// What is needed of the answer to a registration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    access_token: String,
}

/// Registers a device for each account, with its one-time keys.
///
/// # Errors
/// When keystore refuses one.
pub(super) async fn register(
    world: &World,
    keystore: &Program,
    accounts: &[AccountId],
    kind: Kind,
) -> Result<(), BenchError> {
    let address = address(&keystore.url)?;
    let parts = accounts.chunks(accounts.len().div_ceil(CLIENTS).max(1));
    let registered = parts.map(async |part| {
        let failed = |error| BenchError::Io("registering devices", error);
        let mut connection = Connection::open(address).await.map_err(failed)?;
        for account in part {
            let uploads = kind.uploaded(&world.plan) / UPLOAD;
            let making = tokio::task::spawn_blocking(move || bodies(kind, uploads));
            let (device, uploads) = making.await.map_err(|error| BenchError::of("a device", error))?;
            let request = http::request("POST", "/v1/devices", &world.auth.token(*account, None), &device);
            let answer = connection.exchange(&request).await.map_err(failed)?;
            answer.success("registering a device")?;
            // Keys are taken from the session that registered the device, and from no other.
            let registered: Registered = serde_json::from_slice(answer.body)
                .map_err(|error| BenchError::of("a registration", error))?;
            for upload in uploads {
                let request = http::request("PUT", "/v1/keys", &registered.access_token, &upload);
                connection.exchange(&request).await.map_err(failed)?.success("an upload of keys")?;
            }
        }
        Ok(())
    });
    try_join_all(registered).await.map(drop)
}

/// The body of a registration, which brings 100 keys of a kind, and of the uploads that bring the others.
fn bodies(kind: Kind, uploads: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let identity = Identity::new();
    let pq = if kind == Kind::One { 0 } else { UPLOAD };
    let device = DeviceRegistration::new(&identity).with_keys(&identity, UPLOAD, pq);
    let more = (1..uploads).map(|number| {
        let first = (number * UPLOAD + 1) as i64;
        json!({ "preKeys": pre_keys(first, UPLOAD) }).to_string().into_bytes()
    });
    (json!(device).to_string().into_bytes(), more.collect())
}
