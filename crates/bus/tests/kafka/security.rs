//! TLS and SASL, against a listener that insists on both.

use std::time::{Duration, Instant};

use bus::{Bus, BusError, BusSettings, ReadFrom, Record, SecuritySettings, TopicReader};
use common::{crypto::Secret, models::UnixMillis};
use testkit::kafka::{Certificate, Kafka};

use crate::{asked, next_records, settings};

const TOPIC: &str = "jobs";
/// What a `send` may take that has to fail.
const DELIVERY: Duration = Duration::from_secs(3);
/// Within which every call has to fail: a question takes 5 seconds, on a machine that may be loaded.
const BOUND: Duration = Duration::from_secs(20);
/// What a readiness check gives a ping.
const READINESS: Duration = Duration::from_secs(1);

fn secured(brokers: &str, security: SecuritySettings) -> BusSettings {
    BusSettings { security, ..settings(brokers) }
}

/// Uses all that talks to a broker once.
async fn use_everything(settings: &BusSettings, group: &str) {
    let bus = Bus::open(settings, None).unwrap();
    let mut consumer = bus.consumer(group, &[TOPIC]).unwrap();

    asked(|| bus.ping()).await;
    bus.producer().send(vec![Record::new(TOPIC, "key", group)]).await.unwrap();
    let mut read = Vec::new();
    while read.last().is_none_or(|last: &bus::Delivered| last.bytes() != group.as_bytes()) {
        read.extend(next_records(&mut consumer).await);
    }
    let done: Vec<_> = read.iter().map(|record| record.position.clone()).collect();
    consumer.store(&done);
    consumer.commit().await.unwrap();

    let lag = asked(|| bus.lag(group, TOPIC)).await;
    let committed: i64 = lag.iter().filter_map(|partition| partition.committed).sum();
    assert_eq!(committed, i64::try_from(read.len()).unwrap());
    assert_eq!(lag.iter().map(|partition| partition.lag).sum::<i64>(), 0);
    let producer = bus.producer();
    let recent = asked(|| producer.recent(TOPIC, UnixMillis(0))).await;
    assert_eq!(recent.len(), read.len());
    let mut reader = asked(|| TopicReader::open(settings, TOPIC, ReadFrom::Oldest)).await;
    assert_eq!(reader.next().await.unwrap().position.offset, 0);
    consumer.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_over_tls_with_every_mechanism() {
    let kafka = Kafka::start_secured().await.unwrap();
    let listener = kafka.secured();

    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let security = SecuritySettings { sasl_mechanism: Some(mechanism.to_owned()), ..listener.security() };
        use_everything(&secured(&listener.bootstrap(), security), mechanism).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_wants_a_certificate_of_ours_is_shown_it() {
    let kafka = Kafka::start_mutual().await.unwrap();
    let listener = kafka.secured();

    use_everything(&secured(&listener.bootstrap(), listener.security_with("client")), "mutual").await;

    for security in [listener.security_with("stranger"), listener.security()] {
        let bus = Bus::open(&secured(&listener.bootstrap(), security), None).unwrap();
        let refused = tokio::time::timeout(BOUND, bus.ping()).await.expect("an answer in time").unwrap_err();
        assert!(matches!(refused, BusError::Unavailable { .. }), "{refused:?}");
    }
}

/// Checks that every call fails in time, says `advice`, and tells no password.
async fn assert_refused(settings: &BusSettings, advice: &str, passwords: &[&str]) {
    let settings = BusSettings { delivery_timeout: DELIVERY, ..settings.clone() };
    let bus = Bus::open(&settings, None).unwrap();
    let mut consumer = bus.consumer("refused", &[TOPIC]).unwrap();
    let begun = Instant::now();

    // The first handshake may take longer; readiness asks again and again.
    let in_time = async {
        loop {
            if let Ok(answer) = tokio::time::timeout(READINESS, bus.ping()).await {
                return answer;
            }
        }
    };
    let ping = tokio::time::timeout(BOUND, in_time).await.expect("an answer for readiness");
    let consumed = async {
        // Also told by an error: that the brokers are down.
        loop {
            match consumer.next(1).await {
                Err(error) if error.to_string().contains(advice) => return Err::<(), _>(error),
                Err(error) => assert!(error.is_transient(), "{error}"),
                Ok(event) => panic!("{event:?}"),
            }
        }
    };
    let read = async {
        // A client of its own, to which the broker may not have come before its question is given up.
        loop {
            match TopicReader::open(&settings, TOPIC, ReadFrom::Oldest).await {
                Err(error) if error.to_string().contains(advice) => return Err::<(), _>(error),
                Err(error) => assert!(error.is_transient(), "{error}"),
                Ok(_) => panic!("let in"),
            }
        }
    };
    let producer = bus.producer();
    let (sent, lag, recent, read, consumed) = tokio::time::timeout(BOUND, async {
        tokio::join!(
            producer.send(vec![Record::new(TOPIC, "key", "value")]),
            bus.lag("refused", TOPIC),
            producer.recent(TOPIC, UnixMillis(0)),
            read,
            consumed,
        )
    })
    .await
    .unwrap_or_else(|_| panic!("not refused within {:?}", begun.elapsed()));

    let errors =
        [ping.err(), sent.err(), lag.err(), recent.err(), read.err(), consumed.err()].map(Option::unwrap);
    for error in errors {
        assert!(matches!(error, BusError::Unavailable { .. }), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(advice), "{said}");
        assert!(!passwords.iter().any(|password| said.contains(password)), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_in_time_what_to_set() {
    const WRONG: &str = "wrong-password-2236067977";
    let kafka = Kafka::start_secured().await.unwrap();
    let listener = kafka.secured();

    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let security = SecuritySettings {
            sasl_mechanism: Some(mechanism.to_owned()),
            password: Some(Secret::new(WRONG.to_owned())),
            ..listener.security()
        };

        let advice = "check sasl_mechanism, username and password in [bus.security]";
        assert_refused(&secured(&listener.bootstrap(), security), advice, &[listener.password(), WRONG])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_certificate_says_in_time_what_to_set_and_heals_with_the_broker() {
    let mut kafka = Kafka::start_secured().await.unwrap();
    let settings = secured(&kafka.secured().bootstrap(), kafka.secured().security());
    let bus = Bus::open(&settings, None).unwrap();

    for certificate in [Certificate::Stranger, Certificate::Misnamed] {
        kafka.secured().present(certificate).unwrap();
        kafka.restart().await.unwrap();

        let advice = "check that ca_file in [bus.security]";
        assert_refused(&settings, advice, &[kafka.secured().password()]).await;
        let told = async { while !bus.ping().await.unwrap_err().to_string().contains(advice) {} };
        tokio::time::timeout(BOUND, told).await.expect("the advice");
    }
    kafka.secured().present(Certificate::Sound).unwrap();
    kafka.restart().await.unwrap();

    let healed = async { while bus.ping().await.is_err() {} };
    tokio::time::timeout(BOUND, healed).await.expect("let in");
    bus.producer().send(vec![Record::new(TOPIC, "key", "value")]).await.unwrap();
}
