use super::model::Kind;
use super::*;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Does something with the table of each section.
fn each_section(mut look: impl FnMut(&str, &[Setting])) {
    let (sources, defaults) = (sources(&root()).unwrap(), Defaults::take().unwrap());
    let model = Model { sources: &sources, defaults: &defaults };
    for section in &SECTIONS {
        let declared = sources.get(section.member, section.of).unwrap();
        look(section.name, &model.table(declared, None).unwrap());
    }
}

#[test]
fn the_reference_is_that_of_this_workspace() {
    assert_eq!(run(&root(), true).map(|_| ()), Ok(()));
}

#[test]
fn another_value_than_the_default_is_told() {
    let defaults = Defaults::take().unwrap();
    let mailbox = defaults.types.iter().find(|one| one.member == "mailbox").unwrap();

    let fault = mailbox.is_default("window = 257\n").unwrap_err();

    assert!(fault.contains("window: 257 was read, and window: 256 is the default"), "{fault}");
}

#[test]
fn every_section_that_a_file_may_have_is_described_and_each_setting_is_explained() {
    let mut sections = Vec::new();
    let mut silent = Vec::new();
    each_section(|name, settings| {
        sections.push(name.to_owned());
        without_docs(name, settings, &mut silent);
    });

    let known = service::SECTIONS;
    assert!(known.iter().all(|name| sections.iter().any(|found| found == name)), "{sections:?}");
    assert_eq!(sections.len(), known.len());
    assert_eq!(silent, Vec::<String>::new());
}

fn without_docs(path: &str, settings: &[Setting], silent: &mut Vec<String>) {
    for setting in settings {
        let path = format!("{path}.{}", setting.name);
        if setting.docs.is_empty() {
            silent.push(path.clone());
        }
        match &setting.kind {
            Kind::Table(settings) => without_docs(&path, settings, silent),
            Kind::List(of) | Kind::Named(of) => {
                if let Kind::Table(settings) = &**of {
                    without_docs(&path, settings, silent);
                }
            }
            _ => {}
        }
    }
}

/// What clients, suites and operators rely on, with its default: it does not change with the code.
const FIXED: [(&str, &str); 56] = [
    ("http.listen", "127.0.0.1:8080"),
    ("http.public_url", ""),
    ("http.trusted_proxies", "[]"),
    ("http.cors_origins", "[]"),
    ("internal.listen", "127.0.0.1:9090"),
    ("internal.token", ""),
    ("internal.admin_token", ""),
    ("database.url", ""),
    ("limits.enabled", "true"),
    ("bus.kind", "embedded"),
    ("bus.brokers", ""),
    ("bus.security.protocol", "plaintext"),
    ("bus.security.sasl_mechanism", ""),
    ("bus.security.username", ""),
    ("bus.security.password", ""),
    ("bus.security.ca_file", ""),
    ("live.url", ""),
    ("auth.registration", "open"),
    ("auth.access_ttl", "15m"),
    ("auth.refresh_ttl", "30d"),
    ("auth.mail", ""),
    ("keystore.max_devices", "6"),
    ("mailbox.max_content_bytes", "98304"),
    ("mailbox.max_envelopes", "10000"),
    ("mailbox.ttl", "30d"),
    ("compat.signal_server.strict_keys", "true"),
    ("compat.signal_server.throttles", "false"),
    ("compat.woosh.enabled", "true"),
    ("sms_gateway.vault", ""),
    ("sms_gateway.vault_password", ""),
    ("sms_gateway.allowed_clients", r#"["test"]"#),
    ("sms_gateway.group", "sms-gateway"),
    ("sms_gateway.topics.send", "send-sms"),
    ("sms_gateway.topics.status", "sms-status"),
    ("sms_gateway.topics.correl", "correl-id"),
    ("sms_gateway.topics.dead", "send-sms-dead"),
    ("sms_gateway.topics.inbound", "sms-inbound"),
    ("sms_gateway.loopback_delay", "100ms"),
    ("sms_gateway.loopback_long_delay", "1500ms"),
    ("sms_gateway.resubmit_unknown", "true"),
    ("sms_gateway.smsc.host", "127.0.0.1"),
    ("sms_gateway.smsc.port", "2775"),
    ("sms_gateway.smsc.bind", "transceiver"),
    ("sms_gateway.smsc.window", "10"),
    ("sms_gateway.smsc.tps", "0.0"),
    ("sms_gateway.smsc.response_timeout", "10s"),
    ("sms_gateway.smsc.simulated", "false"),
    ("notify.token_ttl", "7d"),
    ("notify.history_ttl", "3d"),
    ("notify.history_size", "1000"),
    ("notify.conformance", "false"),
    ("sync.session_change_limit", "3"),
    ("sync.session_sleep_timeout", "15s"),
    ("sync.session_paused_timeout", "2m"),
    ("relay.twilio_auth_token", ""),
    ("relay.public_imsi", "true"),
];

/// The same, where the default is a table, a list, or depends on others.
const NAMED: [&str; 12] = [
    "sms_gateway.allowed_numbers",
    "sms_gateway.http_keys",
    "sms_gateway.smsc.name",
    "sms_gateway.smsc.system_id",
    "sms_gateway.smsc.password",
    "sms_gateway.smsc.id_base",
    "notify.auth_keys",
    "sync.start",
    "sync.user_api",
    "relay.publisher",
    "limits.login_address",
    "limits.bundle_target",
];

#[test]
fn the_names_and_defaults_that_others_rely_on_are_there() {
    let mut all = Vec::new();
    each_section(|name, settings| flat(name, settings, &mut all));

    for (path, default) in FIXED {
        let found = all.iter().find(|(found, _)| found == path);
        assert_eq!(found.map(|(_, default)| default.as_str()), Some(default), "{path}");
    }
    for path in NAMED {
        assert!(all.iter().any(|(found, _)| found == path), "{path}");
    }
    let page = files::text(&root().join(PAGE)).unwrap();
    for path in FIXED.map(|(path, _)| path).into_iter().chain(NAMED) {
        let variable = variable(&path.replace(".smsc.", ".smsc.0."));
        assert!(page.contains(&variable) || page.contains(&format!("[{path}")), "{path} is not in {PAGE}");
    }
}

fn flat(path: &str, settings: &[Setting], all: &mut Vec<(String, String)>) {
    for setting in settings {
        let path = format!("{path}.{}", setting.name);
        let default = match &setting.default {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        all.push((path.clone(), default));
        match &setting.kind {
            Kind::Table(settings) => flat(&path, settings, all),
            Kind::List(of) => {
                if let Kind::Table(settings) = &**of {
                    flat(&path, settings, all);
                }
            }
            _ => {}
        }
    }
}
