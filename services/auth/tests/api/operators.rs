//! What operators find and do: each call leaves one entry in the log, and a block holds by every door.

mod blocks;
mod killed;

use std::collections::BTreeSet;

use db::{DbError, on_backend};
use diesel::RunQueryDsl as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::host::ADMIN_TOKEN;
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

const BASE: &str = "/internal/auth/v1/operators/accounts";
const AUDIT: &str = "/internal/auth/v1/audit";
/// What tells of no account, and changes nothing.
const UNLOGGED: [&str; 2] = ["GET /audit", "GET /invites"];

async fn search(auth: &Auth, body: Value) -> Value {
    auth.operator().post(&format!("{BASE}/search"), &body).await.expect(200).value()
}

fn names(found: &Value) -> Vec<&str> {
    found["accounts"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect()
}

/// Blocks an account.
pub(crate) async fn block(auth: &Auth, account: &str, reason: &str) -> Answer {
    auth.operator().put(&format!("{BASE}/{account}/block"), &json!({"reason": reason})).await
}

async fn unblock(auth: &Auth, account: &str) -> Answer {
    auth.operator().delete(&format!("{BASE}/{account}/block")).await
}

async fn log(auth: &Auth) -> Vec<Value> {
    auth.operator().get(AUDIT).await.expect(200).value().as_array().unwrap().clone()
}

/// Makes all addresses and numbers verified ones.
async fn verify_contacts(auth: &Auth) {
    let db = auth.host.database("auth");
    let verifying = db.write(|conn| {
        let sql = "UPDATE accounts SET email_verified_at = 1, phone_verified_at = 1";
        Ok::<usize, DbError>(on_backend!(conn, |c| diesel::sql_query(sql).execute(c))?)
    });
    assert!(verifying.await.unwrap() > 0);
}

/// The routes that take the operators' credential, as `METHOD pattern`.
async fn routes() -> BTreeSet<String> {
    let description = web::openapi("", "", &web::routes(auth::internal_routes));
    let description = serde_json::to_value(description).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            if ["operators", "privacy", "invites"].contains(&described["tags"][0].as_str().unwrap()) {
                let pattern = path.strip_prefix("/internal/auth/v1").unwrap();
                routes.insert(format!("{} {pattern}", method.to_uppercase()));
            }
        }
    }
    routes
}

