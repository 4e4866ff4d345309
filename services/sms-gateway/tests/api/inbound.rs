//! Messages from handsets: joined, encrypted, published once, whatever happens between.

mod answers;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use common::crypto::sms_envelope::{OpeningKey, decode_payload};
use common::crypto::sms_inbound::{InboundBinding, InboundBody, InboundSms};
use common::models::sms::{InboundKeyword, SmsInbound};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use serde_json::Value;
use smpp::codec::{Address, DeliverSm, Sar};
use smpp::smsc::{Behaviour, Span};
use sms::{DefaultAlphabet, LongText, parts};
use sms_gateway::{Inbound, Settings};
use testkit::http::TestClient;
use testkit::on_both;
use testkit::wait::wait_for;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, KEY, World, count};

/// The key pair of `proto/sms/envelope-v2.json`.
const PRIVATE: &str = "MC4CAQAwBQYDK2VuBCIEIKChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/";
pub(crate) const NUMBER: &str = "15050";

pub(crate) fn key() -> OpeningKey {
    OpeningKey::from_pkcs8(&decode_payload(PRIVATE).unwrap()).unwrap()
}

/// Settings in which the number is acme's.
pub(crate) fn settings(world: &World) -> Settings {
    let mut own = Inbound::new(NUMBER.parse().unwrap(), ACME.into());
    own.public_key = Some(key().sealing_key().unwrap().to_line().unwrap());
    Settings { inbound: vec![own], ..world.settings() }
}

/// The deliver_sms of a text from a phone.
pub(crate) fn brought(from: &str, text: &str, form: LongText, reference: u16) -> Vec<DeliverSm> {
    let cut = parts(text, DefaultAlphabet::Gsm7, form, reference).unwrap();
    let coding = cut.coding.data_coding();
    cut.parts
        .into_iter()
        .map(|part| {
            let mut message = DeliverSm {
                source: Address { ton: 1, npi: 1, value: from.into() },
                destination: Address { ton: 3, npi: 0, value: NUMBER.into() },
                esm_class: if part.udh.is_empty() { 0 } else { 0x40 },
                data_coding: coding,
                short_message: part.short_message(),
                ..DeliverSm::default()
            };
            if let sms::Carrier::Sar(sms::Sar { reference, total, number }) = part.carrier {
                message.tlvs.set_sar(Sar { reference, total, number });
            }
            message
        })
        .collect()
}

/// What a record says: who, and which text.
fn open(record: &SmsInbound) -> (String, String) {
    let timestamp = record.timestamp.to_rfc3339_seconds();
    let binding = InboundBinding {
        client_id: record.client_id.as_str(),
        inbound_id: record.inbound_id.as_str(),
        timestamp: &timestamp,
        recipient: &record.recipient,
    };
    let envelope = decode_payload(&record.payload).unwrap();
    let octets = binding.with(|binding| key().opener().unwrap().open(&envelope, binding)).unwrap();
    let message = InboundSms::parse(&octets).unwrap();
    let text = match message.body() {
        InboundBody::Text(text) => Some(text.to_string()),
        _ => None,
    };
    (message.from().to_owned(), text.unwrap())
}

/// Waits for so many messages over HTTP.
pub(crate) async fn read(gateway: &Gateway, least: usize) -> Vec<SmsInbound> {
    told(&gateway.http, least).await
}

/// The same of any gateway.
async fn told(http: &TestClient, least: usize) -> Vec<SmsInbound> {
    let client = http.with_token(KEY);
    wait_for(&format!("{least} messages"), || async {
        let page = client.get("/v1/sms/inbound?limit=1000").await.expect(200).value();
        let messages: Vec<SmsInbound> = serde_json::from_value(page["messages"].clone()).unwrap();
        (messages.len() >= least).then_some(messages)
    })
    .await
}

/// Waits until the SMSC has an answer of ours for each delivery.
async fn answered(world: &World, count: u64) {
    world.smsc.counts().wait_for(|counts| counts.delivered >= count).await.unwrap();
}

