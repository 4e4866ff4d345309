//! The bus, RabbitMQ, and whom relay publishes to.

use std::time::Duration;

use bus::{AmqpServer, AmqpTlsSettings, Bus, BusKind, BusSettings, topics};
use common::crypto::Secret;
use config::Config;
use relay::{Publisher, RelaySettings};
use service::CommonSettings;
use tokio::time::timeout;

use super::Finding;
use super::reach::reach;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds; longer than the one question takes.
const HEARTBEAT: u16 = 30;

/// What to look at when Kafka does not answer.
pub(super) const KAFKA_ADVICE: &str =
    "is Kafka up, reachable from here, and are [bus] and [bus.security] right?";

/// Looks at the bus, at the broker of the live fan-out, and at what relay has of its own.
pub(super) async fn examine(common: &CommonSettings, config: &Config) -> Vec<Finding> {
    let mut findings = match common.bus.kind {
        // It is locked while a server runs, and sound or not with the other files of the data directory.
        BusKind::Embedded => vec![Finding::ok("bus", "embedded: a file in the data directory")],
        BusKind::Kafka => kafka(&common.bus, config).await,
    };
    findings.push(if common.live.url.is_empty() {
        Finding::ok("live", "in this process: one process serves all")
    } else {
        let advice = "is RabbitMQ up, reachable from here, and are [live] url and [live.tls] right?";
        amqp("live", (&common.live.url, &common.live.tls), advice).await
    });
    if let Ok(relay) = config.section::<RelaySettings>("relay") {
        findings.extend(publishing(&relay).await);
    }
    findings
}

async fn kafka(settings: &BusSettings, config: &Config) -> Vec<Finding> {
    let bus = match Bus::open(settings, None) {
        Ok(bus) => bus,
        Err(error) => return vec![Finding::failed("bus", error.to_string(), "correct the section [bus]")],
    };
    match timeout(PATIENCE, bus.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return vec![Finding::failed("bus", error.to_string(), KAFKA_ADVICE)],
        Err(_) => return vec![Finding::failed("bus", "no answer", KAFKA_ADVICE)],
    }
    let gateway = config.section::<sms_gateway::Settings>("sms_gateway").unwrap_or_default();
    let names = gateway.topics;
    let fixed = [topics::ACCOUNT_EVENTS, topics::MAILBOX_EVENTS, topics::NOTIFY];
    let mut wanted = vec![
        (names.send, topics::SEND_SMS),
        (names.status, topics::SMS_STATUS),
        (names.dead, topics::SEND_SMS_DEAD),
        (names.inbound, topics::SMS_INBOUND),
    ];
    wanted.extend(fixed.map(|name| (name.to_owned(), name)));
    let mut findings = vec![Finding::ok("bus", "Kafka answers")];
    findings.extend(super::topics::examine(&bus, settings, &gateway.group, &wanted).await);
    findings
}

/// Looks at relay's own RabbitMQ, and at a publisher over HTTP.
async fn publishing(relay: &RelaySettings) -> Vec<Finding> {
    const PUBLISHER: &str =
        "is the publisher up? SMS that came in wait for it, and are given up after publish_max_age";
    let mut findings = Vec::new();
    if !relay.amqp_url.is_empty() {
        let advice = "is it up, reachable from here, and are relay.amqp_url and [relay.amqp_tls] right?";
        findings.push(amqp("relay", (&relay.amqp_url, &relay.amqp_tls), advice).await);
    }
    if let Publisher::Http(url) = &relay.publisher {
        findings.push(reach("publisher", url, PATIENCE, PUBLISHER).await);
    }
    findings
}

async fn amqp(check: &str, (url, tls): (&Secret<String>, &AmqpTlsSettings), advice: &str) -> Finding {
    let server = match AmqpServer::new(url.expose(), tls, HEARTBEAT) {
        Ok(server) => server,
        Err(error) => {
            return Finding::failed(check, error.to_string(), format!("correct the section [{check}]"));
        }
    };
    // Not the URL: a password is in it.
    let place = &server.uri().authority.host;
    match timeout(PATIENCE, server.connect("sealpost doctor")).await {
        Ok(Ok(connection)) => {
            // It is closed with the process otherwise.
            let _ = connection.close(200, "done".into()).await;
            Finding::ok(check, format!("RabbitMQ at {place} lets us in"))
        }
        Ok(Err(_)) => Finding::failed(check, format!("RabbitMQ at {place} cannot be used"), advice),
        Err(_) => Finding::failed(check, format!("RabbitMQ at {place} does not answer"), advice),
    }
}
