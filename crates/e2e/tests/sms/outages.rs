//! Kafka or PostgreSQL away for long, with jobs, statuses and receipts under way: nothing is lost, nothing is said twice,
//! and the gateway heals without a restart.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use smpp::smsc::Span;
use testkit::database::TestDb;
use testkit::kafka::Kafka;
use testkit::postgres::Postgres;
use testkit::program::Program;
use testkit::wait::{wait_for_within, wait_until};
use tokio::time::{Duration, Instant, sleep_until, timeout};

use crate::killing::produce_paced;
use crate::metrics::total;
use crate::run::{Account, Operator, request};
use crate::secrecy::assert_discreet;
use crate::statuses::Statuses;
use crate::world::{KEY, World, simulator_table};

const SENDS: usize = 600;
/// Most of an outage comes after all this is over.
const UNKNOWN_AFTER: (&str, &str) = ("sms_gateway.unknown_after", "10s");
const BROKER_AWAY_FOR_LONG: [(&str, &str); 3] =
    [("bus.delivery_timeout", "4s"), ("bus.session_timeout", "2s"), UNKNOWN_AFTER];
/// What a producer may wait for its refusal.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// Kafka's: many times the timeouts above, which stand for the 10 and 30 seconds of production.
const BROKER_AWAY: Duration = Duration::from_secs(20);
/// PostgreSQL's: long enough for the lag to be read again, every 15 seconds.
const DATABASE_AWAY: Duration = Duration::from_secs(30);
/// Seconds that replace both, for long runs.
const SECONDS: &str = "SEALPOST_TEST_OUTAGE_SECONDS";
const WITHIN: Duration = Duration::from_secs(60);

fn length(usual: Duration) -> Duration {
    std::env::var(SECONDS).map_or(usual, |text| Duration::from_secs(text.parse().expect("seconds")))
}

/// Receipts come all the time that the other side is away.
fn spread_receipts(operator: &Operator, over: Duration) {
    operator.smsc.behave(|behaviour| {
        if let Some(receipts) = &mut behaviour.receipts {
            receipts.delay = Span { min: Duration::ZERO, max: over };
        }
    });
}

async fn ready(gateway: &Program, status: u16) {
    let what = format!("readiness {status}");
    wait_for_within(WITHIN, &what, || async {
        (gateway.internal.get("/health/ready").await.status == status).then_some(())
    })
    .await;
}

/// Checks that it is the process that was started first.
async fn assert_never_restarted(gateway: &Program) {
    gateway.internal.get("/health/live").await.assert_status(200);
    assert_eq!(gateway.log().matches("ready http=").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_of_the_broker_loses_nothing_and_heals() {
    let mut kafka = Kafka::start().await.unwrap();
    let (world, db) = (Arc::new(World::on(kafka.bootstrap()).await), TestDb::postgres().await);
    let operator = Operator::start(7).await;
    let away = length(BROKER_AWAY);
    spread_receipts(&operator, away);
    let gateway = world.gateway_with(&db, &simulator_table(&operator.smsc), &BROKER_AWAY_FOR_LONG).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    produce_paced(&world, 0..SENDS / 2, Duration::ZERO).await.await.unwrap();
    operator.accepted(SENDS as u64 / 8).await;

    kafka.kill();
    let back = Instant::now() + away;
    ready(&gateway, 503).await;
    // Nobody is told "accepted" that is not.
    let post = gateway.http.with_token(KEY).request(Method::POST, "/v1/sms");
    let post = post.header("content-type", "application/json").body(request(world.maker(), SENDS));
    let refused = timeout(REFUSED_WITHIN, post.send()).await.expect("an answer in time").unwrap();
    let unavailable = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
    assert!(unavailable.contains(&refused.status()), "{}", refused.status());
    // The SMSC is served and heard meanwhile.
    let delivered = operator.smsc.counts().borrow().delivered;
    wait_until("receipts", || async { operator.smsc.counts().borrow().delivered > delivered }).await;
    sleep_until(back).await;
    spread_receipts(&operator, Duration::ZERO);
    kafka.restart().await.unwrap();

    ready(&gateway, 200).await;
    produce_paced(&world, SENDS / 2..SENDS, Duration::ZERO).await.await.unwrap();
    let account = Account::settled(&gateway.http, &operator, SENDS, WITHIN).await;
    account.assert_honest(&operator, SENDS, 0);
    account.assert_published(&gateway.http, &statuses).await;
    assert_never_restarted(&gateway).await;
    assert_discreet(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_of_the_database_loses_nothing_and_heals_and_shows_as_lag() {
    const LAG: &str = "bus_worker_lag_records{worker=\"sms-intake\"";
    let mut postgres = Postgres::start().await.unwrap();
    let (world, db) = (Arc::new(World::shared().await), TestDb::on_server(&postgres.url()));
    let operator = Operator::start(8).await;
    let away = length(DATABASE_AWAY);
    spread_receipts(&operator, away);
    let gateway = world.gateway_with(&db, &simulator_table(&operator.smsc), &[UNKNOWN_AFTER]).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    produce_paced(&world, 0..SENDS / 2, Duration::ZERO).await.await.unwrap();
    operator.accepted(SENDS as u64 / 8).await;

    postgres.crash().await.unwrap();
    let back = Instant::now() + away;
    ready(&gateway, 503).await;
    produce_paced(&world, SENDS / 2..SENDS, Duration::ZERO).await.await.unwrap();
    wait_for_within(away, "the lag to grow", || async {
        (total(&gateway, LAG).await >= SENDS as u64 / 2).then_some(())
    })
    .await;
    sleep_until(back).await;
    spread_receipts(&operator, Duration::ZERO);
    postgres.restart().await.unwrap();

    ready(&gateway, 200).await;
    wait_for_within(WITHIN, "the lag to end", || async { (total(&gateway, LAG).await == 0).then_some(()) })
        .await;
    let account = Account::settled(&gateway.http, &operator, SENDS, WITHIN).await;
    // What the SMSC said meanwhile is stored before anything is given up.
    account.assert_honest(&operator, SENDS, 0);
    account.assert_published(&gateway.http, &statuses).await;
    assert_never_restarted(&gateway).await;
    assert_discreet(&gateway).await;
}
