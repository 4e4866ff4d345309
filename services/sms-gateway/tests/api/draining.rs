//! Binds that operators drain, certificates that change, and SMSCs that refuse us while others do not.

use std::time::Duration;

use serde_json::{Value, json};
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, Smsc, SmscSettings as Simulated, Span};
use sms_gateway::{RouteSettings, Tls};
use testkit::on_both;
use testkit::wait::{DEADLINE, wait_until};

use crate::binds::certify;
use crate::cases::{ACME, message};
use crate::fleet::to;
use crate::harness::{Gateway, World, count, metric};
use crate::operators::{BINDS, actions, ask, bound, order};

const RELOAD: &str = "/internal/sms-gateway/v1/reload";

fn slow(latency: u64) -> Behaviour {
    Behaviour { latency: Span::exactly(Duration::from_millis(latency)), ..World::with_receipts() }
}

async fn unbound(world: &World) {
    let mut counts = world.smsc.counts();
    let unbound = counts.wait_for(|counts| counts.bound == 0);
    tokio::time::timeout(DEADLINE, unbound).await.unwrap().unwrap();
}

async fn send(gateway: &Gateway, world: &World, correl: &str) {
    gateway.request(&world.maker.request(ACME, correl, &message("hello"))).await;
}

async fn stored(gateway: &Gateway, jobs: i64) {
    let stored = async || count(gateway, "SELECT count(*) AS n FROM sms_jobs").await == jobs;
    wait_until("the requests to be stored", stored).await;
}

