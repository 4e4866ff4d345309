//! Kafka's topics: there, with room for as many processes as `deploy/kafka` plans for, and kept for as long.

use std::time::Duration;

use bus::{Bus, BusSettings, TopicRetention, topic_retention, topics};

use super::Finding;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What `deploy/kafka/topics` makes: name, partitions, days.
const PLANNED: [(&str, usize, u32); 7] = [
    (topics::SEND_SMS, 12, 7),
    (topics::SMS_STATUS, 12, 7),
    (topics::SMS_INBOUND, 12, 7),
    (topics::SEND_SMS_DEAD, 3, 30),
    (topics::ACCOUNT_EVENTS, 12, 30),
    (topics::MAILBOX_EVENTS, 12, 1),
    (topics::NOTIFY, 12, 1),
];

/// Looks at the topics of these names; `plan` is what `deploy/kafka` calls each.
pub(super) async fn examine(
    bus: &Bus,
    settings: &BusSettings,
    group: &str,
    names: &[(String, &str)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, plan) in names {
        let check = format!("topic {name}");
        // The question of how far a group is behind tells which partitions there are.
        let partitions = match bus.lag(group, name).await {
            Ok(partitions) => partitions.len(),
            Err(error) => {
                findings.push(Finding::failed(check, error.to_string(), super::queues::KAFKA_ADVICE));
                continue;
            }
        };
        if partitions == 0 {
            findings.push(Finding::failed(
                check,
                "is not there, or may not be seen",
                "make it with deploy/kafka/apply, and let the services read and write it",
            ));
            continue;
        }
        let retention = topic_retention(settings, name).await.map_err(|error| error.to_string());
        findings.push(one(check, partitions, retention, plan));
    }
    findings
}

fn one(check: String, partitions: usize, retention: Result<TopicRetention, String>, plan: &str) -> Finding {
    let planned = PLANNED.iter().find(|(name, ..)| *name == plan);
    let (least, days) = planned.map_or((1, 0), |(_, partitions, days)| (*partitions, *days));
    let (kept, faults) = match retention {
        Ok(retention) => (kept(&retention), short(&retention, DAY * days)),
        // Who may not ask may still read and write.
        Err(_) => ("what it keeps may not be seen".to_owned(), Vec::new()),
    };
    let says = format!("{partitions} partitions, {kept}");
    let mut faults = faults;
    if partitions < least {
        faults.push(format!(
            "no more than {partitions} processes of a service can share the work, {least} are planned for"
        ));
    }
    if faults.is_empty() {
        return Finding::ok(check, says);
    }
    Finding::warning(
        check,
        format!("{says}: {}", faults.join("; ")),
        "deploy/kafka/apply sets both; raising partitions moves keys, so do it while nothing waits",
    )
}

fn kept(retention: &TopicRetention) -> String {
    let age = match retention.age {
        None => "for ever".to_owned(),
        Some(age) => format!("for {}", humantime::format_duration(age)),
    };
    match retention.partition_bytes {
        None => format!("kept {age}"),
        Some(bytes) => format!("kept {age}, and {bytes} bytes of each partition at most"),
    }
}

/// What makes records go before they are read, or stay for ever.
fn short(retention: &TopicRetention, planned: Duration) -> Vec<String> {
    let mut faults = Vec::new();
    if retention.age.is_some_and(|age| age < planned) {
        let planned = humantime::format_duration(planned);
        faults.push(format!("a service that is away for longer loses records; {planned} are planned for"));
    }
    if retention.cleanup != "delete" {
        faults.push(format!("cleanup.policy is {}, which drops records by their key", retention.cleanup));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn retention(days: Option<u32>, cleanup: &str) -> Result<TopicRetention, String> {
        let cleanup = cleanup.to_owned();
        Ok(TopicRetention { age: days.map(|days| DAY * days), partition_bytes: None, cleanup })
    }

    #[test]
    fn a_topic_with_too_few_partitions_or_days_or_that_is_compacted_is_told() {
        let found = |partitions, days, cleanup| {
            one("topic x".into(), partitions, retention(days, cleanup), topics::ACCOUNT_EVENTS).state
        };

        assert_eq!(found(12, Some(30), "delete"), State::Ok);
        assert_eq!(found(24, None, "delete"), State::Ok);
        assert_eq!(found(4, Some(30), "delete"), State::Warning);
        assert_eq!(found(12, Some(7), "delete"), State::Warning);
        assert_eq!(found(12, Some(30), "compact"), State::Warning);
        let unseen = one("topic x".into(), 12, Err("no".into()), topics::NOTIFY);
        assert_eq!(
            (unseen.state, unseen.says.as_str()),
            (State::Ok, "12 partitions, what it keeps may not be seen")
        );
    }

    #[test]
    fn the_plan_is_that_of_the_deployment() {
        let plan = include_str!("../../../../deploy/kafka/topics");

        for (name, partitions, days) in PLANNED {
            let row = plan.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let row = row.into_iter().find(|row| row.first() == Some(&name)).unwrap();
            assert_eq!(row[1..], [partitions.to_string().as_str(), &format!("{days}d"), "delete"], "{name}");
        }
    }
}
