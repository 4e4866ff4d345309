//! Parts of several long texts from several phones, in any order, as often as you like, over batches of any size: each
//! text reaches its owner once.

use std::collections::BTreeMap;

use common::crypto::sms_envelope::{KeyKind, OpeningKey, SealingKey, decode_payload};
use common::crypto::sms_inbound::{InboundBinding, InboundSms};
use db::Db;
use proptest::prelude::*;
use smpp::codec::{Address, DeliverSm};
use sms::{DefaultAlphabet, LongText, parts};
use testkit::database::TestDb;
use testkit::on_both;

use super::*;
use crate::domain::inbound::owners::PublicKeys;
use crate::domain::opt_out::OptOuts;
use crate::settings::{Inbound, OptOut};
use crate::store::MIGRATIONS;

/// The key pair of `proto/sms/envelope-v2.json`.
fn private() -> OpeningKey {
    let der = decode_payload("MC4CAQAwBQYDK2VuBCIEIKChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/").unwrap();
    OpeningKey::from_pkcs8(&der).unwrap()
}

struct OneKey;

impl PublicKeys for OneKey {
    fn public_key(&self, client: &ClientId, _: KeyKind) -> Option<SealingKey> {
        (client.as_str() == "acme").then(|| private().sealing_key().unwrap())
    }
}

fn desk() -> Desk {
    let entries = vec![
        Inbound::new("15050".parse().unwrap(), "acme".into()),
        Inbound::new("15051".parse().unwrap(), "keyless".into()),
    ];
    let secret = "a secret".to_owned().into();
    Desk {
        key: InboundKey::derive(&secret),
        recipients: RecipientKey::derive(&secret),
        owners: Arc::new(Owners::new(entries, Arc::new(OptOuts::new(&OptOut::default())), Arc::new(OneKey))),
        topic: "sms-inbound".into(),
        repeats: Duration::from_secs(600),
    }
}

async fn open(test: &TestDb) -> Db {
    let db = test.open();
    db.migrate(&MIGRATIONS).await.unwrap();
    db
}

fn fragments(phone: u64, to: &str, text: &str, form: LongText, reference: u16) -> Vec<Fragment> {
    let cut = parts(text, DefaultAlphabet::Gsm7, form, reference).unwrap();
    let coding = cut.coding.data_coding();
    let read = |part: sms::Part| {
        let mut message = DeliverSm {
            source: Address { ton: 1, npi: 1, value: format!("25512345678{phone}") },
            destination: Address { ton: 3, npi: 0, value: to.into() },
            esm_class: if part.udh.is_empty() { 0 } else { 0x40 },
            data_coding: coding,
            short_message: part.short_message(),
            ..DeliverSm::default()
        };
        if let sms::Carrier::Sar(sms::Sar { reference, total, number }) = part.carrier {
            message.tlvs.set_sar(smpp::codec::Sar { reference, total, number });
        }
        Fragment::read(&"main".into(), DefaultAlphabet::Gsm7, &message)
    };
    cut.parts.into_iter().map(read).collect()
}

async fn take_all(db: &Db, batch: Vec<Fragment>, at: i64) -> Vec<Fate> {
    let tasks: Vec<Task> = batch.into_iter().map(Task::Take).collect();
    run(db, tasks, at).await
}

async fn run(db: &Db, tasks: Vec<Task>, at: i64) -> Vec<Fate> {
    let taken = db.write(move |conn| take(conn, &desk(), &tasks, UnixMillis(at))).await.unwrap();
    taken.into_iter().map(|taken| taken.fate).collect()
}

/// Who sent which texts, by sender; several of one are in order.
async fn told(db: &Db) -> Vec<(String, String)> {
    let rows = db.read(|conn| since(conn, &"acme".into(), 0, 1000)).await.unwrap();
    let outbox = db.read(bus::outbox::backlog).await.unwrap();
    assert_eq!(outbox.pending as usize, rows.len(), "each is on its way to the bus, too");
    let open = |row: &InboundRow| {
        let timestamp = row.received_at.to_rfc3339_seconds();
        let binding = InboundBinding {
            client_id: "acme",
            inbound_id: row.id.as_str(),
            timestamp: &timestamp,
            recipient: &row.recipient,
        };
        let envelope = decode_payload(&row.payload).unwrap();
        let octets = binding.with(|binding| private().opener().unwrap().open(&envelope, binding)).unwrap();
        let message = InboundSms::parse(&octets).unwrap();
        let InboundBody::Text(text) = message.body() else { panic!("no text") };
        (message.from().to_owned(), text.to_string())
    };
    rows.iter().map(open).collect()
}

