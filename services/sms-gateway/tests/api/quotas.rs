//! Quotas: two instances together never send more, and send all that is allowed.

use common::models::{Clock, SystemClock};
use serde_json::{Value, json};
use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::Verdict;
use sms_gateway::{ClientQuota, QuotaSettings, Settings};
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for, wait_until};

use crate::cases::{ACME, message};
use crate::fleet::{Fleet, ends, script};
use crate::harness::{Gateway, KEY, PASSWORD, World, away_from_midnight};

const QUOTAS: &str = "/internal/sms-gateway/v1/quotas";

fn limited(day: u32, settings: Settings) -> Settings {
    let of = [(ACME.to_owned(), ClientQuota { day: Some(day), month: Some(0) })].into();
    Settings { quota: QuotaSettings { of, ..QuotaSettings::default() }, ..settings }
}

async fn quotas(gateway: &Gateway) -> Value {
    gateway.operator.get(QUOTAS).await.expect(200).value()
}

on_both! {
    async fn two_instances_send_a_quota_to_its_end_and_not_one_segment_more(test: TestDb) {
        away_from_midnight().await;
        let fleet = Fleet::new().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = limited(100, fleet.settings(Vec::new()));
        let one = Gateway::with(&fleet.world, &test, settings.clone()).await;
        let other = Gateway::beside(folder.path(), &test, settings).await;
        fleet.bound(&[&one, &other]).await;
        // What is throttled is given back, and asked for again.
        for name in ["a", "b"] {
            script(fleet.smsc(name), |_, number| match number % 5 {
                0 => Verdict::Refuse(CommandStatus::RTHROTTLED),
                _ => Verdict::Accept,
            });
        }

        fleet.send(&one, "q", 90).await;
        fleet.send(&other, "r", 90).await;
        let mut ended = ends(&[&one, &other], "q", 90).await;
        ended.extend(ends(&[&one, &other], "r", 90).await);

        let delivered = ended.values().filter(|end| *end == "DELIVERED").count();
        assert_eq!(delivered, fleet.texts().len());
        // What waited for its next try while the last were taken may have been the hundredth.
        assert!((80..=100).contains(&delivered), "{delivered} were delivered");
        let failed = ended.iter().filter(|(_, end)| *end == "FAILED").map(|(correl, _)| correl);
        for correl in failed {
            let told = [one.published(correl), other.published(correl)].concat();
            let text = told[0].error_text.as_deref().unwrap();
            assert!(text.starts_with("the client's quota of 100 segments until ") && text.ends_with("Z is used up"), "{text}");
        }
        let shown = quotas(&one).await;
        assert_eq!((&shown[0]["client"], &shown[0]["period"], &shown[0]["limit"]), (&json!(ACME), &json!("day"), &json!(100)));
        assert_eq!(shown[0]["used"], delivered);
        assert_eq!(shown.as_array().unwrap().len(), 1);
        one.stop().await;
        other.stop().await;
    }

    async fn two_instances_without_trouble_use_all_of_it(test: TestDb) {
        away_from_midnight().await;
        let world = World::new(World::with_receipts()).await;
        let folder = tempfile::tempdir().unwrap();
        let one = Gateway::with(&world, &test, limited(61, world.settings())).await;
        let other = Gateway::beside(folder.path(), &test, limited(61, world.settings())).await;
        for (gateway, prefix) in [(&one, "a"), (&other, "b")] {
            for number in 0..50 {
                let request = world.maker.request(ACME, &format!("{prefix}{number}"), &message("hello"));
                gateway.request(&request).await;
            }
        }

        let mut names = ends(&[&one, &other], "a", 50).await;
        names.extend(ends(&[&one, &other], "b", 50).await);

        assert_eq!(world.smsc.accepted().len(), 61);
        assert_eq!(names.values().filter(|end| *end == "FAILED").count(), 39);
        wait_until("the metrics", async || {
            let is_day = |line: &&str| line.starts_with("sealpost_sms_quota_used{") && line.contains("\"day\"");
            one.metrics().await.lines().find(is_day).is_some_and(|line| line.ends_with(" 61"))
        })
        .await;
        one.stop().await;
        other.stop().await;
    }

    async fn what_was_refused_leaves_its_place_to_others(test: TestDb) {
        away_from_midnight().await;
        let fleet = Fleet::new().await;
        for name in ["a", "b", "c"] {
            script(fleet.smsc(name), |_, _| Verdict::Refuse(CommandStatus::RINVDSTADR));
        }
        let gateway = Gateway::with(&fleet.world, &test, limited(3, fleet.settings(Vec::new()))).await;
        fleet.bound(&[&gateway]).await;
        for number in 0..6 {
            gateway.request(&fleet.world.maker.request(ACME, &format!("n{number}"), &message("hello"))).await;
            gateway.statuses(&format!("n{number}"), 1).await;
            assert_eq!(gateway.names(&format!("n{number}")), ["INVALID"]);
        }
        for name in ["a", "b", "c"] {
            script(fleet.smsc(name), |_, _| Verdict::Accept);
        }

        gateway.request(&fleet.world.maker.request(ACME, "long", &message(&"ж".repeat(150)))).await;
        gateway.statuses("long", 2).await;
        gateway.request(&fleet.world.maker.request(ACME, "more", &message("hello"))).await;

        gateway.statuses("more", 1).await;
        assert_eq!((gateway.names("long"), gateway.names("more")), (vec!["SENT".into(), "DELIVERED".into()], vec!["FAILED".to_owned()]));
        assert_eq!(quotas(&gateway).await[0]["used"], 3);
        gateway.stop().await;
    }
}

