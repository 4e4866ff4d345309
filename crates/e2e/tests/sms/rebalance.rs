//! Several gateways in one group, on one database: they come and go under load.

use std::sync::Arc;

use testkit::database::TestDb;
use testkit::wait::wait_until;
use tokio::task::JoinHandle;
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::killing::{CHUNK, produce, produce_paced};
use crate::metrics::total;
use crate::run::{Account, Operator};
use crate::secrecy::assert_discreet;
use crate::statuses::Statuses;
use crate::world::{World, simulator_table};

/// Between two chunks of the producer.
const PACE: Duration = Duration::from_millis(250);
/// Records that a rebalance has certainly been seen after.
const SHARE: u64 = 200;
/// Longer than the sessions of a killed member last.
const WITHIN: Duration = Duration::from_secs(60);

const SUBMITTED: &str = "sealpost_sms_submitted_total";
const REPLAYS: &str = "sealpost_sms_requests_total{outcome=\"replay\"";
const CONSUMED: &str = "bus_worker_consumed_total{worker=\"sms-intake\"";
const RECEIPTS: &str = "sealpost_sms_receipts_total";

/// Puts sends on Kafka, bit by bit, until it is told that they are enough; gives their number.
fn produce_until_told(world: &Arc<World>) -> (CancellationToken, JoinHandle<usize>) {
    let enough = CancellationToken::new();
    let (world, told) = (world.clone(), enough.clone());
    let producing = tokio::spawn(async move {
        let mut sends = 0;
        while !told.is_cancelled() {
            produce_paced(&world, sends..sends + CHUNK, PACE).await.await.unwrap();
            sends += CHUNK;
        }
        sends
    });
    (enough, producing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_join_and_leave_under_load_and_a_clean_stop_replays_nothing() {
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(9).await;
    let table = simulator_table(&operator.smsc);
    // What dies with one of them is soon told of.
    let more = [("sms_gateway.unknown_after", "10s")];
    let mut first = world.gateway_with(&db, &table, &more).await;
    let mut second = world.gateway_with(&db, &table, &more).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    // Two share the load, then three; the load lasts until all this has happened.
    let (enough, producing) = produce_until_told(&world);
    let third = world.gateway_with(&db, &table, &more).await;
    for gateway in [&first, &second, &third] {
        let shares = || async { total(gateway, CONSUMED).await > 0 && total(gateway, SUBMITTED).await > 0 };
        wait_until("a share for each", shares).await;
    }

    // One leaves in order: what it has taken is finished and committed.
    first.stop().await.unwrap();
    let consumed = async || total(&second, CONSUMED).await + total(&third, CONSUMED).await;
    let before = consumed().await;
    wait_until("its share for the others", || async { consumed().await > before + SHARE }).await;
    for gateway in [&second, &third] {
        assert_eq!(total(gateway, REPLAYS).await, 0, "the others were given what had been taken");
    }

    // One is killed: the last one goes on alone.
    second.kill();
    enough.cancel();
    let sends = producing.await.unwrap();
    let account = Account::settled(&third.http, &operator, sends, WITHIN).await;
    account.assert_honest(&operator, sends, 1);
    account.assert_published(&third.http, &statuses).await;
    assert_discreet(&third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_matched_by_an_instance_that_has_not_submitted() {
    const FEW: usize = 100;
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(10).await;
    let bound = |kind| format!("{}bind = \"{kind}\"\n", simulator_table(&operator.smsc));
    let submitter = world.gateway(&db, &bound("transmitter")).await;
    let listener = world.gateway(&db, &bound("receiver")).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    produce(&world, FEW).await.await.unwrap();

    let account = Account::settled(&listener.http, &operator, FEW, WITHIN).await;
    account.assert_honest(&operator, FEW, 0);
    account.assert_published(&listener.http, &statuses).await;
    assert_eq!((total(&listener, SUBMITTED).await, total(&submitter, RECEIPTS).await), (0, 0));
    assert!(total(&submitter, SUBMITTED).await >= FEW as u64);
    let delivered = operator.smsc.counts().borrow().delivered;
    wait_until("all receipts", || async { total(&listener, RECEIPTS).await >= delivered }).await;
}
