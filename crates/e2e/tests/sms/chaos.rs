//! Everything goes wrong at once: an SMSC that loses, delays, reorders, throttles, refuses and dies, with receipts that come
//! early, twice or never; gateways and the broker killed with SIGKILL. Seeds are fixed.
//!
//! What must hold at the end, message by message: it has a story; each status in it once, SENT never twice; no segment was
//! accepted twice; sent = delivered + failed + unknown, but for those whose receipt the SMSC withholds.
//!
//! `SEALPOST_TEST_CHAOS_SENDS` sets how many messages are sent; with many, run `cargo test --test e2e-sms chaos`, which has
//! no time limit.

mod ledger;
mod storm;

use std::collections::BTreeSet;
use std::sync::Arc;

use testkit::database::TestDb;
use testkit::http::TestClient;
use testkit::kafka::Kafka;
use testkit::program::Program;
use tokio::time::{Duration, Instant, sleep, timeout};

use self::ledger::Ledger;
use self::storm::Storm;
use crate::killing::produce_paced;
use crate::random::Random;
use crate::run::Account;
use crate::secrecy::assert_discreet;
use crate::standalone;
use crate::statuses::Statuses;
use crate::world::{HASTY, Tenants, World, simulator_table};

const SENDS: usize = 3_000;
const VARIABLE: &str = "SEALPOST_TEST_CHAOS_SENDS";
/// Between two chunks of the producer.
const PACE: Duration = Duration::from_millis(20);
/// Between two readings of the whole account.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Messages for each round of blows.
const ROUND: usize = 1_500;

/// Something that is killed, and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Gateway,
    Smsc,
    Broker,
}

fn sends() -> usize {
    std::env::var(VARIABLE).map_or(SENDS, |text| text.parse().expect("a number of messages"))
}

/// How long the end may take, with timeouts and repetitions of receipts.
fn within(sends: usize) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(20) * u32::try_from(sends).unwrap()
}

/// When which blow falls: at how many accepted segments.
fn blows(seed: u64, sends: usize, round: &[Blow]) -> Vec<(u64, Blow)> {
    let count = round.len() * (sends / ROUND).max(1);
    // Of what is sent some is lost or refused; and the last blow is to fall under load.
    let points = Random::seeded(seed).points(count, sends as u64 * 7 / 10);
    points.into_iter().zip(round.iter().copied().cycle()).collect()
}

async fn accepted(storm: &Storm, count: u64) {
    let mut counts = storm.smsc.counts();
    let reached = timeout(Duration::from_secs(60), counts.wait_for(|counts| counts.accepted >= count)).await;
    assert!(reached.is_ok(), "{:?}, never {count} accepted", storm.smsc.counts().borrow());
}

async fn strike_smsc(storm: &Storm) {
    storm.smsc.kill();
    storm.smsc.revive().await.unwrap();
}

async fn strike(program: &mut Program) {
    program.kill();
    program.restart().await.unwrap();
}

/// Waits until everything has come as far as it can, and checks the account.
async fn settled(
    storm: &Storm,
    http: &TestClient,
    sends: &BTreeSet<usize>,
    blows: &[(u64, Blow)],
) -> Account {
    let end = Instant::now() + within(sends.len());
    let account = loop {
        let account = Account::read(http).await;
        let open = Ledger::of(storm).open(&account, &(&account.sends() | sends));
        if open.is_empty() {
            break account;
        }
        let some = &open[..open.len().min(5)];
        assert!(Instant::now() < end, "{} messages have not ended, such as {some:?}", open.len());
        sleep(LOOK_EVERY).await;
    };
    let (ledger, told) = (Ledger::of(storm), account.sends());
    let tally = ledger.settle(&account, &told);
    let count = |kind| blows.iter().filter(|(_, blow)| *blow == kind).count();
    let most = ledger.may_be_unknown(&told, count(Blow::Gateway), count(Blow::Smsc));
    println!("{} messages after {} blows: {tally}; {most} could be unknown", told.len(), blows.len());
    assert!(tally.unknown <= most && tally.delivered > told.len() / 2, "{tally}; at most {most} unknown");
    account
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_on_kafka_and_postgresql_loses_nothing_and_doubles_nothing() {
    const SEED: u64 = 11;
    let sends = sends();
    let mut kafka = Kafka::start().await.unwrap();
    let (world, db) = (Arc::new(World::on(kafka.bootstrap()).await), TestDb::postgres().await);
    let storm = Storm::start(SEED).await;
    let mut gateway = world.gateway_with(&db, &simulator_table(&storm.smsc), &HASTY).await;
    let statuses = Statuses::of(&world.bus, &world.status);

    let producing = produce_paced(&world, 0..sends, PACE).await;
    let round = [Blow::Gateway, Blow::Smsc, Blow::Broker, Blow::Gateway];
    let blows = blows(SEED, sends, &round);
    for &(point, blow) in &blows {
        accepted(&storm, point).await;
        match blow {
            Blow::Gateway => strike(&mut gateway).await,
            Blow::Smsc => strike_smsc(&storm).await,
            Blow::Broker => {
                kafka.kill();
                kafka.restart().await.unwrap();
            }
        }
    }
    producing.await.unwrap();

    let account = settled(&storm, &gateway.http, &(0..sends).collect(), &blows).await;
    account.assert_published(&gateway.http, &statuses).await;
    assert_discreet(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_on_the_standalone_loses_nothing_and_doubles_nothing() {
    const SEED: u64 = 12;
    let sends = sends();
    let tenants = Arc::new(Tenants::new());
    let storm = Storm::start(SEED).await;
    let mut program = standalone::start(&tenants, &simulator_table(&storm.smsc)).await;

    let producing = standalone::produce(&program, &tenants, sends);
    let blows = blows(SEED, sends, &[Blow::Gateway, Blow::Smsc]);
    for &(point, blow) in &blows {
        accepted(&storm, point).await;
        match blow {
            Blow::Smsc => strike_smsc(&storm).await,
            _ => strike(&mut program).await,
        }
    }
    let answers = standalone::gather(producing).await;

    let account = settled(&storm, &program.http, &answers.taken, &blows).await;
    let perhaps = &account.sends() - &answers.taken;
    assert!(perhaps.is_subset(&answers.unclear), "{perhaps:?} were sent, and nobody took them");
    assert_discreet(&program).await;
}
