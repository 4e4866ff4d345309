//! Several gateways in one group, on one database: they come and go under load.

use std::sync::Arc;

use testkit::database::TestDb;
use testkit::wait::wait_until;
use tokio::time::Duration;

use crate::killing::{produce, produce_paced};
use crate::metrics::total;
use crate::run::{Account, Operator};
use crate::secrecy::assert_discreet;
use crate::statuses::Statuses;
use crate::world::{World, simulator_table};

const SENDS: usize = 3_000;
/// Between two chunks of the producer: the whole takes longer than the members take to come and go.
const PACE: Duration = Duration::from_millis(250);
/// Records that a rebalance has certainly been seen after.
const SHARE: u64 = 200;
const WITHIN: Duration = Duration::from_secs(45);

const SUBMITTED: &str = "sealpost_sms_submitted_total";
const REPLAYS: &str = "sealpost_sms_requests_total{outcome=\"replay\"";
const CONSUMED: &str = "bus_worker_consumed_total{worker=\"sms-intake\"";
const RECEIPTS: &str = "sealpost_sms_receipts_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_join_and_leave_under_load_and_a_clean_stop_replays_nothing() {
    let (world, db) = (Arc::new(World::shared().await), TestDb::postgres().await);
    let operator = Operator::start(9).await;
    let table = simulator_table(&operator.smsc);
    let mut first = world.gateway(&db, &table).await;
    let mut second = world.gateway(&db, &table).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    // Two share the load, then three.
    let producing = produce_paced(&world, 0..SENDS, PACE).await;
    let third = world.gateway(&db, &table).await;
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
    assert!(!producing.is_finished(), "all this was to happen under load");
    second.kill();
    producing.await.unwrap();
    let account = Account::settled(&third.http, &operator, SENDS, WITHIN).await;
    account.assert_honest(&operator, SENDS, 1);
    account.assert_published(&statuses).await;
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
    account.assert_published(&statuses).await;
    assert_eq!((total(&listener, SUBMITTED).await, total(&submitter, RECEIPTS).await), (0, 0));
    assert!(total(&submitter, SUBMITTED).await >= FEW as u64);
    let delivered = operator.smsc.counts().borrow().delivered;
    wait_until("all receipts", || async { total(&listener, RECEIPTS).await >= delivered }).await;
}
