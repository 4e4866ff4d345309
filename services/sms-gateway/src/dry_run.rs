//! Says which way a message would go, without sending it: for `sealpost sms route`.
//!
//! In: the settings, and a message. Out: its route and why, the SMSCs with their parts, segments and cost. It decides by
//! the functions that the gateway decides by. What it cannot know is how the SMSCs do at the moment: all count as well.

use common::crypto::sms_payload::SmsPayload;
use common::models::E164;
use common::models::sms::{ClientId, RouteName, SmsClass, SmscName};
use serde::Serialize;

use crate::domain::loopback;
use crate::domain::message::{Form, Outgoing, prepare};
use crate::domain::price::Price;
use crate::domain::route::{Facts, Route, Routes};
use crate::settings::Settings;

/// The sender of a message that is asked about without one.
const SOME_SENDER: &str = "SENDER";

/// A message that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who would send it.
    pub client: &'a ClientId,
    /// How urgent it would be.
    pub class: SmsClass,
    /// To whom.
    pub to: &'a E164,
    /// The sender that it would name; without one, conditions on senders do not hold.
    pub sender: Option<&'a str>,
    /// Its text.
    pub text: &'a str,
}

/// What would become of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The recipient's number, masked.
    pub to: String,
    /// Why it would not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The route that it would take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteName>,
    /// The conditions of that route, all of which hold; none for a route that takes everything.
    pub conditions: Vec<&'static str>,
    /// The routes before it, each with its first condition that does not hold.
    pub passed_over: Vec<PassedOver>,
    /// The SMSCs that may get it: those that share the route, then its backup in order.
    pub smscs: Vec<Candidate>,
    /// Segments on the air by the first SMSC, whoever cuts the text.
    pub parts: u64,
    /// What those cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Price>,
    /// The currency of that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub currency: String,
}

/// A route that does not take a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassedOver {
    /// The route.
    pub route: RouteName,
    /// The condition, as the settings call it.
    pub condition: &'static str,
}

/// An SMSC that may get a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub smsc: SmscName,
    /// Its part of the route's segments while all do well; 0 for a backup.
    pub share: f64,
    /// Whether it is one.
    pub backup: bool,
    /// The alphabet that the text would be in.
    pub alphabet: &'static str,
    /// Characters of the text.
    pub characters: usize,
    /// Segments.
    pub parts: u64,
}

/// Answers questions by the settings.
#[derive(Debug)]
pub struct DryRun {
    settings: Settings,
    routes: Routes,
}

impl DryRun {
    /// Takes settings without faults, see [`Settings::faults`].
    pub fn new(settings: Settings) -> Self {
        Self { routes: Routes::new(&settings), settings }
    }

    /// Says what would become of a message.
    pub fn ask(&self, question: &Question<'_>) -> Answer {
        let mut answer = Answer {
            to: question.to.masked(),
            refusal: None,
            route: None,
            conditions: Vec::new(),
            passed_over: Vec::new(),
            smscs: Vec::new(),
            parts: 0,
            cost: None,
            currency: String::new(),
        };
        answer.refusal = self.judge(question, &mut answer).err();
        answer
    }

    /// In the order of the gateway's own checks.
    fn judge(&self, question: &Question<'_>, answer: &mut Answer) -> Result<(), String> {
        if !self.settings.allowed_clients.contains(question.client) {
            return Err(format!("client {:?} is not one of allowed_clients", question.client.as_str()));
        }
        if question.client.as_str() == loopback::CLIENT {
            return Err(
                "messages of this client are answered by the gateway itself, and go to no SMSC".into()
            );
        }
        self.cut(question, Form::default())?;
        let facts = Facts {
            client: question.client,
            class: question.class,
            to: question.to.as_str(),
            sender: question.sender,
        };
        let decided = self.routes.decide(&facts);
        let before =
            self.routes.all().iter().map_while(|route| Some((route, route.conditions.unmet(&facts)?)));
        answer.passed_over = before
            .map(|(route, unmet)| PassedOver { route: route.name.clone(), condition: unmet.as_str() })
            .collect();
        let route = decided.map_err(|none| none.to_string())?;
        answer.route = Some(route.name.clone());
        answer.conditions = route.conditions.judge(&facts).map(|(condition, _)| condition.as_str()).collect();
        answer.smscs = self.candidates(route, question)?;
        answer.parts = answer.smscs.first().map(|first| first.parts).ok_or("no SMSC is configured")?;
        answer.cost = route.price.map(|price| price.times(answer.parts));
        answer.currency.clone_from(&route.currency);
        Ok(())
    }

