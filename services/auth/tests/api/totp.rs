//! The second factor, with an authenticator of its own: the test's code is Python's, not ours.

use std::process::Command;
use std::time::Duration;

use common::models::Clock as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD, Session};

const PATH: &str = "/v1/accounts/current/totp";

/// RFC 6238 by another hand.
const AUTHENTICATOR: &str = "\
import base64, hashlib, hmac, struct, sys
secret, seconds = base64.b32decode(sys.argv[1]), int(sys.argv[2])
mac = hmac.new(secret, struct.pack('>Q', seconds // 30), hashlib.sha1).digest()
at = mac[-1] & 15
print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000), end='')";

/// The code that an authenticator shows now.
fn code(auth: &Auth, secret: &str) -> String {
    code_at(secret, auth.clock.now().as_secs())
}

fn code_at(secret: &str, seconds: i64) -> String {
    let seconds = seconds.to_string();
    let shown = Command::new("python3").args(["-c", AUTHENTICATOR, secret, &seconds]).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    String::from_utf8(shown.stdout).unwrap()
}

/// The codes that are right now: that of an authenticator whose clock is a step behind, in time, or a step ahead.
fn right(auth: &Auth, secret: &str) -> [String; 3] {
    let now = auth.clock.now().as_secs();
    [now - 30, now, now + 30].map(|seconds| code_at(secret, seconds))
}

/// A code that is none of these.
fn wrong(auth: &Auth, secret: &str) -> String {
    let right = right(auth, secret);
    (0..4).map(|number| format!("{number:06}")).find(|code| !right.contains(code)).unwrap()
}

fn step(auth: &Auth) {
    auth.clock.advance(Duration::from_secs(30));
}

/// Turns the second factor on; gives its secret and the recovery codes.
pub(crate) async fn enrolled(auth: &Auth, session: &Session) -> (String, Vec<String>) {
    let client = auth.with(session);
    let begun = client.post(PATH, &json!({"password": PASSWORD})).await.expect(201).value();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let shown = json!({"code": code(auth, &secret)});
    let confirmed = client.post(&format!("{PATH}/confirm"), &shown).await.expect(200).value();
    step(auth);
    (secret, serde_json::from_value(confirmed["recoveryCodes"].clone()).unwrap())
}

async fn challenged(auth: &Auth) -> String {
    let problem = auth.log_in("alice", PASSWORD).await.expect(401).problem();
    assert_eq!(problem.slug(), "totp-required");
    problem.extensions["challenge"].as_str().unwrap().to_owned()
}

async fn complete(auth: &Auth, challenge: &str, code: &str) -> Answer {
    auth.host.http.post("/v1/sessions/challenge", &json!({"challenge": challenge, "code": code})).await
}

async fn delete(auth: &Auth, session: &Session, body: Value) -> Answer {
    let client = auth.with(session);
    client.send(client.request(reqwest::Method::DELETE, PATH).json(&body)).await
}