/// A word of each message, by which the SMSC knows it.
fn says(pdu: &SubmitSm, word: &str) -> bool {
    String::from_utf8_lossy(&pdu.short_message).contains(word)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_held_is_given_back_once_and_what_may_have_left_is_not() {
    away_from_midnight().await;
    let world = World::new(Default::default()).await;
    script(&world.smsc, |pdu, _| match () {
        () if says(pdu, "silence") => Verdict::AcceptSilently,
        () if says(pdu, "second") => Verdict::Refuse(CommandStatus::RTHROTTLED),
        () => Verdict::Accept,
    });
    let file = format!(
        "[sms_gateway]\nvault = \"{}\"\nvault_password = \"{PASSWORD}\"\nallowed_clients = [\"{ACME}\"]\n\
         http_keys = {{ \"{KEY}\" = \"{ACME}\" }}\nunknown_after = \"5s\"\nresend_after = \"5s\"\n\
         [sms_gateway.quota.of.{ACME}]\nday = 3\n\
         [[sms_gateway.smsc]]\nname = \"main\"\nhost = \"127.0.0.1\"\nport = {}\nsystem_id = \"acme\"\n\
         password = \"secret\"\nresponse_timeout = \"2s\"\nsimulated = true\n",
        world.path().join("vault").display(),
        world.smsc.address().port(),
    );
    let more = [("telemetry.level", "info,follow=debug")];
    let settings = ProgramSettings {
        name: "sealpost-sms-gateway",
        file: &file,
        more: &more,
        ..ProgramSettings::default()
    };
    let mut gateway = Program::start(settings).await.unwrap();
    let send = async |gateway: &Program, correl: &str, text: &str, deadline: Option<String>| {
        let mut request = world.maker.request(ACME, correl, &message(text));
        request.remove("client-id");
        request.extend(deadline.map(|deadline| ("deadline".to_owned(), deadline.into())));
        gateway.http.with_token(KEY).post("/v1/sms", &request).await.assert_status(202);
    };
    let told = async |gateway: &Program, correl: &str| {
        wait_for(correl, || async {
            let page = gateway.http.with_token(KEY).get("/v1/sms/status").await.expect(200).value();
            let statuses = page["statuses"].as_array().unwrap().clone();
            statuses.into_iter().find(|status| status["correl-id"] == correl)
        })
        .await
    };
    let soon = SystemClock.now() + std::time::Duration::from_secs(12);

    send(&gateway, "silent", "silence", None).await;
    let two = format!("{:<153}second", "first");
    let two = format!("{two:<200}");
    send(&gateway, "halved", &two, Some(soon.to_rfc3339_seconds())).await;
    wait_until("both to be at the SMSC, and its answers to be stored", async || {
        let accepted = world.smsc.counts().borrow().accepted;
        let log = gateway.log();
        let stored = |outcome: &str| {
            log.lines().any(|line| line.contains("said what became") && line.contains(outcome))
        };
        accepted >= 2 && stored("accepted") && stored("throttled")
    })
    .await;
    gateway.kill();
    gateway.restart().await.unwrap();
    let (silent, halved) = (told(&gateway, "silent").await, told(&gateway, "halved").await);
    send(&gateway, "third", "hello", None).await;
    let third = told(&gateway, "third").await;
    send(&gateway, "fourth", "hello", None).await;
    let fourth = told(&gateway, "fourth").await;

    assert!(silent["error-text"].as_str().unwrap().starts_with("outcome unknown"), "{silent}");
    assert!(halved["error-text"].as_str().unwrap().starts_with("only 1 of 2 segments"), "{halved}");
    assert_eq!(third["sms-status"], "SENT");
    assert!(fourth["error-text"].as_str().unwrap().contains("quota of 3 segments"), "{fourth}");
}
