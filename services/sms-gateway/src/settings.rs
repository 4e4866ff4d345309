//! The section `[sms_gateway]`.

mod connection;
mod health;
mod http;
mod inbound;
mod quota;
mod route;
mod smsc;
mod wasp;
mod webhooks;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use common::crypto::Secret;
use common::models::operators::ApiKeyHolder;
use common::models::sms::{ClientId, SmscName};
use serde::Deserialize;
use smpp::codec::CommandStatus;
use webhook::DeliverySettings;

pub use crate::domain::numbers::{NumberPattern, NumberPrefix, OwnNumber};
pub use crate::domain::price::Price;
pub use connection::{Connection, Unreachable};
pub use health::HealthSettings;
pub use http::{
    Encodings, HttpHeader, HttpMethod, HttpReceipts, HttpSettings, IdPlace, JsonTemplate, Pattern, Pointer,
    ReceiptWord, Rule, Statuses, Template, UrlTemplate,
};
pub use inbound::{ClientOptOut, Encryption, Inbound, InboundSender, OptOut, Unowned};
pub use quota::{ClientQuota, QuotaSettings};
pub use route::{RouteSettings, SmscShare};
pub use smsc::{Bind, SmscSettings, Tls};
pub use wasp::WaspSettings;
pub use webhooks::WebhookSettings;

