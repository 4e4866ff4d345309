//! The program, killed between the steps of a registration or removal and started again.

use std::time::Duration;

use common::models::{AccountId, SystemClock};
use tempfile::TempDir;
use testkit::database::TestDb;
use testkit::host::INTERNAL_TOKEN;
use testkit::http::TestClient;
use testkit::on_both;
use testkit::process::{Daemon, mortal};
use testkit::signal::{DeviceRegistration, Identity};
use testkit::wait::{DEADLINE, wait_until};

use crate::peers::{Does, Peers};

/// `sealpost-keystore` with a short patience, in a process of its own.
struct Program {
    daemon: Daemon,
    http: TestClient,
}

impl Program {
    async fn start(db: &TestDb, peers: &Peers, data: &TempDir) -> Self {
        let log = data.path().join("log");
        let before = ready_lines(&log).len();
        let mut command = mortal(env!("CARGO_BIN_EXE_sealpost-keystore"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--internal", "127.0.0.1:0", "--data-dir"])
            .arg(data.path());
        for (name, value) in [
            ("INTERNAL__TOKEN", INTERNAL_TOKEN),
            ("INTERNAL__AUTH_URL", &peers.url),
            ("INTERNAL__MAILBOX_URL", &peers.url),
            ("DATABASE__URL", &db.settings().url),
            ("DATABASE__MIGRATE_ON_START", "true"),
            ("KEYSTORE__OPENING_TIMEOUT", "3s"),
            ("KEYSTORE__SWEEP_INTERVAL", "100ms"),
        ] {
            command.env(format!("SEALPOST__{name}"), value);
        }
        let mut daemon = Daemon::start("keystore", command, log.clone()).unwrap();
        daemon.wait_ready(DEADLINE, async || ready_lines(&log).len() > before).await.unwrap();
        let http = TestClient::new(ready_lines(&log).pop().unwrap());
        Self { daemon, http }
    }
}

/// The public URL of each start so far.
fn ready_lines(log: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let url = |line: &str| Some(line.strip_prefix("ready http=")?.split_once(' ')?.0.to_owned());
    text.lines().filter_map(url).collect()
}

/// Kills the program while it waits for a peer.
async fn kill_when_hanging(peers: &Peers, program: &mut Program) {
    tokio::time::timeout(Duration::from_secs(20), peers.state.hanging.notified()).await.unwrap();
    program.daemon.kill();
    let mut held = peers.held();
    (held.open, held.bind, held.close) = (Does::Work, Does::Work, Does::Work);
}

on_both! {
    async fn a_registration_killed_at_any_step_is_resumed_or_given_up(db: TestDb) {
        let peers = Peers::start(std::sync::Arc::new(SystemClock)).await;
        let data = tempfile::tempdir().unwrap();
        for is_opening in [true, false] {
            for is_repeated in [true, false] {
                let mut program = Program::start(&db, &peers, &data).await;
                let (account, identity) = (AccountId::new(), Identity::new());
                let registration = DeviceRegistration::new(&identity);
                let (_, token) = peers.log_in(account);
                if is_opening { peers.held().open = Does::Hang } else { peers.held().bind = Does::Hang }

                let client = program.http.with_token(&token);
                let request = client.request(reqwest::Method::POST, "/v1/devices").json(&registration);
                let request = tokio::spawn(request.send());
                kill_when_hanging(&peers, &mut program).await;
                assert!(request.await.unwrap().is_err());
                let program = Program::start(&db, &peers, &data).await;

                let client = program.http.with_token(&token);
                let stranger = program.http.with_token(peers.log_in(AccountId::new()).1);
                if is_repeated {
                    let answer = client.post("/v1/devices", &registration).await.expect(201).value();
                    let bundle = stranger.get(&format!("/v1/keys/{account}/{}", answer["deviceId"])).await;
                    bundle.assert_status(200);
                } else {
                    wait_until("the device to be given up", || async {
                        peers.held().nudges.iter().any(|(_, event)| event.account_id == account)
                    })
                    .await;
                    stranger.get(&format!("/v1/keys/{account}/*")).await.assert_status(404);
                    wait_until("its mailbox to be closed", || async {
                        peers.held().mailboxes.keys().all(|(owner, _)| *owner != account)
                    })
                    .await;
                    let next = program.http.with_token(peers.log_in(account).1);
                    next.post("/v1/devices", &DeviceRegistration::new(&Identity::new())).await.assert_status(201);
                }
            }
        }
    }

    async fn a_removal_that_was_killed_is_finished(db: TestDb) {
        let peers = Peers::start(std::sync::Arc::new(SystemClock)).await;
        let data = tempfile::tempdir().unwrap();
        let mut program = Program::start(&db, &peers, &data).await;
        let account = AccountId::new();
        let client = program.http.with_token(peers.log_in(account).1);
        client.post("/v1/devices", &DeviceRegistration::new(&Identity::new())).await.assert_status(201);
        peers.held().close = Does::Hang;

        let request = tokio::spawn(client.request(reqwest::Method::DELETE, "/v1/devices/1").send());
        kill_when_hanging(&peers, &mut program).await;
        assert!(request.await.unwrap().is_err());
        let program = Program::start(&db, &peers, &data).await;

        let client = program.http.with_token(peers.log_in(account).1);
        assert_eq!(client.get("/v1/devices").await.expect(200).value(), serde_json::json!([]));
        wait_until("the mailbox to be closed", || async { peers.held().mailboxes.is_empty() }).await;
    }
}
