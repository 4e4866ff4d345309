//! A broker that dies while accounts are deleted: the outbox tells of it later.

use std::time::Duration;

use futures_util::future::join_all;
use testkit::database::TestDb;
use testkit::host::{Apps, TestHost};
use testkit::kafka::Kafka;
use testkit::process::ports;
use testkit::wait::wait_for_within;

use crate::harness::{Front, launch, rows_of};
use crate::people::Person;

/// Nobody is told by the bus before the broker is back and all have found it again.
const ERASED_WITHIN: Duration = Duration::from_secs(40);

/// Each service as a host of its own, on one Kafka. The nudges of auth go nowhere, so that only the bus tells.
pub(crate) struct OnKafka {
    pub(crate) auth: TestHost,
    pub(crate) keystore: TestHost,
    pub(crate) mailbox: TestHost,
    pub(crate) front: Front,
    _databases: [TestDb; 3],
}

impl OnKafka {
    pub(crate) async fn start(kafka: &Kafka, databases: [TestDb; 3]) -> Self {
        let bus = [("bus.kind", "kafka"), ("bus.brokers", kafka.bootstrap()), ("bus.session_timeout", "2s")];
        let nowhere = format!("http://127.0.0.1:{}", ports::free());
        let unreachable = [("internal.keystore_url", &*nowhere), ("internal.mailbox_url", &*nowhere)];
        let auth = launch(Apps::of::<auth::App>(), &databases[0], &[&bus[..], &unreachable].concat()).await;
        let jwks = format!("{}/.well-known/jwks.json", auth.url);
        let of_auth = [("internal.auth_url", &*auth.internal_url), ("internal.jwks_url", &*jwks)];
        let mailbox = launch(Apps::of::<mailbox::App>(), &databases[2], &[&bus[..], &of_auth].concat()).await;
        let of_mailbox = [("internal.mailbox_url", &*mailbox.internal_url)];
        let settings = [&bus[..], &of_auth, &of_mailbox].concat();
        let keystore = launch(Apps::of::<keystore::App>(), &databases[1], &settings).await;
        for host in [&auth, &keystore, &mailbox] {
            host.started().await;
        }
        let front = Front::of(&auth.url, &keystore.url, &mailbox.url);
        Self { auth, keystore, mailbox, front, _databases: databases }
    }

    /// Rows that keystore and mailbox have of `person`.
    pub(crate) async fn known(&self, person: &Person) -> [usize; 2] {
        let keystore = rows_of(&self.keystore.database("keystore"), person.account).await;
        let mailbox = rows_of(&self.mailbox.database("mailbox"), person.account).await;
        [keystore.len(), mailbox.len()]
    }

    /// Waits until neither keeps anything of `person`.
    pub(crate) async fn erased(&self, person: &Person) {
        wait_for_within(ERASED_WITHIN, "an erased account", || async {
            (self.known(person).await == [0, 0]).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_during_an_outage_of_the_broker_reach_every_service_on_postgres() {
    let postgres = [TestDb::postgres().await, TestDb::postgres().await, TestDb::postgres().await];
    deletions_reach_every_service(postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_during_an_outage_of_the_broker_reach_every_service_on_sqlite() {
    let files = [TestDb::sqlite().await, TestDb::sqlite().await, TestDb::sqlite().await];
    deletions_reach_every_service(files).await;
}

async fn deletions_reach_every_service(databases: [TestDb; 3]) {
    let mut kafka = Kafka::start().await.unwrap();
    let services = OnKafka::start(&kafka, databases).await;
    let front = &services.front;
    let people: Vec<Person> = join_all((0..4).map(|_| async { Person::with_device(front).await.0 })).await;
    let [before, during @ .., stays] = &people[..] else { unreachable!("four people") };
    before.delete().await;
    services.erased(before).await;

    kafka.kill();
    // Answered without the broker, which comes back only after that.
    for person in during {
        person.delete().await;
    }
    for person in during {
        let known = services.known(person).await;
        assert!(known[0] > 0 && known[1] > 0, "something else than the bus told of it: {known:?}");
    }
    kafka.restart().await.unwrap();

    for person in during {
        services.erased(person).await;
    }
    let known = services.known(stays).await;
    assert!(known[0] > 0 && known[1] > 0, "an account that nobody deleted was erased: {known:?}");
}
