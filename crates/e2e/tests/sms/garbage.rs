//! Whatever is put on the topic of requests: the gateway lives, and hands every record back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bus::Record;
use testkit::database::TestDb;
use testkit::wait::{wait_for_within, wait_until};
use tokio::time::Duration;

use crate::cases::{TEST, message};
use crate::random::Random;
use crate::secrecy::assert_discreet;
use crate::statuses::{Statuses, Tail};
use crate::world::{World, simulator, simulator_table};

const SEED: u64 = 6;
const RANDOM_RECORDS: usize = 200;
const LONGEST_RANDOM: u64 = 2_000;
/// Below the broker's limit of 1 MiB for a record.
const HUGE: usize = 1_000_000;
/// As large as the broker takes.
const LARGEST: usize = 1_048_500;
const WITHIN: Duration = Duration::from_secs(40);

fn garbage(world: &World) -> Vec<Record> {
    let mut random = Random::seeded(SEED);
    let mut records: Vec<Record> = (0..RANDOM_RECORDS)
        .map(|_| {
            let count = random.below(LONGEST_RANDOM) as usize;
            let key = random.bytes(12);
            Record { key: Some(key), ..world.record(Some(random.bytes(count))) }
        })
        .collect();
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let deeper = b"{\"client-id\":".repeat(50_000);
    let ids = br#"{"client-id":"test","correl-id":"#;
    for value in [
        None,
        Some(Vec::new()),
        Some(vec![0; HUGE]),
        Some(random.bytes(HUGE)),
        Some(deep),
        Some(deeper),
        Some(vec![b' '; 100_000]),
        Some(b"\xEF\xBB\xBF{}".to_vec()),
        Some([ids.as_slice(), b"\"", &b"x".repeat(HUGE), b"\"}"].concat()),
        Some([ids.as_slice(), b"\"\\ud800\"}"].concat()),
        Some([ids.as_slice(), b"\"a\\u0000b\"}"].concat()),
    ] {
        records.push(world.record(value));
    }
    let mut headers = world.record(Some(b"headers".to_vec()));
    for index in 0..200 {
        headers.headers.push(format!("error-{index}"), Some(random.bytes(50)));
        headers.headers.push("error", None);
    }
    records.push(headers);
    records.push(Record { key: Some(random.bytes(50_000)), ..world.record(None) });
    // With the headers of a dead letter it is larger than the broker takes.
    records.push(Record { key: None, ..world.record(Some(random.bytes(LARGEST))) });
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_becomes_dead_letters_and_the_gateway_lives() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let smsc = simulator(Default::default(), SEED).await;
    let gateway = world.gateway(&db, &simulator_table(&smsc)).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    // At least once: each is counted by where it comes from.
    let letters: Arc<Mutex<HashSet<[String; 2]>>> = Arc::default();
    let from = letters.clone();
    let _tail = Tail::of(&world.bus, &world.dead, move |letter| {
        let header = |name| letter.headers.get_str(name).expect(name).to_owned();
        from.lock().unwrap().insert([header("source-partition"), header("source-offset")]);
    });
    let records = garbage(&world);
    let wanted = records.len();

    for record in records {
        world.produce(vec![record]).await;
    }
    for index in 0..8 {
        world.request(&world.maker().request(TEST, &format!("after-{index}"), &message("S1D1"))).await;
    }

    wait_for_within(WITHIN, "all dead letters", || async {
        (letters.lock().unwrap().len() == wanted).then_some(())
    })
    .await;
    for index in 0..8 {
        statuses.wait(&format!("after-{index}"), 2).await;
    }
    wait_until("readiness", || async { gateway.internal.get("/health/ready").await.status == 200 }).await;
    assert_eq!(statuses.all().len(), 16, "garbage has no status");
    assert_discreet(&gateway).await;
}
