//! An account that is deleted leaves nothing in any table, and who takes its name inherits nothing.

use db::on_backend;
use diesel::RunQueryDsl as _;
use diesel::sql_types::BigInt;
use reqwest::Method;
use serde_json::json;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::harness::{PASSWORD, Server, User, assert_no_device, assert_no_recipient};

const TABLES: [(&str, &str); 6] = [
    ("keystore", "signal_server_devices"),
    ("keystore", "signal_server_prekeys"),
    ("keystore", "signal_server_issued_prekeys"),
    ("mailbox", "signal_server_devices"),
    ("mailbox", "signal_server_messages"),
    ("mailbox", "signal_server_closed"),
];

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Rows of an account in each of the tables.
async fn rows(server: &Server, account: &str) -> [i64; 6] {
    let mut counts = [0; 6];
    for ((service, table), place) in TABLES.into_iter().zip(&mut counts) {
        let sql = format!("SELECT count(*) AS count FROM {table} WHERE account_id = '{account}'");
        let tables = server.host.database(service);
        let read = tables.read(move |conn| {
            let count: Count = on_backend!(conn, |c| diesel::sql_query(sql).get_result(c))?;
            Ok::<_, db::DbError>(count.count)
        });
        *place = read.await.unwrap();
    }
    counts
}

/// The account of a user, as our own interface tells it.
async fn account_of(server: &Server, user: &User) -> (String, String) {
    let login = json!({"username": user.username, "password": PASSWORD});
    let session = server.host.http.post("/v1/sessions", &login).await.expect(201).value();
    let token = session["accessToken"].as_str().unwrap().to_owned();
    let me = server.host.http.with_token(&token).get("/v1/accounts/current").await.expect(200).value();
    (me["accountId"].as_str().unwrap().to_owned(), token)
}

on_both! {
    async fn every_table_is_emptied_by_whichever_route(db: TestDb) {
        for by_ours in [false, true] {
            let server = Server::start(&db).await;
            let (alice, mut bob) = (server.user(&format!("alice-{by_ours}")).await, server.user(&format!("bob-{by_ours}")).await);
            let mut alice = alice;
            alice.register(1, 0).await;
            // A life that ended, and one that did not.
            bob.register(2, 1).await;
            bob.client.delete("/device/").await.assert_status(204);
            bob.register(3, 2).await;
            alice.fetch(&bob.username).await.assert_status(200);
            alice.send(&bob, "x").await.assert_status(201);
            let (account, token) = account_of(&server, &bob).await;
            assert_eq!(rows(&server, &account).await, [1, 1, 1, 1, 1, 1]);

            if by_ours {
                let client = server.host.http.with_token(token);
                let request = client.request(Method::DELETE, "/v1/accounts/current").json(&json!({"password": PASSWORD}));
                client.send(request).await.assert_status(204);
            } else {
                bob.delete_account().await;
            }

            assert_eq!(bob.client.get("/messages/3/").await.status, 401);
            wait_until("all tables to be empty", || async { rows(&server, &account).await == [0; 6] }).await;
            assert_no_recipient(&alice.send(&bob, "x").await);
            assert_no_recipient(&alice.fetch(&bob.username).await);
            let second = server.user(&bob.username).await;
            assert_no_device(&second.client.get("/messages/3/").await);
            server.host.stop().await;
        }
    }

    async fn a_token_opens_its_own_interface_only(db: TestDb) {
        let server = Server::start(&db).await;
        let (alice, _) = server.pair().await;
        let (_, token) = account_of(&server, &alice).await;
        let ours = server.host.http.with_token(token);

        for path in ["/messages/1234/", "/prekeybundle/bob/1234/"] {
            ours.get(path).await.assert_status(401);
        }
        ours.delete("/device/").await.assert_status(401);
        for path in ["/v1/messages", "/v1/devices", "/v1/keys", "/v1/accounts/current"] {
            alice.client.get(path).await.assert_status(401);
        }
    }
}
