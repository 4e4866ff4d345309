//! STOP and START: which words opt a recipient out, for which client, and what that holds back.

use std::collections::{HashMap, HashSet};

use common::models::sms::{ClientId, InboundKeyword, SmsClass};

use crate::settings::OptOut;

/// `error-text` of a request whose recipient wants none.
pub(crate) const OPTED_OUT: &str = "the recipient has opted out";

/// The rules of one client.
#[derive(Debug)]
struct Rules {
    enabled: bool,
    stop: HashSet<String>,
    start: HashSet<String>,
    classes: Vec<SmsClass>,
}

/// The rules of all clients, from the settings.
#[derive(Debug)]
pub(crate) struct OptOuts {
    common: Rules,
    of: HashMap<ClientId, Rules>,
}

impl OptOuts {
    /// Takes them from the settings.
    pub(crate) fn new(settings: &OptOut) -> Self {
        let fold = |words: &[String]| words.iter().map(|word| folded(word)).collect();
        let common = Rules {
            enabled: settings.enabled,
            stop: fold(&settings.stop),
            start: fold(&settings.start),
            classes: settings.classes.clone(),
        };
        let of = settings.of.iter().map(|(client, own)| {
            let rules = Rules {
                enabled: own.enabled.unwrap_or(settings.enabled),
                stop: fold(own.stop.as_ref().unwrap_or(&settings.stop)),
                start: fold(own.start.as_ref().unwrap_or(&settings.start)),
                classes: own.classes.as_ref().unwrap_or(&settings.classes).clone(),
            };
            (client.as_str().into(), rules)
        });
        Self { of: of.collect(), common }
    }

    fn rules(&self, client: &ClientId) -> &Rules {
        self.of.get(client).unwrap_or(&self.common)
    }

    /// Tells whether a whole message is a word of a client's.
    pub(crate) fn keyword(&self, client: &ClientId, text: &str) -> Option<InboundKeyword> {
        let (rules, word) = (self.rules(client), folded(text));
        match () {
            () if !rules.enabled => None,
            () if rules.stop.contains(&word) => Some(InboundKeyword::Stop),
            () if rules.start.contains(&word) => Some(InboundKeyword::Start),
            () => None,
        }
    }

    /// Tells whether a request of this class must not go to somebody who has opted out.
    pub(crate) fn holds(&self, client: &ClientId, class: SmsClass) -> bool {
        let rules = self.rules(client);
        rules.enabled && rules.classes.contains(&class)
    }
}

/// A word as it is compared: without what people put around it, and in one case.
pub(crate) fn folded(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ClientOptOut;

    #[test]
    fn a_word_counts_in_any_case_and_alone() {
        let rules = OptOuts::new(&OptOut::default());
        let keyword = |text| rules.keyword(&"acme".into(), text);

        for text in ["STOP", " stop.\r\n", "\"Stop!\"", "arrêt", "Stopall"] {
            assert_eq!(keyword(text), Some(InboundKeyword::Stop), "{text}");
        }
        for text in ["yes", "UNSTOP"] {
            assert_eq!(keyword(text), Some(InboundKeyword::Start), "{text}");
        }
        for text in ["", "...", "please stop", "STOP it", "no", "stops"] {
            assert_eq!(keyword(text), None, "{text}");
        }
    }

    #[test]
    fn a_client_may_have_rules_of_its_own() {
        let own = ClientOptOut {
            stop: Some(vec!["Basta".into()]),
            classes: Some(vec![SmsClass::Otp]),
            ..ClientOptOut::default()
        };
        let off = ClientOptOut { enabled: Some(false), ..ClientOptOut::default() };
        let of = [("acme".to_owned(), own), ("silent".to_owned(), off)].into();
        let rules = OptOuts::new(&OptOut { of, ..OptOut::default() });

        assert_eq!(rules.keyword(&"acme".into(), "BASTA"), Some(InboundKeyword::Stop));
        assert_eq!(rules.keyword(&"acme".into(), "stop"), None);
        assert_eq!(rules.keyword(&"acme".into(), "start"), Some(InboundKeyword::Start));
        assert_eq!(rules.keyword(&"silent".into(), "stop"), None);
        assert!(rules.holds(&"acme".into(), SmsClass::Otp) && !rules.holds(&"acme".into(), SmsClass::Bulk));
        assert!(!rules.holds(&"silent".into(), SmsClass::Bulk));
        assert!(
            rules.holds(&"other".into(), SmsClass::Alert) && !rules.holds(&"other".into(), SmsClass::Otp)
        );
    }
}
