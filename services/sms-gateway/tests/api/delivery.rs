//! From the request to the receipt, through the simulator.

use std::time::{Duration, Instant};

use smpp::smsc::{Behaviour, ReceiptFormat, Receipts};
use sms_gateway::Settings;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, TEST, message};
use crate::harness::{Gateway, World, count};

on_both! {
    async fn a_message_is_sent_and_delivered(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "one", &message("Hello @ you"))).await;

        let statuses = gateway.statuses("one", 2).await;
        assert_eq!(gateway.names("one"), ["SENT", "DELIVERED"]);
        let accepted = world.smsc.accepted();
        assert_eq!(accepted.len(), 1);
        for status in &statuses {
            assert_eq!(status.recall_id.as_deref(), Some(accepted[0].message_id.as_str()));
            assert_eq!((status.simulated, &status.error_text), (true, &None));
        }
        let pdu = &accepted[0].message;
        assert_eq!((pdu.source.ton, pdu.source.npi, pdu.source.value.as_str()), (5, 0, "TEST"));
        assert_eq!((pdu.destination.ton, pdu.destination.npi, pdu.destination.value.as_str()), (1, 0, "255123456789"));
        assert_eq!((pdu.service_type.as_str(), pdu.schedule_delivery_time.as_str()), ("", ""));
        assert_eq!((pdu.data_coding, pdu.registered_delivery), (0, 1));
        let fixed = [pdu.protocol_id, pdu.priority_flag, pdu.replace_if_present_flag, pdu.sm_default_msg_id];
        assert_eq!(fixed, [0, 1, 0, 0]);
        assert_eq!(pdu.short_message, b"Hello \0 you");
        gateway.stop().await;
    }

    async fn a_sender_has_the_type_of_number_of_its_kind(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        let mut sources = Vec::new();
        for sender in ["+255700000001", "0700000001", "15050", "CLINIC"] {
            let text = format!("To: +255123456789\nSender: {sender}\n\nhello");
            gateway.request(&world.maker.request(ACME, sender, &text)).await;
            gateway.statuses(sender, 2).await;
            let source = world.smsc.accepted().last().unwrap().message.source.clone();
            sources.push((source.ton, source.npi, source.value));
        }

        // SMPP 3.4 §5.2.5 and §5.2.6.
        let expected = [(1, 1, "255700000001"), (2, 1, "0700000001"), (3, 0, "15050"), (5, 0, "CLINIC")];
        assert_eq!(sources, expected.map(|(ton, npi, value)| (ton, npi, value.to_owned())));
        gateway.stop().await;
    }

    async fn a_receipt_may_say_all_in_its_tlvs(test: TestDb) {
        let receipts = Receipts { format: ReceiptFormat::Tlv, ..Receipts::default() };
        let world = World::new(Behaviour { receipts: Some(receipts), ..Behaviour::default() }).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "one", &message("hello"))).await;

        gateway.statuses("one", 2).await;
        assert_eq!(gateway.names("one"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn the_loop_back_takes_the_time_that_is_set_and_keeps_nobody_waiting(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let hours = |hours: u64| Duration::from_secs(3_600 * hours);
        let settings = Settings { loopback_delay: hours(1), loopback_long_delay: hours(2), ..world.settings() };
        let gateway = Gateway::with(&world, &test, settings).await;

        for (correl, text) in [("loop", "S1D1"), ("fail", "FAIL")] {
            gateway.request(&world.maker.request(TEST, correl, &message(text))).await;
        }
        gateway.request(&world.maker.request(ACME, "other", &message("hello"))).await;

        gateway.statuses("other", 2).await;
        wait_until("the statuses that are to follow", async || {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_due_statuses").await == 3
        })
        .await;
        // That of FAIL takes the long delay alone.
        let in_time = "SELECT COUNT(*) AS n FROM sms_due_statuses AS s \
                       JOIN sms_jobs AS j ON j.client_id = s.client_id AND j.id = s.job_id \
                       WHERE (j.correl_id = 'loop' AND s.due_at - j.created_at IN (3600000, 10800000)) \
                       OR (j.correl_id = 'fail' AND s.due_at - j.created_at = 7200000)";
        assert_eq!(count(&gateway, in_time).await, 3);
        assert_eq!((gateway.names("loop"), gateway.names("fail")), (Vec::new(), Vec::new()));
        gateway.stop().await;
    }

    async fn the_loop_back_tells_nothing_too_early_and_knows_no_id(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let (first, second) = (Duration::from_millis(500), Duration::from_secs(1));
        let settings = Settings { loopback_delay: first, loopback_long_delay: second, ..world.settings() };
        let gateway = Gateway::with(&world, &test, settings).await;
        let began = Instant::now();

        for (correl, text) in [("loop", "S1D1"), ("fail", "FAIL")] {
            gateway.request(&world.maker.request(TEST, correl, &message(text))).await;
        }

        gateway.statuses("loop", 1).await;
        assert!(began.elapsed() >= first, "{:?}", began.elapsed());
        gateway.statuses("fail", 1).await;
        assert!(began.elapsed() >= second, "{:?}", began.elapsed());
        let statuses = gateway.statuses("loop", 2).await;
        assert!(began.elapsed() >= first + second, "{:?}", began.elapsed());
        assert_eq!((gateway.names("loop"), gateway.names("fail")), (vec!["SENT".into(), "DELIVERED".into()], vec!["FAILED".to_owned()]));
        assert!(statuses.iter().all(|status| status.recall_id.is_none()));
        gateway.stop().await;
    }

    async fn what_was_too_late_may_be_sent_under_the_same_ids(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;
        let mut request = world.maker.request(ACME, "again", &message("hello"));
        let deadline = request.insert("deadline".into(), "2020-01-01T00:00:00Z".into()).unwrap();
        gateway.request(&request).await;
        gateway.statuses("again", 1).await;

        request.insert("deadline".into(), deadline);
        gateway.request(&request).await;

        gateway.statuses("again", 3).await;
        assert_eq!(gateway.names("again"), ["EXPIRED", "SENT", "DELIVERED"]);
        gateway.stop().await;
    }
}
