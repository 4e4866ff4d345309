//! The layers as an operator meets them: files, variables, flags, secrets in files, and what errors say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use config::{Config, ConfigError, Origin};
use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Gateway {
    token: String,
    ca_file: String,
    #[serde(with = "humantime_serde")]
    ttl: Duration,
    limit: u16,
    enabled: bool,
    origins: Vec<String>,
    keys: BTreeMap<String, String>,
    mode: Mode,
    smsc: Vec<Smsc>,
    nested: Nested,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            token: String::new(),
            ca_file: String::new(),
            ttl: Duration::from_secs(30),
            limit: 10,
            enabled: false,
            origins: Vec::new(),
            keys: BTreeMap::new(),
            mode: Mode::Open,
            smsc: Vec::new(),
            nested: Nested::default(),
        }
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Open,
    Closed,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Smsc {
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    port: u16,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Nested {
    depth: u8,
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_env(env: &[(&str, &str)]) -> Result<Gateway, ConfigError> {
    Config::load(None, pairs(env), pairs(&[]))?.section("gateway")
}

fn from_toml(toml: &str) -> Result<Gateway, ConfigError> {
    let files = Files::new();
    Config::load(Some(&files.write("s.toml", toml)), pairs(&[]), pairs(&[]))?.section("gateway")
}

#[test]
fn defaults_hold_where_no_layer_speaks() {
    assert_eq!(from_env(&[]).unwrap(), Gateway::default());
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let files = Files::new();
    let file = files.write("s.toml", "[gateway]\nlimit = 1\ntoken = 'file'\nttl = '5s'\nnested.depth = 4");
    let env = pairs(&[("SEALPOST__GATEWAY__LIMIT", "2"), ("SEALPOST__GATEWAY__TOKEN", "variable")]);

    let config = Config::load(Some(&file), env, pairs(&[("gateway.limit", "3")])).unwrap();
    let gateway: Gateway = config.section("gateway").unwrap();

    assert_eq!((gateway.limit, gateway.token.as_str(), gateway.ttl), (3, "variable", Duration::from_secs(5)));
    assert_eq!((gateway.nested.depth, gateway.enabled), (4, false));
    assert_eq!(config.origin("gateway.limit"), Some(Origin::Flag));
    assert_eq!(config.origin("gateway.token"), Some(Origin::Variable("SEALPOST__GATEWAY__TOKEN".to_owned())));
    assert_eq!(config.origin("gateway.ttl"), Some(Origin::File(file.display().to_string())));
    assert_eq!(config.origin("gateway.enabled"), None);
}

#[test]
fn variables_become_what_the_field_needs() {
    let gateway = from_env(&[
        ("SEALPOST__GATEWAY__TOKEN", "12345"),
        ("SEALPOST__GATEWAY__ENABLED", "true"),
        ("SEALPOST__GATEWAY__ORIGINS", "https://a.example, https://b.example"),
        ("SEALPOST__GATEWAY__KEYS", "{one = \"1\"}"),
        ("SEALPOST__GATEWAY__NESTED__DEPTH", "7"),
        ("SEALPOST_GATEWAY_LIMIT", "not ours"),
        ("HOME", "/root"),
    ])
    .unwrap();

    assert_eq!(gateway.token, "12345");
    assert!(gateway.enabled);
    assert_eq!(gateway.origins, ["https://a.example", "https://b.example"]);
    assert_eq!(gateway.keys, BTreeMap::from([("one".to_owned(), "1".to_owned())]));
    assert_eq!(gateway.nested.depth, 7);
}

#[test]
fn a_secret_that_looks_like_a_list_stays_text() {
    assert_eq!(from_env(&[("SEALPOST__GATEWAY__TOKEN", "[a,b]")]).unwrap().token, "[a,b]");
}

#[test]
fn arrays_of_tables_come_from_the_file_and_single_fields_from_variables() {
    let files = Files::new();
    let secret = files.write("secret", "from a file\n");
    let file =
        files.write("s.toml", "[[gateway.smsc]]\nname='a'\nport=1\n[[gateway.smsc]]\nname='b'\nport=2\n");
    let env = pairs(&[
        ("SEALPOST__GATEWAY__SMSC__0__PASSWORD", "direct"),
        ("SEALPOST__GATEWAY__SMSC__1__PASSWORD_FILE", secret.to_str().unwrap()),
        ("SEALPOST__GATEWAY__SMSC__2__NAME", "c"),
    ]);

    let gateway: Gateway = Config::load(Some(&file), env, pairs(&[])).unwrap().section("gateway").unwrap();

    let seen: Vec<(&str, &str, u16)> =
        gateway.smsc.iter().map(|smsc| (smsc.name.as_str(), smsc.password.as_str(), smsc.port)).collect();
    assert_eq!(seen, [("a", "direct", 1), ("b", "from a file", 2), ("c", "", 0)]);
}

#[test]
fn a_list_can_be_made_by_variables_alone() {
    let gateway =
        from_env(&[("SEALPOST__GATEWAY__SMSC__0__NAME", "a"), ("SEALPOST__GATEWAY__SMSC__0__PORT", "9")])
            .unwrap();

    assert_eq!(gateway.smsc, [Smsc { name: "a".to_owned(), password: String::new(), port: 9 }]);
}

#[test]
fn a_secret_file_loses_one_trailing_line_break() {
    for (content, secret) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), (" s ", " s ")] {
        let files = Files::new();
        let path = files.write("secret", content);

        let gateway = from_env(&[("SEALPOST__GATEWAY__TOKEN_FILE", path.to_str().unwrap())]).unwrap();

        assert_eq!(gateway.token, secret, "{content:?}");
    }
}

