//! `/users`: accounts as clients of Woosh know them. The tests of that project itself are in the end-to-end tests.

mod credentials;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

pub(crate) const TOKEN: &str = "s3cr3";

pub(crate) fn user(username: &str) -> Value {
    json!({"username": username, "password": TOKEN, "public_key": "pub", "private_key": "priv"})
}

fn error(status: u16, message: &str) -> Value {
    json!({"status": status, "message": message})
}

impl Auth {
    async fn woosh(&self, method: Method, path: &str, as_user: Option<(&str, &str)>, body: &Value) -> Answer {
        let mut request = self.host.http.request(method, path).body(body.to_string());
        if let Some((username, token)) = as_user {
            request = request.header("X-User-Name", username).header("X-User-Token", token);
        }
        self.host.http.send(request).await
    }

    pub(crate) async fn make(&self, body: &Value) -> Answer {
        self.woosh(Method::POST, "/users", None, body).await
    }

    pub(crate) async fn me(&self, username: &str, token: &str) -> Answer {
        self.woosh(Method::GET, "/users/me", Some((username, token)), &Value::Null).await
    }
}

/// An answer in the one form that errors have.
fn assert_refused(answer: &Answer, expected: &Value) {
    assert_eq!(
        (answer.status.as_u16(), answer.value()),
        (expected["status"].as_u64().unwrap() as u16, expected.clone())
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

on_both! {
    async fn a_user_is_exactly_what_was_given_and_a_number(db: TestDb) {
        let auth = Auth::start(&db).await;
        let keys = json!({"username": "Alice", "password": "pässwörd 🔑", "public_key": "pub\u{0}ö", "private_key": "priv",
            "info": null, "more": 1});

        let made = auth.make(&keys).await.expect(201).value();
        let bob = auth.make(&user("bob")).await.expect(201).value();

        let id = made["id"].as_i64().unwrap();
        assert_eq!(made, json!({"id": id, "username": "Alice", "public_key": "pub\u{0}ö", "private_key": "priv", "info": ""}));
        assert!(bob["id"].as_i64().unwrap() > id);
        assert_eq!(auth.me("Alice", "pässwörd 🔑").await.expect(200).value(), made);
    }

    async fn what_breaks_a_rule_is_refused_with_its_text(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.make(&user("taken")).await.assert_status(201);
        let with = |field: &str, value: Value| {
            let mut body = user("carol");
            body[field] = value;
            body
        };
        let missing = |field: &str, help: &str| error(400, &format!("missing field \"{field}\" in body: {help}"));
        let text = |field: &str| error(400, &format!("invalid field \"{field}\": text of 1 to 4096 characters expected"));
        let name = error(400, "bad username, should be alphanumeric, not shorter than 3 and not longer than 32 characters");
        let password = error(400, "invalid field \"password\": text of 1 to 1024 bytes expected");
        let info = error(400, "invalid field \"info\": text of 0 to 4096 characters expected");
        let long = || json!("ä".repeat(4097));
        let cases = [
            (Value::Null, missing("username", "unique name of user")),
            (json!([1]), missing("username", "unique name of user")),
            (with("username", Value::Null), missing("username", "unique name of user")),
            (with("public_key", Value::Null), missing("public_key", "public rsa key of user (plain)")),
            (with("private_key", Value::Null), missing("private_key", "secret rsa key of user (encrypted)")),
            (with("password", Value::Null), missing("password", "desired password")),
            (with("username", json!("ab")), name.clone()),
            (with("username", json!("bob\n")), name.clone()),
            (with("username", json!("a!@?$")), name.clone()),
            (with("username", json!(12345)), name),
            (with("username", json!("taken")), error(400, "username is already in use")),
            (with("public_key", json!("")), text("public_key")),
            (with("public_key", json!(["x"])), text("public_key")),
            (with("private_key", long()), text("private_key")),
            (with("password", json!("")), password.clone()),
            (with("password", json!(true)), password.clone()),
            (with("password", json!("ä".repeat(513))), password),
            (with("info", json!({})), info.clone()),
            (with("info", long()), info),
        ];
        for (body, expected) in cases {
            assert_refused(&auth.make(&body).await, &expected);
        }

        auth.make(&with("public_key", json!("ä".repeat(4096)))).await.assert_status(201);
    }

    async fn of_many_who_ask_for_a_name_at_once_one_gets_it(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "2")]).await;

        let asked = (0..100).map(|_| async { auth.make(&user("alice")).await });
        let answers = futures_util::future::join_all(asked).await;

        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_refused(answer, &error(400, "username is already in use"));
        }
    }

    async fn names_differ_by_case_here_and_not_in_our_own_interface(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.make(&user("Alice")).await.assert_status(201);
        auth.make(&user("alice")).await.assert_status(201);
        auth.make(&user("Bob")).await.assert_status(201);
        let carol = auth.session("carol").await;

        let natives = [auth.register("alice").await, auth.register("BOB").await];
        assert_eq!(natives.map(|answer| answer.problem().slug().to_owned()), ["username-taken"; 2]);
        for name in ["carol", "Carol", "CAROL"] {
            assert_refused(&auth.make(&user(name)).await, &error(400, "username is already in use"));
        }

        let again = Session(auth.log_in("CAROL", PASSWORD).await.expect(201).value());
        assert_eq!(again.text("accountId"), carol.text("accountId"), "a name of ours is folded, and has one owner");
        let upper = Session(auth.log_in("Alice", TOKEN).await.expect(201).value());
        let lower = Session(auth.log_in("alice", TOKEN).await.expect(201).value());
        assert_ne!(upper.text("accountId"), lower.text("accountId"));
    }

    async fn of_names_that_differ_by_case_one_is_made_when_both_interfaces_are_asked_at_once(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.hashing_slots", "4")]).await;
        for number in 0..8 {
            let (native, upper) = (format!("alice{number}"), user(&format!("Alice{number}")));
            let (native, here) = tokio::join!(auth.register(&native), auth.make(&upper));

            let statuses = [native.status.as_u16(), here.status.as_u16()];
            assert!([[201, 400], [409, 201]].contains(&statuses), "{statuses:?}");
        }
    }

    async fn accounts_of_our_own_interface_are_none_here(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.register("carol").await.assert_status(201);
        auth.make(&user("alice")).await.assert_status(201);

        let as_alice = Some(("alice", TOKEN));
        let found = auth.woosh(Method::GET, "/users/friends?username=carol", as_alice, &Value::Null).await;

        assert_refused(&auth.me("carol", PASSWORD).await, &error(401, "unauthorized"));
        assert_refused(&found, &error(404, "user not found"));
    }

    async fn info_is_replaced_and_nothing_else(db: TestDb) {
        let auth = Auth::start(&db).await;
        auth.make(&user("alice")).await.assert_status(201);
        let post = async |body: Value| auth.woosh(Method::POST, "/users/me", Some(("alice", TOKEN)), &body).await;
        let none = "the request did not contain any user updates. if you wish to just view it, please use the `get` method.";

        let changed = post(json!({"info": "friends\u{0}", "username": "mallory", "public_key": "x"})).await.expect(200).value();
        let refused = [post(json!({})).await, post(json!({"info": null})).await, post(Value::Null).await];
        let wrong = post(json!({"info": [1]})).await;

        assert_eq!((&changed["info"], &changed["username"], &changed["public_key"]), (&json!("friends\u{0}"), &json!("alice"), &json!("pub")));
        refused.iter().for_each(|answer| assert_refused(answer, &error(400, none)));
        wrong.assert_status(400);
        assert_eq!(auth.me("alice", TOKEN).await.expect(200).value(), changed);
        post(json!({"info": ""})).await.assert_status(200);
        assert_eq!(auth.me("alice", TOKEN).await.value()["info"], "");
    }

    async fn a_friend_is_found_by_the_whole_name_in_its_case(db: TestDb) {
        let auth = Auth::start(&db).await;
        let alice = auth.make(&user("alice")).await.expect(201).value();
        auth.make(&user("Bob")).await.assert_status(201);
        let find = async |query: &str| {
            auth.woosh(Method::GET, &format!("/users/friends{query}"), Some(("Bob", TOKEN)), &Value::Null).await
        };

        let found = find("?username=alice&username=nobody").await.expect(200).value();

        assert_eq!(found, json!({"id": alice["id"], "username": "alice", "public_key": "pub"}));
        find("?username=Bob").await.assert_status(200);
        for missed in ["?username=Alice", "?username=alic", "?username=", "?username=a%00b"] {
            assert_refused(&find(missed).await, &error(404, "user not found"));
        }
        assert_refused(&find("").await, &error(400, "missing field \"username\" in querystring: name of the friend to find"));
    }

    async fn methods_and_paths_are_answered_before_credentials(db: TestDb) {
        let auth = Auth::start(&db).await;
        let invented = Method::from_bytes(b"BREW").unwrap();
        let call = async |method: &Method, path: &str| auth.woosh(method.clone(), path, None, &Value::Null).await;

        for (path, allowed) in [
            ("/users", "OPTIONS, POST"),
            ("/users/me", "GET, HEAD, OPTIONS, POST"),
            ("/users/friends", "GET, HEAD, OPTIONS"),
        ] {
            for method in [&Method::PUT, &Method::DELETE, &Method::PATCH, &invented] {
                let answer = call(method, path).await;
                assert_refused(&answer, &error(405, "method not allowed"));
                assert_eq!(answer.header("allow"), Some(allowed));
            }
            let options = call(&Method::OPTIONS, path).await.expect(200);
            assert_eq!((options.header("allow"), options.text().as_str()), (Some(allowed), ""));
        }
        assert_refused(&call(&Method::GET, "/users").await, &error(405, "method not allowed"));
        let heads = [call(&Method::HEAD, "/users").await, call(&Method::HEAD, "/users/me").await];
        assert_eq!(heads.map(|answer| (answer.status.as_u16(), answer.text())), [(405, String::new()), (401, String::new())]);
        for path in ["/users/", "/users/me/", "/users/nothing", "/users/me/more"] {
            assert_refused(&call(&Method::GET, path).await, &error(404, "not found"));
        }
        let elsewhere = auth.host.http.get("/nothing").await.problem();
        assert_eq!(elsewhere.slug(), "no-such-route", "another form outside of them");
    }

    async fn a_body_that_is_too_long_is_refused_in_the_same_form(db: TestDb) {
        let auth = Auth::start(&db).await;

        let answer = auth.make(&json!({"username": "x".repeat(2_000_000)})).await;

        assert_refused(&answer, &error(413, "body too large"));
    }

    async fn a_server_that_is_not_open_makes_no_users(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.registration", "invite")]).await;

        assert_refused(&auth.make(&user("alice")).await, &error(403, "forbidden"));
    }

    async fn without_the_interface_there_is_nothing_at_its_paths(db: TestDb) {
        let auth = Auth::start_with(&db, &[("compat.woosh.enabled", "false")]).await;

        let answer = auth.make(&user("alice")).await.expect(404).problem();

        assert_eq!(answer.slug(), "no-such-route");
    }
}
