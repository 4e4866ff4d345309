//! What two people do, from the registration to the end of an account.

use common::crypto::xeddsa;
use common::models::Base64Bytes;
use serde_json::{Value, json};
use testkit::host::TestHost;
use testkit::signal::DeviceRegistration;
use testkit::wait::wait_until;
use testkit::ws::MessageSocket;

use crate::harness::{Front, assembled, rows_of};
use crate::people::{Device, Person, Target, body, text};

testkit::on_both! {
    async fn two_people_write_to_each_other(db: TestDb) {
        let host = assembled(&db).await;
        let front = Front::one(&host.url);

        talk(&front).await;

        host.stop().await;
    }

    async fn a_second_and_a_replaced_device_are_learned_from_refusals(db: TestDb) {
        let host = assembled(&db).await;
        let front = Front::one(&host.url);
        let (_, alice) = Person::with_device(&front).await;
        let (bob, first) = Person::with_device(&front).await;
        alice.send(&[&first], "to the only device").await.assert_status(200);

        let second = bob.device().await;

        let refused = alice.send(&[&first], "to one of two").await.expect(409);
        assert_eq!(refused.problem().type_uri, "urn:problem:device-set-mismatch");
        assert_eq!(refused.value()["missingDevices"], json!([second.id]));
        alice.send(&[&first, &second], "to both").await.assert_status(200);
        let texts: Vec<String> = first.waiting().await.iter().map(text).collect();
        assert_eq!(texts, ["to the only device", "to both"]);
        assert_eq!(second.waiting().await.iter().map(text).collect::<Vec<_>>(), ["to both"]);

        let mut old_socket = first.socket().await;
        let replacement = replace(&bob, &first).await;

        assert_eq!(old_socket.closed().await, Some(4401));
        let stale = alice.send(&[&first, &second], "to the phone that was lost").await.expect(410);
        assert_eq!(stale.problem().type_uri, "urn:problem:stale-devices");
        assert_eq!(stale.value()["staleDevices"], json!([first.id]));
        assert!(replacement.waiting().await.is_empty(), "another installation's messages are of no use to it");
        alice.send(&[&replacement, &second], "to the new phone").await.assert_status(200);
        assert_eq!(replacement.socket().await.take().await.seq, 1);
        let bundle = alice.bundle(bob.account).await;
        let offered = |device: &Value| json!([device["deviceId"], device["registrationId"]]);
        let offered: Vec<Value> = array(&bundle["devices"]).iter().map(offered).collect();
        assert_eq!(offered.len(), 2, "{offered:?}");
        // By device: the other one may have the registration id by chance that the lost phone had.
        for device in [&replacement, &second] {
            assert!(offered.contains(&json!([device.id, device.registration_id])), "{offered:?}");
        }
        host.stop().await;
    }

    async fn a_deleted_account_leaves_nothing_in_any_service(db: TestDb) {
        let host = assembled(&db).await;
        let front = Front::one(&host.url);
        let (alice_account, alice) = Person::with_device(&front).await;
        let (bob, phone) = Person::with_device(&front).await;
        let laptop = bob.device().await;
        alice.send(&[&phone, &laptop], "never fetched").await.assert_status(200);
        phone.send(&[&alice], "from bob").await.assert_status(200);
        for service in ["auth", "keystore", "mailbox"] {
            assert_ne!(rows(&host, service, &bob).await, [], "{service} knows bob");
        }
        let sockets = [phone.socket().await, laptop.socket().await];

        bob.delete().await;

        // Told of it: by itself a mailbox looks at its sockets every five minutes.
        for mut socket in sockets {
            assert_eq!(socket.closed().await, Some(4401));
        }
        front.auth.with_token(&phone.token).get("/v1/accounts/current").await.assert_status(401);
        phone.keystore().get("/v1/devices").await.assert_status(401);
        phone.mailbox().get("/v1/messages").await.assert_status(401);
        let refused = MessageSocket::try_connect(&front.mailbox_url, &phone.token).await;
        assert_eq!(refused.err(), Some(Some(401)));
        for service in ["auth", "keystore", "mailbox"] {
            wait_until("an erased account", || async { rows(&host, service, &bob).await.is_empty() }).await;
            assert_ne!(rows(&host, service, &alice_account).await, [], "{service} still knows alice");
        }
        alice.send(&[&phone, &laptop], "to nobody").await.assert_status(404);
        alice.keystore().get(&format!("/v1/keys/{}/*", bob.account)).await.assert_status(404);
        assert_eq!(alice.waiting().await.iter().map(text).collect::<Vec<_>>(), ["from bob"]);
        host.stop().await;
    }
}

