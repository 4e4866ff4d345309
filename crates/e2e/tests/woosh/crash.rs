//! kill -9: what was answered with 201 is there.

use testkit::on_both;
use testkit::program::{Program, ProgramSettings};

use crate::harness::User;

/// How often the server is killed.
const KILLS: usize = 3;

on_both! {
    async fn a_killed_server_keeps_users_messages_and_what_was_shown(db: TestDb) {
        let url = if db.settings().url.starts_with("postgres") { db.settings().url.clone() } else { String::new() };
        let settings = ProgramSettings {
            name: "sealpost",
            arguments: &["serve"],
            more: &[("database.url", &url)],
            ..ProgramSettings::default()
        };
        let mut sealpost = Program::start(settings).await.unwrap();
        let alice = User::register(&sealpost.http, "alice").await;
        let bob = User::register(&sealpost.http, "bob").await;
        let mut sent = Vec::new();

        for number in 0..KILLS {
            let (_, shown) = bob.poll().await;
            assert_eq!(shown.len(), number);
            sent.push(alice.send("bob", &format!("message {number}")).await.expect(201).value());
            sealpost.kill();
            sealpost.restart().await.unwrap();
        }
        // The last one came after the last poll.
        assert_eq!(bob.delete_until(i64::MAX).await, i64::try_from(KILLS - 1).unwrap());
        let (_, left) = bob.poll().await;

        assert_eq!(left, sent[KILLS - 1..]);
        let log = sealpost.log();
        for secret in ["s3cr3", "message 0", "alice-private"] {
            assert!(!log.contains(secret), "{secret}");
        }
        sealpost.stop().await.unwrap();
    }
}