on_both! {
    async fn with_a_second_factor_a_login_takes_two_calls(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let (secret, recovery) = enrolled(&auth, &session).await;

        let challenge = challenged(&auth).await;
        let wrong = complete(&auth, &challenge, &wrong(&auth, &secret)).await;
        let second = Session(complete(&auth, &challenge, &code(&auth, &secret)).await.expect(201).value());

        assert_eq!((wrong.status.as_u16(), wrong.problem().slug()), (401, "wrong-code"));
        assert_eq!(recovery.len(), 10);
        let account = auth.with(&second).get("/v1/accounts/current").await.expect(200).value();
        assert_eq!(account["totp"], true);
        assert_eq!(auth.log_in("alice", "not the password").await.problem().slug(), "unauthenticated");
    }

    async fn codes_recovery_codes_and_challenges_work_once(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let (secret, recovery) = enrolled(&auth, &session).await;
        let (first, second, third) = (challenged(&auth).await, challenged(&auth).await, challenged(&auth).await);
        let shown = code(&auth, &secret);

        complete(&auth, &first, &shown).await.assert_status(201);
        let code_again = complete(&auth, &second, &shown).await;
        complete(&auth, &second, &recovery[0].to_lowercase()).await.assert_status(201);
        let recovery_again = complete(&auth, &third, &recovery[0]).await;
        step(&auth);
        let challenge_again = complete(&auth, &first, &code(&auth, &secret)).await;

        assert_eq!(code_again.problem().slug(), "wrong-code");
        assert_eq!(recovery_again.problem().slug(), "wrong-code");
        assert_eq!(challenge_again.problem().slug(), "unauthenticated");
    }

    async fn of_many_that_show_one_code_at_once_one_gets_in(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.totp_attempts.size", "20"), ("auth.totp_attempts.refill", "1m")]).await;
        let session = auth.session("alice").await;
        let (secret, _) = enrolled(&auth, &session).await;
        let mut challenges = Vec::new();
        for _ in 0..6 {
            challenges.push(challenged(&auth).await);
        }
        let shown = code(&auth, &secret);

        let answers = join_all(challenges.iter().map(|challenge| complete(&auth, challenge, &shown))).await;

        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    }

    async fn wrong_codes_run_out_however_many_logins_wait(db: TestDb) {
        let auth = Auth::start_with(&db, &[("auth.totp_attempts.size", "3"), ("auth.totp_attempts.refill", "5m")]).await;
        let session = auth.session("alice").await;
        let (secret, _) = enrolled(&auth, &session).await;
        let wrong = wrong(&auth, &secret);
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let challenge = challenged(&auth).await;
            statuses.push(complete(&auth, &challenge, &wrong).await.status.as_u16());
        }

        let challenge = challenged(&auth).await;
        let right = complete(&auth, &challenge, &code(&auth, &secret)).await;

        assert_eq!(statuses, [401, 401, 401, 429]);
        assert_eq!((right.status.as_u16(), right.header("retry-after")), (429, Some("300")));
    }

    async fn a_challenge_ends_with_time_and_with_the_password_that_it_stands_for(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let (secret, _) = enrolled(&auth, &session).await;
        let (old, changed) = (challenged(&auth).await, json!({"currentPassword": PASSWORD, "newPassword": "another password"}));

        auth.with(&session).put("/v1/accounts/current/password", &changed).await.assert_status(204);
        complete(&auth, &old, &code(&auth, &secret)).await.assert_status(401);
        let problem = auth.log_in("alice", "another password").await.problem();
        let waiting = problem.extensions["challenge"].as_str().unwrap();
        auth.clock.advance(Duration::from_secs(300));
        complete(&auth, waiting, &code(&auth, &secret)).await.assert_status(401);
    }

    async fn turning_it_off_or_renewing_needs_password_and_code(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let (secret, recovery) = enrolled(&auth, &session).await;
        let body = |password: &str, code: &str| json!({"password": password, "code": code});

        delete(&auth, &session, body("not the password", &code(&auth, &secret))).await.assert_status(401);
        delete(&auth, &session, body(PASSWORD, &wrong(&auth, &secret))).await.assert_status(401);
        let renew = format!("{PATH}/recovery-codes");
        let renewed = auth.with(&session).post(&renew, &body(PASSWORD, &code(&auth, &secret))).await.expect(200).value();
        delete(&auth, &session, body(PASSWORD, &recovery[1])).await.assert_status(401);
        let fresh = renewed["recoveryCodes"][0].as_str().unwrap();
        delete(&auth, &session, body(PASSWORD, fresh)).await.assert_status(204);

        auth.log_in("alice", PASSWORD).await.assert_status(201);
        let gone = delete(&auth, &session, body(PASSWORD, fresh)).await;
        assert_eq!(gone.problem().slug(), "totp-not-found");
    }

    async fn an_enrolment_counts_only_once_it_is_confirmed(db: TestDb) {
        let auth = Auth::start(&db).await;
        let session = auth.session("alice").await;
        let client = auth.with(&session);
        let confirm = format!("{PATH}/confirm");

        let nothing = client.post(&confirm, &json!({"code": "000000"})).await;
        let wrong = client.post(PATH, &json!({"password": "not the password"})).await;
        let first = client.post(PATH, &json!({"password": PASSWORD})).await.expect(201).value();
        let second = client.post(PATH, &json!({"password": PASSWORD})).await.expect(201).value();
        auth.log_in("alice", PASSWORD).await.assert_status(201);
        let (old, new) = (first["secret"].as_str().unwrap(), second["secret"].as_str().unwrap());
        // Once in a great while both secrets have the same code.
        while right(&auth, new).contains(&code(&auth, old)) {
            step(&auth);
        }
        let stale = client.post(&confirm, &json!({"code": code(&auth, old)})).await;
        client.post(&confirm, &json!({"code": code(&auth, new)})).await.assert_status(200);
        let again = client.post(PATH, &json!({"password": PASSWORD})).await;

        assert_eq!(nothing.problem().slug(), "totp-not-found");
        assert_eq!(wrong.problem().slug(), "unauthenticated");
        assert_eq!(stale.problem().slug(), "wrong-code");
        assert_eq!(again.problem().slug(), "totp-active");
        let uri = second["uri"].as_str().unwrap();
        assert_eq!(uri, format!("otpauth://totp/Sealpost:alice?secret={new}&issuer=Sealpost"));
    }
}
