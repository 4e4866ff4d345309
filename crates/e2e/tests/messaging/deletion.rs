//! A server that is killed in the middle of a deletion: whatever of the account is left in any table when it is back is
//! a tombstone that the design names.

use db::{Db, DbConn, DbError, DbSettings};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::{Value, json};
use testkit::program::{Program, ProgramSettings};
use testkit::signal::Identity;
use testkit::wait::{wait_for, wait_for_within, wait_until};
use tokio::time::{Duration, Instant};

use crate::harness::Front;
use crate::people::Person;

/// Accounts that are deleted, each with a kill.
const DELETIONS: usize = 4;
/// A start, and what the bus has to say then.
const ERASED_WITHIN: Duration = Duration::from_secs(30);

/// Columns that keep the id of a deleted account, and nothing else of it.
const TOMBSTONES: [(&str, &str, &str); 5] = [
    ("auth", "deleted_accounts", "account_id"),
    ("auth", "revocations", "account_id"),
    ("keystore", "accounts", "account_id"),
    ("mailbox", "closed_generations", "account_id"),
    ("mailbox", "deleted_accounts", "account_id"),
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
        let tables = ["auth", "keystore", "mailbox"].map(|service| (service, open(&sealpost, &url, service)));
        let (_, alice) = Person::with_device(&front).await;

        for number in 0..DELETIONS {
            let (bob, needles) = everywhere(&front, number).await;
            let device = bob.device().await;
            alice.send(&[&device], "never fetched").await.assert_status(200);
            assert!(traces(&tables, &needles).await.len() > 8, "there is little to delete");
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
                let left = traces(&tables, &needles).await;
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

/// Somebody of whom there is something in as many tables as possible, and the texts by which that is found.
async fn everywhere(front: &Front, number: usize) -> (Person, [String; 4]) {
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
    (person, [account.to_string(), username, email, phone])
}

fn open(program: &Program, url: &str, service: &str) -> Db {
    let file = || format!("sqlite:{}", program.data_dir().join(format!("{service}.sqlite")).display());
    let url = if url.is_empty() { file() } else { url.to_owned() };
    Db::new(&DbSettings::new(url), service).unwrap()
}

async fn is_deleted(auth: &Db, id: &str) -> bool {
    count(auth, "SELECT count(*) AS count FROM deleted_accounts WHERE account_id LIKE ", id.to_owned()).await
        > 0
}

/// Where a text of the account stands, as `service.table.column`; tombstones aside.
async fn traces(tables: &[(&'static str, Db)], needles: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (service, db) in tables {
        for (table, column) in text_columns(db).await {
            if TOMBSTONES.contains(&(service, &table, &column)) {
                continue;
            }
            for needle in needles {
                let sql = format!("SELECT count(*) AS count FROM {table} WHERE {column} LIKE ");
                if count(db, &sql, format!("%{needle}%")).await > 0 {
                    found.push(format!("{service}.{table}.{column}"));
                }
            }
        }
    }
    found
}

async fn count(db: &Db, sql: &str, pattern: String) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let sql = sql.to_owned();
    let counted = db.read(move |conn| {
        let counted: Count = match conn {
            DbConn::Pg(conn) => diesel::sql_query(sql + "$1").bind::<Text, _>(pattern).get_result(conn)?,
            DbConn::Sqlite(conn) => diesel::sql_query(sql + "?").bind::<Text, _>(pattern).get_result(conn)?,
        };
        Ok::<_, DbError>(counted.count)
    });
    counted.await.unwrap()
}

/// All columns that hold text.
async fn text_columns(db: &Db) -> Vec<(String, String)> {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        of_table: String,
        #[diesel(sql_type = Text)]
        named: String,
    }
    let found = db.read(|conn| {
        let columns: Vec<Column> = match conn {
            DbConn::Pg(conn) => diesel::sql_query(
                "SELECT table_name::text AS of_table, column_name::text AS named FROM information_schema.columns
                 WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying')",
            )
            .load(conn)?,
            DbConn::Sqlite(conn) => diesel::sql_query(
                "SELECT t.name AS of_table, c.name AS named FROM sqlite_master t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type = 'TEXT'",
            )
            .load(conn)?,
        };
        Ok::<_, DbError>(columns.into_iter().map(|column| (column.of_table, column.named)).collect())
    });
    found.await.unwrap()
}
