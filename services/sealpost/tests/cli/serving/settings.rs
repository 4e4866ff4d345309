//! Settings of a standalone: they win, and wrong ones are refused.

use testkit::database::TestDb;

use super::{Standalone, begin};
use crate::program::Place;

#[tokio::test]
async fn both_listeners_answer_and_operators_need_the_admin_token() {
    let place = Place::new();
    let server = Standalone::start(&place, "").await;

    server.internal.get("/health/live").await.assert_status(200);
    let ready = server.internal.get("/health/ready").await.expect(200).text();
    assert!(ready.contains("auth") && ready.contains("sms-gateway"), "{ready}");
    let metrics = server.internal.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("service=\"sms-gateway\""), "{metrics}");
    server.http.get("/health/live").await.assert_status(404);
    let revocations = "/internal/auth/v1/revocations";
    server.internal.get(revocations).await.assert_status(401);
    let token = server.secret("internal-token");
    server.internal.with_token(token).get(revocations).await.assert_status(200);
}

#[tokio::test]
async fn a_setting_is_used_instead_of_what_would_be_made() {
    let place = Place::new();
    place.write("token", "a token of the operator\n");
    place.write("settings.toml", "[internal]\ntoken_file = \"token\"\n[auth]\nregistration = \"closed\"\n");

    let server = Standalone::start(&place, "--config settings.toml").await;

    assert!(!server.data.join("secrets/internal-token").exists());
    let internal = server.internal.with_token("a token of the operator");
    internal.get("/internal/auth/v1/revocations").await.assert_status(200);
    let account = serde_json::json!({"username": "alice", "password": "correct horse battery"});
    server.http.post("/v1/accounts", &account).await.assert_status(403);
}

#[tokio::test]
async fn with_postgres_configured_all_tables_are_there() {
    let (place, db) = (Place::new(), TestDb::postgres().await);
    place.write("settings.toml", &format!("[database]\nurl = \"{}\"\n", db.settings().url));

    let server = Standalone::start(&place, "--config settings.toml").await;

    let account = serde_json::json!({"username": "alice", "password": "correct horse battery"});
    server.http.post("/v1/accounts", &account).await.assert_status(201);
    for service in ["auth", "keystore", "mailbox", "notify", "sms_gateway"] {
        assert!(!server.data.join(format!("{service}.sqlite")).exists(), "{service}");
    }
}

#[tokio::test]
async fn wrong_settings_exit_with_2_and_name_their_place() {
    for (settings, place_of_fault) in [
        ("[mailbx]\nttl = \"1s\"", "mailbx"),
        ("[auth]\nttl = \"1s\"", "auth.ttl"),
        ("[database]\nurl = \"sqlite:x\"", "database.url"),
        ("[bus]\nkind = \"kafka\"", "brokers"),
        ("[websocket_sync]\nsession_change_limit = 0", "sync.session_change_limit"),
        ("[websocket_sync]\nformat = \"json\"\n[sync]\nformat = \"text\"", "websocket_sync.format"),
    ] {
        let place = Place::new();
        place.write("settings.toml", settings);

        let ended = place.sealpost(
            "serve --data-dir data --listen 127.0.0.1:0 --internal 127.0.0.1:0 --config settings.toml",
        );

        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        let last = ended.stderr.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("error: ") && last.contains(place_of_fault), "{last}");
    }
}

#[tokio::test]
async fn both_signals_end_it_well() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let mut server = begin(&place, "");
        server.line("ready ").await;

        server.signal(signal);

        assert!(server.end().await.success(), "{signal}: {}", server.stderr());
    }
}