on_both! {
    async fn a_drained_bind_waits_for_responses_ends_and_stays_away_until_it_is_opened(test: TestDb) {
        let world = World::new(slow(700)).await;
        let gateway = Gateway::start(&world, &test).await;
        bound(&gateway).await;
        send(&gateway, &world, "before").await;
        world.smsc.counts().wait_for(|counts| counts.accepted == 1).await.unwrap();

        let draining = order(&gateway, "drained").await;
        send(&gateway, &world, "during").await;
        stored(&gateway, 2).await;
        unbound(&world).await;
        gateway.statuses("before", 1).await;
        wait_until("the bind to be gone", async || ask(&gateway, BINDS).await[0]["state"] == "unbound").await;
        // Far above the wait before a new connection, and above a round of the dispatcher.
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!((&draining["order"], &draining["state"]), (&json!("drained"), &json!("bound")));
        assert_eq!(gateway.names("before")[0], "SENT");
        assert_eq!((world.smsc.accepted().len(), world.smsc.counts().borrow().binds), (1, 1));
        let stopped = r#"sealpost_sms_stopped_by_operator{smsc="main",service="sms-gateway"} 1"#;
        wait_until(stopped, async || metric(&gateway, stopped).await).await;
        order(&gateway, "open").await;
        gateway.statuses("during", 2).await;
        assert_eq!(gateway.names("during"), ["SENT", "DELIVERED"]);
        assert_eq!(actions(&gateway).await, ["bind.drain", "bind.resume"]);
        gateway.stop().await;
    }

    async fn what_is_not_answered_in_time_is_unknown_and_not_sent_again(test: TestDb) {
        let world = World::new(Behaviour { drop_responses: 1.0, ..Behaviour::default() }).await;
        let mut settings = world.settings();
        settings.smsc[0].drain = Duration::from_millis(100);
        let gateway = Gateway::with(&world, &test, settings).await;
        bound(&gateway).await;
        send(&gateway, &world, "lost").await;
        world.smsc.counts().wait_for(|counts| counts.accepted == 1).await.unwrap();

        order(&gateway, "drained").await;
        unbound(&world).await;
        order(&gateway, "open").await;

        let statuses = gateway.statuses("lost", 1).await;
        assert!(statuses[0].error_text.as_deref().unwrap().starts_with("outcome unknown"), "{statuses:?}");
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn all_instances_drain_and_none_binds_after_a_restart(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let folder = tempfile::tempdir().unwrap();
        let first = Gateway::start(&world, &test).await;
        let second = Gateway::beside(folder.path(), &test, world.settings()).await;
        world.smsc.counts().wait_for(|counts| counts.bound == 2).await.unwrap();

        order(&first, "drained").await;
        unbound(&world).await;
        second.stop().await;
        let second = Gateway::beside(folder.path(), &test, world.settings()).await;
        wait_until("the order", async || ask(&second, BINDS).await[0]["order"] == "drained").await;
        send(&second, &world, "waits").await;
        stored(&second, 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!((world.smsc.counts().borrow().binds, world.smsc.accepted().len()), (2, 0));
        order(&first, "open").await;
        world.smsc.counts().wait_for(|counts| counts.bound == 2).await.unwrap();
        wait_until("it to leave", async || world.smsc.accepted().len() == 1).await;
        first.stop().await;
        second.stop().await;
    }

    async fn other_certificates_are_read_without_a_restart(test: TestDb) {
        let (right, wrong) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tls = certify(right.path());
        let other = certify(wrong.path());
        let world = World::beside(Simulated { tls: Some(tls.load().unwrap()), ..Simulated::default() }).await;
        let file = world.path().join("ca.pem");
        std::fs::copy(&other.certificate_file, &file).unwrap();
        let mut settings = world.settings();
        settings.smsc[0].tls = Some(Tls { ca_file: Some(file.clone()), ..Tls::default() });
        let gateway = Gateway::with(&world, &test, settings).await;
        wait_until("the refusal", async || ask(&gateway, BINDS).await[0]["state"] == "waiting").await;

        std::fs::copy(&tls.certificate_file, &file).unwrap();
        let renewed = reload(&gateway).await;
        bound(&gateway).await;
        std::fs::write(&file, "nothing").unwrap();
        let spoilt = reload(&gateway).await;

        assert_eq!((&renewed["vault"], &renewed["certificates"]), (&json!("ok"), &json!({"main": "ok"})));
        let told = spoilt["certificates"]["main"].as_str().unwrap();
        assert!(told.contains(&file.display().to_string()), "{told}");
        assert_eq!(ask(&gateway, BINDS).await[0]["state"], "bound");
        gateway.stop().await;
    }

    async fn an_smsc_that_refuses_us_fails_its_own_messages_and_no_others(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let strict = refusing().await;
        let mut settings = world.settings();
        let mut refused = settings.smsc[0].clone();
        (refused.name, refused.port) = ("strict".into(), strict.address().port());
        settings.smsc.push(refused);
        let kenya = RouteSettings { prefixes: vec!["+254".parse().unwrap()], ..RouteSettings::new("ke", &[("strict", 1)]) };
        let both = RouteSettings { backup: vec!["main".into()], ..RouteSettings::new("rest", &[("strict", 1)]) };
        settings.route = vec![kenya, both];
        settings.allowed_numbers = vec!["+25*".parse().unwrap()];
        let gateway = Gateway::with(&world, &test, settings).await;

        for (correl, number) in [("ke", "+254123456789"), ("tz", "+255123456789")] {
            gateway.request(&world.maker.request(ACME, correl, &to(number, "hello"))).await;
        }
        let failed = gateway.statuses("ke", 1).await;
        gateway.statuses("tz", 2).await;

        assert!(failed[0].error_text.as_deref().unwrap().contains("refuses the bind"), "{failed:?}");
        assert_eq!((gateway.names("ke"), gateway.names("tz")), (vec!["FAILED".into()], vec!["SENT".into(), "DELIVERED".into()]));
        let metrics = gateway.metrics().await;
        for (smsc, value) in [("strict", 1), ("main", 0)] {
            let line = format!("sealpost_sms_alarm{{bind=\"transceiver\",smsc=\"{smsc}\",service=\"sms-gateway\"}} {value}");
            assert!(metrics.contains(&line), "{line} is not in {metrics}");
        }
        gateway.stop().await;
    }
}

/// An SMSC that lets nobody in whom the settings name.
async fn refusing() -> Smsc {
    let account = Account { system_id: "someone".into(), password: Password::new("else") };
    Smsc::start(Simulated { accounts: vec![account], ..Simulated::default() }).await.unwrap()
}

async fn reload(gateway: &Gateway) -> Value {
    gateway.operator.post(RELOAD, &json!({})).await.expect(200).value()
}
