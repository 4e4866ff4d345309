//! The same with each service in a process of its own, on one Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, BusKind, BusSettings, Event, outbox, topics};
use common::crypto::oaep::OaepPrivateKey;
use db::DbError;
use serde_json::{Value, json};
use testkit::database::TestDb;
use testkit::host::DATA_KEY;
use testkit::kafka;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for, wait_until};
use tokio::time::timeout;

use super::command::{Ended, erase_at};
use super::subject::{API_KEY, PUBLISHER, Subject};
use super::{stays, told};
use crate::deletion::registered;
use crate::harness::{Front, signing_key};
use crate::traces::{Tables, open, traces};

const SERVICES: [&str; 5] = ["auth", "keystore", "mailbox", "notify", "sync"];
const PROGRAMS: [&str; 5] =
    ["sealpost-auth", "sealpost-keystore", "sealpost-mailbox", "sealpost-notify", "sealpost-sync"];
const NOTIFY: usize = 3;
const SYNC: usize = 4;
/// How long the topics of a whole run take to be read.
const READ_WITHIN: Duration = Duration::from_secs(120);

/// The processes, in the order of [`SERVICES`].
struct Apart {
    programs: [Program; 5],
    tables: Vec<Tables>,
}

impl Apart {
    async fn start(db: &TestDb) -> Self {
        let url = if db.settings().url.starts_with("postgres") { &*db.settings().url } else { "" };
        let (brokers, prefix) = (kafka::bootstrap().await, kafka::unique("erasure"));
        let (signing, private) = (signing_key(), OaepPrivateKey::generate_pem().unwrap());
        let mut programs = PROGRAMS.map(|name| {
            let more = [
                ("bus.kind", "kafka"),
                ("bus.brokers", brokers),
                ("bus.group_prefix", &prefix),
                ("database.url", url),
            ];
            Program::prepare(ProgramSettings {
                name,
                file: PUBLISHER,
                more: &more,
                ..ProgramSettings::default()
            })
            .unwrap()
        });
        let jwks = format!("{}/.well-known/jwks.json", programs[0].url);
        let urls = programs.each_ref().map(|program| program.internal_url.clone());
        for program in &mut programs {
            for (service, url) in SERVICES.iter().zip(&urls).filter(|(service, _)| **service != "notify") {
                program.set(&format!("internal.{service}_url"), url);
            }
            program.set("internal.jwks_url", &jwks);
        }
        programs[0].set("auth.signing_key", &signing);
        programs[0].set("auth.mail", "smtp://127.0.0.1:1");
        programs[SYNC].set("sync.private_key", &private);
        programs[SYNC].set("sync.data_key", DATA_KEY);
        let [auth, keystore, mailbox, notify, sync] = &mut programs;
        let started = tokio::join!(
            auth.restart(),
            keystore.restart(),
            mailbox.restart(),
            notify.restart(),
            sync.restart()
        );
        started.0.and(started.1).and(started.2).and(started.3).and(started.4).unwrap();
        let tables = SERVICES.iter().zip(&programs).map(|(service, program)| open(program, url, service));
        Self { tables: tables.collect(), programs }
    }

    fn front(&self) -> Front {
        Front::of(&self.programs[0].url, &self.programs[1].url, &self.programs[2].url)
    }

    /// Has an account erased, by the addresses of all services.
    async fn erase(&self, account: &str, wait: &str) -> Ended {
        let places: Vec<String> = SERVICES
            .iter()
            .zip(&self.programs)
            .map(|(service, program)| format!("{service}={}", program.internal_url))
            .collect();
        let mut more = vec!["--yes", "--json", "--wait", wait];
        more.extend(places.iter().flat_map(|place| ["--at", place]));
        erase_at("http://{service}.invalid", &self.programs[0].data_dir(), account, &more, "").await
    }

    /// Waits until all that there is to tell is on the bus.
    async fn told(&self) {
        for (service, tables) in &self.tables[..NOTIFY] {
            wait_until(&format!("the outbox of {service} to be empty"), || async {
                let pending = tables.read(|conn| Ok::<_, DbError>(outbox::backlog(conn)?.pending));
                pending.await.unwrap() == 0
            })
            .await;
        }
    }
}

