//! The bus with its topics, and RabbitMQ.

use std::time::Duration;

use bus::{AmqpServer, Bus, BusKind, BusSettings, topics};
use config::Config;
use service::{CommonSettings, LiveSection};
use tokio::time::timeout;

use super::Finding;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds; longer than the one question takes.
const HEARTBEAT: u16 = 30;

/// Looks at the bus and at the broker of the live fan-out.
pub(super) async fn examine(common: &CommonSettings, config: &Config) -> Vec<Finding> {
    let mut findings = match common.bus.kind {
        // It is locked while a server runs, and sound or not with the other files of the data directory.
        BusKind::Embedded => vec![Finding::ok("bus", "embedded: a file in the data directory")],
        BusKind::Kafka => kafka(&common.bus, config).await,
    };
    findings.push(if common.live.url.is_empty() {
        Finding::ok("live", "in this process: one process serves all")
    } else {
        amqp("live", &common.live).await
    });
    findings
}

async fn kafka(settings: &BusSettings, config: &Config) -> Vec<Finding> {
    const ADVICE: &str = "is Kafka up, reachable from here, and are [bus] and [bus.security] right?";
    let bus = match Bus::open(settings, None) {
        Ok(bus) => bus,
        Err(error) => return vec![Finding::failed("bus", error.to_string(), "correct the section [bus]")],
    };
    match timeout(PATIENCE, bus.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return vec![Finding::failed("bus", error.to_string(), ADVICE)],
        Err(_) => return vec![Finding::failed("bus", "no answer", ADVICE)],
    }
    let gateway = config.section::<sms_gateway::Settings>("sms_gateway").unwrap_or_default();
    let (group, names) = (gateway.group, gateway.topics);
    let fixed = [topics::ACCOUNT_EVENTS, topics::MAILBOX_EVENTS, topics::NOTIFY].map(str::to_owned);
    let wanted = [names.send, names.status, names.dead, names.inbound].into_iter().chain(fixed);
    let mut findings = vec![Finding::ok("bus", "Kafka answers")];
    for name in wanted {
        let check = format!("topic {name}");
        // The question of how far a group is behind tells which partitions there are.
        findings.push(match bus.lag(&group, &name).await {
            Ok(partitions) if partitions.is_empty() => Finding::failed(
                check,
                "is not there, or may not be seen",
                "make it, and let the services read and write it",
            ),
            Ok(partitions) => Finding::ok(check, format!("{} partitions", partitions.len())),
            Err(error) => Finding::failed(check, error.to_string(), ADVICE),
        });
    }
    findings
}

async fn amqp(check: &str, section: &LiveSection) -> Finding {
    const ADVICE: &str = "is RabbitMQ up, reachable from here, and are [live] url and [live.tls] right?";
    let server = match AmqpServer::new(section.url.expose(), &section.tls, HEARTBEAT) {
        Ok(server) => server,
        Err(error) => return Finding::failed(check, error.to_string(), "correct the section [live]"),
    };
    // Not the URL: a password is in it.
    let place = &server.uri().authority.host;
    match timeout(PATIENCE, server.connect("sealpost doctor")).await {
        Ok(Ok(connection)) => {
            // It is closed with the process otherwise.
            let _ = connection.close(200, "done".into()).await;
            Finding::ok(check, format!("RabbitMQ at {place} lets us in"))
        }
        Ok(Err(_)) => Finding::failed(check, format!("RabbitMQ at {place} cannot be used"), ADVICE),
        Err(_) => Finding::failed(check, format!("RabbitMQ at {place} does not answer"), ADVICE),
    }
}
