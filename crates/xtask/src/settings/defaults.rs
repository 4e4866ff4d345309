//! The defaults of all types of settings, out of the running code.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;

use config::Config;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::shown::Shown;

/// The sections, in the order of the reference, each with the crate and the type that read it and with who does.
pub(super) const SECTIONS: [Section; 16] = [
    section("http", "web", "HttpSettings", EVERY),
    section("internal", "service", "InternalSection", EVERY),
    section("database", "service", "DatabaseSection", EVERY),
    section("bus", "bus", "BusSettings", EVERY),
    section("live", "service", "LiveSection", EVERY),
    section("telemetry", "telemetry", "TelemetrySettings", EVERY),
    section("limits", "web", "LimitSettings", EVERY),
    section("auth", "auth", "AuthSettings", "auth"),
    section("keystore", "keystore", "KeystoreSettings", "keystore"),
    section("mailbox", "mailbox", "MailboxSettings", "mailbox"),
    section("sync", "sync", "SyncSettings", "sync"),
    section("notify", "notify", "NotifySettings", "notify"),
    section("relay", "relay", "RelaySettings", "relay"),
    section("sms_gateway", "sms_gateway", "Settings", "sms-gateway"),
    section("compat.signal_server", "service", "SignalServerSettings", EVERY),
    section("compat.woosh", "service", "WooshSettings", EVERY),
];

/// What reads the common sections.
const EVERY: &str = "every program";

/// One section of the settings.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) member: &'static str,
    pub(super) of: &'static str,
    pub(super) read_by: &'static str,
}

const fn section(
    name: &'static str,
    member: &'static str,
    of: &'static str,
    read_by: &'static str,
) -> Section {
    Section { name, member, of, read_by }
}

/// A type with a default.
pub(super) struct Type {
    pub(super) member: String,
    pub(super) name: String,
    shown: String,
    /// Reads the section `x` of a file, and shows it likewise.
    read: fn(&Config) -> Result<String, String>,
}

impl Type {
    fn of<T: Default + Debug + DeserializeOwned>() -> Self {
        let path: Vec<&str> = type_name::<T>().split("::").collect();
        let part = |place: Option<&&str>| place.map_or(String::new(), |part| (*part).to_owned());
        Self {
            member: part(path.first()),
            name: part(path.last()),
            shown: format!("{:#?}", T::default()),
            read: |config| {
                let read = config.section::<T>("x").map_err(|error| error.to_string())?;
                Ok(format!("{read:#?}"))
            },
        }
    }

    /// Reads what is written, and tells whether it is the default.
    ///
    /// # Errors
    /// What differs.
    pub(super) fn is_default(&self, written: &str) -> Result<(), String> {
        let at = |error: String| format!("{}::{}: {error}", self.member, self.name);
        let file = tempfile::NamedTempFile::new().map_err(|error| at(error.to_string()))?;
        fs::write(file.path(), format!("[x]\n{written}")).map_err(|error| at(error.to_string()))?;
        let config = Config::load(Some(file.path()), [], []).map_err(|error| at(error.to_string()))?;
        let read = (self.read)(&config).map_err(at)?;
        let different = read.lines().zip(self.shown.lines()).find(|(read, shown)| read != shown);
        let plain = |line: &str| line.trim().trim_end_matches(',').to_owned();
        match different.map(|(read, shown)| (plain(read), plain(shown))) {
            Some((read, shown)) => Err(at(format!("{read} was read, and {shown} is the default"))),
            None => Ok(()),
        }
    }
}

/// The types that cannot be reached through another one's default are here, too: elements of lists, and tables that are
/// not there by default.
fn types() -> Vec<Type> {
    vec![
        Type::of::<web::HttpSettings>(),
        Type::of::<service::InternalSection>(),
        Type::of::<service::DatabaseSection>(),
        Type::of::<bus::BusSettings>(),
        Type::of::<service::LiveSection>(),
        Type::of::<telemetry::TelemetrySettings>(),
        Type::of::<web::LimitSettings>(),
        Type::of::<auth::AuthSettings>(),
        Type::of::<keystore::KeystoreSettings>(),
        Type::of::<mailbox::MailboxSettings>(),
        Type::of::<sync::SyncSettings>(),
        Type::of::<sync::UserApiSettings>(),
        Type::of::<notify::NotifySettings>(),
        Type::of::<relay::RelaySettings>(),
        Type::of::<sms_gateway::Settings>(),
        Type::of::<sms_gateway::SmscSettings>(),
        Type::of::<sms_gateway::Tls>(),
        Type::of::<sms_gateway::WaspSettings>(),
        Type::of::<sms_gateway::HttpSettings>(),
        Type::of::<sms_gateway::HttpHeader>(),
        Type::of::<sms_gateway::HttpReceipts>(),
        Type::of::<sms_gateway::IdPlace>(),
        Type::of::<sms_gateway::Rule>(),
        Type::of::<sms_gateway::ClientQuota>(),
        Type::of::<sms_gateway::ClientOptOut>(),
        Type::of::<service::signal_server::SignalServerSettings>(),
        Type::of::<service::woosh::WooshSettings>(),
    ]
}

/// What the code has where nothing is set.
pub(super) struct Defaults {
    pub(super) types: Vec<Type>,
    shown: BTreeMap<(String, String), Shown>,
    written: BTreeMap<(String, String, String), Value>,
}

impl Defaults {
    /// Takes them out of the code.
    ///
    /// # Errors
    /// What `Debug` has shown in a way that is not understood.
    pub(super) fn take() -> Result<Self, String> {
        let types = types();
        let mut shown = BTreeMap::new();
        for one in &types {
            shown.insert((one.member.clone(), one.name.clone()), Shown::read(&one.shown)?);
        }
        Ok(Self { types, shown, written: written() })
    }

    /// The default of a type.
    pub(super) fn of(&self, member: &str, name: &str) -> Option<&Shown> {
        self.shown.get(&(member.to_owned(), name.to_owned()))
    }

    /// The default of a field that `Debug` does not show as it is written.
    pub(super) fn written(&self, member: &str, name: &str, field: &str) -> Option<&Value> {
        self.written.get(&(member.to_owned(), name.to_owned(), field.to_owned()))
    }
}

/// Values whose type writes them in another way than it shows them.
fn written() -> BTreeMap<(String, String, String), Value> {
    let statuses = |range: &str| serde_json::json!([{ "statuses": [range] }]);
    let strings = |list: Vec<String>| Value::from(list);
    let endpoints = notify::PushSettings::default().endpoints.iter().map(ToString::to_string).collect();
    let names = sms_gateway::Settings::default().fail_over_on;
    let fail_over_on = names.iter().filter_map(|status| status.name()).map(str::to_owned).collect();
    let all = [
        ("notify", "PushSettings", "endpoints", strings(endpoints)),
        ("sms_gateway", "Settings", "fail_over_on", strings(fail_over_on)),
        ("sms_gateway", "HttpSettings", "accepted", statuses("200-299")),
        ("sms_gateway", "HttpSettings", "throttled", statuses("429")),
        ("sms_gateway", "HttpSettings", "refused", statuses("400-499")),
        ("sms_gateway", "Rule", "statuses", serde_json::json!(["200-299"])),
    ];
    all.into_iter()
        .map(|(member, name, field, value)| ((member.to_owned(), name.to_owned(), field.to_owned()), value))
        .collect()
}
