//! A gateway beside several SMSCs.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::{Behaviour, Plan, Smsc, Verdict};
use sms_gateway::{HealthSettings, RouteSettings, Settings, SmscSettings};
use std::sync::Arc;
use testkit::wait::{wait_for_within, wait_until};

use crate::cases::ACME;
use crate::harness::{Gateway, World, simulator};
use crate::operators::{BINDS, ask};

/// Names of the SMSCs.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three SMSCs that send receipts; the first one is the world's.
pub(crate) struct Fleet {
    pub(crate) world: World,
    others: [Smsc; 2],
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        let behaviour = World::with_receipts;
        let other = || simulator(smpp::smsc::SmscSettings { behaviour: behaviour(), ..Default::default() });
        let others = [other().await, other().await];
        Self { world: World::new(behaviour()).await, others }
    }

    pub(crate) fn smsc(&self, name: &str) -> &Smsc {
        match name {
            "a" => &self.world.smsc,
            "b" => &self.others[0],
            _ => &self.others[1],
        }
    }

    /// Settings with all three SMSCs, and these routes.
    pub(crate) fn settings(&self, route: Vec<RouteSettings>) -> Settings {
        let settings = self.world.settings();
        let smsc = |name: &str| SmscSettings {
            name: name.into(),
            port: self.smsc(name).address().port(),
            ..settings.smsc[0].clone()
        };
        // On a loaded machine an SMSC may be late without being ill; which one is, is said by the test.
        let health = HealthSettings { patience: Duration::from_secs(10), ..settings.health.clone() };
        Settings {
            smsc: NAMES.map(smsc).to_vec(),
            route,
            health,
            allowed_numbers: vec!["+*".parse().unwrap()],
            ..settings
        }
    }

    /// The same with an end to patience within the time of a test, for what has no response.
    pub(crate) fn impatient(&self, route: Vec<RouteSettings>) -> Settings {
        let mut settings = self.settings(route);
        settings.smsc.iter_mut().for_each(|smsc| smsc.response_timeout = Duration::from_millis(1500));
        (settings.unknown_after, settings.resend_after) = (Duration::from_secs(4), Duration::from_secs(4));
        settings
    }

    /// Waits until the gateways know all to be bound; the tests are about what happens then.
    pub(crate) async fn bound(&self, gateways: &[&Gateway]) {
        for gateway in gateways {
            wait_until("the binds", async || {
                let binds = ask(gateway, BINDS).await;
                binds.as_array().unwrap().iter().all(|bind| bind["state"] == "bound")
            })
            .await;
        }
    }

    /// How often each text is at each SMSC, whatever it answered.
    pub(crate) fn texts(&self) -> BTreeMap<String, Vec<&'static str>> {
        let mut texts: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        for name in NAMES {
            for accepted in self.smsc(name).accepted() {
                let text = String::from_utf8(accepted.message.short_message).unwrap();
                texts.entry(text).or_default().push(name);
            }
        }
        texts
    }

    /// Sends so many messages, whose texts are their correl-ids, each to a number of its own.
    pub(crate) async fn send(&self, gateway: &Gateway, prefix: &str, count: usize) {
        let record = |number| {
            let correl = format!("{prefix}{number}");
            let request = self.world.maker.request(ACME, &correl, &to(&format!("+2557{number:08}"), &correl));
            Some(serde_json::to_vec(&request).unwrap())
        };
        gateway.produce((0..count).map(record).collect()).await;
    }
}

/// Has an SMSC do this with its submissions, by their number.
pub(crate) fn script(smsc: &Smsc, verdict: impl Fn(&SubmitSm, u64) -> Verdict + Send + Sync + 'static) {
    let script = move |pdu: &SubmitSm, number, plan: &mut Plan| plan.verdict = verdict(pdu, number);
    smsc.behave(|behaviour: &mut Behaviour| behaviour.script = Some(Arc::new(script)));
}

/// Has an SMSC refuse all.
pub(crate) fn refuse(smsc: &Smsc, status: CommandStatus) {
    script(smsc, move |_, _| Verdict::Refuse(status));
}

pub(crate) fn to(number: &str, body: &str) -> String {
    format!("To: {number}\nSender: TEST\n\n{body}")
}

/// Waits until each of so many messages has come to an end, and gives the last status of each.
pub(crate) async fn ends(gateways: &[&Gateway], prefix: &str, count: usize) -> BTreeMap<String, String> {
    let last = |correl: &str| {
        let names: Vec<String> = gateways.iter().flat_map(|gateway| gateway.names(correl)).collect();
        let ended = |name: &&String| name.as_str() != "SENT";
        // One gateway may publish an earlier status after the other has published the last one.
        let best = names.iter().find(|name| *name == "DELIVERED").or_else(|| names.iter().find(ended));
        best.cloned()
    };
    wait_for_within(Duration::from_secs(60), &format!("the ends of {prefix}"), || {
        let ends: BTreeMap<String, String> = (0..count)
            .map(|number| format!("{prefix}{number}"))
            .filter_map(|correl| last(&correl).map(|end| (correl, end)))
            .collect();
        async move { (ends.len() == count).then_some(ends) }
    })
    .await
}