#[test]
fn a_field_that_ends_in_file_is_not_read_as_a_secret() {
    let gateway = from_env(&[("SEALPOST__GATEWAY__CA_FILE", "/no/such/file")]).unwrap();

    assert_eq!(gateway.ca_file, "/no/such/file");
}

#[test]
fn a_secret_file_from_a_variable_beats_a_secret_in_the_file() {
    let files = Files::new();
    let secret = files.write("secret", "variable");
    let file = files.write("s.toml", "[gateway]\ntoken = 'file'");
    let env = pairs(&[("SEALPOST__GATEWAY__TOKEN_FILE", secret.to_str().unwrap())]);

    let gateway: Gateway = Config::load(Some(&file), env, pairs(&[])).unwrap().section("gateway").unwrap();

    assert_eq!(gateway.token, "variable");
}

#[test]
fn a_secret_given_twice_in_one_layer_is_refused() {
    let error = from_env(&[("SEALPOST__GATEWAY__TOKEN", "hunter2"), ("SEALPOST__GATEWAY__TOKEN_FILE", "/x")])
        .unwrap_err();

    assert!(
        error.to_string().contains("gateway.token_file (environment variable SEALPOST__GATEWAY__TOKEN_FILE)")
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn a_missing_secret_file_is_named_by_its_setting() {
    let error = from_env(&[("SEALPOST__GATEWAY__TOKEN_FILE", "/no/such/file")]).unwrap_err();

    assert!(error.to_string().contains("SEALPOST__GATEWAY__TOKEN_FILE"), "{error}");
    assert!(error.to_string().contains("cannot read"), "{error}");
}

#[test]
fn an_unknown_field_is_named_with_section_and_source() {
    let from_file = from_toml("[gateway]\nlimits = 1").unwrap_err();
    let from_variable = from_env(&[("SEALPOST__GATEWAY__NESTED__DEEP", "1")]).unwrap_err();

    let fault = &from_file.faults()[0];
    assert_eq!(fault.place, "gateway.limits");
    assert!(fault.source.as_ref().unwrap().ends_with("s.toml"));
    assert_eq!(
        from_variable.to_string(),
        "gateway.nested.deep (environment variable SEALPOST__GATEWAY__NESTED__DEEP): unknown field, expected `depth`"
    );
}

#[test]
fn all_faults_of_a_section_are_told_without_values() {
    let error = from_toml(
        "[gateway]\nlimit = 'hunter2'\nttl = 'hunter3'\nmode = 'hunter4'\nwrong = 'hunter5'\n\
         token = ['hunter6']\n[[gateway.smsc]]\nname = 'a'\nport = 70000\n",
    )
    .unwrap_err();

    let mut places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "gateway.limit",
            "gateway.mode",
            "gateway.smsc.0.port",
            "gateway.token",
            "gateway.ttl",
            "gateway.wrong"
        ]
    );
    assert!(!error.to_string().contains("hunter"), "{error}");
    assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
}

