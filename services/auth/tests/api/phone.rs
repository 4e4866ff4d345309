//! Phone numbers verified by SMS. The jobs are read from the outbox and opened with the gateway's key; the whole way to
//! a handset and back is in the end-to-end tests.

use std::time::Duration;

use common::crypto::sms_envelope::{Binding, Version, decode_payload};
use common::crypto::sms_payload::SmsPayload;
use common::crypto::vault::{Vault, VaultFormat};
use common::models::UnixMillis;
use common::models::sms::{SmsRequest, parse_deadline};
use db::{DbConn, DbError};
use diesel::prelude::*;
use diesel::sql_types::Binary;
use serde_json::{Value, json};
use testkit::clock::START;
use testkit::http::Answer;
use testkit::on_both;

use crate::harness::{Auth, PASSWORD};

const PHONE: &str = "+255712345678";
const PATH: &str = "/v1/accounts/phone-verifications";

/// Auth, and the vault that has the private half of the key it seals to.
struct Sms {
    auth: Auth,
    vault: Vault,
}

impl Sms {
    async fn start(db: &testkit::database::TestDb, more: &[(&str, &str)]) -> Self {
        let mut vault = Vault::new(VaultFormat::Pkcs12);
        vault.add_x25519("auth", UnixMillis(0)).unwrap();
        let key = vault.sealing_key("auth").unwrap().to_line().unwrap();
        let settings = [&[("auth.phone.key", key.as_str()), ("auth.phone.sender", "POST")], more].concat();
        Self { auth: Auth::start_with(db, &settings).await, vault }
    }

    async fn begin(&self, phone: &str) -> String {
        let begun = self.auth.host.http.post(PATH, &json!({"phone": phone})).await.expect(201).value();
        begun["verificationId"].as_str().unwrap().to_owned()
    }

    async fn send(&self, verification: &str) -> Answer {
        self.auth.host.http.post(&format!("{PATH}/{verification}/code"), &json!({})).await
    }

    async fn check(&self, verification: &str, code: &str) -> Answer {
        self.auth.host.http.put(&format!("{PATH}/{verification}/code"), &json!({"code": code})).await
    }

    /// The newest job that was published or waits to be, opened as the gateway opens it.
    async fn sms(&self) -> (SmsRequest, SmsPayload) {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Binary)]
            record_value: Vec<u8>,
        }
        let sql = "SELECT record_value FROM outbox WHERE topic = 'send-sms' ORDER BY id DESC LIMIT 1";
        let db = self.auth.host.database("auth");
        let newest = db.read(move |conn| {
            let row: Row = match conn {
                DbConn::Pg(conn) => diesel::sql_query(sql).get_result(conn)?,
                DbConn::Sqlite(conn) => diesel::sql_query(sql).get_result(conn)?,
            };
            Ok::<_, DbError>(row.record_value)
        });
        let request = SmsRequest::parse(&newest.await.unwrap()).unwrap();
        let envelope = decode_payload(request.payload.as_deref().unwrap()).unwrap();
        let binding = Binding {
            client_id: request.client_id.as_str(),
            correl_id: request.correl_id.as_str(),
            deadline: request.deadline.as_deref().unwrap(),
        };
        let message = self.vault.opener("auth").unwrap().open(&envelope, &binding).unwrap();
        (request, SmsPayload::parse(&message).unwrap())
    }

    async fn code(&self) -> String {
        self.sms().await.1.text()[..6].to_owned()
    }

    /// A verification that is done.
    async fn verified(&self, phone: &str) -> String {
        let verification = self.begin(phone).await;
        self.send(&verification).await.assert_status(202);
        let done = self.check(&verification, &self.code().await).await.expect(200).value();
        assert_eq!(done["verified"], true, "{done}");
        verification
    }

    async fn register(&self, username: &str, verification: &str) -> Answer {
        let body = json!({"username": username, "password": PASSWORD, "phoneVerificationId": verification});
        self.auth.host.http.post("/v1/accounts", &body).await
    }
}

/// Another code of the same form.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &code[..5])
}