fn form(choice: u8) -> LongText {
    [LongText::Udh8, LongText::Udh16, LongText::Sar][usize::from(choice % 3)]
}

#[derive(Debug, Clone)]
struct Plan {
    texts: Vec<(u64, String, u8)>,
    /// Which part of all comes next, and how many make a batch.
    order: Vec<(prop::sample::Index, u8)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let text = (0..4u64, "[a-z@€ ]{1,400}|[a-zж😀]{60,200}", 0..3u8);
    let step = (any::<prop::sample::Index>(), 1..5u8);
    (prop::collection::vec(text, 1..5), prop::collection::vec(step, 20..60))
        .prop_map(|(texts, order)| Plan { texts, order })
}

async fn follow(db: &Db, plan: Plan) {
    let mut all = Vec::new();
    let mut wanted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (reference, (phone, text, choice)) in (1..).zip(plan.texts) {
        let parts = fragments(phone, "15050", &text, form(choice), reference);
        // A whole text is told apart from the same one again by nothing but time.
        let known = wanted.entry((format!("+25512345678{phone}"), text)).or_default();
        if parts.len() > 1 || *known == 0 {
            *known += 1;
            all.extend(parts);
        }
    }
    let mut at = 1_700_000_000_000;
    let mut batch = Vec::new();
    for (which, size) in plan.order {
        batch.push(which.get(&all).clone());
        if batch.len() >= usize::from(size) {
            at += 1;
            take_all(db, std::mem::take(&mut batch), at).await;
        }
    }
    // Whatever has not come yet, and all that has once more.
    take_all(db, batch, at).await;
    take_all(db, all, at + 1).await;

    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for one in told(db).await {
        *found.entry(one).or_default() += 1;
    }
    assert_eq!(found, wanted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn each_text_is_joined_once_in_any_order(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let test = TestDb::sqlite().await;
            follow(&open(&test).await, plan).await;
        });
    }
}

