//! Devices that appear while others send, and fetchers that want the same keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use common::models::{AccountId, DeviceId};
use futures_util::future::join_all;
use serde_json::Value;
use testkit::database::TestDb;
use testkit::program::{Program, ProgramSettings};
use testkit::signal::DeviceRegistration;

use crate::harness::{Front, assembled};
use crate::people::{Device, Person, Target, body, text};

/// Devices that bob links while others write to him.
const LINKED: usize = 4;

/// Messages that each sender goes on to send when all are linked.
const AFTERWARDS: usize = 5;

testkit::on_both! {
    async fn a_device_that_is_linked_during_sends_is_never_skipped(db: TestDb) {
        let host = assembled(&db).await;
        let front = Front::one(&host.url);
        let (bob, first) = Person::with_device(&front).await;
        let senders: Vec<Device> =
            join_all((0..6).map(|_| async { Person::with_device(&front).await.1 })).await;
        let (clock, linked) = (Ticks::default(), AtomicU64::new(0));

        let linking = async {
            let mut devices = vec![(first, 0)];
            for _ in 0..LINKED {
                let device = bob.device().await;
                devices.push((device, clock.tick()));
            }
            linked.store(1, Ordering::SeqCst);
            devices
        };
        let sending = senders.iter().enumerate().map(|(number, sender)| {
            keep_sending(number, sender, bob.account, &clock, &linked)
        });
        let (devices, sent) = tokio::join!(linking, join_all(sending));
        let sent: Vec<Sent> = sent.into_iter().flatten().collect();

        for (device, since) in &devices {
            let skipped = sent.iter().find(|send| send.began > *since && !send.devices.contains(&device.id));
            assert!(skipped.is_none(), "{} was linked at {since} and skipped by {skipped:?}", device.id);
        }
        for earlier in &sent {
            let smaller = sent
                .iter()
                .find(|later| later.began > earlier.ended && !later.devices.is_superset(&earlier.devices));
            assert!(smaller.is_none(), "{earlier:?} was followed by {smaller:?}");
        }
        let sizes: BTreeSet<usize> = sent.iter().map(|send| send.devices.len()).collect();
        assert!(sizes.len() > 1 && sizes.contains(&(LINKED + 1)), "nobody sent while devices were linked: {sizes:?}");
        for (device, _) in &devices {
            let expected: BTreeSet<&str> =
                sent.iter().filter(|send| send.devices.contains(&device.id)).map(|send| &*send.text).collect();
            let (backlog, _) = device.socket().await.backlog().await;
            let found: BTreeSet<String> = backlog.iter().map(text).collect();
            assert!(found.iter().map(String::as_str).eq(expected), "device {} holds something else", device.id);
            assert_eq!(found.len(), backlog.len());
        }
        host.stop().await;
    }
}

/// A counter that says what happened before what.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

impl Ticks {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// A send that was accepted.
#[derive(Debug)]
struct Sent {
    text: String,
    /// Just before its request left.
    began: u64,
    /// Just after its answer came.
    ended: u64,
    /// The devices of the receipt.
    devices: BTreeSet<DeviceId>,
}

/// Sends until `AFTERWARDS` messages were accepted after `done`; learns of devices from refusals, as an app does.
async fn keep_sending(
    number: usize,
    sender: &Device,
    to: AccountId,
    clock: &Ticks,
    done: &AtomicU64,
) -> Vec<Sent> {
    let (mut sent, mut afterwards) = (Vec::new(), 0);
    let mut targets = targets_of(&sender.bundle(to).await);
    while afterwards < AFTERWARDS {
        let text = format!("{number}/{}", sent.len());
        let all_linked = done.load(Ordering::SeqCst) > 0;
        let began = clock.tick();
        let key = uuid::Uuid::new_v4().to_string();
        let answer = sender.put(to, &body(&targets, &text), &key).await;
        match answer.status.as_u16() {
            200 => {
                let receipts = answer.value()["devices"].as_array().unwrap().clone();
                let devices = receipts.iter().map(|one| read(&one["deviceId"])).collect();
                sent.push(Sent { text, began, ended: clock.tick(), devices });
                afterwards += usize::from(all_linked);
            }
            409 => targets = targets_of(&sender.bundle(to).await),
            _ => panic!("{}: {}", answer.status, answer.text()),
        }
    }
    sent
}

fn targets_of(bundle: &Value) -> Vec<Target> {
    let devices = bundle["devices"].as_array().unwrap();
    devices
        .iter()
        .map(|device| Target {
            device: read(&device["deviceId"]),
            registration_id: device["registrationId"].as_i64().unwrap(),
        })
        .collect()
}

fn read(device: &Value) -> DeviceId {
    serde_json::from_value(device.clone()).unwrap()
}

/// Fetchers at once, and keys of each kind that they share.
const FETCHERS: usize = 64;
const KEYS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keystores_give_each_key_to_one_fetcher() {
    let db = TestDb::postgres().await;
    let host = assembled(&db).await;
    let front = Front::one(&host.url);
    let jwks = format!("{}/.well-known/jwks.json", host.url);
    let settings = ProgramSettings {
        name: "sealpost-keystore",
        more: &[
            ("database.url", &db.settings().url),
            ("internal.auth_url", &host.internal_url),
            ("internal.mailbox_url", &host.internal_url),
            ("internal.jwks_url", &jwks),
            ("limits.enabled", "false"),
        ],
        ..ProgramSettings::default()
    };
    let other = Program::start(settings).await.unwrap();
    let bob = Person::register(&front).await;
    let registration = DeviceRegistration::new(&bob.identity).with_keys(&bob.identity, KEYS, KEYS);
    bob.register_device(&registration).await;
    let (_, alice) = Person::with_device(&front).await;
    let path = format!("/v1/keys/{}/*", bob.account);
    let keystores = [alice.keystore(), other.http.with_token(&alice.token)];

    let left = AtomicU64::new(KEYS as u64);
    let fetchers = (0..FETCHERS).map(|number| {
        let (keystore, path, left) = (&keystores[number % 2], &path, &left);
        async move {
            let mut keys = Vec::new();
            while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                let bundle = keystore.get(path).await.expect(200).value();
                keys.push(
                    ["preKey", "pqPreKey"].map(|kind| bundle["devices"][0][kind]["keyId"].as_i64().unwrap()),
                );
            }
            keys
        }
    });
    let keys = join_all(fetchers).await.concat();

    let every: BTreeMap<i64, usize> = (1..=KEYS as i64).map(|id| (id, 1)).collect();
    for kind in [0, 1] {
        let mut given = BTreeMap::new();
        keys.iter().for_each(|pair| *given.entry(pair[kind]).or_insert(0) += 1);
        assert_eq!(given, every, "each key once (kind {kind})");
    }
    for keystore in &keystores {
        let bundle = keystore.get(&path).await.expect(200).value();
        let device = &bundle["devices"][0];
        assert_eq!((&device["preKey"], &device["pqPreKey"]["keyId"]), (&Value::Null, &Value::from(1000)));
    }
    front.secrets.assert_absent("the log of keystore", &other.log());
    host.stop().await;
}
