//! Two SMSCs that are not ours, each killed in the middle: the gateway goes on over the other, and binds again.

use std::collections::HashSet;

use common::models::sms::SmsState;
use testkit::database::TestDb;
use testkit::perl_smsc::{self, PerlSmsc};
use testkit::smsc_peers::{NodeSmsc, NodeSmscSettings};
use testkit::wait::wait_until;

use crate::cases::ACME;
use crate::secrecy::{NUMBERS, WHISPER, assert_discreet};
use crate::statuses::Statuses;
use crate::world::{World, smsc_table};

/// Sends of one phase.
const SENDS: usize = 30;

struct Peers {
    world: World,
    statuses: Statuses,
    node: NodeSmsc,
    perl: PerlSmsc,
}

impl Peers {
    async fn send(&self, phase: &str) {
        let request = |index| {
            let text = format!("To: +{NUMBERS}{index:04}\nSender: TEST\n\n{WHISPER} {}", id(phase, index));
            serde_json::to_vec(&self.world.maker().request(ACME, &id(phase, index), &text)).unwrap()
        };
        self.world.produce((0..SENDS).map(|index| self.world.record(Some(request(index)))).collect()).await;
    }

    fn states(&self, phase: &str, index: usize) -> Vec<SmsState> {
        let said = self.statuses.said(&id(phase, index));
        said.iter().map(|one| one.status.sms_status).collect()
    }

    /// Waits until every send of a phase was delivered.
    async fn delivered(&self, phase: &str) {
        for index in 0..SENDS {
            self.statuses.wait(&id(phase, index), 2).await;
            assert_eq!(
                self.states(phase, index),
                [SmsState::Sent, SmsState::Delivered],
                "{}",
                id(phase, index)
            );
        }
    }

    /// Waits until every send of a phase has been told of; an SMSC that was killed takes outcomes and receipts along.
    async fn told(&self, phase: &str) {
        for index in 0..SENDS {
            self.statuses.wait(&id(phase, index), 1).await;
            let states = self.states(phase, index);
            let honest = [&[SmsState::Sent][..], &[SmsState::Sent, SmsState::Delivered], &[SmsState::Failed]];
            assert!(honest.contains(&states.as_slice()), "{}: {states:?}", id(phase, index));
        }
    }

    fn by_node(&self) -> Vec<String> {
        let text = |event: &serde_json::Value| event["text"].as_str().unwrap_or_default().to_owned();
        self.node.events("submit_sm").iter().map(text).collect()
    }

    fn by_perl(&self) -> Vec<String> {
        self.perl.events("submit_sm")
    }

    fn binds(&self) -> (usize, usize) {
        let accepted = |event: &&serde_json::Value| event["accepted"] == true;
        (
            self.node.events("bind_transceiver").iter().filter(accepted).count(),
            self.perl.events("bind_transceiver").iter().filter(|answer| *answer == "accepted").count(),
        )
    }
}

fn id(phase: &str, index: usize) -> String {
    format!("{phase}-{index}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_independent_smscs_are_served_and_outlived() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let node = NodeSmsc::start(NodeSmscSettings { hold_ms: 20, ..Default::default() }).await.unwrap();
    let perl = PerlSmsc::start().await.unwrap();
    let tables = smsc_table("node", node.port(), ("sealpost", "secret"))
        + &smsc_table("perl", perl.port(), (perl_smsc::SYSTEM_ID, perl_smsc::PASSWORD));
    let gateway = world.gateway(&db, &tables).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let mut peers = Peers { world, statuses, node, perl };
    wait_until("both binds", || async { peers.binds() == (1, 1) }).await;

    // The first of the list serves.
    peers.send("calm").await;
    peers.delivered("calm").await;
    assert_eq!((peers.by_node().len(), peers.by_perl().len()), (SENDS, 0));

    // It is killed under load: what it did not get goes over the other.
    peers.send("node-dies").await;
    wait_until("load on node", || async { peers.by_node().len() >= SENDS + SENDS / 3 }).await;
    peers.node.kill();
    peers.told("node-dies").await;
    peers.send("perl-alone").await;
    peers.delivered("perl-alone").await;
    assert!(peers.by_perl().len() >= SENDS);

    // It comes back, and the other is killed: nobody notices.
    peers.node.restart().await.unwrap();
    wait_until("node bound again", || async { peers.binds().0 == 2 }).await;
    peers.perl.kill();
    peers.send("node-alone").await;
    peers.delivered("node-alone").await;

    // And the other way round, under load.
    peers.perl.restart().await.unwrap();
    wait_until("perl bound again", || async { peers.binds().1 == 2 }).await;
    peers.node.kill();
    let before = peers.by_perl().len();
    peers.send("perl-dies").await;
    wait_until("load on perl", || async { peers.by_perl().len() >= before + SENDS / 3 }).await;
    peers.perl.kill();
    peers.perl.restart().await.unwrap();
    peers.node.restart().await.unwrap();
    peers.told("perl-dies").await;
    peers.send("both-again").await;
    peers.delivered("both-again").await;

    let texts: Vec<String> = [peers.by_node(), peers.by_perl()].concat();
    let distinct: HashSet<&String> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "no text was sent twice, over whichever SMSC");
    assert_discreet(&gateway).await;
}