#[test]
fn a_faulty_required_field_is_told_once() {
    let error = from_toml("[[gateway.smsc]]\nname = 7\n").unwrap_err();

    assert_eq!(error.faults().len(), 1, "{error}");
    assert_eq!(error.faults()[0].place, "gateway.smsc.0.name");
}

#[test]
fn a_missing_required_field_is_named() {
    let error = from_toml("[[gateway.smsc]]\nport = 7\n").unwrap_err();

    assert_eq!(error.faults()[0].place, "gateway.smsc.0.name");
}

#[test]
fn a_syntax_error_does_not_quote_the_line() {
    let error = from_toml("[gateway]\ntoken = 'hunter2\n").unwrap_err();

    assert!(matches!(error, ConfigError::Syntax { .. }));
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_missing_settings_file_is_named() {
    let error = Config::load(Some("/no/such.toml".as_ref()), pairs(&[]), pairs(&[])).unwrap_err();

    assert!(error.to_string().starts_with("settings file /no/such.toml: "));
}

#[test]
fn unknown_sections_are_refused() {
    let files = Files::new();
    let file = files.write("s.toml", "[gateway]\n[gatewya]\n[compat.woosh]\n[compat.wosh]\n");
    let config = Config::load(Some(&file), pairs(&[("SEALPOST__MAILBX__TTL", "1s")]), pairs(&[])).unwrap();

    let error = config.reject_unknown_sections(&["gateway", "compat.woosh", "mailbox"]).unwrap_err();

    let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
    assert_eq!(places, ["compat.wosh", "gatewya", "mailbx"]);
    assert!(error.to_string().contains("SEALPOST__MAILBX__TTL"));
}

#[test]
fn a_section_may_have_another_name_and_a_field_has_one() {
    let files = Files::new();
    let file = files.write("s.toml", "[modem]\nlimit = 7\n[gateway]\nenabled = true\n");
    let load = |variables: &[(&str, &str)]| Config::load(Some(&file), pairs(variables), pairs(&[])).unwrap();
    let mut config = load(&[("SEALPOST__MODEM__TTL", "7s")]);
    let mut wrong = load(&[("SEALPOST__MODEM__TTL", "soon")]);
    let mut twice = load(&[("SEALPOST__GATEWAY__LIMIT", "8")]);

    config.rename_section("modem", "gateway").unwrap();
    wrong.rename_section("modem", "gateway").unwrap();
    let both = twice.rename_section("modem", "gateway").unwrap_err();

    let gateway: Gateway = config.section("gateway").unwrap();
    assert_eq!((gateway.limit, gateway.enabled, gateway.ttl), (7, true, Duration::from_secs(7)));
    assert!(config.reject_unknown_sections(&["gateway"]).is_ok());
    let wrong = wrong.section::<Gateway>("gateway").unwrap_err().to_string();
    assert!(wrong.contains("gateway.ttl") && wrong.contains("SEALPOST__MODEM__TTL"), "{wrong}");
    assert_eq!(both.faults()[0].place, "modem.limit");
}

#[test]
fn a_variable_without_a_field_is_refused() {
    let error = Config::load(None, pairs(&[("SEALPOST__GATEWAY", "x")]), pairs(&[])).unwrap_err();

    assert!(error.to_string().contains("SEALPOST__GATEWAY"), "{error}");
}

#[test]
fn a_made_secret_fills_only_a_gap() {
    let env = pairs(&[("SEALPOST__GATEWAY__TOKEN_FILE", "/x")]);
    let mut given = Config::load(None, env, pairs(&[])).unwrap();
    let mut empty = Config::load(None, pairs(&[]), pairs(&[])).unwrap();

    assert!(!given.fill("gateway.token", "made", "data directory"));
    assert!(empty.fill("gateway.token", "made", "data directory"));

    assert_eq!(empty.section::<Gateway>("gateway").unwrap().token, "made");
}

#[test]
fn debug_shows_no_values() {
    let config = Config::load(None, pairs(&[("SEALPOST__GATEWAY__TOKEN", "hunter2")]), pairs(&[])).unwrap();

    assert!(!format!("{config:?}").contains("hunter2"));
}
