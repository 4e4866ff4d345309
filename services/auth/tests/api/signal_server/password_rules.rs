//! The rules for passwords, on the wire.

use serde_json::json;
use testkit::on_both;

use super::assert_fields;
use crate::harness::Auth;

on_both! {
    async fn every_rule_that_a_password_breaks_is_told(db: TestDb) {
        let auth = Auth::start(&db).await;

        for (password, faults) in [
            ("1234567", 2),
            ("83159482", 1),
            ("PassWord1", 1),
            ("rabbit.hole", 1),
            ("elohtibbar", 1),
            ("wonder@test", 1),
            ("RABBIT", 2),
        ] {
            let body = json!({"username": "rabbit-hole", "email": "wonder@test.com", "password": password});
            let answer = auth.s_post("/auth/users/", None, &body).await;
            assert_fields(&answer, &["password"]);
            assert_eq!(answer.value()["password"].as_array().unwrap().len(), faults, "{password}: {}", answer.text());
        }
    }

    async fn a_password_is_taken_with_every_blank(db: TestDb) {
        let auth = Auth::start(&db).await;
        let password = "  xK9!mPq2 ";
        let body = json!({"username": "alice", "password": password});
        auth.s_post("/auth/users/", None, &body).await.assert_status(201);

        assert_fields(&auth.s_log_in("alice", password.trim()).await, &["non_field_errors"]);
        let answer = auth.s_log_in(" alice ", password).await.expect(200).value();

        let token = answer["token"].as_str().unwrap();
        let change = json!({"current_password": password.trim(), "new_password": "aW7?rLt4"});
        assert_fields(&auth.s_post("/auth/password/", Some(token), &change).await, &["current_password"]);
        let change = json!({"current_password": password, "new_password": " aW7?rLt4"});
        auth.s_post("/auth/password/", Some(token), &change).await.assert_status(204);
        auth.s_log_in("alice", " aW7?rLt4").await.assert_status(200);
    }
}
