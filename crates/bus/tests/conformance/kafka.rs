//! The suite on a real Apache Kafka: the run's shared broker, and one of our own where it has to be killed.

use std::time::Duration;

use bus::{Bus, BusKind, BusSettings};
use testkit::kafka::{self, Kafka};

use crate::{rig::Rig, suite};

struct KafkaRig {
    settings: BusSettings,
    bus: Option<Bus>,
    /// A broker that this rig may kill.
    private: Option<Kafka>,
}

impl KafkaRig {
    async fn shared() -> Self {
        Self::at(kafka::bootstrap().await.to_owned(), None)
    }

    async fn private() -> Self {
        let broker = Kafka::start().await.expect("a broker");
        Self::at(broker.bootstrap().to_owned(), Some(broker))
    }

    fn at(brokers: String, private: Option<Kafka>) -> Self {
        let settings = BusSettings { kind: BusKind::Kafka, brokers, ..BusSettings::default() };
        let bus = Some(Bus::open(&settings, None).expect("opens"));
        Self { settings, bus, private }
    }
}

impl Rig for KafkaRig {
    fn bus(&self) -> Bus {
        self.bus.clone().expect("open")
    }

    async fn topic(&self) -> String {
        let name = self.name("topic");
        kafka::create_topic(&self.settings.brokers, &name, 4).await.expect("a topic");
        name
    }

    /// The shared broker goes on; our clients are new.
    async fn restart(&mut self) {
        self.bus = None;
        if let Some(broker) = &mut self.private {
            broker.kill();
            broker.restart().await.expect("the broker again");
        }
        self.bus = Some(Bus::open(&self.settings, None).expect("opens again"));
    }

    fn drain_deadline(&self) -> Duration {
        self.settings.drain_deadline()
    }
}

conformance!(KafkaRig::shared());

#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_survive_a_kill_of_the_broker() {
    suite::committed_offsets_survive_a_restart(KafkaRig::private().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_records_are_delivered_again_after_a_kill_of_the_broker() {
    suite::uncommitted_records_are_delivered_again(KafkaRig::private().await).await;
}
