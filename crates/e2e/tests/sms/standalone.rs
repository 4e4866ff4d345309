//! kill -9 of `sealpost serve`, which is everything in one process: embedded bus, SQLite. Sends come over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use testkit::http::TestClient;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_for_within;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::random::Random;
use crate::run::{Account, Operator, request};
use crate::secrecy::assert_discreet;
use crate::world::{KEY, Tenants, simulator_table};

const SENDS: usize = 1_000;
const KILLS: usize = 3;
const SEED: u64 = 5;
/// Producers that send one request after the other.
const PRODUCERS: usize = 8;
/// Before a producer tries again to connect.
const AWAY: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(45);

/// What producers were answered.
#[derive(Default)]
pub(crate) struct Answers {
    /// 202: durable.
    pub(crate) taken: BTreeSet<usize>,
    /// The answer was lost with the process: perhaps taken.
    pub(crate) unclear: BTreeSet<usize>,
}

/// Starts it with the SMSCs of these tables.
pub(crate) async fn start(tenants: &Tenants, smscs: &str) -> Program {
    let file = tenants.section() + smscs;
    let settings = ProgramSettings {
        name: "sealpost",
        arguments: &["serve"],
        file: &file,
        more: &[("limits.enabled", "false"), ("sms_gateway.unknown_after", "3s")],
        ..ProgramSettings::default()
    };
    Program::start(settings).await.unwrap()
}

/// Lets all producers send, together so many requests.
pub(crate) fn produce(standalone: &Program, tenants: &Arc<Tenants>, sends: usize) -> JoinSet<Answers> {
    let mut producers = JoinSet::new();
    for first in 0..PRODUCERS {
        let mine = (first..sends).step_by(PRODUCERS);
        producers.spawn(produce_some(standalone.http.with_token(KEY), tenants.clone(), mine));
    }
    producers
}

/// Waits for the producers.
pub(crate) async fn gather(mut producers: JoinSet<Answers>) -> Answers {
    let mut answers = Answers::default();
    while let Some(one) = producers.join_next().await {
        let Answers { mut taken, mut unclear } = one.unwrap();
        answers.taken.append(&mut taken);
        answers.unclear.append(&mut unclear);
    }
    answers
}

/// Sends one request after the other. Tries again only what was certainly not received.
async fn produce_some(
    client: TestClient,
    tenants: Arc<Tenants>,
    sends: impl Iterator<Item = usize>,
) -> Answers {
    let mut answers = Answers::default();
    for index in sends {
        let body = request(&tenants.maker, index);
        loop {
            let post = client.request(Method::POST, "/v1/sms").header("content-type", "application/json");
            match post.body(body.clone()).send().await {
                Ok(answer) => {
                    assert_eq!(answer.status(), StatusCode::ACCEPTED);
                    answers.taken.insert(index);
                }
                Err(error) if error.is_connect() => {
                    sleep(AWAY).await;
                    continue;
                }
                Err(_) => drop(answers.unclear.insert(index)),
            }
            break;
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_standalone_keeps_what_it_took_and_doubles_nothing() {
    let tenants = Arc::new(Tenants::new());
    let operator = Operator::start(SEED).await;
    let mut standalone = start(&tenants, &simulator_table(&operator.smsc)).await;
    let producing = produce(&standalone, &tenants, SENDS);
    for point in Random::seeded(SEED).points(KILLS, SENDS as u64 * 8 / 10) {
        operator.accepted(point).await;
        standalone.kill();
        standalone.restart().await.unwrap();
    }
    let answers = gather(producing).await;

    let account = wait_for_within(WITHIN, "an end of every send", || async {
        let account = Account::read(&standalone.http).await;
        let told = account.sends();
        (told.is_superset(&answers.taken) && account.is_settled(&operator)).then_some(account)
    })
    .await;

    // A kill costs a producer its answer, and perhaps that of the next request, written to the dying connection.
    assert!(answers.taken.len() >= SENDS - 2 * KILLS * PRODUCERS, "{} taken", answers.taken.len());
    let perhaps = &account.sends() - &answers.taken;
    assert!(perhaps.is_subset(&answers.unclear), "{perhaps:?} were sent, and nobody took them");
    account.assert_honest_about(&operator, &account.sends(), KILLS);
    assert_discreet(&standalone).await;
}