on_both! {
    async fn a_code_goes_out_as_a_sealed_job_of_class_otp(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let verification = sms.begin(PHONE).await;

        let sent = sms.send(&verification).await.expect(202).value();
        let (request, payload) = sms.sms().await;

        assert_eq!((&sent["delivery"], &sent["sendsLeft"], &sent["verified"]), (&"queued".into(), &4.into(), &false.into()));
        assert_eq!((payload.to(), payload.sender()), (PHONE, Some("POST")));
        assert!(payload.text()[6..].starts_with(" is your code") && payload.text()[..6].bytes().all(|octet| octet.is_ascii_digit()));
        assert_eq!((request.client_id.as_str(), request.class.as_deref()), ("auth", Some("otp")));
        assert_eq!(parse_deadline(&request.deadline.unwrap()).unwrap(), START + Duration::from_secs(600));
        assert_ne!(request.correl_id.as_str(), verification, "the id is a credential");
    }

    async fn a_key_of_the_other_kind_means_the_first_version_of_the_envelope(db: TestDb) {
        let mut vault = Vault::new(VaultFormat::Pkcs12);
        vault.add("auth", 2048, UnixMillis(0)).unwrap();
        let key = vault.sealing_key("auth").unwrap().to_line().unwrap();
        let sms = Sms { auth: Auth::start_with(&db, &[("auth.phone.key", &key)]).await, vault };
        let verification = sms.begin(PHONE).await;

        sms.send(&verification).await.assert_status(202);
        let (request, payload) = sms.sms().await;

        let envelope = decode_payload(request.payload.as_deref().unwrap()).unwrap();
        assert_eq!(Version::of(&envelope), Ok(Version::V1));
        assert_eq!((payload.to(), payload.sender()), (PHONE, Some("Sealpost")));
    }

    async fn only_the_newest_code_verifies_and_only_in_time(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let verification = sms.begin(PHONE).await;
        let nothing_sent = sms.check(&verification, "000000").await;
        sms.send(&verification).await.assert_status(202);
        let first = sms.code().await;
        sms.auth.clock.advance(Duration::from_secs(60));
        sms.send(&verification).await.assert_status(202);
        let second = sms.code().await;

        let old = sms.check(&verification, &first).await.expect(200).value();
        let done = sms.check(&verification, &second).await.expect(200).value();
        let other = sms.begin(PHONE).await;
        sms.auth.clock.advance(Duration::from_secs(3600 * 24));
        let late = sms.begin(PHONE).await;
        sms.send(&late).await.assert_status(202);
        let code = sms.code().await;
        sms.auth.clock.advance(Duration::from_secs(600));
        let expired = sms.check(&late, &code).await.expect(200).value();

        assert_eq!(nothing_sent.problem().slug(), "verification-exhausted");
        assert_eq!((&old["verified"], &done["verified"], &expired["verified"]), (&(first == second).into(), &true.into(), &false.into()));
        assert_eq!(sms.check(&other, &second).await.problem().slug(), "verification-not-found", "it has expired");
    }

    async fn checks_have_to_wait_and_run_out(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let verification = sms.begin(PHONE).await;
        sms.send(&verification).await.assert_status(202);
        let code = sms.code().await;
        let wrong = wrong(&code);
        let mut left = Vec::new();
        let mut waits = Vec::new();
        for _ in 0..5 {
            let answer = sms.check(&verification, &wrong).await;
            let answer = if answer.status == 429 {
                let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                waits.push(seconds);
                sms.auth.clock.advance(Duration::from_secs(seconds));
                sms.check(&verification, &wrong).await
            } else {
                answer
            };
            left.push(answer.expect(200).value()["checksLeft"].as_i64().unwrap());
        }
        sms.auth.clock.advance(Duration::from_secs(300));

        let right = sms.check(&verification, &code).await;
        let resend = sms.send(&verification).await;

        assert_eq!((left, waits), (vec![4, 3, 2, 1, 0], vec![60, 120]));
        assert_eq!(right.problem().slug(), "verification-exhausted");
        assert_eq!(resend.problem().slug(), "verification-exhausted");
    }

    async fn sends_have_to_wait_and_a_number_gets_five_a_day(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let verification = sms.begin(PHONE).await;
        let mut waits = Vec::new();
        for _ in 0..4 {
            sms.send(&verification).await.assert_status(202);
            let early = sms.send(&verification).await.expect(429);
            let seconds: u64 = early.header("retry-after").unwrap().parse().unwrap();
            waits.push(seconds);
            sms.auth.clock.advance(Duration::from_secs(seconds));
        }
        sms.send(&verification).await.assert_status(202);
        let exhausted = sms.send(&verification).await;

        let again = sms.begin(PHONE).await;
        let over = sms.send(&again).await.expect(429);
        let neighbour = sms.begin("+255712345679").await;

        assert_eq!(waits, [60, 120, 300, 600]);
        assert_eq!(exhausted.problem().slug(), "verification-exhausted");
        let seconds: u64 = over.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(seconds, 288 * 60 - (60 + 120 + 300 + 600));
        sms.send(&neighbour).await.assert_status(202);
    }

    async fn all_numbers_together_get_so_many_sms(db: TestDb) {
        let few = [
            ("auth.phone.all_numbers.size", "2"),
            ("auth.phone.all_numbers.refill", "4s"),
            ("auth.phone.per_number.size", "1"),
            ("auth.phone.per_number.refill", "1h"),
        ];
        let sms = Sms::start(&db, &few).await;
        let one = sms.begin("+255712345670").await;
        sms.send(&one).await.assert_status(202);
        let again = sms.begin("+255712345670").await;
        sms.send(&again).await.assert_status(429);
        let (two, three) = (sms.begin("+255712345671").await, sms.begin("+255712345672").await);
        sms.send(&two).await.assert_status(202);

        let over = sms.send(&three).await.expect(429);
        let metrics = sms.auth.host.internal.get("/metrics").await.text();

        assert_eq!((over.header("retry-after"), over.problem().slug()), (Some("4"), "rate-limited"));
        assert!(metrics.contains(r#"phone_codes_total{outcome="capped",service="auth"} 1"#), "{metrics}");
        sms.auth.clock.advance(Duration::from_secs(4));
        sms.send(&three).await.assert_status(202);
    }

    async fn guesses_at_once_are_counted_one_by_one(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let verification = sms.begin(PHONE).await;
        sms.send(&verification).await.assert_status(202);
        let wrong = wrong(&sms.code().await);

        let answers = futures_util::future::join_all((0..12).map(|_| sms.check(&verification, &wrong))).await;

        // Two without a pause, and a third before the pause begins.
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 3);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 9);
    }

    async fn registration_by_sms_needs_a_verified_number_and_uses_it_up(db: TestDb) {
        let sms = Sms::start(&db, &[("auth.registration", "sms")]).await;
        let unverified = sms.begin(PHONE).await;
        sms.send(&unverified).await.assert_status(202);

        let without = sms.auth.register("alice").await;
        let too_early = sms.register("alice", &unverified).await;
        let code = sms.code().await;
        sms.check(&unverified, &code).await.assert_status(200);
        let made = sms.register("alice", &unverified).await.expect(201).value();
        let again = sms.register("bob", &unverified).await;
        sms.auth.clock.advance(Duration::from_secs(3600 * 24));
        let second = sms.verified(PHONE).await;
        let taken = sms.register("bob", &second).await;
        let name_taken = sms.register("alice", &sms.verified("+255700000001").await).await;

        assert_eq!(without.problem().slug(), "phone-verification-needed");
        assert_eq!(too_early.problem().slug(), "phone-verification-needed");
        assert_eq!(made["phone"], json!({"value": PHONE, "verified": true}));
        assert_eq!(again.problem().slug(), "phone-verification-needed");
        assert_eq!(taken.problem().slug(), "phone-taken");
        assert_eq!(name_taken.problem().slug(), "username-taken");
    }

    async fn an_account_gets_and_loses_a_number(db: TestDb) {
        let sms = Sms::start(&db, &[]).await;
        let session = sms.auth.session("alice").await;
        let client = sms.auth.with(&session);
        let verification = sms.verified(PHONE).await;
        let set = |id: Value, password: &str| {
            let body = json!({"phoneVerificationId": id, "password": password});
            let client = client.clone();
            async move { client.put("/v1/accounts/current/phone", &body).await }
        };

        set(verification.clone().into(), "not the password").await.assert_status(401);
        set(verification.clone().into(), PASSWORD).await.assert_status(204);
        let with = client.get("/v1/accounts/current").await.expect(200).value();
        let again = set(verification.into(), PASSWORD).await;
        set(Value::Null, PASSWORD).await.assert_status(204);
        let without = client.get("/v1/accounts/current").await.expect(200).value();

        assert_eq!(with["phone"], json!({"value": PHONE, "verified": true}));
        assert_eq!(again.problem().slug(), "phone-verification-needed");
        assert_eq!(without["phone"], Value::Null);
    }

    async fn a_server_without_a_gateway_says_so(db: TestDb) {
        let auth = Auth::start(&db).await;

        let refused = auth.host.http.post(PATH, &json!({"phone": PHONE})).await;

        assert_eq!((refused.status.as_u16(), refused.problem().slug()), (422, "sms-not-configured"));
    }
}