/// The topics of these services on which a record has one of these texts in its key or value, each with that text; of the
/// records that are there now.
async fn naming(texts: &[String]) -> BTreeSet<(String, String)> {
    const TOPICS: [&str; 2] = [topics::ACCOUNT_EVENTS, topics::MAILBOX_EVENTS];
    let settings = BusSettings {
        kind: BusKind::Kafka,
        brokers: kafka::bootstrap().await.to_owned(),
        group_prefix: kafka::unique("reader"),
        ..BusSettings::default()
    };
    let bus = Bus::open(&settings, None).unwrap();
    // The ends of the partitions that are still to be read. Other tests write on, so they are taken once.
    let mut ends = BTreeMap::new();
    for topic in TOPICS {
        let partitions =
            wait_for("the ends of a topic", || async { bus.lag("reader", topic).await.ok() }).await;
        let partitions = partitions.iter().filter(|partition| partition.lag > 0);
        ends.extend(partitions.map(|partition| ((topic.to_owned(), partition.partition), partition.end)));
    }
    let mut consumer = bus.consumer("reader", &TOPICS).unwrap();
    let mut found = BTreeSet::new();
    let reading = async {
        while !ends.is_empty() {
            let Ok(Event::Records(records)) = consumer.next(500).await else { continue };
            for record in records {
                for text in texts {
                    let has =
                        |octets: &Vec<u8>| octets.windows(text.len()).any(|part| part == text.as_bytes());
                    if [&record.key, &record.value].into_iter().flatten().any(has) {
                        found.insert((record.position.topic.to_string(), text.clone()));
                    }
                }
                let partition = (record.position.topic.to_string(), record.position.partition);
                if ends.get(&partition).is_some_and(|end| record.position.offset + 1 >= *end) {
                    ends.remove(&partition);
                }
            }
        }
    };
    timeout(READ_WITHIN, reading).await.expect("topics that can be read");
    found
}

testkit::on_both! {
    async fn a_service_that_is_away_is_named_and_erases_when_it_is_back(db: TestDb) {
        let mut apart = Apart::start(&db).await;
        let front = apart.front();
        let (person, needles) = registered(&front, 0).await;
        let token = person.log_in().await.access_token;
        let subject = Subject::with_devices(person, needles, &front).await;
        subject.is_woken(&apart.tables[NOTIFY].1).await;
        let channel = json!({"channel": format!("account:{}", subject.id), "data": {}});
        let publisher = apart.programs[NOTIFY].http.with_token(API_KEY);
        publisher.post("/v1/notify/messages", &channel).await.assert_status(200);
        let phone = apart.programs[SYNC].http.with_token(token);
        phone.get(&format!("/v2/sync/users/{}", subject.id)).await.assert_status(200);
        apart.programs[SYNC].kill();

        let cut_off = apart.erase(&subject.id, "20s").await;
        let meanwhile = traces(&apart.tables[..SYNC], &subject.needles, &stays()).await;
        let waiting = traces(&apart.tables[SYNC..], &subject.needles, &stays()).await;
        apart.programs[SYNC].restart().await.unwrap();
        let through = apart.erase(&subject.id, "60s").await;

        assert!(!cut_off.ok && cut_off.stderr.contains("this command again"), "{cut_off:?}");
        let said: Value = cut_off.report();
        let unreachable: Vec<_> = said["services"].as_array().unwrap().iter().filter(|said| said["error"].is_string()).collect();
        assert_eq!((&said["complete"], unreachable.len(), &unreachable[0]["service"]), (&false.into(), 1, &"sync".into()));
        assert_eq!(told(&said, "left"), [""; 0], "the others are through");
        assert_eq!((meanwhile, waiting), (vec![], vec!["sync.sync_sessions.user_id".to_owned()]));
        assert!(through.ok, "{through:?}");
        assert_eq!(through.report()["complete"], true);
        assert_eq!(traces(&apart.tables, &subject.needles, &stays()).await, [""; 0], "this is left");
        apart.told().await;
        let named = [topics::ACCOUNT_EVENTS, topics::MAILBOX_EVENTS].map(|topic| (topic.to_owned(), subject.id.clone()));
        assert_eq!(naming(&subject.needles).await, named.into(), "what the retention of topics has to cover");
    }
}
