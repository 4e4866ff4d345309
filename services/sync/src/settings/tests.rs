use super::*;

fn read_settings(text: &str) -> Result<SyncSettings, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn times_are_seconds_as_documented_or_written_as_elsewhere() {
    for (text, expected) in [
        (r#"{"session_sleep_timeout": 20}"#, Duration::from_secs(20)),
        (r#"{"session_sleep_timeout": "20"}"#, Duration::from_secs(20)),
        (r#"{"session_sleep_timeout": 0.5}"#, Duration::from_millis(500)),
        (r#"{"session_sleep_timeout": "1m 5s"}"#, Duration::from_secs(65)),
        ("{}", Duration::from_secs(15)),
    ] {
        assert_eq!(read_settings(text).unwrap().session_sleep_timeout, expected, "{text}");
    }
    for text in [r#""soon""#, "-1", "1e300", r#""2 days""#, "null"] {
        assert!(read_settings(&format!(r#"{{"session_sleep_timeout": {text}}}"#)).is_err(), "{text}");
    }
}

#[test]
fn starting_needs_a_login_unless_the_accounts_are_elsewhere() {
    let own = SyncSettings::default();
    let others = SyncSettings { user_api: Some(UserApiSettings::default()), ..SyncSettings::default() };
    let said = SyncSettings { start: Some(Start::Login), ..others.clone() };

    assert_eq!((own.start(), others.start(), said.start()), (Start::Login, Start::Open, Start::Login));
}

#[test]
fn all_faults_are_told_together() {
    let settings = SyncSettings {
        max_devices: 0,
        public_url: "ftp://example.org".parse().ok(),
        data_key: "short".into(),
        user_api: Some(UserApiSettings {
            verification_url: "https://example.org/verify".to_owned(),
            platforms_url: "example.org/%s".to_owned(),
            ..UserApiSettings::default()
        }),
        ..SyncSettings::default()
    };

    let Err(error) = settings.keys() else { panic!("accepted") };

    let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "sync.public_url",
            "sync.max_devices",
            "sync.user_api.verification_url",
            "sync.user_api.platforms_url",
            "sync.private_key",
            "sync.data_key"
        ]
    );
}
