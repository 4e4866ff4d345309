//! The keys of back-ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use common::crypto::Secret;
use common::models::operators::ApiKeyHolder;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::domain::ChannelName;

/// Keys with what they are called and what they may do. `Debug` shows the names alone.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "BTreeMap<String, ApiKey>")]
pub struct ApiKeys(Arc<[(Scope, Secret<String>)]>);

/// What a back-end may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What the key is called.
    pub name: Arc<str>,
    channels: Arc<[String]>,
}

impl Scope {
    /// Tells whether a channel may be used. The channels of accounts are for keys alone that name them.
    pub(crate) fn covers(&self, channel: &ChannelName) -> bool {
        covers(&self.channels, channel)
    }
}

/// Tells whether a channel begins in one of these ways; without any, whether it is not an account's.
pub(crate) fn covers(prefixes: &[String], channel: &ChannelName) -> bool {
    match prefixes {
        [] => channel.account().is_none(),
        prefixes => prefixes.iter().any(|prefix| channel.as_str().starts_with(prefix.as_str())),
    }
}

impl ApiKeys {
    /// Finds whose key it is, in a time that does not tell which keys come close.
    pub(crate) fn scope(&self, key: &str) -> Option<&Scope> {
        self.0.iter().fold(None, |found, (scope, known)| if known.matches(key) { Some(scope) } else { found })
    }

    /// Tells who has a key, and for which channels.
    pub(crate) fn holders(&self) -> Vec<ApiKeyHolder> {
        let holder = |(scope, _): &(Scope, Secret<String>)| ApiKeyHolder {
            name: scope.name.to_string(),
            may: match &*scope.channels {
                [] => "all channels but those of accounts".to_owned(),
                prefixes => format!("channels that begin with {}", prefixes.join(", ")),
            },
        };
        self.0.iter().map(holder).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn all_longer(&self, least: usize) -> bool {
        self.0.iter().all(|(_, key)| key.expose().len() >= least)
    }
}

impl From<BTreeMap<String, ApiKey>> for ApiKeys {
    fn from(keys: BTreeMap<String, ApiKey>) -> Self {
        let entry = |(name, ApiKey { key, channels }): (String, ApiKey)| {
            (Scope { name: name.into(), channels: channels.into() }, key)
        };
        Self(keys.into_iter().map(entry).collect())
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(scope, _)| &scope.name)).finish()
    }
}

/// One key, as the settings have it.
#[derive(Clone, Debug, Default)]
pub struct ApiKey {
    /// The key.
    pub key: Secret<String>,
    /// How the channels begin that it may use; none: all but those of accounts.
    pub channels: Vec<String>,
}

impl<'de> Deserialize<'de> for ApiKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            key: Secret<String>,
            #[serde(default)]
            channels: Vec<String>,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ApiKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key, or a table with key and channels")
            }

            fn visit_str<E>(self, key: &str) -> Result<ApiKey, E> {
                Ok(ApiKey { key: key.into(), channels: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ApiKey, A::Error> {
                let Table { key, channels } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ApiKey { key, channels })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use config::Config;

    use super::*;

    fn keys(env: &[(&str, &str)]) -> ApiKeys {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(None, env, []).unwrap();
        config.section::<crate::NotifySettings>("notify").unwrap().auth_keys
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name, 255).unwrap()
    }

    #[test]
    fn a_key_is_text_or_a_table_and_its_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "0123456789abcdef-file\n").unwrap();

        let keys = keys(&[
            ("SEALPOST__NOTIFY__AUTH_KEYS__BACKEND", "0123456789abcdef"),
            ("SEALPOST__NOTIFY__AUTH_KEYS__ORDERS__KEY_FILE", file.to_str().unwrap()),
            ("SEALPOST__NOTIFY__AUTH_KEYS__ORDERS__CHANNELS", "orders/,account:"),
        ]);

        assert_eq!(&*keys.scope("0123456789abcdef").unwrap().name, "backend");
        let orders = keys.scope("0123456789abcdef-file").unwrap();
        assert_eq!(&*orders.name, "orders");
        assert!(orders.covers(&channel("orders/1")) && !orders.covers(&channel("order")));
        assert_eq!(keys.scope("0123456789abcdeF"), None);
        assert!(!format!("{keys:?}").contains("0123456789"), "{keys:?}");
    }

    #[test]
    fn the_channels_of_accounts_are_for_keys_that_name_them() {
        let keys = keys(&[
            ("SEALPOST__NOTIFY__AUTH_KEYS__ALL", "0123456789abcdef"),
            ("SEALPOST__NOTIFY__AUTH_KEYS__WAKE__KEY", "fedcba9876543210"),
            ("SEALPOST__NOTIFY__AUTH_KEYS__WAKE__CHANNELS", "account:"),
        ]);
        let account = channel("account:5e0c26b0-5e5a-4c0e-8f0a-0123456789ab");

        assert!(!keys.scope("0123456789abcdef").unwrap().covers(&account));
        assert!(keys.scope("fedcba9876543210").unwrap().covers(&account));
    }
}