on_both! {
    async fn each_call_leaves_one_entry_of_its_own_action(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        let account = alice.text("accountId");
        let invite = auth.operator().post("/internal/auth/v1/invites", &json!({"expiresIn": 60})).await.expect(201).value();
        let invite = invite["inviteId"].as_str().unwrap();
        let calls = [
            ("POST", "/operators/accounts/search", "/operators/accounts/search".to_owned(), json!({"query": "alice"})),
            ("GET", "/operators/accounts/{account}", format!("/operators/accounts/{account}"), Value::Null),
            ("PUT", "/operators/accounts/{account}/block", format!("/operators/accounts/{account}/block"), json!({"reason": "x"})),
            ("DELETE", "/operators/accounts/{account}/block", format!("/operators/accounts/{account}/block"), Value::Null),
            ("DELETE", "/privacy/accounts/{account}", format!("/privacy/accounts/{account}"), Value::Null),
            ("DELETE", "/invites/{invite}", format!("/invites/{invite}"), Value::Null),
        ];
        let mut known: BTreeSet<String> = UNLOGGED.map(str::to_owned).into();
        known.insert("POST /invites".to_owned());

        for (place, (method, pattern, path, body)) in calls.into_iter().enumerate() {
            let method: Method = method.parse().unwrap();
            let mut request = auth.operator().request(method.clone(), &format!("/internal/auth/v1{path}"));
            if !body.is_null() {
                request = request.json(&body);
            }
            let answer = auth.operator().send(request.header("x-operator", "carol")).await;

            assert!(answer.status.is_success(), "{method} {path}: {}", answer.text());
            let log = log(&auth).await;
            // One is that of the invite.
            assert_eq!(log.len(), place + 2, "{method} {pattern} leaves no entry, or several");
            let last = log.last().unwrap();
            assert!(last["actor"].as_str().unwrap().starts_with("carol at "), "{last}");
            assert_eq!(last["intact"], true);
            known.insert(format!("{method} {pattern}"));
        }
        let actions: BTreeSet<String> = log(&auth).await.iter().map(|one| one["action"].to_string()).collect();
        assert_eq!(actions.len(), 7, "two are logged alike: {actions:?}");
        assert_eq!(routes().await, known, "add a call of the new route above");
    }

    async fn what_fails_leaves_no_entry_and_strangers_get_nothing(db: TestDb) {
        let auth = Auth::start(&db).await;
        let nobody = "5e0c26b0-5e5a-4c0e-8f0a-0123456789ab";

        auth.operator().get(&format!("{BASE}/{nobody}")).await.assert_status(404);
        block(&auth, nobody, "spam").await.assert_status(404);
        unblock(&auth, nobody).await.assert_status(404);
        for body in [json!({"limit": 0}), json!({"limit": 501}), json!({"prefix": true, "after": "x"}), json!({"query": "x".repeat(321)})] {
            auth.operator().post(&format!("{BASE}/search"), &body).await.assert_status(400);
        }
        block(&auth, nobody, "").await.assert_status(400);

        assert_eq!(log(&auth).await, [Value::Null; 0]);
        auth.host.internal.get(&format!("{BASE}/{nobody}")).await.assert_status(401);
        auth.host.http.with_token(ADMIN_TOKEN).get(&format!("{BASE}/{nobody}")).await.assert_status(404);
    }

    async fn an_account_is_found_by_whatever_an_operator_knows_of_it(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.session("alice").await;
        auth.register("albert").await.assert_status(201);
        auth.register("bob").await.assert_status(201);
        let id = alice.text("accountId");

        for query in ["alice", "Alice", id] {
            assert_eq!(names(&search(&auth, json!({"query": query})).await), ["alice"], "{query}");
        }
        for (start, expected) in [("al", &["albert", "alice"][..]), ("AL", &["albert", "alice"]), ("bobb", &[]), (&id[..9], &["alice"]), ("%", &[]), ("a\0", &[])] {
            let found = search(&auth, json!({"query": start, "prefix": true})).await;
            assert_eq!(names(&found), expected, "{start:?}");
        }
        assert_eq!(names(&search(&auth, json!({"query": "al"})).await), [""; 0], "a beginning is asked for");
        let found = search(&auth, json!({"query": "alice"})).await;
        assert_eq!((&found["accounts"][0]["accountId"], &found["accounts"][0]["kind"]), (&json!(id), &json!("native")));
    }

    async fn pages_hold_every_account_once_in_order(db: TestDb) {
        let auth = Auth::start(&db).await;
        let mut all: Vec<String> = ["d", "a", "c-c", "b.b", "c_c", "cc"].map(|name| format!("user-{name}")).into();
        for name in &all {
            auth.register(name).await.assert_status(201);
        }
        all.sort();

        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = search(&auth, json!({"query": "user-", "prefix": true, "limit": 2, "after": after})).await;
            seen.extend(names(&page).into_iter().map(str::to_owned));
            after = page["next"].clone();
            if after.is_null() {
                break;
            }
            assert!(seen.len() <= all.len(), "{seen:?}");
        }

        assert_eq!(seen, all);
        assert_eq!(names(&search(&auth, json!({"prefix": true})).await), all, "without a beginning: all");
    }

    async fn addresses_and_numbers_are_searched_for_and_never_shown(db: TestDb) {
        let auth = Auth::start(&db).await;
        let body = json!({"username": "alice", "password": PASSWORD, "email": "alice@example.org", "phone": "+255712345678"});
        let made = auth.host.http.post("/v1/accounts", &body).await.expect(201).value();
        let path = format!("{BASE}/{}", made["accountId"].as_str().unwrap());

        let facts = auth.operator().get(&path).await.expect(200);
        for query in ["alice@example.org", "+255712345678", "0712345678"] {
            // Nothing that is not verified identifies an account.
            assert_eq!(names(&search(&auth, json!({"query": query})).await), [""; 0]);
        }
        verify_contacts(&auth).await;
        for query in ["Alice@example.org", "+255712345678"] {
            assert_eq!(names(&search(&auth, json!({"query": query})).await), ["alice"], "{query}");
        }

        assert_eq!(facts.value()["email"], json!({"masked": "a*****@example.org", "verified": false}));
        assert_eq!(facts.value()["phone"], json!({"masked": "+255*****78", "verified": false}));
        let told = format!("{}{:?}", facts.text(), log(&auth).await);
        // Fewer digits may be part of an id.
        for secret in ["alice@", "Alice@", "+25571", "712345678"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
