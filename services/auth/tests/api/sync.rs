//! What sync asks: whose password it is, whose number it is.

use std::time::Duration;

use common::models::AccountId;
use db::{DbConn, DbError};
use diesel::prelude::*;
use serde_json::{Value, json};
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};
use crate::totp::enrolled;

impl Auth {
    /// Asks as sync does.
    async fn sync_password(&self, account: &str, password: &str, shown: bool) -> Value {
        let body = json!({
            "accountId": account, "password": password, "secondFactorShown": shown, "network": "192.0.2.7"
        });
        self.host.internal.post("/internal/auth/v1/sync/password", &body).await.expect(200).value()
    }

    async fn with_phone(&self, phone: &str) -> Value {
        let body = json!({"phone": phone});
        let answer = self.host.internal.post("/internal/auth/v1/sync/phone", &body).await;
        answer.expect(200).value()["accountId"].clone()
    }

    /// Notes a number, verified or not.
    async fn note_phone(&self, username: &str, phone: &str, verified: bool) {
        let verified = if verified { "1" } else { "NULL" };
        let sql = format!(
            "UPDATE accounts SET phone = '{phone}', phone_verified_at = {verified} WHERE username = '{username}'"
        );
        let db = self.host.database("auth");
        let noted = db.write(move |conn| {
            let changed = match conn {
                DbConn::Pg(conn) => diesel::sql_query(sql).execute(conn)?,
                DbConn::Sqlite(conn) => diesel::sql_query(sql).execute(conn)?,
            };
            Ok::<_, DbError>(changed)
        });
        assert_eq!(noted.await.unwrap(), 1);
    }
}

on_both! {
    async fn a_password_is_told_right_from_wrong_for_other_services_alone(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        let (account, nobody) = (alice.text("accountId"), AccountId::new());
        let too_long = "x".repeat(2000);

        assert_eq!(auth.sync_password(account, PASSWORD, false).await, json!({"right": true}));
        for (account, password) in [
            (account, "another password"),
            (account, ""),
            (account, &too_long),
            (nobody.as_str(), PASSWORD),
        ] {
            assert_eq!(auth.sync_password(account, password, true).await, json!({"right": false}));
        }
        for path in ["/internal/auth/v1/sync/password", "/internal/auth/v1/sync/phone"] {
            let outside = auth.host.internal.with_token("not the credential");
            outside.post(path, &json!({})).await.assert_status(401);
            auth.host.http.post(path, &json!({})).await.assert_status(404);
        }
    }

    async fn guesses_are_counted_together_with_those_of_logins(db: TestDb) {
        let three = [("auth.password_attempts.size", "3"), ("auth.password_attempts.refill", "3m")];
        let auth = Auth::start_with(&db, &three).await;
        let alice = auth.session("alice").await;
        let (account, nobody) = (alice.text("accountId"), AccountId::new());
        auth.log_in("alice", "wrong password").await.assert_status(401);
        for account in [account, account, nobody.as_str(), nobody.as_str(), nobody.as_str()] {
            assert_eq!(auth.sync_password(account, "wrong password", false).await["right"], false);
        }

        let (limited, unknown) = (
            auth.sync_password(account, PASSWORD, false).await,
            auth.sync_password(nobody.as_str(), PASSWORD, false).await,
        );
        auth.log_in("alice", PASSWORD).await.assert_status(429);
        auth.clock.advance(Duration::from_secs(180));
        let later = auth.sync_password(account, PASSWORD, false).await;

        assert_eq!(limited, json!({"right": false, "retryAfter": 180}));
        assert_eq!(unknown, limited, "an account that does not exist looks the same");
        assert_eq!(later["right"], true);
    }

    async fn an_account_with_a_second_factor_needs_it_shown(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        enrolled(&auth, &alice).await;
        let account = alice.text("accountId");

        let (without, with) = (
            auth.sync_password(account, PASSWORD, false).await,
            auth.sync_password(account, PASSWORD, true).await,
        );

        assert_eq!((&without["right"], &with["right"]), (&json!(false), &json!(true)));
    }

    async fn a_number_leads_to_the_account_that_has_verified_it(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        auth.register("bob").await.assert_status(201);
        auth.note_phone("alice", "+237677123456", true).await;
        auth.note_phone("bob", "+237677000000", false).await;

        assert_eq!(auth.with_phone("+237677123456").await, alice.text("accountId"));
        assert_eq!(auth.with_phone("+237677000000").await, Value::Null);
        assert_eq!(auth.with_phone("+237677999999").await, Value::Null);
    }
}