/// Settings of the gateway. `Debug` is safe to log.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The vault: a PKCS#12 or JKS file with one private key entry per client, named after it. It is read again when
    /// it changes. Without one every request is INVALID.
    pub vault: Option<PathBuf>,
    /// The vault's password.
    pub vault_password: Secret<String>,
    /// Clients that may send.
    pub allowed_clients: Vec<ClientId>,
    /// Recipients that may be sent to: patterns of `+`, digits, `#` for any one digit, `*` at the end for any more.
    pub allowed_numbers: Vec<NumberPattern>,
    /// Consumer group.
    pub group: String,
    /// Names of the topics.
    pub topics: Topics,
    /// Loop-back client: from the request to its first status.
    #[serde(with = "humantime_serde")]
    pub loopback_delay: Duration,
    /// Loop-back client: from the first status to the second.
    #[serde(with = "humantime_serde")]
    pub loopback_long_delay: Duration,
    /// Keys of `POST /v1/sms` and `GET /v1/sms/status`, each with the client it belongs to.
    pub http_keys: HttpKeys,
    /// Whether a client may send again under the same ids after an unknown outcome.
    pub resubmit_unknown: bool,
    /// Folder for one log file per client, one line per status, made if need be; none: no such files.
    pub client_log: Option<PathBuf>,
    /// How long an outcome is waited for at most, from when the message was handed over, before the client is told that
    /// it is unknown; longer where what is ahead of it takes longer, at the rate of the SMSC.
    #[serde(with = "humantime_serde")]
    pub unknown_after: Duration,
    /// The same from when no response came in time, or the link was lost: for a late response, or a receipt, which is
    /// brought to its message by its recipient after 3 to 4 s.
    #[serde(with = "humantime_serde")]
    pub unknown_grace: Duration,
    /// For requests of class `otp` or `alert`: what was not answered until then is sent once more; later where what is
    /// ahead of it takes longer.
    #[serde(with = "humantime_serde")]
    pub resend_after: Duration,
    /// Most segments that this instance sends a second for each client; 0: no limit.
    pub client_tps: f64,
    /// The same for single clients, in place of `client_tps`.
    pub tps_of: BTreeMap<String, f64>,
    /// First pause after "throttled" or "queue full", of the bind and of the segment; doubled at each repetition.
    #[serde(with = "humantime_serde")]
    pub throttle_backoff: Duration,
    /// Longest such pause.
    #[serde(with = "humantime_serde")]
    pub throttle_backoff_max: Duration,
    /// How long requests wait while the SMSC refuses our credentials, before they are FAILED.
    #[serde(with = "humantime_serde")]
    pub bind_patience: Duration,
    /// How long statuses, ended attempts and receipts without an attempt are kept.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How far away the deadline of a request in encryption version 2 may be: so long its envelope is remembered, so
    /// that nobody can send it a second time.
    #[serde(with = "humantime_serde")]
    pub replay_window: Duration,
    /// Threads that decrypt; 0: one per core.
    pub decrypt_threads: usize,
    /// Whether RSA decrypts eight messages at a time, in a third of the time, where the processor can (AVX-512 IFMA).
    /// Without it OpenSSL decrypts each.
    pub decrypt_in_lanes: bool,
    /// Records of one batch at most.
    pub batch: usize,
    /// Messages kept decrypted in memory between intake and submission, at most; the others are decrypted again.
    pub plaintexts: usize,
    /// The SMSCs. Without routes, in order of preference: the first that can take messages is used.
    pub smsc: Vec<SmscSettings>,
    /// Providers with the interface WASP, which come after the SMSCs.
    pub wasp: Vec<WaspSettings>,
    /// Other providers over HTTP, which come last.
    pub http: Vec<HttpSettings>,
    /// The routes: a message takes the first one whose conditions hold, and is INVALID without one. None: every message
    /// takes the route `default` to all SMSCs.
    pub route: Vec<RouteSettings>,
    /// Refusals that mean no more than that this SMSC cannot take the message now, by name or code: it goes to the next
    /// one of its route. Those that ask for a slower pace, RTHROTTLED and RMSGQFUL, always mean that.
    #[serde(deserialize_with = "health::statuses")]
    pub fail_over_on: Vec<CommandStatus>,
    /// For each message of a higher class (otp, alert, bulk), the part of a message that a lower one may send by the
    /// same SMSC while it has some that wait: 0.1 is one for ten.
    pub reserved_share: f64,
    /// When an SMSC counts as sick.
    pub health: HealthSettings,
    /// Our numbers, and whose messages from handsets come to them.
    pub inbound: Vec<Inbound>,
    /// What an SMSC is answered about a message to a number that is nobody's: `accept` or `refuse`.
    pub inbound_unowned: Unowned,
    /// How long the parts of a long message from a handset are waited for before its owner gets those that have come.
    #[serde(with = "humantime_serde")]
    pub inbound_join_timeout: Duration,
    /// How long the same message from the same handset counts as one that the SMSC brings again, as it got no answer;
    /// 0: never. Nothing tells it from a person who sends the same word twice, so it is short: an SMSC that comes again
    /// later brings a message twice.
    #[serde(with = "humantime_serde")]
    pub inbound_repeats: Duration,
    /// How recipients opt out.
    pub opt_out: OptOut,
    /// How much each client may send.
    pub quota: QuotaSettings,
    /// How long the delivery report goes back: what was sent on which day, without a word of what or to whom.
    #[serde(with = "humantime_serde")]
    pub report_retention: Duration,
    /// Receivers that are told the statuses of a client.
    pub webhooks: Vec<WebhookSettings>,
    /// How they are told. A receiver gets one status at a time: `concurrent` has no meaning here.
    pub webhook_delivery: DeliverySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vault: None,
            vault_password: Secret::default(),
            allowed_clients: vec!["test".into()],
            allowed_numbers: vec![NumberPattern::any()],
            group: "sms-gateway".into(),
            topics: Topics::default(),
            loopback_delay: Duration::from_millis(100),
            loopback_long_delay: Duration::from_millis(1500),
            http_keys: HttpKeys::default(),
            resubmit_unknown: true,
            client_log: None,
            unknown_after: Duration::from_secs(60),
            unknown_grace: Duration::from_secs(5),
            resend_after: Duration::from_secs(30),
            client_tps: 0.0,
            tps_of: BTreeMap::new(),
            throttle_backoff: Duration::from_secs(1),
            throttle_backoff_max: Duration::from_secs(60),
            bind_patience: Duration::from_secs(60),
            retention: Duration::from_secs(30 * 24 * 3600),
            replay_window: Duration::from_secs(90 * 24 * 3600),
            decrypt_threads: 0,
            decrypt_in_lanes: true,
            batch: 256,
            plaintexts: 10_000,
            smsc: Vec::new(),
            wasp: Vec::new(),
            http: Vec::new(),
            route: Vec::new(),
            fail_over_on: vec![CommandStatus::RSYSERR, CommandStatus::RX_T_APPN],
            reserved_share: 0.1,
            health: HealthSettings::default(),
            inbound: Vec::new(),
            inbound_unowned: Unowned::default(),
            inbound_join_timeout: Duration::from_secs(30 * 60),
            inbound_repeats: Duration::from_secs(60),
            opt_out: OptOut::default(),
            quota: QuotaSettings::default(),
            report_retention: Duration::from_secs(731 * 24 * 3600),
            webhooks: Vec::new(),
            webhook_delivery: DeliverySettings::default(),
        }
    }
}

