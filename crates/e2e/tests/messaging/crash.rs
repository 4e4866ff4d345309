//! kill -9 in the middle of traffic: what was answered with 200 arrives, in order, and nothing arrives as two.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use testkit::database::TestDb;
use testkit::host::{Apps, TestHost};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for_within, wait_until};

use crate::harness::{Front, Seeded, launch};
use crate::people::{Device, Person};
use crate::traffic::{ACCEPTED_WITHIN, Progress, receive, send_all};

/// Devices that send at once.
const SENDERS: usize = 24;
/// Messages that each sends.
const EACH: usize = 100;
/// How often the server is killed meanwhile.
const KILLS: u64 = 4;

testkit::on_both! {
    async fn a_killed_mailbox_loses_and_doubles_nothing(db: TestDb) {
        let (mut mailbox, others, front) = split(&db).await;

        survive(&mut mailbox, &front, 0x5ea1_9057).await;

        front.secrets.assert_absent("the log of mailbox", &mailbox.log());
        others.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_standalone_loses_and_doubles_nothing() {
    let settings = ProgramSettings {
        name: "sealpost",
        arguments: &["serve"],
        more: &[("limits.enabled", "false")],
        ..ProgramSettings::default()
    };
    let mut sealpost = Program::start(settings).await.unwrap();
    let front = Front::one(&sealpost.url);

    survive(&mut sealpost, &front, 0x0005_7a9d).await;

    front.secrets.assert_absent("the log of sealpost", &sealpost.log());
}

/// A mailbox as a process of its own; auth and keystore stay in this one.
async fn split(db: &TestDb) -> (Program, TestHost, Front) {
    let mut mailbox = prepare(&[]);
    let others = Apps::of::<auth::App>().and::<keystore::App>();
    let others = launch(others, db, &[("internal.mailbox_url", &mailbox.internal_url)]).await;
    start(&mut mailbox, db, &others).await;
    others.started().await;
    let front = Front::of(&others.url, &others.url, &mailbox.url);
    (mailbox, others, front)
}

/// A mailbox that does not run yet.
pub(crate) fn prepare(more: &[(&str, &str)]) -> Program {
    let more = [&[("limits.enabled", "false")], more].concat();
    let settings = ProgramSettings { name: "sealpost-mailbox", more: &more, ..ProgramSettings::default() };
    Program::prepare(settings).unwrap()
}

/// Starts a mailbox beside the other two services.
pub(crate) async fn start(mailbox: &mut Program, db: &TestDb, others: &TestHost) {
    mailbox.set("internal.auth_url", &others.internal_url);
    mailbox.set("internal.keystore_url", &others.internal_url);
    mailbox.set("internal.jwks_url", &format!("{}/.well-known/jwks.json", others.url));
    if db.settings().url.starts_with("postgres") {
        mailbox.set("database.url", &db.settings().url);
    }
    mailbox.restart().await.unwrap();
}

/// Senders and a receiver at work, while `server` is killed at points of their progress that `seed` chooses.
async fn survive(server: &mut Program, front: &Front, seed: u64) {
    let (_, bob) = Person::with_device(front).await;
    let senders: Vec<Device> =
        join_all((0..SENDERS).map(|_| async { Person::with_device(front).await.1 })).await;
    let (progress, total) = (Progress::default(), SENDERS * EACH);

    let sending = send_all(&senders, &bob, EACH, &progress);
    let (servers, mut killed) = ([&*front.mailbox_url], [server]);
    let receiving = receive(&bob, &servers, total, Seeded::new(seed));
    let killing = kill_at_random(&mut killed, total, &progress, Seeded::new(seed + 1));
    let (accepted, mut received, ()) = tokio::join!(sending, receiving, killing);

    assert_eq!(accepted.len(), total);
    received.assert_exactly(&accepted);
    assert!(progress.failures.load(Ordering::SeqCst) > 0, "nobody noticed the kills");
    assert!(received.connections > 1, "the receiver was never cut off");
    // The last acks may have been lost with the connection: then those envelopes come again, and no other.
    let (left, _) = bob.socket().await.backlog().await;
    left.into_iter().for_each(|envelope| received.note(envelope));
    assert_eq!(received.envelopes.len(), total, "there was more than what was accepted");
    wait_until("an empty mailbox", || async { bob.waiting().await.is_empty() }).await;
}

/// Kills the servers in turn while requests are under way: each time that some number of them has been accepted.
pub(crate) async fn kill_at_random(
    servers: &mut [&mut Program],
    total: usize,
    progress: &Progress,
    mut luck: Seeded,
) {
    let count = servers.len() as u64;
    let slice = total as u64 / (KILLS + 1);
    for kill in 0..KILLS {
        let point = (kill * slice + slice / 2 + luck.below(slice)) as usize;
        wait_for_within(ACCEPTED_WITHIN, "traffic", || async {
            (progress.accepted.load(Ordering::SeqCst) >= point).then_some(())
        })
        .await;
        servers[(kill % count) as usize].restart().await.unwrap();
    }
}