on_both! {
    async fn a_message_reaches_its_owner_over_both_ways(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::with(&world, &test, settings(&world)).await;
        let mut bus = gateway.bus.consumer("owner", &["sms-inbound"]).unwrap();

        world.smsc.deliver("acme", brought("255123456789", "Yes, €5", LongText::Udh8, 1).remove(0));

        let messages = read(&gateway, 1).await;
        assert_eq!(open(&messages[0]), ("+255123456789".into(), "Yes, €5".into()));
        assert_eq!((messages[0].recipient.as_str(), messages[0].parts), (NUMBER, 1));
        assert_eq!((messages[0].partial, messages[0].sender.as_deref()), (false, None));
        let record = loop {
            if let Ok(bus::Event::Records(records)) = bus.next(1).await {
                break records.into_iter().next().unwrap();
            }
        };
        assert_eq!(serde_json::from_slice::<SmsInbound>(record.bytes()).unwrap(), messages[0]);
        gateway.stop().await;
    }

    async fn parts_are_joined_in_any_order_across_restarts(test: TestDb) {
        let world = World::new(Default::default()).await;
        let text = "ж😀".repeat(60);
        let mut parts = brought("255123456789", &text, LongText::Udh16, 300);
        parts.reverse();
        assert!(parts.len() > 2);
        let total = parts.len() as u64;

        for (place, part) in (1..).zip(parts) {
            let gateway = Gateway::with(&world, &test, settings(&world)).await;
            world.smsc.deliver("acme", part.clone());
            world.smsc.deliver("acme", part);
            answered(&world, 2 * place).await;
            let messages = if place == total { read(&gateway, 1).await } else { read(&gateway, 0).await };
            assert_eq!(messages.len(), usize::from(place == total));
            assert!(messages.iter().all(|one| open(one).1 == text && u64::from(one.parts) == total));
            gateway.stop().await;
        }
    }

    async fn a_partial_message_is_told_in_time(test: TestDb) {
        let world = World::new(Default::default()).await;
        let timeout = Duration::from_millis(200);
        let settings = Settings { inbound_join_timeout: timeout, ..settings(&world) };
        let gateway = Gateway::with(&world, &test, settings).await;

        world.smsc.deliver("acme", brought("255123456789", &"a".repeat(161), LongText::Sar, 7).remove(1));

        let messages = read(&gateway, 1).await;
        assert_eq!((messages[0].parts, messages[0].partial), (2, true));
        assert_eq!(open(&messages[0]).1, format!("[…]{}", "a".repeat(8)));
        assert_eq!(count(&gateway, "SELECT count(*) AS n FROM sms_inbound_messages").await, 0);
        gateway.stop().await;
    }

    async fn a_number_that_is_nobodys_keeps_nothing(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::with(&world, &test, settings(&world)).await;
        let mut stray = brought("255123456789", "hello", LongText::Udh8, 1).remove(0);
        stray.destination.value = "15051".into();

        world.smsc.deliver("acme", stray);
        answered(&world, 1).await;

        assert_eq!(count(&gateway, "SELECT count(*) AS n FROM sms_inbound_seen").await, 0);
        assert_eq!(count(&gateway, "SELECT count(*) AS n FROM sms_inbound").await, 0);
        gateway.stop().await;
    }

    async fn no_table_holds_the_sender_or_the_text(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::with(&world, &test, settings(&world)).await;
        world.smsc.deliver("acme", brought("255123456789", &"secret ".repeat(40), LongText::Udh8, 1).remove(0));
        world.smsc.deliver("acme", brought("255123456789", "a secret", LongText::Udh8, 1).remove(0));
        world.smsc.deliver("acme", brought("255123456789", "stop", LongText::Udh8, 1).remove(0));
        answered(&world, 3).await;
        read(&gateway, 2).await;

        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Nullable<Text>)]
            row: Option<String>,
        }
        // `sealed` is octets; that they hold no text is tested where they are made.
        for (table, columns) in [
            ("sms_inbound_messages", "message_key || smsc || recipient"),
            ("sms_inbound_parts", "message_key || digest"),
            ("sms_inbound_seen", "digest"),
            ("sms_inbound", "client_id || id || recipient || coalesce(sender, '') || payload"),
            ("sms_opt_outs", "client_id || recipient"),
        ] {
            let rows = gateway.db.read(move |conn| {
                let sql = format!("SELECT {columns} AS row FROM {table}");
                Ok::<_, db::DbError>(diesel::sql_query(sql).load::<Row>(conn)?)
            }).await.unwrap();
            assert!(!rows.is_empty(), "{table}");
            for row in rows.into_iter().filter_map(|row| row.row) {
                assert!(!row.contains("secret") && !row.contains("123456789"), "{table}: {row}");
            }
        }
        gateway.stop().await;
    }

    async fn two_instances_join_what_each_has_a_part_of(test: TestDb) {
        let world = World::new(Default::default()).await;
        let other = World::new(Default::default()).await;
        let first = Gateway::with(&world, &test, settings(&world)).await;
        let second = Gateway::with(&other, &test, settings(&other)).await;
        let mut texts = BTreeMap::new();

        for phone in 0..20 {
            let (from, text) = (format!("2551234567{phone:02}"), format!("{phone} ").repeat(70));
            for (place, part) in brought(&from, &text, LongText::Udh8, 9).into_iter().enumerate() {
                let smsc = if (place + phone) % 2 == 0 { &world.smsc } else { &other.smsc };
                smsc.deliver("acme", part);
            }
            texts.insert(format!("+{from}"), text);
        }

        let messages = read(&first, texts.len()).await;
        let told: BTreeMap<_, _> = messages.iter().map(open).collect();
        assert_eq!(messages.len(), texts.len());
        assert_eq!(told, texts);
        first.stop().await;
        second.stop().await;
    }

    async fn nothing_leaves_after_a_stop_was_answered_until_start(test: TestDb) {
        let (world, other) = (World::new(slow()).await, World::new(slow()).await);
        let paced = Settings { client_tps: 40.0, ..settings(&world) };
        let first = Gateway::with(&world, &test, paced.clone()).await;
        let second = Gateway::with(&other, &test, Settings { smsc: other.settings().smsc, ..paced }).await;
        let request = |correl: &str, class: &str| {
            let mut request = world.maker.request(ACME, correl, &message("hello"));
            request.insert("class".into(), Value::from(class));
            Some(serde_json::to_vec(&request).unwrap())
        };
        first.produce((0..300).map(|index| request(&format!("q{index}"), "bulk")).collect()).await;
        world.smsc.counts().wait_for(|counts| counts.accepted > 10).await.unwrap();
        other.smsc.counts().wait_for(|counts| counts.accepted > 10).await.unwrap();

        world.smsc.deliver("acme", brought("255123456789", "Stop.", LongText::Udh8, 1).remove(0));
        answered(&world, 1).await;

        let accepted = || world.smsc.accepted().len() + other.smsc.accepted().len();
        let at_answer = accepted();
        until(&first, 300, "SELECT count(*) AS n FROM sms_jobs WHERE state NOT IN ('queued', 'submitting')").await;
        assert_eq!(accepted(), at_answer);
        assert!(at_answer < 300, "the STOP came too late to tell");
        let held = count(&first, "SELECT count(*) AS n FROM sms_statuses WHERE status = 'INVALID' \
                                  AND error_text = 'the recipient has opted out'").await;
        assert_eq!(usize::try_from(held).unwrap(), 300 - at_answer);
        assert_eq!(read(&first, 1).await[0].keyword, Some(InboundKeyword::Stop));

        first.produce(vec![request("code", "otp")]).await;
        until(&first, 1, "SELECT count(*) AS n FROM sms_statuses WHERE correl_id = 'code' AND status = 'SENT'").await;
        world.smsc.deliver("acme", brought("255123456789", "start", LongText::Udh8, 1).remove(0));
        answered(&world, 2).await;
        first.produce(vec![request("again", "bulk")]).await;
        until(&first, 1, "SELECT count(*) AS n FROM sms_statuses WHERE correl_id = 'again' AND status = 'SENT'").await;
        first.stop().await;
        second.stop().await;
    }
}

fn slow() -> Behaviour {
    Behaviour { latency: Span::exactly(Duration::from_millis(30)), ..Behaviour::default() }
}

/// Waits until something is so often in the tables.
async fn until(gateway: &Gateway, wanted: i64, sql: &'static str) {
    wait_for(sql, || async { (count(gateway, sql).await == wanted).then_some(()) }).await;
}