/// Names of the topics.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Requests.
    pub send: String,
    /// Statuses.
    pub status: String,
    /// Correlation records of the Java original. Neither read nor written, as receipts are matched in the database; here so
    /// that what names it need not be changed.
    pub correl: String,
    /// Requests that nobody can be told about.
    pub dead: String,
    /// Mobile-originated messages.
    pub inbound: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            send: bus::topics::SEND_SMS.into(),
            status: bus::topics::SMS_STATUS.into(),
            correl: bus::topics::CORREL_ID.into(),
            dead: bus::topics::SEND_SMS_DEAD.into(),
            inbound: bus::topics::SMS_INBOUND.into(),
        }
    }
}

/// API keys with the client that each belongs to. `Debug` shows the clients only.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "BTreeMap<String, ClientId>")]
pub struct HttpKeys(Vec<(Secret<String>, ClientId)>);

impl HttpKeys {
    /// Finds the client of a key, in a time that does not tell which keys come close.
    pub fn client(&self, key: &str) -> Option<&ClientId> {
        self.0
            .iter()
            .fold(None, |found, (known, client)| if known.matches(key) { Some(client) } else { found })
    }
}

impl HttpKeys {
    /// Tells which clients have a key, once for each.
    pub(crate) fn holders(&self) -> Vec<ApiKeyHolder> {
        let may = "send SMS and read their statuses";
        let holder = |client: &ClientId| ApiKeyHolder { name: client.to_string(), may: may.to_owned() };
        let mut holders: Vec<ApiKeyHolder> = self.0.iter().map(|(_, client)| holder(client)).collect();
        holders.sort_by(|one, other| one.name.cmp(&other.name));
        holders
    }
}

impl From<BTreeMap<String, ClientId>> for HttpKeys {
    fn from(keys: BTreeMap<String, ClientId>) -> Self {
        keys.into_iter().collect()
    }
}

impl FromIterator<(String, ClientId)> for HttpKeys {
    fn from_iter<I: IntoIterator<Item = (String, ClientId)>>(keys: I) -> Self {
        Self(keys.into_iter().map(|(key, client)| (key.into(), client)).collect())
    }
}

impl std::fmt::Debug for HttpKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(_, client)| client)).finish()
    }
}

fn is_rate(tps: f64) -> bool {
    tps.is_finite() && tps >= 0.0
}

const SAME_NAME: &str = "two back ends have the same name";
/// Keys shorter than this can be guessed.
const MIN_KEY: usize = 16;

impl Settings {
    /// Gives the SMSCs and providers that can be submitted to, in order of preference.
    pub(crate) fn submitting(&self) -> impl Iterator<Item = &SmscName> {
        let smscs = self.smsc.iter().filter(|smsc| smsc.bind != Bind::Receiver).map(|smsc| &smsc.name);
        let wasps = self.wasp.iter().map(|wasp| &wasp.name);
        smscs.chain(wasps).chain(self.http.iter().map(|http| &http.name))
    }