/// Bundles, a backlog, a live message, an answer, a retry; on any arrangement of the services.
pub(crate) async fn talk(front: &Front) {
    let (_, alice) = Person::with_device(front).await;
    let (bob_account, bob) = Person::with_device(front).await;
    fetch_and_verify(&alice, &bob_account).await;

    for number in 1..=3 {
        alice.send(&[&bob], &format!("backlog {number} {}", bob.account)).await.assert_status(200);
    }
    let mut socket = bob.socket().await;
    let (backlog, last) = socket.backlog().await;
    assert_eq!((backlog.iter().map(|envelope| envelope.seq).collect::<Vec<_>>(), last), (vec![1, 2, 3], 3));
    assert_eq!(text(&backlog[0]), format!("backlog 1 {}", bob.account));
    assert_eq!((backlog[0].source_account, backlog[0].source_device), (alice.account, alice.id));

    let sent = alice.send(&[&bob], "a live message of alice").await.expect(200).value();
    let live = socket.take().await;
    assert_eq!((text(&live).as_str(), live.seq), ("a live message of alice", 4));
    assert_eq!(sent["devices"], json!([{"deviceId": bob.id, "guid": live.guid}]));

    let mut alices = alice.socket().await;
    assert_eq!(alices.backlog().await, (vec![], 0));
    bob.send(&[&alice], "an answer of bob").await.assert_status(200);
    assert_eq!(text(&alices.take().await), "an answer of bob");

    let (key, request) = (uuid::Uuid::new_v4().to_string(), body(&[Target::of(&bob)], "sent only once"));
    let first = alice.put(bob.account, &request, &key).await.expect(200);
    let again = alice.put(bob.account, &request, &key).await.expect(200);
    assert_eq!(first.value(), again.value(), "the retry is answered as the first try was");
    assert_eq!(text(&socket.take().await), "sent only once");
    let other = body(&[Target::of(&bob)], "another text under that key");
    alice.put(bob.account, &other, &key).await.assert_status(422);
    alice.send(&[&bob], "the last one").await.assert_status(200);
    assert_eq!(text(&socket.take().await), "the last one", "nothing came twice");
    wait_until("acked envelopes to be gone", || async { bob.waiting().await.is_empty() }).await;
}

/// Fetches the bundle of a device with three one-time keys, and checks it as a client does.
async fn fetch_and_verify(alice: &Device, bob: &Person) {
    let bundle = alice.bundle(bob.account).await;
    let identity: Base64Bytes = serde_json::from_value(bundle["identityKey"].clone()).unwrap();
    assert_eq!(identity, bob.identity.public_key());
    let [device] = &array(&bundle["devices"])[..] else { panic!("one device in {bundle}") };
    assert!((1..=3).contains(&device["preKey"]["keyId"].as_i64().unwrap()), "{device}");
    for key in [&device["signedPreKey"], &device["pqPreKey"]] {
        let [key, signature] = ["publicKey", "signature"]
            .map(|field| serde_json::from_value::<Base64Bytes>(key[field].clone()).unwrap());
        xeddsa::verify(&identity.0, &key.0, &signature.0).unwrap();
    }
}

/// A new installation in the place of `device`, certainly with another registration id.
async fn replace(person: &Person, device: &Device) -> Device {
    let mut registration = DeviceRegistration::new(&person.identity).replacing(device.id);
    registration.registration_id = device.registration_id % 16383 + 1;
    let replacement = person.register_device(&registration).await;
    assert_eq!(replacement.id, device.id);
    replacement
}

async fn rows(host: &TestHost, service: &str, person: &Person) -> Vec<(String, i64)> {
    rows_of(&host.database(service), person.account).await
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("an array, not {value}"))
}