on_both! {
    async fn a_part_that_comes_again_after_the_join_is_a_repetition(test: TestDb) {
        let db = open(&test).await;
        let parts = fragments(1, "15050", &"a".repeat(200), LongText::Udh8, 7);

        let first = take_all(&db, parts.clone(), 1_000).await;
        let again = take_all(&db, parts.clone(), 2_000).await;
        let later = take_all(&db, parts, 700_000).await;

        assert_eq!(first.iter().filter(|fate| **fate == Fate::Published).count(), 1);
        assert_eq!(again, [Fate::Repeated, Fate::Repeated]);
        assert!(later.contains(&Fate::Published), "the window is over");
        assert_eq!(told(&db).await.len(), 2);
    }

    async fn a_reference_that_is_used_anew_ends_the_message_before(test: TestDb) {
        let db = open(&test).await;
        let old = fragments(1, "15050", &"a".repeat(200), LongText::Udh8, 7);
        let new = fragments(1, "15050", &"b".repeat(200), LongText::Udh8, 7);

        take_all(&db, old[..1].to_vec(), 1_000).await;
        take_all(&db, new, 2_000).await;

        let texts: Vec<String> = told(&db).await.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, [format!("{}[…]", "a".repeat(153)), "b".repeat(200)]);
    }

    async fn what_no_owner_can_get_changes_nothing(test: TestDb) {
        let db = open(&test).await;
        let whole = fragments(1, "15051", "hello", LongText::Udh8, 7);
        let long = fragments(1, "15051", &"a".repeat(200), LongText::Udh8, 7);
        let nobodys = fragments(1, "15052", &"a".repeat(200), LongText::Udh8, 7);

        assert_eq!(take_all(&db, whole.clone(), 1_000).await, [Fate::Keyless]);
        assert_eq!(take_all(&db, whole, 1_001).await, [Fate::Keyless], "it is no repetition");
        assert_eq!(take_all(&db, long[..1].to_vec(), 1_002).await, [Fate::Kept]);
        assert_eq!(take_all(&db, long[1..].to_vec(), 1_003).await, [Fate::Keyless]);
        assert_eq!(take_all(&db, long[1..].to_vec(), 1_004).await, [Fate::Keyless]);
        assert_eq!(take_all(&db, nobodys, 1_005).await, [Fate::Unowned, Fate::Unowned]);
        let open = db.read(|conn| overdue(conn, UnixMillis(5_000), None)).await.unwrap();
        assert_eq!(open.len(), 1);
        let task = Task::Close(open[0].1.clone(), UnixMillis(5_000));
        assert_eq!(run(&db, vec![task], 6_000).await, [Fate::Keyless], "its owner may get a key yet");
    }

    async fn what_waits_for_a_key_can_be_gone_past(test: TestDb) {
        let db = open(&test).await;
        for (reference, at) in [(1, 1_000), (2, 1_000), (3, 1_001)] {
            let long = fragments(1, "15051", &"a".repeat(200), LongText::Udh8, reference);
            assert_eq!(take_all(&db, long[..1].to_vec(), at).await, [Fate::Kept]);
        }
        let behind = async |after: Option<Incomplete>| {
            db.read(move |conn| overdue(conn, UnixMillis(5_000), after.as_ref())).await.unwrap()
        };

        let all = behind(None).await;

        assert_eq!(all.iter().map(|(since, _)| since.as_i64()).collect::<Vec<_>>(), [1_000, 1_000, 1_001]);
        for (place, one) in all.iter().enumerate() {
            assert_eq!(behind(Some(one.clone())).await, all[place + 1..]);
        }
    }

    async fn parts_whose_owner_gets_no_key_are_kept_for_the_retention(test: TestDb) {
        let db = open(&test).await;
        let long = fragments(1, "15051", &"a".repeat(200), LongText::Udh8, 7);
        assert_eq!(take_all(&db, long[..1].to_vec(), 1_000).await, [Fate::Kept]);
        let prune = |retention| db.write(move |conn| prune(conn, UnixMillis(0), UnixMillis(retention)));

        let early = prune(1_000).await.unwrap();
        let due = prune(1_001).await.unwrap();

        assert_eq!((early, due), (0, 1));
        let left = db.read(|conn| {
            use diesel::prelude::*;

            let parts = crate::store::schema::sms_inbound_parts::table;
            Ok::<_, StoreError>(parts.count().get_result::<i64>(conn)?)
        });
        assert_eq!(left.await.unwrap(), 0);
    }

    async fn the_last_word_counts(test: TestDb) {
        let db = open(&test).await;
        let say = |word: &str| fragments(1, "15050", word, LongText::Udh8, 7).remove(0);
        let sender = desk().recipients.hash("+255123456781").unwrap();
        let is_out = || {
            let sender = sender.clone();
            db.read(move |conn| opt_outs::is_out(conn, &"acme".into(), &sender))
        };

        take_all(&db, vec![say("stop"), say("start")], 1_000).await;
        assert_eq!(is_out().await.unwrap(), None);
        take_all(&db, vec![say("Start"), say("Stop")], 2_000).await;

        assert_eq!(is_out().await.unwrap(), Some(UnixMillis(2_000)));
        assert_eq!(db.read(|conn| opt_outs::count(conn, &"acme".into())).await.unwrap(), 1);
        assert_eq!(told(&db).await.len(), 4, "the words are messages, too");

        take_all(&db, vec![say("START")], 3_000).await;
        assert_eq!(is_out().await.unwrap(), None);
        // The very same as the first one, and so no message; but its sender wants no more.
        take_all(&db, vec![say("stop")], 4_000).await;
        assert_eq!(is_out().await.unwrap(), Some(UnixMillis(4_000)));
        assert_eq!(told(&db).await.len(), 5);
    }
}
