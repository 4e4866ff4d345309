//! kill -9 of the Kafka broker in the middle of a run: the gateway heals by itself.

use std::sync::Arc;

use testkit::database::TestDb;
use testkit::kafka::Kafka;
use tokio::time::Duration;

use crate::killing::produce;
use crate::random::Random;
use crate::run::{Account, Operator};
use crate::secrecy::assert_discreet;
use crate::statuses::Statuses;
use crate::world::{World, simulator_table};

const SENDS: usize = 1_000;
const SEED: u64 = 4;
const WITHIN: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing_and_the_gateway_heals() {
    let mut kafka = Kafka::start().await.unwrap();
    let (world, db) = (Arc::new(World::on(kafka.bootstrap()).await), TestDb::postgres().await);
    let operator = Operator::start(SEED).await;
    let gateway = world.gateway(&db, &simulator_table(&operator.smsc)).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let points = Random::seeded(SEED).points(2, SENDS as u64 / 2);

    let producing = produce(&world, SENDS).await;
    for point in points {
        operator.accepted(point).await;
        kafka.kill();
        kafka.restart().await.unwrap();
    }
    producing.await.unwrap();

    let account = Account::settled(&gateway.http, &operator, SENDS, WITHIN).await;
    account.assert_honest(&operator, SENDS, 0);
    // What the dead broker had taken and not confirmed is not published again.
    account.assert_published(&gateway.http, &statuses).await;
    assert_discreet(&gateway).await;
}
