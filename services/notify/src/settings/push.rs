//! The part `[notify.push]`.

use std::time::Duration;

use common::crypto::Secret;
use serde::Deserialize;

use crate::push::policy::EndpointRule;

/// Hosts of the push services of browsers: those of Chromium, Firefox, Edge and Safari.
const BROWSERS: [&str; 4] =
    ["fcm.googleapis.com", "*.push.services.mozilla.com", "*.notify.windows.com", "web.push.apple.com"];

/// Settings of push to devices that are not connected.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushSettings {
    /// The private key of this server towards push services (VAPID, RFC 8292), 32 bytes in base64url; subscriptions are
    /// sealed under a key derived from it. Another one makes all subscriptions void. Empty: nothing is pushed.
    pub vapid_key: Secret<String>,
    /// How the operator of a push service reaches you: a `mailto:` or `https:` URL. Apple asks for one.
    pub subject: String,
    /// Which push services devices may name: a host, `*.domain`, `*` for every host; all of them over https at public
    /// addresses. An origin, such as `http://10.0.0.7:8080`, is called wherever it is: name only what may be called with
    /// any path.
    pub endpoints: Vec<EndpointRule>,
    /// Devices that one channel pushes to at most.
    pub max_subscriptions: u32,
    /// How long a subscription is kept that its device does not renew.
    #[serde(with = "humantime_serde")]
    pub subscription_ttl: Duration,
    /// How long a device has to connect by itself before it is pushed to.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// How long a device that was woken, and has not connected since, is not woken again.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// How long a push is worth sending, unless its publication says less.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// How long one request to a push service may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Requests to push services at once.
    pub concurrent: usize,
    /// The pause after the first try that failed; doubled after each, unless the push service names one.
    #[serde(with = "humantime_serde")]
    pub first_pause: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub longest_pause: Duration,
}

impl Default for PushSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            vapid_key: Secret::default(),
            subject: String::new(),
            endpoints: BROWSERS.iter().filter_map(|rule| rule.parse().ok()).collect(),
            max_subscriptions: 100,
            subscription_ttl: 90 * DAY,
            delay: Duration::from_secs(2),
            interval: Duration::from_secs(3600),
            ttl: DAY,
            timeout: Duration::from_secs(10),
            concurrent: 32,
            first_pause: Duration::from_secs(10),
            longest_pause: Duration::from_secs(1800),
        }
    }
}

impl PushSettings {
    /// Tells whether anything is pushed.
    pub(crate) fn is_on(&self) -> bool {
        !self.vapid_key.expose().is_empty()
    }

    /// The rules that a type cannot express, and whether they hold.
    pub(super) fn rules(&self) -> Vec<(bool, &'static str, &'static str)> {
        let contact = self.subject.starts_with("mailto:") || self.subject.starts_with("https:");
        let times = [
            (self.subscription_ttl, "push.subscription_ttl"),
            (self.delay, "push.delay"),
            (self.interval, "push.interval"),
            (self.ttl, "push.ttl"),
            (self.timeout, "push.timeout"),
            (self.first_pause, "push.first_pause"),
            (self.longest_pause, "push.longest_pause"),
        ];
        let mut rules = vec![
            (self.subject.is_empty() || contact, "push.subject", "is a mailto: or https: URL"),
            (self.max_subscriptions > 0, "push.max_subscriptions", "is above 0"),
            (self.concurrent > 0, "push.concurrent", "is above 0"),
        ];
        rules.extend(times.map(|(time, place)| (!time.is_zero(), place, "is above 0")));
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_reached_by_default() {
        let settings = PushSettings::default();

        let rules: Vec<String> = settings.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(rules, BROWSERS);
        assert!(settings.rules().iter().all(|(holds, ..)| *holds));
    }
}
