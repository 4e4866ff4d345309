//! The program, killed between the steps of a registration or removal and started again.

use std::time::Duration;

use common::models::{AccountId, DeviceId, SystemClock};
use testkit::database::TestDb;
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::signal::{DeviceRegistration, Identity};
use testkit::wait::wait_until;

use crate::peers::{Does, Peers};

/// `sealpost-keystore`, which often looks for what was left half done, in a process of its own.
pub(crate) async fn program(db: &TestDb, peers: &Peers) -> Program {
    let more = [
        ("internal.auth_url", peers.url.as_str()),
        ("internal.mailbox_url", &peers.url),
        ("database.url", &db.settings().url),
        ("keystore.sweep_interval", "100ms"),
    ];
    let settings = ProgramSettings { name: "sealpost-keystore", more: &more, ..ProgramSettings::default() };
    let program = Program::start(settings).await.unwrap();
    wait_ready(&program).await;
    program
}

/// Kills the program and starts it again on its database.
pub(crate) async fn kill_and_restart(program: &mut Program) {
    program.restart().await.unwrap();
    wait_ready(program).await;
}

async fn wait_ready(program: &Program) {
    wait_until("the program to be ready", || async {
        program.internal.get("/health/ready").await.status == 200
    })
    .await;
}

/// Kills the program while it waits for a peer.
pub(crate) async fn kill_when_hanging(peers: &Peers, program: &mut Program) {
    tokio::time::timeout(Duration::from_secs(20), peers.state.hanging.notified()).await.unwrap();
    program.kill();
    let mut held = peers.held();
    (held.open, held.bind, held.close) = (Does::Work, Does::Work, Does::Work);
}

on_both! {
    async fn a_registration_killed_at_any_step_is_resumed_or_given_up(db: TestDb) {
        let peers = Peers::start(std::sync::Arc::new(SystemClock)).await;
        let mut program = program(&db, &peers).await;
        // Whoever repeats a registration has time for it, however long the program takes to start.
        for (is_repeated, patience) in [(true, "5m"), (false, "2s")] {
            program.set("keystore.opening_timeout", patience);
            kill_and_restart(&mut program).await;
            for is_opening in [true, false] {
                let (account, identity) = (AccountId::new(), Identity::new());
                let registration = DeviceRegistration::new(&identity);
                let (_, token) = peers.log_in(account);
                if is_opening { peers.held().open = Does::Hang } else { peers.held().bind = Does::Hang }

                let client = program.http.with_token(&token);
                let request = client.request(reqwest::Method::POST, "/v1/devices").json(&registration);
                let request = tokio::spawn(request.send());
                kill_when_hanging(&peers, &mut program).await;
                assert!(request.await.unwrap().is_err());
                kill_and_restart(&mut program).await;

                let stranger = program.http.with_token(peers.log_in(AccountId::new()).1);
                if is_repeated {
                    let answer = client.post("/v1/devices", &registration).await.expect(201).value();
                    let bundle = stranger.get(&format!("/v1/keys/{account}/{}", answer["deviceId"])).await;
                    bundle.assert_status(200);
                } else {
                    stranger.get(&format!("/v1/keys/{account}/*")).await.assert_status(404);
                    let given_up = DeviceId::new(1).unwrap();
                    // Refused for as long as the account has the identity of that device.
                    let other = DeviceRegistration::new(&Identity::new());
                    wait_until("the device to be given up", || async {
                        let next = program.http.with_token(peers.log_in(account).1);
                        next.post("/v1/devices", &other).await.status == 201
                    })
                    .await;
                    stranger.get(&format!("/v1/keys/{account}/{given_up}")).await.assert_status(404);
                    wait_until("its mailbox to be closed", || async {
                        !peers.held().mailboxes.contains_key(&(account, given_up))
                    })
                    .await;
                    stranger.get(&format!("/v1/keys/{account}/*")).await.assert_status(200);
                }
            }
        }
    }

    async fn a_removal_that_was_killed_is_finished(db: TestDb) {
        let peers = Peers::start(std::sync::Arc::new(SystemClock)).await;
        let mut program = program(&db, &peers).await;
        let account = AccountId::new();
        let client = program.http.with_token(peers.log_in(account).1);
        client.post("/v1/devices", &DeviceRegistration::new(&Identity::new())).await.assert_status(201);
        peers.held().close = Does::Hang;

        let request = tokio::spawn(client.request(reqwest::Method::DELETE, "/v1/devices/1").send());
        kill_when_hanging(&peers, &mut program).await;
        assert!(request.await.unwrap().is_err());
        kill_and_restart(&mut program).await;

        let client = program.http.with_token(peers.log_in(account).1);
        assert_eq!(client.get("/v1/devices").await.expect(200).value(), serde_json::json!([]));
        wait_until("the mailbox to be closed", || async { peers.held().mailboxes.is_empty() }).await;
    }
}
