//! The rules and their settings, the section `[limits]`.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::bucket::Bucket;

/// Overrides of one rule; what is not given stays at the rule's default.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BucketSettings {
    /// Requests that may come at once.
    pub size: Option<NonZeroU32>,
    /// After how long one more may come.
    #[serde(deserialize_with = "some_duration")]
    pub refill: Option<Duration>,
}

/// A bucket that refills in no time is no limit: `enabled` is the way to say so.
pub(super) fn positive_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let refill: Duration = humantime_serde::deserialize(deserializer)?;
    if refill.as_millis() == 0 {
        Err(de::Error::custom("expected a millisecond or more"))
    } else {
        Ok(refill)
    }
}

/// A bucket without room lets nobody through.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(deserializer).map(NonZeroU32::get)
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    positive_duration(deserializer).map(Some)
}

/// Defines the rules once: their names in settings and metrics, their defaults, what they count.
macro_rules! rules {
    (
        $(#[doc = $on:literal])+
        enabled = $enabled:literal
        $(
            $(#[doc = $doc:literal])+
            $variant:ident = $name:ident { size: $size:literal, refill: $refill:expr }
        )+
    ) => {
        /// What is limited, and by which key. The defaults are `size` at once and one more after each `refill`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $( $(#[doc = $doc])+ #[doc = concat!("\n\nDefault: ", $size, ", ", stringify!($refill), ".")] $variant, )+
        }

        impl Rule {
            /// All of them, in the order of their numbers.
            pub(super) const ALL: &[Self] = &[$( Self::$variant, )+];

            /// Returns the rule's name in `[limits]` and in metrics.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => stringify!($name), )+ }
            }
        }

        /// The section `[limits]`: `enabled`, and `{ size, refill }` for any rule.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct LimitSettings {
            $(#[doc = $on])+
            pub enabled: bool,
            $( $(#[doc = $doc])+ pub $name: BucketSettings, )+
        }

        impl Default for LimitSettings {
            fn default() -> Self {
                Self {
                    enabled: $enabled,
                    $( $name: BucketSettings { size: NonZeroU32::new($size), refill: Some($refill) }, )+
                }
            }
        }

        impl LimitSettings {
            pub(super) fn bucket(&self, rule: Rule) -> Bucket {
                let (set, default) = match rule {
                    $( Rule::$variant => (self.$name, Bucket { size: $size, refill: $refill }), )+
                };
                Bucket {
                    size: set.size.map_or(default.size, NonZeroU32::get),
                    refill: set.refill.unwrap_or(default.refill),
                }
            }
        }
    };
}

/// So many seconds.
const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many minutes.
const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

rules! {
    /// Whether rate limits apply.
    enabled = true

    /// Registrations, by address.
    RegistrationAddress = registration_address { size: 100, refill: mins(1) }
    /// Logins, right or wrong, by address. Wrong ones of an account are counted in the database beside this.
    LoginAddress = login_address { size: 100, refill: secs(3) }
    /// Link tokens that are asked for, by account.
    LinkAccount = link_account { size: 6, refill: secs(20) }
    /// Uses of link tokens, right or wrong, by address.
    LinkAddress = link_address { size: 30, refill: secs(10) }
    /// Websockets of new devices that wait to be linked, by address.
    ProvisioningAddress = provisioning_address { size: 20, refill: secs(6) }
    /// Pictures of QR codes, by address.
    PictureAddress = picture_address { size: 60, refill: secs(2) }
    /// Envelopes for new devices, and signs that their code was read, by account.
    ProvisioningAccount = provisioning_account { size: 20, refill: secs(6) }
    /// Looks for a username, by account.
    SearchAccount = search_account { size: 30, refill: secs(2) }
    /// Requests for a mail (verification, password reset), by address.
    MailAddress = mail_address { size: 10, refill: mins(6) }
    /// Requests for a mail, by the address that it would go to.
    MailTarget = mail_target { size: 3, refill: mins(20) }
    /// Requests for a code by SMS, by address. What a number may get is counted in the database beside this.
    PhoneAddress = phone_address { size: 10, refill: mins(6) }
    /// Fetches of one target's key bundles, by the account that asks and target: each may cost the target a one-time key. The
    /// default lets each of six devices of a person ask twice.
    BundleTarget = bundle_target { size: 12, refill: mins(10) }
    /// Fetches of key bundles, by caller, whatever the targets.
    BundleCaller = bundle_caller { size: 200, refill: secs(18) }
    /// Fetches of one target's key bundles, by target, whoever the callers are.
    BundleOwner = bundle_owner { size: 200, refill: secs(18) }
    /// Comparisons of identity keys, up to 1000 at once, by caller.
    IdentityCheckCaller = identity_check_caller { size: 100, refill: secs(6) }
    /// Synchronizations that are started, by address.
    SyncStartAddress = sync_start_address { size: 30, refill: secs(2) }
    /// Synchronizations that are started, by user.
    SyncStartUser = sync_start_user { size: 10, refill: secs(6) }
    /// Handshakes and verifications of synchronizations, by address.
    SyncAddress = sync_address { size: 60, refill: secs(1) }
    /// Handshakes and verifications of synchronizations, by user. Wrong passwords of our own accounts are counted in the
    /// database beside this.
    SyncUser = sync_user { size: 20, refill: secs(6) }
    /// Notifications that are published, by the key of the back-end.
    NotifyKey = notify_key { size: 100000, refill: Duration::from_millis(1) }
    /// Notifications that are published, by channel.
    NotifyChannel = notify_channel { size: 1000, refill: Duration::from_millis(10) }
    /// Tokens of channels that are asked for, by the key of the back-end.
    NotifyTokenKey = notify_token_key { size: 100000, refill: Duration::from_millis(1) }
    /// Wrong tokens of channels and wrong keys of back-ends, by address.
    NotifyTokenAddress = notify_token_address { size: 100, refill: secs(1) }
    /// Wrong credentials of operators at relay, by address. The right one is admitted whatever came before it, so that nobody
    /// can keep operators out.
    OperatorAddress = operator_address { size: 20, refill: secs(10) }
    /// Registrations of where a device is pushed to, by its token.
    NotifyPushDevice = notify_push_device { size: 20, refill: secs(30) }
    /// Calls of a gateway client: SMS that it hands in, SMS for modems, pings of up to some hundred modems.
    GatewayClient = gateway_client { size: 5000, refill: Duration::from_millis(5) }
    /// Lists of gateway clients and modems, by the address of whoever asks.
    GatewayListAddress = gateway_list_address { size: 300, refill: Duration::from_millis(200) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_rules_agree() {
        for (number, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(*rule as usize, number, "{}", rule.as_str());
        }
    }

    #[test]
    fn a_setting_changes_its_rule_and_what_it_leaves_out_stays() {
        let settings: LimitSettings = serde_json::from_value(
            serde_json::json!({"login_address": {"size": 3}, "bundle_target": {"refill": "1s"}}),
        )
        .unwrap();

        assert!(settings.enabled);
        assert_eq!(settings.bucket(Rule::LoginAddress), Bucket { size: 3, refill: secs(3) });
        assert_eq!(settings.bucket(Rule::BundleTarget), Bucket { size: 12, refill: secs(1) });
    }

    #[test]
    fn buckets_that_are_none_and_rules_that_are_not_there_are_refused() {
        for wrong in [
            r#"{"login_address": {"size": 0}}"#,
            r#"{"login_address": {"refill": "0s"}}"#,
            r#"{"login_adress": {"size": 3}}"#,
        ] {
            assert!(serde_json::from_str::<LimitSettings>(wrong).is_err(), "{wrong}");
        }
    }
}
