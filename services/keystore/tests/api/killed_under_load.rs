//! The program, killed again and again while keys are uploaded and fetched.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::models::{AccountId, SystemClock};
use db::Db;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::TestClient;
use testkit::on_both;
use testkit::signal::{DeviceRegistration, Identity, kyber_pre_keys, pre_keys};
use testkit::wait::{wait_for_within, wait_until};
use tokio_util::sync::CancellationToken;

use crate::events::rows_of;
use crate::killed::{kill_and_restart, program};
use crate::peers::Peers;

const FETCHERS: usize = 6;
const KILLS: usize = 5;
/// Keys that are given out between two kills.
const BETWEEN: usize = 40;
/// Keys of each kind in an upload.
const UPLOAD: usize = 10;
/// Before the same request is made to a program that is down.
const PAUSE: Duration = Duration::from_millis(20);

/// One-time keys that fetchers have received, by kind and id.
#[derive(Default)]
struct Received(Mutex<Vec<(&'static str, i64)>>);

impl Received {
    fn add(&self, bundle: &Value, last_resort: i64) {
        let device = &bundle["devices"][0];
        let ids = ["preKey", "pqPreKey"].map(|kind| (kind, device[kind]["keyId"].as_i64()));
        let one_time =
            ids.into_iter().filter_map(|(kind, id)| Some((kind, id.filter(|id| *id != last_resort)?)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(one_time);
    }

    fn all(&self) -> Vec<(&'static str, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes a request; `None` when it had no answer that counts.
async fn ask(client: &TestClient, method: Method, path: &str, body: Option<&Value>) -> Option<Value> {
    let request = client.request(method, path);
    let request = if let Some(body) = body { request.json(body) } else { request };
    let answer = request.send().await.ok().filter(|answer| answer.status() == 200)?;
    answer.json().await.ok()
}

/// Fetches until it is told to stop.
async fn fetch(
    client: TestClient,
    path: String,
    last_resort: i64,
    (received, stop): (Arc<Received>, CancellationToken),
) {
    while !stop.is_cancelled() {
        match ask(&client, Method::GET, &path, None).await {
            Some(bundle) => received.add(&bundle, last_resort),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Uploads keys, each request until it is answered, and stops between two. Returns the id behind the last one.
async fn upload(client: TestClient, identity: Identity, first: i64, stop: CancellationToken) -> i64 {
    let mut next = first;
    while !stop.is_cancelled() {
        let keys =
            json!({"preKeys": pre_keys(next, UPLOAD), "pqPreKeys": kyber_pre_keys(&identity, next, UPLOAD)});
        // An upload that is repeated since its answer was lost may find keys of its own given out.
        while ask(&client, Method::PUT, "/v1/keys", Some(&keys)).await.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
        next += i64::try_from(UPLOAD).unwrap();
    }
    next
}

on_both! {
    async fn no_key_is_given_twice_and_none_that_was_taken_in_is_lost(db: TestDb) {
        let peers = Peers::start(Arc::new(SystemClock)).await;
        let mut program = program(&db, &peers).await;
        let (account, identity) = (AccountId::new(), Identity::new());
        let registration = DeviceRegistration::new(&identity).with_keys(&identity, 0, 0);
        let last_resort = registration.pq_last_resort_pre_key.key_id;
        let session = program.http.with_token(peers.log_in(account).1);
        let registered = session.post("/v1/devices", &registration).await.expect(201).value();
        let owner = program.http.with_token(registered["accessToken"].as_str().unwrap());
        let stranger = program.http.with_token(peers.log_in(AccountId::new()).1);
        let path = format!("/v1/keys/{account}/1");

        let received = Arc::new(Received::default());
        let (uploading, fetching) = (CancellationToken::new(), CancellationToken::new());
        let uploader =
            tokio::spawn(upload(owner.clone(), identity.clone(), last_resort + 1, uploading.clone()));
        let fetchers = (0..FETCHERS).map(|_| {
            let shared = (Arc::clone(&received), fetching.clone());
            tokio::spawn(fetch(stranger.clone(), path.clone(), last_resort, shared))
        });
        let fetchers: Vec<_> = fetchers.collect();
        for kill in 1..=KILLS {
            wait_until("keys to be given out", || async { received.all().len() >= kill * BETWEEN }).await;
            kill_and_restart(&mut program).await;
        }
        uploading.cancel();
        let end = uploader.await.unwrap();
        // Up to 300 of each kind, which a loaded machine gives out slowly.
        wait_for_within(Duration::from_secs(120), "no key to be left", || async {
            let counts = owner.get("/v1/keys").await.value();
            ((&counts["count"], &counts["pqCount"]) == (&json!(0), &json!(0))).then_some(())
        })
        .await;
        fetching.cancel();
        join_all(fetchers).await;

        let given = received.all();
        let distinct: HashSet<_> = given.iter().collect();
        assert_eq!(distinct.len(), given.len(), "given twice");
        let uploaded = usize::try_from(end - last_resort - 1).unwrap() * 2;
        // Each kill may have cut off the answer to a fetch of each fetcher, with a key of each kind.
        let lost = uploaded - given.len();
        assert!(lost <= KILLS * FETCHERS * 2, "{lost} of {uploaded} keys reached nobody");
        let tables = Db::new(db.settings(), "keystore").unwrap();
        assert_eq!(rows_of(&tables, "issued_keys", account).await, i64::try_from(uploaded).unwrap());
    }
}
