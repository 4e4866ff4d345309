//! One route, `[[sms_gateway.route]]`: which messages take it, and which SMSCs share them.

use std::collections::HashSet;

use common::models::sms::{ClientId, RouteName, SmsClass, SmscName};
use serde::Deserialize;
use smpp::esme::InterfaceVersion;
use sms::LongText;

use super::{Settings, SmscSettings};
use crate::domain::numbers::NumberPrefix;
use crate::domain::price::Price;
use crate::domain::route::Conditions;

/// One route. All conditions that are given must hold; a route without any takes every message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// Its name in rows, metrics and reports. Messages that wait are routed anew when the name is gone.
    pub name: RouteName,
    /// Condition: the client is one of these.
    #[serde(default)]
    pub clients: Vec<ClientId>,
    /// Condition: the recipient's number begins with one of these, `+255`; `#` is any one digit.
    #[serde(default)]
    pub prefixes: Vec<NumberPrefix>,
    /// Condition: the request's class is one of these: `bulk`, `otp`, `alert`.
    #[serde(default, deserialize_with = "classes")]
    pub classes: Vec<SmsClass>,
    /// Condition: the message names one of these senders, to the letter.
    #[serde(default)]
    pub senders: Vec<String>,
    /// The SMSCs that share its messages.
    pub smscs: Vec<SmscShare>,
    /// SMSCs for when none of `smscs` can take messages, in order of preference; they also get what an SMSC that fails
    /// most messages loses, when all of `smscs` do.
    #[serde(default)]
    pub backup: Vec<SmscName>,
    /// Most segments that this instance sends a second by this route; 0: no limit.
    #[serde(default)]
    pub tps: f64,
    /// How long texts leave by this route, in place of what its SMSCs say: `udh8`, `udh16`, `sar` or `payload`. A provider
    /// over HTTP gets them whole all the same.
    #[serde(default, deserialize_with = "optional_word")]
    pub long_text: Option<LongText>,
    /// What a segment costs, such as `"0.0125"`; for `sealpost sms route` only.
    #[serde(default)]
    pub price: Option<Price>,
    /// The currency of `price`.
    #[serde(default)]
    pub currency: String,
}

/// An SMSC's part in a route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmscShare {
    /// The SMSC.
    pub name: SmscName,
    /// How many of the route's segments it gets, in proportion to the other weights.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

fn optional_word<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<LongText>, D::Error> {
    super::smsc::word(from).map(Some)
}

fn classes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<SmsClass>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let class = |word: String| {
        word.parse().map_err(|_| serde::de::Error::custom(format!("no class is called {word:?}")))
    };
    words.into_iter().map(class).collect()
}

impl RouteSettings {
    /// Makes a route without conditions.
    pub fn new(name: &str, smscs: &[(&str, u32)]) -> Self {
        let share = |(name, weight): &(&str, u32)| SmscShare { name: (*name).into(), weight: *weight };
        Self {
            name: name.into(),
            clients: Vec::new(),
            prefixes: Vec::new(),
            classes: Vec::new(),
            senders: Vec::new(),
            smscs: smscs.iter().map(share).collect(),
            backup: Vec::new(),
            tps: 0.0,
            long_text: None,
            price: None,
            currency: String::new(),
        }
    }

    fn named(&self) -> impl Iterator<Item = &SmscName> {
        self.smscs.iter().map(|share| &share.name).chain(&self.backup)
    }
}

/// Finds what cannot work in the routes.
pub(super) fn faults(settings: &Settings, fault: &mut dyn FnMut(&str, &str)) {
    let submitting: HashSet<&SmscName> = settings.submitting().collect();
    let mut before: Vec<(&RouteName, Conditions)> = Vec::new();
    for route in &settings.route {
        let name = route.name.as_str();
        let mut say = |place: &str, what: String| fault(&format!("route.{place}"), &what);
        if !(1..=64).contains(&name.len()) {
            say("name", "must have 1 to 64 characters".into());
        }
        if before.iter().any(|(known, _)| *known == &route.name) {
            say("name", format!("two routes have the name {name:?}"));
        }
        if route.smscs.is_empty() {
            say("smscs", format!("{name:?} needs one or more"));
        }
        if route.smscs.iter().any(|share| share.weight == 0) {
            say("smscs.weight", format!("must be above 0 in {name:?}"));
        }
        let mut named = HashSet::new();
        for smsc in route.named() {
            if !submitting.contains(smsc) {
                say(
                    "smscs",
                    format!("{name:?} names {:?}, which is no SMSC that we submit to", smsc.as_str()),
                );
            }
            if !named.insert(smsc) {
                say("smscs", format!("{name:?} names {:?} twice", smsc.as_str()));
            }
        }
        if !super::is_rate(route.tps) {
            say("tps", "must be 0 or above".into());
        }
        let old = |smsc: &&SmscSettings| {
            smsc.interface_version == InterfaceVersion::Smpp33 && route.named().any(|name| *name == smsc.name)
        };
        if let Some(smsc) = settings.smsc.iter().find(old)
            && route.long_text.is_some_and(LongText::needs_tlvs)
        {
            let version = "which speaks SMPP 3.3, without optional parameters: udh8 or udh16";
            say("long_text", format!("{name:?} names {:?}, {version}", smsc.name.as_str()));
        }
        let conditions = Conditions::of(route);
        if let Some((earlier, _)) = before.iter().find(|(_, earlier)| earlier.cover(&conditions)) {
            say("name", format!("{name:?} is never reached: {earlier:?} takes all of its messages"));
        }
        before.push((&route.name, conditions));
    }
}
