//! kill -9 of the gateway in the middle of thousands of sends: nothing is lost, nothing is sent twice.

use std::ops::Range;
use std::sync::Arc;

use bus::Record;
use testkit::database::TestDb;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use crate::cases::Maker;
use crate::random::Random;
use crate::run::{Account, Operator, correl, request};
use crate::secrecy::assert_discreet;
use crate::statuses::Statuses;
use crate::world::{HASTY, World, simulator_table};

const SENDS: usize = 2_000;
const KILLS: usize = 4;
/// Records of one call of the producer.
pub(crate) const CHUNK: usize = 50;
const WITHIN: Duration = Duration::from_secs(45);

/// Puts all sends on Kafka, bit by bit, beside the test.
pub(crate) async fn produce(world: &Arc<World>, sends: usize) -> JoinHandle<()> {
    produce_paced(world, 0..sends, Duration::ZERO).await
}

/// The same with some of the sends, and a pause after each bit.
pub(crate) async fn produce_paced(world: &Arc<World>, sends: Range<usize>, pace: Duration) -> JoinHandle<()> {
    produce_made(world, sends, pace, request).await
}

/// The same with requests that are made like this.
pub(crate) async fn produce_made(
    world: &Arc<World>,
    sends: Range<usize>,
    pace: Duration,
    make: fn(&Maker, usize) -> Vec<u8>,
) -> JoinHandle<()> {
    let sealed = {
        let world = world.clone();
        let seal = move || -> Vec<_> {
            // A key for each, so that all partitions have some.
            let record = |index| Record {
                key: Some(correl(index).into_bytes()),
                ..world.record(Some(make(world.maker(), index)))
            };
            sends.map(record).collect()
        };
        tokio::task::spawn_blocking(seal).await.unwrap()
    };
    let world = world.clone();
    tokio::spawn(async move {
        for chunk in sealed.chunks(CHUNK) {
            world.produce(chunk.to_vec()).await;
            sleep(pace).await;
        }
    })
}

/// Kills the only gateway at random moments and starts it again.
async fn kill_at_random(seed: u64) {
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(seed).await;
    let mut gateway = world.gateway_with(&db, &simulator_table(&operator.smsc), &HASTY).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let points = Random::seeded(seed).points(KILLS, SENDS as u64 * 8 / 10);

    let producing = produce(&world, SENDS).await;
    for point in points {
        operator.accepted(point).await;
        gateway.kill();
        gateway.restart().await.unwrap();
    }
    producing.await.unwrap();

    let account = Account::settled(&gateway.http, &operator, SENDS, WITHIN).await;
    account.assert_honest(&operator, SENDS, KILLS);
    account.assert_published(&gateway.http, &statuses).await;
    assert_discreet(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_gateway_loses_nothing_and_doubles_nothing() {
    kill_at_random(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_gateway_loses_nothing_and_doubles_nothing_at_other_moments() {
    kill_at_random(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_share_the_load_and_each_outlives_the_other() {
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(3).await;
    let table = simulator_table(&operator.smsc);
    let mut first = world.gateway_with(&db, &table, &HASTY).await;
    let mut second = world.gateway_with(&db, &table, &HASTY).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let points = Random::seeded(3).points(2, SENDS as u64 / 2);

    let producing = produce(&world, SENDS).await;
    operator.accepted(points[0]).await;
    first.kill();
    operator.accepted(points[1] + SENDS as u64 / 4).await;
    first.restart().await.unwrap();
    second.kill();
    producing.await.unwrap();

    let account = Account::settled(&first.http, &operator, SENDS, WITHIN).await;
    account.assert_honest(&operator, SENDS, 2);
    account.assert_published(&first.http, &statuses).await;
    second.restart().await.unwrap();
    for gateway in [&first, &second] {
        assert_discreet(gateway).await;
    }
}
