//! What was asked for with a password ends with it: whoever knew the old one keeps nothing in a mailbox of theirs.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use testkit::http::Answer;
use testkit::on_both;
use testkit::wait::{wait_for, wait_until};

use super::{EMAIL, NEW, Post, ask_reset, email, register, reset, token, verify};
use crate::harness::{Auth, PASSWORD, Session};
use crate::smtp::{MailServer, PUTS_OFF, TAKES};

const THEIRS: &str = "mallory@example.org";
const OTHER: &str = "another password";

async fn set_email(auth: &Auth, session: &Session, password: &str) -> Answer {
    let body = json!({"email": THEIRS, "password": password});
    auth.with(session).put("/v1/accounts/current/email", &body).await
}

async fn change(auth: &Auth, session: &Session) -> Answer {
    let body = json!({"currentPassword": PASSWORD, "newPassword": OTHER});
    auth.with(session).put("/v1/accounts/current/password", &body).await
}

/// Mails that came to this end.
async fn count(auth: &Auth, outcome: &str) -> usize {
    let metrics = auth.host.internal.get("/metrics").await.text();
    let series = format!(r#"sealpost_auth_mails_total{{outcome="{outcome}",service="auth"}} "#);
    metrics.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |value| value.parse().unwrap())
}

on_both! {
    async fn a_mail_confirms_no_address_after_a_change_or_a_reset_of_the_password(db: TestDb) {
        let post = Post::start(&db).await;
        let session = post.verified("alice", EMAIL).await;
        set_email(&post.auth, &session, PASSWORD).await.assert_status(202);
        let before_change = post.token(2).await;
        change(&post.auth, &session).await.assert_status(204);
        let changed = verify(&post.auth, &before_change).await;

        set_email(&post.auth, &session, OTHER).await.assert_status(202);
        let before_reset = post.token(3).await;
        ask_reset(&post.auth, EMAIL).await.assert_status(202);
        reset(&post.auth, &post.token(4).await).await.assert_status(204);
        let was_reset = verify(&post.auth, &before_reset).await;

        assert_eq!([changed, was_reset].map(|answer| answer.problem().slug().to_owned()), ["invalid-mail-token"; 2]);
        let session = Session(post.auth.log_in("alice", NEW).await.expect(201).value());
        assert_eq!(email(&post.auth, &session).await, json!({"value": EMAIL, "verified": true}));
    }

    async fn a_reset_forgets_the_wrong_passwords_before_it(db: TestDb) {
        let one = [("auth.password_attempts.size", "1"), ("auth.password_attempts.refill", "1h")];
        let post = Post::start_with(&db, &one).await;
        let session = post.verified("alice", EMAIL).await;
        set_email(&post.auth, &session, "wrong password").await.assert_status(401);
        set_email(&post.auth, &session, PASSWORD).await.assert_status(429);
        post.auth.log_in("alice", "wrong password").await.assert_status(401);

        ask_reset(&post.auth, EMAIL).await.assert_status(202);
        reset(&post.auth, &post.token(2).await).await.assert_status(204);

        let session = Session(post.auth.log_in("alice", NEW).await.expect(201).value());
        set_email(&post.auth, &session, NEW).await.assert_status(202);
    }

    async fn a_mail_that_waits_when_the_password_is_changed_is_not_sent(db: TestDb) {
        let server = MailServer::start(PUTS_OFF).await;
        let auth = Auth::start_with(&db, &[("auth.mail", &server.url())]).await;
        let session = auth.session("alice").await;
        set_email(&auth, &session, PASSWORD).await.assert_status(202);
        wait_until("a first try", || async { count(&auth, "retried").await == 1 }).await;

        change(&auth, &session).await.assert_status(204);
        server.answers(TAKES);
        auth.clock.advance(Duration::from_secs(3600));
        register(&auth, "bob", "bob@example.org").await.assert_status(201);
        let mail = wait_for("a mail", || async { server.mails().first().cloned() }).await;

        assert!(mail.contains("To: bob@example.org"), "the other one was due before it: {mail}");
    }

    async fn whoever_shows_the_old_password_while_it_is_changed_gets_no_mail_that_confirms(db: TestDb) {
        let post = Post::start_with(&db, &[("auth.hashing_slots", "4")]).await;
        let session = post.auth.session("alice").await;

        let asked = join_all((0..6).map(|_| set_email(&post.auth, &session, PASSWORD)));
        let (changed, asked) = tokio::join!(change(&post.auth, &session), asked);

        changed.assert_status(204);
        assert!(asked.iter().all(|answer| [202, 401].contains(&answer.status.as_u16())));
        // The mails are sent one after the other: when this one is there, none of the others is still to come.
        let bob = post.auth.session("bob").await;
        set_email(&post.auth, &bob, PASSWORD).await.assert_status(202);
        wait_until("the last mail", || async { post.mails().iter().any(|mail| {
            std::fs::read_to_string(mail).unwrap().contains(bob.text("accountId"))
        }) }).await;
        for mail in post.mails() {
            let shown = token(&std::fs::read_to_string(mail).unwrap());
            let expected = if shown.starts_with(bob.text("accountId")) { 204 } else { 422 };
            verify(&post.auth, &shown).await.assert_status(expected);
        }
    }
}
