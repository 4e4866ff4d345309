//! How many mails an address gets.

use testkit::on_both;

use super::{EMAIL, Post, ask_reset, register};
use crate::harness::{Auth, PASSWORD};

on_both! {
    async fn a_registration_that_is_refused_uses_up_no_mail_of_an_address(db: TestDb) {
        let limited = [("limits.enabled", "true"), ("limits.mail_target.size", "1")];
        let post = Post::start_with(&db, &limited).await;
        post.auth.register("alice").await.assert_status(201);
        for _ in 0..3 {
            register(&post.auth, "alice", EMAIL).await.assert_status(409);
        }

        ask_reset(&post.auth, EMAIL).await.assert_status(202);
        let refused = register(&post.auth, "bob", EMAIL).await;

        assert_eq!((refused.status.as_u16(), refused.problem().slug()), (429, "rate-limited"));
        assert!(refused.header("retry-after").is_some());
        post.auth.log_in("bob", PASSWORD).await.assert_status(401);
        register(&post.auth, "bob", "bob@example.org").await.assert_status(201);
    }

    async fn a_server_that_sends_no_mail_counts_none(db: TestDb) {
        let limited = [("limits.enabled", "true"), ("limits.mail_target.size", "1")];
        let auth = Auth::start_with(&db, &limited).await;

        register(&auth, "alice", EMAIL).await.assert_status(201);
        register(&auth, "bob", EMAIL).await.assert_status(201);
    }
}
