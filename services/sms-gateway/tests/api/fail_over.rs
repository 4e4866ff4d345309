//! Drills with three SMSCs, of which one does badly: nothing is lost, and nothing is at two of them.

use std::time::Duration;

use common::models::sms::SmsClass;
use smpp::codec::{CommandStatus, SubmitSm};
use smpp::smsc::{Span, Verdict};
use sms_gateway::RouteSettings;
use testkit::on_both;

use crate::cases::ACME;
use crate::fleet::{Fleet, ends, refuse, script, to};
use crate::harness::{Gateway, World, count};

const MANY: usize = 300;

/// All three beside each other.
fn beside() -> Vec<RouteSettings> {
    vec![RouteSettings::new("all", &[("a", 1), ("b", 1), ("c", 1)])]
}

/// One, and others in its stead.
fn with_backup() -> Vec<RouteSettings> {
    vec![RouteSettings { backup: vec!["b".into(), "c".into()], ..RouteSettings::new("all", &[("a", 1)]) }]
}

fn is_part(pdu: &SubmitSm, number: u8) -> bool {
    pdu.esm_class == 0x40 && pdu.short_message[5] == number
}

on_both! {
    async fn an_smsc_that_dies_amid_hundreds_costs_no_message_and_doubles_none(test: TestDb) {
        let fleet = Fleet::new().await;
        let gateway = Gateway::with(&fleet.world, &test, fleet.impatient(beside())).await;
        fleet.bound(&[&gateway]).await;
        fleet.smsc("a").behave(|behaviour| behaviour.die_after = Some(30));

        fleet.send(&gateway, "d", MANY).await;
        let ended = ends(&[&gateway], "d", MANY).await;

        let texts = fleet.texts();
        for (correl, end) in &ended {
            let at = texts.get(correl).map(Vec::as_slice).unwrap_or_default();
            match end.as_str() {
                "DELIVERED" => assert_eq!(at.len(), 1, "{correl} is at {at:?}"),
                // Unknown: it had been written to the one that died, and went nowhere else.
                "FAILED" => {
                    assert!(at.is_empty() || at == ["a"], "{correl} is at {at:?}");
                    let text = gateway.published(correl)[0].error_text.clone().unwrap();
                    assert!(text.contains("outcome unknown"), "{text}");
                }
                other => panic!("{correl}: {other}"),
            }
        }
        let delivered = ended.values().filter(|end| *end == "DELIVERED").count();
        assert!(MANY - delivered <= 10, "more is unknown than the window holds: {}", MANY - delivered);
        gateway.stop().await;
    }

    async fn an_smsc_that_throttles_leaves_its_messages_to_others(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RTHROTTLED);
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(beside())).await;
        fleet.bound(&[&gateway]).await;

        fleet.send(&gateway, "t", MANY).await;
        let ended = ends(&[&gateway], "t", MANY).await;

        assert!(ended.values().all(|end| end == "DELIVERED"));
        let texts = fleet.texts();
        assert_eq!(texts.len(), MANY);
        assert!(texts.values().all(|at| at.len() == 1 && at[0] != "a"), "{texts:?}");
        gateway.stop().await;
    }

    async fn what_an_smsc_answers_too_late_goes_to_no_other(test: TestDb) {
        let fleet = Fleet::new().await;
        // Later than response_timeout, which makes it unknown, and than unknown_after, which tells the client so.
        fleet.smsc("a").behave(|behaviour| behaviour.latency = Span::exactly(Duration::from_secs(5)));
        let mut settings = fleet.impatient(beside());
        settings.smsc[0].window = 40;
        let gateway = Gateway::with(&fleet.world, &test, settings).await;
        fleet.bound(&[&gateway]).await;

        fleet.send(&gateway, "l", MANY).await;
        let ended = ends(&[&gateway], "l", MANY).await;

        let texts = fleet.texts();
        assert!(texts.values().all(|at| at.len() == 1), "{texts:?}");
        let late = texts.values().filter(|at| at[0] == "a").count();
        assert!(late > 0 && ended.values().filter(|end| *end == "FAILED").count() <= late);
        // In the end every one of them is known to be delivered, once.
        for correl in ended.keys() {
            gateway.statuses(correl, 2).await;
        }
        let gone = testkit::wait::wait_for_within(Duration::from_secs(30), "the late answers", || {
            let all = ended.keys().all(|correl| gateway.names(correl).contains(&"DELIVERED".into()));
            async move { all.then_some(()) }
        });
        gone.await;
        assert_eq!(fleet.texts().len(), MANY);
        gateway.stop().await;
    }

    async fn a_refusal_for_the_smscs_own_reasons_goes_on_and_ends_when_no_other_is_left(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RSYSERR);
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(with_backup())).await;
        fleet.bound(&[&gateway]).await;
        fleet.send(&gateway, "first", 1).await;
        gateway.statuses("first0", 2).await;
        for name in ["b", "c"] {
            refuse(fleet.smsc(name), CommandStatus::RSYSERR);
        }

        fleet.send(&gateway, "second", 1).await;

        let statuses = gateway.statuses("second0", 1).await;
        assert_eq!(gateway.names("first0"), ["SENT", "DELIVERED"]);
        assert_eq!(gateway.names("second0"), ["FAILED"]);
        assert!(statuses[0].error_text.as_deref().unwrap().contains("ESME_RSYSERR"));
        assert_eq!(fleet.texts(), [("first0".into(), vec!["b"])].into());
        let refused = |name| fleet.smsc(name).counts().borrow().refused;
        assert_eq!((refused("a"), refused("b"), refused("c")), (2, 1, 1));
        gateway.stop().await;
    }

    async fn while_the_others_are_away_one_refusal_more_ends_it(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RSYSERR);
        fleet.smsc("b").kill();
        fleet.smsc("c").kill();
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(with_backup())).await;

        fleet.send(&gateway, "alone", 1).await;

        gateway.statuses("alone0", 1).await;
        assert_eq!(gateway.names("alone0"), ["FAILED"]);
        assert_eq!(fleet.smsc("a").counts().borrow().refused, 2);
        gateway.stop().await;
    }

    async fn a_refusal_of_the_message_itself_goes_nowhere_else(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RINVDSTADR);
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(with_backup())).await;
        fleet.bound(&[&gateway]).await;

        fleet.send(&gateway, "bad", 1).await;

        gateway.statuses("bad0", 1).await;
        assert_eq!(gateway.names("bad0"), ["INVALID"]);
        assert!(fleet.texts().is_empty());
        gateway.stop().await;
    }

    async fn a_long_text_goes_on_where_its_first_part_is(test: TestDb) {
        let fleet = Fleet::new().await;
        // Takes the first part of each, and the others at the second time. Few, as each refusal slows the bind down.
        let seen = std::sync::Mutex::new(std::collections::HashMap::<Vec<u8>, u32>::new());
        script(fleet.smsc("a"), move |pdu, _| {
            let mut seen = seen.lock().unwrap();
            let times = seen.entry(pdu.short_message.clone()).or_default();
            *times += 1;
            match is_part(pdu, 1) || *times > 1 {
                true => Verdict::Accept,
                false => Verdict::Refuse(CommandStatus::RTHROTTLED),
            }
        });
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(beside())).await;
        fleet.bound(&[&gateway]).await;

        for number in 0..9 {
            let text = format!("{number:03}").repeat(110);
            gateway.request(&fleet.world.maker.request(ACME, &format!("long{number}"), &to("+255123456789", &text))).await;
        }
        let ended = ends(&[&gateway], "long", 9).await;

        assert!(ended.values().all(|end| end == "DELIVERED"), "{ended:?}");
        let split = "SELECT COUNT(*) AS n FROM (SELECT job_id FROM sms_parts GROUP BY job_id HAVING COUNT(DISTINCT smsc) > 1) AS s";
        assert_eq!(count(&gateway, split).await, 0);
        let at = |name: &str| fleet.smsc(name).accepted().len();
        assert_eq!(at("a") + at("b") + at("c"), 27);
        assert!(at("a") % 3 == 0 && at("a") > 0);
        gateway.stop().await;
    }

    async fn an_urgent_message_is_sent_once_more_by_the_same_smsc_only(test: TestDb) {
        let fleet = Fleet::new().await;
        script(fleet.smsc("a"), |_, number| if number == 1 { Verdict::AcceptSilently } else { Verdict::Accept });
        let routes = vec![RouteSettings { classes: vec![SmsClass::Otp], ..with_backup().remove(0) }];
        let mut settings = fleet.impatient(routes);
        settings.resend_after = Duration::from_secs(2);
        let gateway = Gateway::with(&fleet.world, &test, settings).await;
        fleet.bound(&[&gateway]).await;
        fleet.smsc("a").behave(|behaviour| behaviour.receipts = None);

        let mut request = fleet.world.maker.request(ACME, "code", &to("+255123456789", "code"));
        request.insert("class".into(), "otp".into());
        gateway.request(&request).await;

        gateway.statuses("code", 1).await;
        assert_eq!(gateway.names("code"), ["SENT"]);
        assert_eq!(fleet.texts(), [("code".into(), vec!["a", "a"])].into());
        gateway.stop().await;
    }

    async fn two_instances_double_nothing_while_an_smsc_comes_and_goes(test: TestDb) {
        let fleet = Fleet::new().await;
        // The other instance has a bus of its own, and the same tables.
        let apart = World::new(Default::default()).await;
        let settings = fleet.impatient(beside());
        let one = Gateway::with(&fleet.world, &test, settings.clone()).await;
        let other = Gateway::with(&apart, &test, settings).await;
        fleet.bound(&[&one, &other]).await;
        script(fleet.smsc("b"), |_, number| match number % 3 {
            0 => Verdict::Refuse(CommandStatus::RTHROTTLED),
            1 => Verdict::Refuse(CommandStatus::RSYSERR),
            _ => Verdict::Accept,
        });
        fleet.smsc("a").behave(|behaviour| behaviour.die_after = Some(40));

        fleet.send(&one, "i", MANY).await;
        let ended = ends(&[&one, &other], "i", MANY).await;

        let texts = fleet.texts();
        for (correl, end) in &ended {
            let at = texts.get(correl).map(Vec::as_slice).unwrap_or_default();
            assert!(at.len() <= 1 && (end == "DELIVERED" || end == "FAILED" && at != ["b"] && at != ["c"]), "{correl}: {end} at {at:?}");
        }
        assert!(ended.values().filter(|end| *end == "FAILED").count() <= 20, "{ended:?}");
        one.stop().await;
        other.stop().await;
    }
}
