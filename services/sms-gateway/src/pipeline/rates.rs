//! Shares of submissions a second, of clients and of routes: a token for each segment.
//!
//! A long text goes out whole as soon as one token is there, and what it took too much is made up for by a longer rest.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use common::models::sms::{ClientId, RouteName};

use crate::settings::Settings;

/// So much of a second's share gathers while there is nothing to send.
const SAVED_SECS: f64 = 0.1;

/// The shares of all clients, or routes, as far as one instance gives them out.
pub(crate) struct Rates<K> {
    /// Segments a second; 0 is no limit.
    usual: f64,
    of: HashMap<K, f64>,
    shares: HashMap<K, Share>,
}

struct Share {
    tps: f64,
    tokens: f64,
    at: Instant,
}

impl Rates<ClientId> {
    /// Takes the settings' figures for clients.
    pub(crate) fn of_clients(settings: &Settings) -> Self {
        let of = settings.tps_of.iter().map(|(client, tps)| (client.as_str().into(), *tps)).collect();
        Self { usual: settings.client_tps, of, shares: HashMap::new() }
    }
}

impl Rates<RouteName> {
    /// Takes the settings' figures for routes.
    pub(crate) fn of_routes(settings: &Settings) -> Self {
        let of = settings.route.iter().map(|route| (route.name.clone(), route.tps)).collect();
        Self { usual: 0.0, of, shares: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Rates<K> {
    /// Gives those that have had their share for now.
    pub(crate) fn resting(&mut self, now: Instant) -> Vec<K> {
        self.shares.values_mut().for_each(|share| share.refill(now));
        let resting = self.shares.iter().filter(|(_, share)| share.tokens < 1.0);
        resting.map(|(one, _)| one.clone()).collect()
    }

    /// Counts the tokens that are there; none where there is no limit.
    pub(crate) fn left(&mut self, one: &K, now: Instant) -> Option<usize> {
        self.share(one, now).map(|share| share.tokens.max(0.0) as usize)
    }

    /// Takes a token for a message's first segment, if there is one.
    pub(crate) fn take(&mut self, one: &K, now: Instant) -> bool {
        let Some(share) = self.share(one, now) else { return true };
        let there = share.tokens >= 1.0;
        if there {
            share.tokens -= 1.0;
        }
        there
    }

    /// Takes the tokens for the other segments of a message, whether they are there or not.
    pub(crate) fn take_more(&mut self, one: &K, segments: usize) {
        if let Some(share) = self.shares.get_mut(one) {
            share.tokens -= segments as f64;
        }
    }

    /// Gives a message's token back: it does not leave yet.
    pub(crate) fn put_back(&mut self, one: &K) {
        if let Some(share) = self.shares.get_mut(one) {
            share.tokens += 1.0;
        }
    }

    /// Tells how long it is until one that rests has a token.
    pub(crate) fn next_share(&self, now: Instant) -> Option<Duration> {
        let waits = self.shares.values().filter(|share| share.tokens < 1.0);
        let ready = waits.map(|share| share.at + Duration::from_secs_f64((1.0 - share.tokens) / share.tps));
        ready.min().map(|at| at.saturating_duration_since(now))
    }

    /// Gives what one has by now; `None` where there is no limit.
    fn share(&mut self, one: &K, now: Instant) -> Option<&mut Share> {
        let tps = self.of.get(one).copied().unwrap_or(self.usual);
        if tps <= 0.0 {
            return None;
        }
        let full = || Share { tps, tokens: most(tps), at: now };
        let share = self.shares.entry(one.clone()).or_insert_with(full);
        share.refill(now);
        Some(share)
    }
}

/// Tokens that gather at most: always one.
fn most(tps: f64) -> f64 {
    (tps * SAVED_SECS).max(1.0)
}

impl Share {
    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.tps;
        self.tokens = (self.tokens + gained).min(most(self.tps));
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(usual: f64, of: &[(&str, f64)]) -> Rates<ClientId> {
        let tps_of = of.iter().map(|(client, tps)| ((*client).to_owned(), *tps)).collect();
        Rates::of_clients(&Settings { client_tps: usual, tps_of, ..Settings::default() })
    }

    fn sent_in(rates: &mut Rates<ClientId>, client: &str, seconds: u64, segments: usize) -> usize {
        let start = Instant::now();
        let mut sent = 0;
        for step in 0..seconds * 100 {
            let now = start + Duration::from_millis(10 * step);
            while rates.take(&client.into(), now) {
                rates.take_more(&client.into(), segments - 1);
                sent += segments;
            }
        }
        sent
    }

    #[test]
    fn a_client_gets_its_share_and_no_more_whatever_the_length_of_its_texts() {
        for (tps, segments) in [(1.0, 1), (20.0, 1), (20.0, 7), (500.0, 3)] {
            let sent = sent_in(&mut rates(tps, &[]), "acme", 20, segments) as f64;
            let due = tps * 20.0;

            assert!(sent >= due * 0.95 - 1.0 && sent <= due * 1.05 + segments as f64, "{sent} of {due}");
        }
    }

    #[test]
    fn one_client_does_not_use_up_the_share_of_another() {
        let mut rates = rates(1.0, &[("big", 100.0)]);
        let now = Instant::now();

        assert!(rates.take(&"acme".into(), now) && !rates.take(&"acme".into(), now));
        assert!(rates.take(&"other".into(), now));
        assert!((100..=110).contains(&sent_in(&mut rates, "big", 1, 1)));
    }

    #[test]
    fn a_resting_client_is_named_until_its_next_token_is_due() {
        let mut rates = rates(2.0, &[]);
        let now = Instant::now();
        assert!(rates.take(&"acme".into(), now));

        assert_eq!(rates.resting(now), [ClientId::from("acme")]);
        let wait = rates.next_share(now).unwrap();
        assert_eq!(wait, Duration::from_millis(500));
        assert!(rates.resting(now + wait).is_empty());
    }

    #[test]
    fn without_a_limit_nobody_rests() {
        let mut rates = rates(0.0, &[]);
        let now = Instant::now();

        assert!((0..10_000).all(|_| rates.take(&"acme".into(), now)));
        assert!(rates.resting(now).is_empty() && rates.next_share(now).is_none());
    }
}
