//! Three SMSCs that are not ours, each killed under load: the gateway goes on over the next one, and binds again.

use std::collections::HashSet;

use common::models::sms::SmsState;
use testkit::database::TestDb;
use testkit::smsc_peers::{PASSWORD, Peer, PeerSmsc, SYSTEM_ID};
use testkit::wait::wait_until;

use crate::cases::ACME;
use crate::metrics::total;
use crate::secrecy::{NUMBERS, WHISPER, assert_discreet};
use crate::statuses::Statuses;
use crate::world::{World, smsc_table};

/// In order of preference.
const PEERS: [(&str, Peer); 3] = [("node", Peer::Node), ("perl", Peer::Perl), ("smpp34", Peer::Smpp34)];
const BOUND: &str = "sealpost_sms_bound{";
/// Sends of one phase.
const SENDS: usize = 30;

struct Phases {
    world: World,
    statuses: Statuses,
}

impl Phases {
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

    /// Sends, and waits until everything was delivered.
    async fn delivered(&self, phase: &str) {
        self.send(phase).await;
        for index in 0..SENDS {
            self.statuses.wait(&id(phase, index), 2).await;
            let states = self.states(phase, index);
            assert_eq!(states, [SmsState::Sent, SmsState::Delivered], "{}", id(phase, index));
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
}

fn id(phase: &str, index: usize) -> String {
    format!("{phase}-{index}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_independent_smscs_are_served_and_outlived() {
    let (world, db) = (World::shared().await, TestDb::postgres().await);
    let (mut smscs, mut tables) = (Vec::new(), String::new());
    for (name, peer) in PEERS {
        let smsc = PeerSmsc::start(peer).await.unwrap();
        tables += &smsc_table(name, smsc.port(), (SYSTEM_ID, PASSWORD));
        smscs.push(smsc);
    }
    // What dies with an SMSC is soon told of.
    let gateway = world.gateway_with(&db, &tables, &[("sms_gateway.unknown_after", "8s")]).await;
    let statuses = Statuses::of(&world.bus, &world.status);
    let phases = Phases { world, statuses };
    wait_until("all binds", || async { total(&gateway, BOUND).await == PEERS.len() as u64 }).await;

    // The first of the list serves.
    phases.delivered("calm").await;
    assert_eq!(smscs.iter().map(|smsc| smsc.texts().len()).collect::<Vec<_>>(), [SENDS, 0, 0]);

    // One after the other is killed under load: what it did not get goes over the next one.
    let mut binds = Vec::new();
    for (served, (name, _)) in PEERS.iter().enumerate() {
        let before = smscs[served].texts().len();
        phases.send(&format!("{name}-dies")).await;
        wait_until("load", || async { smscs[served].texts().len() >= before + SENDS / 3 }).await;
        smscs[served].kill();
        binds.push(smscs[served].binds());
        if served + 1 == PEERS.len() {
            for smsc in &mut smscs {
                smsc.restart().await.unwrap();
            }
        }
        phases.told(&format!("{name}-dies")).await;
        phases.delivered(&format!("after-{name}")).await;
        if let Some(next) = smscs.get(served + 1) {
            assert!(next.texts().len() >= SENDS, "{name} was outlived by the next one");
        }
    }

    let again = || async { smscs.iter().zip(&binds).all(|(smsc, before)| smsc.binds() > *before) };
    wait_until("all binds again", again).await;
    let texts: Vec<String> = smscs.iter().flat_map(PeerSmsc::texts).collect();
    let distinct: HashSet<&String> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "no text was sent twice, over whichever SMSC");
    assert_discreet(&gateway).await;
}
