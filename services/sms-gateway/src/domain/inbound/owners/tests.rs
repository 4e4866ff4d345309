//! Tests of ownership.

use common::crypto::sms_envelope::{OpeningKey, decode_payload};
use zeroize::Zeroizing;

use super::*;
use crate::settings::OptOut;

struct NoVault;

impl PublicKeys for NoVault {
    fn public_key(&self, _: &ClientId, _: KeyKind) -> Option<SealingKey> {
        None
    }
}

fn entry(number: &str, keyword: Option<&str>, client: &str) -> Inbound {
    let entry = Inbound::new(number.parse().unwrap(), client.into());
    Inbound { keyword: keyword.map(str::to_owned), ..entry }
}

fn owners(entries: Vec<Inbound>) -> Owners {
    Owners::new(entries, Arc::new(OptOuts::new(&OptOut::default())), Arc::new(NoVault))
}

/// Owner, its word, and whom else it concerns.
fn meaning(owners: &Owners, to: &str, text: &str) -> (Option<String>, Option<InboundKeyword>, Vec<String>) {
    let subject = Subject { smsc: &"main".into(), to, text: Some(text), alone: true };
    let meaning = owners.meaning(&subject);
    let owner = meaning.owner.map(|(entry, _)| entry.client.to_string());
    let keyword = meaning.owner.and_then(|(_, keyword)| keyword);
    (owner, keyword, meaning.words.into_iter().map(|(client, _)| client.to_string()).collect())
}

#[test]
fn the_first_entry_that_fits_counts() {
    let elsewhere = Inbound { smsc: Some("other".into()), ..entry("15050", None, "elsewhere") };
    let owners = owners(vec![
        elsewhere,
        entry("15050", Some("Health"), "clinic"),
        entry("15050", Some("SHOP"), "shop"),
        entry("1505#", None, "rest"),
    ]);
    let owner = |to: &str, text: &str| meaning(&owners, to, text).0;

    assert_eq!(owner("15050", "health yes").as_deref(), Some("clinic"));
    assert_eq!(owner("15050", " HEALTH: yes").as_deref(), Some("clinic"));
    assert_eq!(owner("15050", "shop").as_deref(), Some("shop"));
    assert_eq!(owner("15050", "healthy").as_deref(), Some("rest"));
    assert_eq!(owner("15051", "health").as_deref(), Some("rest"));
    assert_eq!(owner("15060", "health"), None);
    assert!(!owners.is_ours(&"main".into(), "15060"));
}

#[test]
fn without_the_first_part_no_keyword_is_known() {
    let owners = owners(vec![entry("15050", Some("health"), "clinic")]);
    let subject = Subject { smsc: &"main".into(), to: "15050", text: None, alone: false };

    assert!(owners.meaning(&subject).owner.is_none());
    assert!(owners.is_ours(&"main".into(), "15050"));
}

#[test]
fn a_word_concerns_whom_it_is_addressed_to_and_alone_everybody_on_the_number() {
    let owners = owners(vec![entry("15050", Some("health"), "clinic"), entry("15050", Some("shop"), "shop")]);
    let stop = Some(InboundKeyword::Stop);

    assert_eq!(
        meaning(&owners, "15050", "Health stop"),
        (Some("clinic".into()), stop, vec!["clinic".into()])
    );
    assert_eq!(meaning(&owners, "15050", "Stop"), (None, None, vec!["clinic".into(), "shop".into()]));
    assert_eq!(meaning(&owners, "15050", "health stop it"), (Some("clinic".into()), None, vec![]));
    let long = Subject { smsc: &"main".into(), to: "15050", text: Some("stop"), alone: false };
    assert!(owners.meaning(&long).words.is_empty());
}

#[test]
fn an_owner_can_open_its_record_and_its_place_is_bound() {
    // The key pair of `proto/sms/envelope-v2.json`.
    let private = decode_payload("MC4CAQAwBQYDK2VuBCIEIKChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/").unwrap();
    let private = OpeningKey::from_pkcs8(&private).unwrap();
    let key = private.sealing_key().unwrap().to_line().unwrap();
    let sender = InboundSender::Clear;
    let owner = Inbound { public_key: Some(key), inbound_sender: sender, ..entry("15050", None, "acme") };
    let body = InboundBody::Text(Zeroizing::new("Yes please".into()));
    let whole = Whole { from: "+255123456789", to: "15050", body, parts: 1, partial: false };

    let record = owners(vec![]).record((&owner, None), whole, UnixMillis(1_707_568_496_789)).unwrap();

    assert_eq!(record.sender.as_deref(), Some("+255123456789"));
    let open = |recipient: &str| {
        let envelope = decode_payload(&record.payload).unwrap();
        let binding = InboundBinding {
            client_id: "acme",
            inbound_id: record.inbound_id.as_str(),
            timestamp: "2024-02-10T12:34:56Z",
            recipient,
        };
        binding.with(|binding| private.opener().unwrap().open(&envelope, binding))
    };
    assert_eq!(open("15050").unwrap().as_slice(), b"From: +255123456789\nTo: 15050\n\nYes please");
    assert!(open("15051").is_err());
}

#[test]
fn a_record_of_another_hand_opens() {
    let vector = include_str!("../../../../../../proto/sms/inbound-v2.json");
    let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
    let record: SmsInbound = serde_json::from_value(vector["record"].clone()).unwrap();
    let private = decode_payload("MC4CAQAwBQYDK2VuBCIEIKChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/").unwrap();
    let timestamp = record.timestamp.to_rfc3339_seconds();
    let binding = InboundBinding {
        client_id: record.client_id.as_str(),
        inbound_id: record.inbound_id.as_str(),
        timestamp: &timestamp,
        recipient: &record.recipient,
    };

    let mut opener = OpeningKey::from_pkcs8(&private).unwrap().opener().unwrap();
    let envelope = decode_payload(&record.payload).unwrap();
    let opened = binding.with(|binding| opener.open(&envelope, binding)).unwrap();

    assert_eq!(opened.as_slice(), vector["message"].as_str().unwrap().as_bytes());
    let InboundBody::Text(text) = InboundSms::parse(&opened).unwrap().body().clone() else {
        panic!("no text")
    };
    assert_eq!(text.as_str(), "Yes please");
}

#[test]
fn an_owner_without_a_key_gets_nothing_yet() {
    let body = InboundBody::Text(Zeroizing::new("x".into()));
    let whole = Whole { from: "1", to: "15050", body, parts: 1, partial: false };

    let refused = owners(vec![]).record((&entry("15050", None, "acme"), None), whole, UnixMillis(0));

    assert!(matches!(refused, Err(Unsealable::NoKey { kind: KeyKind::X25519, .. })));
}
