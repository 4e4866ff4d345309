//! Encryption version 2: bound to its request, and good for one.

use std::time::Duration;

use common::crypto::sms_envelope::{Binding, encode_payload, seal};
use common::crypto::vault::{Vault, VaultFormat};
use common::models::{Clock as _, SystemClock, UnixMillis};
use serde_json::{Map, Value, json};
use smpp::codec::CommandStatus;
use smpp::smsc::{Behaviour, Verdict};
use sms_gateway::Settings;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, PASSWORD, World, count};

fn soon() -> String {
    (SystemClock.now() + Duration::from_secs(3600)).to_rfc3339_seconds()
}

/// Gives the client a key of version 2, and makes a complete request of that version.
struct Sender {
    vault: Vault,
}

impl Sender {
    fn new(world: &World) -> Self {
        let mut vault = Vault::new(VaultFormat::default());
        vault.add_x25519(ACME, UnixMillis(0)).unwrap();
        std::fs::write(world.path().join("vault"), vault.to_bytes(PASSWORD).unwrap()).unwrap();
        Self { vault }
    }

    fn request(&self, correl: &str, deadline: &str, text: &str) -> Map<String, Value> {
        let key = self.vault.sealing_key(ACME).unwrap();
        let binding = Binding { client_id: ACME, correl_id: correl, deadline };
        let payload = encode_payload(&seal(&key, &binding, message(text).as_bytes()).unwrap());
        let request =
            json!({"client-id": ACME, "correl-id": correl, "deadline": deadline, "payload": payload});
        request.as_object().unwrap().clone()
    }
}

on_both! {
    async fn a_bound_message_goes_out_and_with_another_request_it_does_not(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let sender = Sender::new(&world);
        let gateway = Gateway::start(&world, &test).await;
        let deadline = soon();
        let good = sender.request("good", &deadline, "hello");
        let mut moved = sender.request("elsewhere", &deadline, "hello");
        moved.insert("correl-id".into(), "moved".into());
        let mut later = sender.request("later", &deadline, "hello");
        later.insert("deadline".into(), deadline.replace('Z', ".0Z").into());

        for request in [&good, &moved, &later] {
            gateway.request(request).await;
        }

        gateway.statuses("good", 2).await;
        assert_eq!(gateway.names("good"), ["SENT", "DELIVERED"]);
        for correl in ["moved", "later"] {
            gateway.statuses(correl, 1).await;
            assert_eq!(gateway.names(correl), ["INVALID"], "{correl}");
        }
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn an_envelope_is_taken_from_one_record_only(test: TestDb) {
        let script = |_: &smpp::codec::SubmitSm, number, plan: &mut smpp::smsc::Plan| {
            if number == 1 {
                plan.verdict = Verdict::Refuse(CommandStatus::RSYSERR);
            }
        };
        let world = World::new(Behaviour { script: Some(std::sync::Arc::new(script)), ..Behaviour::default() }).await;
        let sender = Sender::new(&world);
        let gateway = Gateway::start(&world, &test).await;
        let deadline = soon();
        let first = sender.request("again", &deadline, "hello");
        gateway.request(&first).await;
        gateway.statuses("again", 1).await;

        let record = || Some(serde_json::to_vec(&first).unwrap());
        gateway.produce(vec![record(), record()]).await;
        let refused = gateway.statuses("again", 3).await;
        gateway.request(&sender.request("again", &deadline, "hello")).await;

        gateway.statuses("again", 4).await;
        assert_eq!(gateway.names("again"), ["FAILED", "INVALID", "INVALID", "SENT"]);
        assert!(refused[1].error_text.as_deref().unwrap().contains("encrypt it anew"));
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn a_record_that_its_producer_sends_twice_is_a_duplicate_like_others(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let sender = Sender::new(&world);
        let gateway = Gateway::start(&world, &test).await;
        let record = serde_json::to_vec(&sender.request("twice", &soon(), "hello")).unwrap();

        gateway.produce(vec![Some(record.clone()), Some(record.clone())]).await;
        gateway.statuses("twice", 2).await;
        gateway.produce(vec![Some(record)]).await;

        wait_until("the third record", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'duplicate'").await == 2
        }).await;
        assert_eq!(gateway.names("twice"), ["SENT", "DELIVERED"]);
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn a_bound_message_is_opened_again_after_a_restart(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let sender = Sender::new(&world);
        let first = Gateway::with(&world, &test, Settings { smsc: vec![], ..world.settings() }).await;
        // An offset and a fraction: only the very characters open it.
        let request = sender.request("waits", &soon().replace('Z', ".500+00:00"), "hello");
        first.request(&request).await;
        wait_until("the job", || async {
            count(&first, "SELECT COUNT(*) AS n FROM sms_jobs").await == 1
        }).await;
        first.stop().await;

        let second = Gateway::start(&world, &test).await;

        second.statuses("waits", 2).await;
        assert_eq!(second.names("waits"), ["SENT", "DELIVERED"]);
        second.stop().await;
    }

    async fn a_deadline_beyond_the_replay_window_is_refused(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let sender = Sender::new(&world);
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&sender.request("far", "2100-01-01T00:00:00Z", "hello")).await;

        let statuses = gateway.statuses("far", 1).await;
        assert_eq!(gateway.names("far"), ["INVALID"]);
        assert!(statuses[0].error_text.as_deref().unwrap().contains("deadline is too far away"));
        gateway.stop().await;
    }
}