    fn candidates(&self, route: &Route, question: &Question<'_>) -> Result<Vec<Candidate>, String> {
        let shares = route.shares(|_| Some(1.0));
        let candidate = |smsc: &SmscName| {
            let settings = self.settings.smsc.iter().find(|one| one.name == *smsc);
            let form = settings.map_or_else(Form::default, |settings| Form::of(settings).by(route));
            let outgoing = self.cut(question, form)?;
            let share = shares.iter().find(|share| share.smsc == *smsc);
            Ok(Candidate {
                smsc: smsc.clone(),
                share: share.map_or(0.0, |share| share.part),
                backup: share.is_none(),
                alphabet: outgoing.alphabet(),
                characters: question.text.chars().count(),
                parts: outgoing.on_air(),
            })
        };
        route.smscs().map(candidate).collect()
    }

    fn cut(&self, question: &Question<'_>, form: Form) -> Result<Outgoing, String> {
        let sender = question.sender.unwrap_or(SOME_SENDER);
        let message = SmsPayload::new(question.to.as_str(), Some(sender), question.text);
        let message = message.map_err(|error| error.to_string())?;
        prepare(message, &self.settings.allowed_numbers, form).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sms::LongText;

    use crate::settings::{RouteSettings, SmscSettings};

    fn ask(question: &Question<'_>) -> Answer {
        let smsc = |name: &str| SmscSettings { name: name.into(), ..SmscSettings::default() };
        let codes =
            RouteSettings { classes: vec![SmsClass::Otp], ..RouteSettings::new("codes", &[("b", 1)]) };
        let long = |name, prefix: &str, long_text| RouteSettings {
            prefixes: vec![prefix.parse().unwrap()],
            long_text: Some(long_text),
            ..RouteSettings::new(name, &[("a", 1)])
        };
        let wide = long("wide", "+256", LongText::Udh16);
        let whole = long("whole", "+257", LongText::Payload { most_octets: u16::MAX });
        let tz = RouteSettings {
            prefixes: vec!["+255".parse().unwrap()],
            clients: vec!["acme".into()],
            backup: vec!["c".into()],
            price: Some("0.0125".parse().unwrap()),
            currency: "USD".into(),
            ..RouteSettings::new("tz", &[("a", 3), ("b", 1)])
        };
        let settings = Settings {
            allowed_clients: vec!["acme".into(), "test".into()],
            smsc: ["a", "b", "c"].map(smsc).to_vec(),
            route: vec![codes, tz, wide, whole],
            ..Settings::default()
        };
        assert_eq!(settings.faults(), []);
        DryRun::new(settings).ask(question)
    }

    #[test]
    fn it_tells_the_route_and_why_and_what_it_costs() {
        let (client, to) = ("acme".into(), "+255123456789".parse().unwrap());
        let text = "ж".repeat(71);
        let question =
            Question { client: &client, class: SmsClass::Bulk, to: &to, sender: None, text: &text };

        let answer = ask(&question);

        assert_eq!((answer.to.as_str(), answer.refusal), ("+255*****89", None));
        assert_eq!(answer.route.unwrap().as_str(), "tz");
        assert_eq!(answer.conditions, ["clients", "prefixes"]);
        assert_eq!(answer.passed_over, [PassedOver { route: "codes".into(), condition: "classes" }]);
        let smscs: Vec<_> =
            answer.smscs.iter().map(|one| (one.smsc.as_str(), one.share, one.backup)).collect();
        assert_eq!(smscs, [("a", 0.75, false), ("b", 0.25, false), ("c", 0.0, true)]);
        let first = &answer.smscs[0];
        assert_eq!((first.alphabet, first.characters, first.parts), ("ucs2", 71, 2));
        assert_eq!(
            (answer.parts, answer.cost.unwrap().to_string(), answer.currency),
            (2, "0.025".into(), "USD".into())
        );
    }

    #[test]
    fn it_counts_what_is_on_the_air_as_the_route_says_how_long_texts_leave() {
        let (client, text) = ("acme".into(), "a".repeat(2 * 153));
        let parts = |to: &str| {
            let to = to.parse().unwrap();
            ask(&Question { client: &client, class: SmsClass::Bulk, to: &to, sender: None, text: &text })
                .parts
        };

        assert_eq!(["+255123456789", "+256123456789", "+257123456789"].map(parts), [2, 3, 2]);
    }

    #[test]
    fn it_tells_why_a_message_would_not_be_sent() {
        let refusal = |client: &str, to: &str, text| {
            let (client, to) = (client.into(), to.parse().unwrap());
            let answer =
                ask(&Question { client: &client, class: SmsClass::Bulk, to: &to, sender: None, text });
            answer.refusal.unwrap()
        };

        assert!(refusal("nobody", "+255123456789", "x").contains("allowed_clients"));
        assert!(refusal("test", "+255123456789", "x").contains("no SMSC"));
        assert_eq!(refusal("acme", "+49123456789", "x"), "no route to this number");
        assert_eq!(refusal("acme", "+255123456789", " "), "message text is blank");
    }
}
