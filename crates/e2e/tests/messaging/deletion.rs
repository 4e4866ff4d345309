//! A server that is killed in the middle of a deletion: whatever of the account is left in any table when it is back is
//! a tombstone that the design names.

use db::Db;
use serde_json::{Value, json};
use testkit::program::{Program, ProgramSettings};
use testkit::signal::Identity;
use testkit::wait::{wait_for, wait_for_within, wait_until};
use tokio::time::{Duration, Instant};

use crate::harness::Front;
use crate::people::Person;
use crate::traces::{Place, count, open, traces};

/// Accounts that are deleted, each with a kill.
const DELETIONS: usize = 4;
/// A start, and what the bus has to say then.
const ERASED_WITHIN: Duration = Duration::from_secs(30);

/// Columns that keep the id of a deleted account, and nothing else of it.
pub(crate) const KEPT: [Place; 11] = [
    ("auth", "deleted_accounts", "account_id"),
    ("auth", "revocations", "account_id"),
    ("auth", "outbox", "record_key"),
    ("auth", "outbox", "record_value"),
    ("keystore", "accounts", "account_id"),
    ("keystore", "outbox", "record_key"),
    ("keystore", "outbox", "record_value"),
    ("mailbox", "closed_generations", "account_id"),
    ("mailbox", "deleted_accounts", "account_id"),
    ("mailbox", "outbox", "record_key"),
    ("mailbox", "outbox", "record_value"),
];

testkit::on_both! {
    async fn a_deletion_empties_every_table_though_the_server_is_killed_in_the_middle(db: TestDb) {
        let url = if db.settings().url.starts_with("postgres") { db.settings().url.clone() } else { String::new() };
        let mut sealpost = Program::start(ProgramSettings {
            name: "sealpost",
            arguments: &["serve"],
            more: &[("database.url", &url)],
            ..ProgramSettings::default()
        }).await.unwrap();
        let front = Front::one(&sealpost.url);
        let tables = ["auth", "keystore", "mailbox"].map(|service| open(&sealpost, &url, service));
        let (_, alice) = Person::with_device(&front).await;

        for number in 0..DELETIONS {
            let (bob, needles) = everywhere(&front, number).await;
            let device = bob.device().await;
            alice.send(&[&device], "never fetched").await.assert_status(200);
            assert!(traces(&tables, &needles, &KEPT).await.len() > 8, "there is little to delete");
            let token = bob.log_in().await.access_token;

            let asked = front.auth.with_token(token);
            let body = json!({"password": bob.password});
            let deletion = asked.request(reqwest::Method::DELETE, "/v1/accounts/current").json(&body);
            // The answer may be lost with the server.
            let asking = tokio::spawn(async move { drop(deletion.send().await) });
            let id = bob.account.to_string();
            wait_until("the tombstone", || async { is_deleted(&tables[0].1, &id).await }).await;
            sealpost.kill();
            asking.await.unwrap();
            sealpost.restart().await.unwrap();
            let begun = Instant::now();

            let left = wait_for_within(ERASED_WITHIN, "the bus to tell of the deletion", || async {
                let left = traces(&tables, &needles, &KEPT).await;
                (left.is_empty() || begun.elapsed() > ERASED_WITHIN / 2).then_some(left)
            }).await;
            assert_eq!(left, [""; 0], "this is left of the account");
            alice.send(&[&device], "to nobody").await.assert_status(404);
            let login = json!({"username": bob.username, "password": bob.password});
            front.auth.post("/v1/sessions", &login).await.assert_status(401);
        }
        sealpost.stop().await.unwrap();
    }
}

/// Somebody with an address and a number, and the texts by which that is found: id, name, address, number.
pub(crate) async fn registered(front: &Front, number: usize) -> (Person, [String; 4]) {
    let username = format!("everywhere.{number}");
    let (email, phone) = (format!("{username}@example.org"), format!("+2557000077{number:02}"));
    let password = format!("the password of {username}");
    let body = json!({"username": username, "password": password, "email": email, "phone": phone});
    let made: Value = front.auth.post("/v1/accounts", &body).await.expect(201).json();
    let account = made["accountId"].as_str().unwrap().parse().unwrap();
    let person = Person {
        account,
        username: username.clone(),
        password,
        identity: Identity::new(),
        front: front.clone(),
    };
    (person, [account.to_string(), username, email, phone])
}

/// Somebody of whom there is something in as many tables of auth as possible.
pub(crate) async fn everywhere(front: &Front, number: usize) -> (Person, [String; 4]) {
    let (person, needles) = registered(front, number).await;
    let [_, _, email, phone] = &needles;
    let client = front.auth.with_token(person.log_in().await.access_token);
    let password = json!({"password": person.password});
    client.post("/v1/accounts/current/totp", &password).await.assert_status(201);
    let verification: Value = wait_for("room for a code", || async {
        let begun = client.post("/v1/accounts/phone-verifications", &json!({"phone": phone})).await;
        (begun.status == 201).then(|| begun.json())
    })
    .await;
    let code =
        format!("/v1/accounts/phone-verifications/{}/code", verification["verificationId"].as_str().unwrap());
    client.post(&code, &json!({})).await.assert_status(202);
    client.post("/v1/accounts/password/reset", &json!({"email": email})).await.assert_status(202);
    (person, needles)
}

async fn is_deleted(auth: &Db, id: &str) -> bool {
    let sql = "SELECT count(*) AS count FROM deleted_accounts WHERE account_id = $1".to_owned();
    count(auth, sql, id.to_owned()).await > 0
}
