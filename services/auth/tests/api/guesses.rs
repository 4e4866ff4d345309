//! Guesses at one name by several interfaces, which know different accounts and let different ones in.

use std::time::Duration;

use serde_json::json;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};
use crate::{operators, totp, woosh};

const FEW: [(&str, &str); 2] =
    [("auth.password_attempts.size", "2"), ("auth.password_attempts.refill", "1m")];
const WRONG: &str = "not the password";

/// By which interface somebody guesses.
#[derive(Debug, Clone, Copy)]
enum Door {
    Ours,
    Woosh,
    SignalServer,
}

const DOORS: [Door; 3] = [Door::Ours, Door::Woosh, Door::SignalServer];

impl Door {
    /// Whether a wrong password was looked at; without it was refused unseen.
    async fn guess(self, auth: &Auth, name: &str) -> bool {
        let answer = match self {
            Self::Ours => auth.log_in(name, WRONG).await,
            Self::Woosh => auth.me(name, WRONG).await,
            Self::SignalServer => auth.s_log_in(name, WRONG).await,
        };
        let looked_at = if matches!(self, Self::SignalServer) { 400 } else { 401 };
        assert!([looked_at, 429].contains(&answer.status.as_u16()), "{}", answer.status);
        answer.status == looked_at
    }
}

on_both! {
    async fn guesses_by_one_interface_and_then_another_tell_nothing_of_a_name(db: TestDb) {
        let auth = Auth::start_with(&db, &FEW).await;
        auth.register("alice").await.assert_status(201);
        auth.make(&woosh::user("Bob")).await.assert_status(201);
        auth.make(&woosh::user("dora")).await.assert_status(201);
        let dora = auth.log_in("dora", woosh::TOKEN).await.expect(201).value();
        operators::block(&auth, dora["accountId"].as_str().unwrap(), "of no use").await.assert_status(200);
        let erin = json!({"username": "erin", "password": PASSWORD, "public_key": "pub", "private_key": "priv"});
        auth.make(&erin).await.assert_status(201);
        totp::enrolled(&auth, &auth.again("erin").await).await;
        auth.s_user("carol@example.org").await;

        let names = ["alice", "ALICE", "Bob", "dora", "erin", "carol@example.org", "nobody", "no@example.org"];
        for (name, first) in names.into_iter().flat_map(|name| DOORS.map(|door| (name, door))) {
            assert!(first.guess(&auth, name).await && first.guess(&auth, name).await, "{name} {first:?}");

            for door in DOORS {
                assert!(!door.guess(&auth, name).await, "{name}, guessed at by {first:?} and then by {door:?}");
            }
            auth.clock.advance(Duration::from_secs(120));
        }
    }

    async fn an_unknown_name_is_one_name_in_every_case(db: TestDb) {
        let auth = Auth::start_with(&db, &FEW).await;

        let guesses = [
            Door::Woosh.guess(&auth, "Nobody").await,
            Door::SignalServer.guess(&auth, "NOBODY").await,
            Door::Ours.guess(&auth, "nobody").await,
        ];

        assert_eq!(guesses, [true, true, false]);
    }
}
