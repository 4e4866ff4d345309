//! A gateway beside several SMSCs.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::{Behaviour, Plan, Smsc, Verdict};
use sms_gateway::{RouteSettings, Settings, SmscSettings};
use std::sync::Arc;
use testkit::wait::wait_for_within;

use crate::cases::ACME;
use crate::harness::{Gateway, World};

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
        let other = || Smsc::start(smpp::smsc::SmscSettings { behaviour: behaviour(), ..Default::default() });
        let others = [other().await.unwrap(), other().await.unwrap()];
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
        Settings {
            smsc: NAMES.map(smsc).to_vec(),
            route,
            allowed_numbers: vec!["+*".parse().unwrap()],
            ..settings
        }
    }

    /// Waits until all are bound; the tests are about what happens then.
    pub(crate) async fn bound(&self) {
        for name in NAMES {
            self.smsc(name).counts().wait_for(|counts| counts.bound > 0).await.unwrap();
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