    /// Finds what the types cannot express; each fault with its place.
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |place: &str, what: &str| faults.push((format!("sms_gateway.{place}"), what.to_owned()));
        for (place, topic) in [
            ("topics.send", &self.topics.send),
            ("topics.status", &self.topics.status),
            ("topics.dead", &self.topics.dead),
            ("topics.inbound", &self.topics.inbound),
            ("group", &self.group),
        ] {
            if topic.is_empty() {
                fault(place, "must not be empty");
            }
        }
        if self.batch == 0 {
            fault("batch", "must be above 0");
        }
        if !is_rate(self.client_tps) {
            fault("client_tps", "must be 0 or above");
        }
        if !self.tps_of.values().all(|tps| is_rate(*tps)) {
            fault("tps_of", "must be 0 or above");
        }
        if !(0.0..=1.0).contains(&self.reserved_share) {
            fault("reserved_share", "must be from 0 to 1");
        }
        self.health.faults(&mut |place, what| fault(&format!("health.{place}"), what));
        route::faults(self, &mut fault);
        if self.http_keys.0.iter().any(|(key, _)| key.expose().len() < MIN_KEY) {
            fault("http_keys", "a key has at least 16 characters");
        }
        self.inbound.iter().for_each(|own| {
            own.faults(&mut |place, what| fault(&format!("inbound.{place}"), what));
        });
        self.opt_out.faults(&mut |place, what| fault(&format!("opt_out.{place}"), what));
        for (_, place, rule) in self.webhook_delivery.rules().iter().filter(|(holds, ..)| !holds) {
            fault(&format!("webhook_delivery.{place}"), rule);
        }
        for what in webhooks::faults(&self.webhooks, self.webhook_delivery.allow_http) {
            fault("webhooks", &what);
        }
        let mut names = HashSet::new();
        for smsc in &self.smsc {
            if !smsc.name.as_str().is_empty() && !names.insert(&smsc.name) {
                fault("smsc.name", SAME_NAME);
            }
            smsc.faults(&mut |place, what| fault(&format!("smsc.{place}"), what));
            for (place, wait) in [("unknown_after", self.unknown_after), ("resend_after", self.resend_after)]
            {
                if smsc.response_timeout >= wait {
                    fault(place, "must be above every smsc.response_timeout");
                }
            }
        }
        for wasp in &self.wasp {
            if !wasp.name.as_str().is_empty() && !names.insert(&wasp.name) {
                fault("wasp.name", SAME_NAME);
            }
            wasp.faults(&mut |place, what| fault(&format!("wasp.{place}"), what));
        }
        for http in &self.http {
            if !http.name.as_str().is_empty() && !names.insert(&http.name) {
                fault("http.name", SAME_NAME);
            }
            http.faults(&mut |place, what| fault(&format!("http.{place}"), what));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault() {
        assert_eq!(Settings::default().faults(), []);
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let settings = Settings {
            http_keys: [("short".to_owned(), "acme".into())].into_iter().collect(),
            smsc: vec![
                SmscSettings { name: "a".into(), window: 0, ..SmscSettings::default() },
                SmscSettings { name: "a".into(), ..SmscSettings::default() },
            ],
            ..Settings::default()
        };

        let places: Vec<String> = settings.faults().into_iter().map(|(place, _)| place).collect();

        assert_eq!(places, ["sms_gateway.http_keys", "sms_gateway.smsc.window", "sms_gateway.smsc.name"]);
    }

    #[test]
    fn a_key_finds_its_client_and_is_not_shown() {
        let keys: HttpKeys = [("0123456789abcdef".to_owned(), "acme".into())].into_iter().collect();

        assert_eq!(keys.client("0123456789abcdef").map(ClientId::as_str), Some("acme"));
        assert_eq!(keys.client("0123456789abcdeF"), None);
        assert!(!format!("{keys:?}").contains("0123456789"), "{keys:?}");
    }
}
