//! What operators rely on: vault, binds, logs, headers, replays, a database that is busy.

use std::sync::Arc;
use std::time::Duration;

use bus::Record;
use common::crypto::vault::{Vault, VaultFormat};
use common::models::UnixMillis;
use smpp::codec::{Body, CommandStatus, SubmitSm};
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, Plan, Receipts, Verdict};
use testkit::on_both;
use testkit::wait::{wait_for, wait_until};

use crate::cases::{ACME, STRANGER, TEST, message};
use crate::harness::{Gateway, World, count, metric, receipt};
use crate::inbound::wire::Listening;

const LOOP: &str = "To: +1\n\nS1D1";

on_both! {
    async fn a_replayed_record_is_not_a_resubmission(test: TestDb) {
        let script = |_: &SubmitSm, number, plan: &mut Plan| match number {
            1 => plan.verdict = Verdict::Refuse(CommandStatus::RSYSERR),
            2 => plan.verdict = Verdict::Refuse(CommandStatus::RINVDSTADR),
            _ => {}
        };
        let world = World::new(Behaviour { script: Some(Arc::new(script)), ..World::with_receipts() }).await;
        let first = Gateway::start(&world, &test).await;
        let ends = ["FAILED", "INVALID"];
        let requests = ends.map(|end| world.maker.request(ACME, end, &message("hello")));
        for (end, request) in ends.iter().zip(&requests) {
            first.request(request).await;
            first.statuses(end, 1).await;
        }
        first.request(&world.maker.request(TEST, "loop", "To: +1\n\nFAIL")).await;
        first.statuses("loop", 1).await;
        first.stop().await;

        // Another group begins at the oldest record: all come again, from the same positions.
        let other = sms_gateway::Settings { group: "other".into(), ..world.settings() };
        let second = Gateway::with(&world, &test, other).await;
        let replays = r#"sealpost_sms_requests_total{outcome="replay",service="sms-gateway"} 3"#;
        wait_until("the replays", async || metric(&second, replays).await).await;
        for request in &requests {
            second.request(request).await;
        }

        for end in ends {
            second.statuses(end, 3).await;
            assert_eq!(second.names(end), [end, "SENT", "DELIVERED"]);
        }
        assert_eq!(second.names("loop"), ["FAILED"]);
        assert_eq!(world.smsc.accepted().len(), 2);
        second.stop().await;
    }

    async fn headers_of_a_request_change_nothing(test: TestDb) {
        const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let mut consumer = gateway.bus.consumer("headers", &["sms-status"]).unwrap();
        let mut record = Record::new("send-sms", "key", serde_json::to_vec(&world.maker.request(TEST, "h", LOOP)).unwrap());
        for name in ["clientId", "correlId", "smsStatus", "errorText", "recallId"] {
            record = record.header(name, "FAILED");
        }

        gateway.bus.producer().send(vec![record.header("traceparent", TRACE)]).await.unwrap();

        assert_eq!(gateway.statuses("h", 2).await.len(), 2);
        assert_eq!(gateway.names("h"), ["SENT", "DELIVERED"]);
        let status = loop {
            if let bus::Event::Records(records) = consumer.next(1).await.unwrap() {
                break records[0].clone();
            }
        };
        assert_eq!(status.key.as_deref(), Some(&b"test:h"[..]));
        let headers: Vec<&str> = status.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(headers, ["traceparent"]);
        assert_eq!(status.headers.get_str("traceparent").unwrap()[..35], TRACE[..35]);
        gateway.stop().await;
    }

    async fn a_refused_bind_fails_requests_after_the_patience(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let account = Account { system_id: "someone".into(), password: Password::new("else") };
        let strict = smpp::smsc::Smsc::start(smpp::smsc::SmscSettings { accounts: vec![account], ..Default::default() });
        let strict = strict.await.unwrap();
        let mut settings = world.settings();
        settings.smsc[0].port = strict.address().port();
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "refused", &message("hello"))).await;

        let statuses = gateway.statuses("refused", 1).await;
        assert_eq!(gateway.names("refused"), ["FAILED"]);
        assert!(statuses[0].error_text.as_deref().unwrap().contains("refuses the bind"));
        gateway.stop().await;
    }

    async fn requests_wait_for_a_vault_and_see_its_new_keys(test: TestDb) {
        let world = World::new(Default::default()).await;
        let path = world.path().join("vault");
        let vault = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let gateway = Gateway::start(&world, &test).await;
        gateway.request(&world.maker.request(TEST, "early", LOOP)).await;
        gateway.request(&world.maker.request(STRANGER, "stranger", LOOP)).await;
        gateway.statuses("stranger", 1).await;
        assert_eq!(gateway.names("early"), [""; 0]);

        std::fs::write(&path, &vault).unwrap();
        gateway.statuses("early", 2).await;

        let mut more = Vault::open(&vault, "123456").unwrap();
        more.add("keyless", 2048, UnixMillis(0)).unwrap();
        let key = more.sealing_key("keyless").unwrap();
        std::fs::write(&path, more.with_format(VaultFormat::default()).to_bytes("123456").unwrap()).unwrap();
        let mut tries = 0;
        wait_for("the new key", || {
            tries += 1;
            let correl = format!("new-{tries}");
            let mut request = world.maker.request(ACME, &correl, "");
            let sealed = common::crypto::sms_envelope::seal_v1(&key, message("hello").as_bytes()).unwrap();
            request.insert("client-id".into(), "keyless".into());
            request.insert("payload".into(), common::crypto::sms_envelope::encode_payload(&sealed).into());
            let gateway = &gateway;
            async move {
                gateway.request(&request).await;
                gateway.statuses(&correl, 1).await.iter().any(|one| one.sms_status.as_str() == "SENT").then_some(())
            }
        })
        .await;
        gateway.stop().await;
    }

    async fn a_late_success_cancels_the_attempt_that_followed_it(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        // What is throttled waits longer than the test takes.
        let mut settings =
            sms_gateway::Settings { throttle_backoff: Duration::from_secs(60), ..world.impatient() };
        settings.smsc[0].port = smsc.port();
        // Long enough for a bind, too.
        settings.smsc[0].response_timeout = Duration::from_secs(3);
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut wire = smsc.let_in(&gateway).await;
        let request = world.maker.request(ACME, "twice", &message("hello"));
        gateway.request(&request).await;
        let first = wire.submitted().await;
        gateway.statuses("twice", 1).await;

        // Accepted, as the first outcome is unknown; throttled, and then the first is answered after all.
        gateway.request(&request).await;
        let second = wire.submitted().await;
        wire.refuse(second, CommandStatus::RTHROTTLED).await;
        wait_until("the second to wait", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'queued' AND tries > 0").await == 1
        }).await;
        wire.accept(first).await;
        wire.bring(Body::DeliverSm(receipt(&format!("m{first}")))).await;

        gateway.statuses("twice", 3).await;
        wait_until("the end of the second", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'cancelled'").await == 1
        }).await;
        assert_eq!(gateway.names("twice"), ["FAILED", "SENT", "DELIVERED"]);
        gateway.request(&request).await;
        wait_until("the third", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'duplicate'").await == 1
        }).await;
        tokio::join!(gateway.stop(), wire.leave());
    }

    async fn a_client_log_has_a_line_per_status_of_allowed_clients(test: TestDb) {
        let world = World::new(Default::default()).await;
        let logs = world.path().join("not/there/yet");
        let settings = sms_gateway::Settings { client_log: Some(logs.clone()), ..world.settings() };
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(STRANGER, "s", LOOP)).await;
        gateway.request(&world.maker.request(TEST, "tab\there", "To: +1\n\nS1F1")).await;
        gateway.statuses("tab\there", 2).await;

        let text = wait_for("two lines", || {
            let text = std::fs::read_to_string(logs.join("test.log")).unwrap_or_default();
            async move { (text.lines().count() == 2).then_some(text) }
        })
        .await;
        let columns: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(columns[0][1..], ["test", "tab\\there", "SENT", "", ""]);
        assert_eq!(columns[1][3], "FAILED");
        assert!(!logs.join("stranger.log").exists());
        gateway.stop().await;
    }

    async fn a_client_log_that_cannot_be_written_changes_no_status(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let logs = world.path().join("logs");
        std::fs::create_dir_all(logs.join("acme.log")).unwrap();
        let settings = sms_gateway::Settings { client_log: Some(logs), ..world.settings() };
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "unlogged", &message("hello"))).await;

        let lost = r#"sealpost_sms_client_log_lost_total{service="sms-gateway"} 2"#;
        wait_until("the loss of both lines", async || metric(&gateway, lost).await).await;
        gateway.statuses("unlogged", 2).await;
        assert_eq!(gateway.names("unlogged"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_cannot_be_stored_is_brought_again() {
    let test = testkit::database::TestDb::sqlite().await;
    // None comes by itself; the one below comes again soon.
    let receipts = Receipts { drop: 1.0, retry: Duration::from_millis(300), ..Receipts::default() };
    let world = World::new(Behaviour { receipts: Some(receipts), ..Behaviour::default() }).await;
    let gateway = Gateway::start(&world, &test).await;
    gateway.request(&world.maker.request(ACME, "busy", &message("hello"))).await;
    gateway.statuses("busy", 1).await;

    // Another process writes for longer than anybody waits for it.
    let (db, counts) = (gateway.db.clone(), world.smsc.counts());
    let (begun, writes) = tokio::sync::oneshot::channel();
    let writing = tokio::spawn(async move {
        let work = move |_: &mut db::DbConn| {
            begun.send(()).unwrap();
            std::thread::sleep(Duration::from_secs(9));
            assert_eq!(counts.borrow().delivered, 0);
            Ok::<_, db::DbError>(())
        };
        db.write(work).await
    });
    writes.await.unwrap();
    world.smsc.deliver("acme", receipt(&world.smsc.accepted()[0].message_id));
    writing.await.unwrap().unwrap();

    gateway.statuses("busy", 2).await;
    assert_eq!(gateway.names("busy"), ["SENT", "DELIVERED"]);
    gateway.stop().await;
}
