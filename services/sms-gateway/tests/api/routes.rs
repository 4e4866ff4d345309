//! Which SMSC a message goes to: conditions, weights, limits, classes, and what happens when the settings change.

use std::time::{Duration, Instant};

use common::models::sms::SmsClass;
use diesel::prelude::*;
use serde_json::json;
use smpp::codec::{CommandStatus, esm_class};
use smpp::esme::InterfaceVersion;
use smpp::smsc::Span;
use sms::LongText;
use sms_gateway::{Bind, RouteSettings, Settings, SmscSettings};
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::fleet::{Fleet, ends, refuse, to};
use crate::harness::{Gateway, count};
use crate::operators::BINDS;

fn by_prefix(name: &str, prefix: &str, smscs: &[(&str, u32)]) -> RouteSettings {
    RouteSettings { prefixes: vec![prefix.parse().unwrap()], ..RouteSettings::new(name, smscs) }
}

fn of_class(name: &str, class: SmsClass, smscs: &[(&str, u32)]) -> RouteSettings {
    RouteSettings { classes: vec![class], ..RouteSettings::new(name, smscs) }
}

on_both! {
    async fn a_prefix_goes_to_its_smsc_and_what_no_route_takes_is_invalid(test: TestDb) {
        let fleet = Fleet::new().await;
        let routes = vec![by_prefix("tz", "+255", &[("b", 1)]), by_prefix("ke", "+254", &[("c", 1)])];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;

        for (correl, number) in [("tz", "+255123456789"), ("ke", "+254123456789"), ("de", "+49123456789")] {
            gateway.request(&fleet.world.maker.request(ACME, correl, &to(number, correl))).await;
        }

        gateway.statuses("tz", 2).await;
        gateway.statuses("ke", 2).await;
        let refused = gateway.statuses("de", 1).await;
        assert_eq!((gateway.names("de"), refused[0].error_text.as_deref()), (vec!["INVALID".into()], Some("no route to this number")));
        assert_eq!(fleet.texts(), [("ke".into(), vec!["c"]), ("tz".into(), vec!["b"])].into());
        gateway.stop().await;
    }

    async fn weights_hold(test: TestDb) {
        const COUNT: usize = 400;
        let fleet = Fleet::new().await;
        let routes = vec![RouteSettings::new("all", &[("a", 5), ("b", 3), ("c", 2)])];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;
        fleet.bound(&[&gateway]).await;

        fleet.send(&gateway, "w", COUNT).await;
        ends(&[&gateway], "w", COUNT).await;

        for (name, part) in [("a", 0.5), ("b", 0.3), ("c", 0.2)] {
            let share = fleet.smsc(name).accepted().len() as f64 / COUNT as f64;
            assert!((share - part).abs() < 0.03, "{name}: {share}");
        }
        gateway.stop().await;
    }

    async fn a_throttled_smsc_holds_up_only_its_own_route(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RTHROTTLED);
        let routes = vec![by_prefix("ke", "+254", &[("a", 1)]), RouteSettings::new("rest", &[("b", 1)])];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;
        fleet.bound(&[&gateway]).await;
        for number in 0..300 {
            let request = fleet.world.maker.request(ACME, &format!("held{number}"), &to("+254123456789", "held"));
            gateway.request(&request).await;
        }
        fleet.smsc("a").counts().wait_for(|counts| counts.refused > 0).await.unwrap();

        fleet.send(&gateway, "free", 50).await;
        let ended = ends(&[&gateway], "free", 50).await;

        assert!(ended.values().all(|end| end == "DELIVERED"));
        assert_eq!(fleet.smsc("a").accepted(), []);
        assert_eq!(count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE route = 'ke' AND state IN ('queued', 'submitting')").await, 300);
        gateway.stop().await;
    }

    async fn a_routes_limit_counts_segments_and_leaves_other_routes_alone(test: TestDb) {
        let fleet = Fleet::new().await;
        let slow = RouteSettings { tps: 4.0, ..by_prefix("slow", "+254", &[("a", 1)]) };
        let routes = vec![slow, RouteSettings::new("rest", &[("a", 1)])];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;
        fleet.bound(&[&gateway]).await;

        let start = Instant::now();
        for number in 0..4 {
            let long = to("+254123456789", &"x".repeat(300));
            gateway.request(&fleet.world.maker.request(ACME, &format!("slow{number}"), &long)).await;
        }
        fleet.send(&gateway, "fast", 50).await;
        ends(&[&gateway], "fast", 50).await;
        let fast = start.elapsed();
        ends(&[&gateway], "slow", 4).await;

        // Two segments each; the last message may leave when the six before it are paid for.
        assert!(start.elapsed() >= Duration::from_millis(1_400), "{:?}", start.elapsed());
        assert!(fast < start.elapsed());
        gateway.stop().await;
    }

    async fn a_route_may_say_how_its_long_texts_leave(test: TestDb) {
        let fleet = Fleet::new().await;
        let tz = by_prefix("tz", "+255", &[("a", 1)]);
        let ke = by_prefix("ke", "+254", &[("a", 1)]);
        let routes = vec![
            RouteSettings { long_text: Some(LongText::Sar), ..tz },
            RouteSettings { long_text: Some(LongText::Payload { most_octets: u16::MAX }), ..ke },
            RouteSettings::new("rest", &[("a", 1)]),
        ];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;

        let mut carriers = Vec::new();
        for (correl, number) in [("tz", "+255123456789"), ("ke", "+254123456789"), ("de", "+49123456789")] {
            gateway.request(&fleet.world.maker.request(ACME, correl, &to(number, &"a".repeat(200)))).await;
            gateway.statuses(correl, 2).await;
            let accepted = fleet.smsc("a").accepted();
            let last = &accepted.last().unwrap().message;
            carriers.push((accepted.len(), last.tlvs.sar().is_some(), last.esm_class & esm_class::UDHI != 0));
        }

        assert_eq!(carriers, [(2, true, false), (3, false, false), (5, false, true)]);
        gateway.stop().await;
    }

    async fn what_is_urgent_overtakes_and_bulk_is_not_starved(test: TestDb) {
        let fleet = Fleet::new().await;
        fleet.smsc("a").behave(|behaviour| behaviour.latency = Span::exactly(Duration::from_millis(40)));
        let mut settings = fleet.settings(vec![
            of_class("codes", SmsClass::Otp, &[("a", 1)]),
            RouteSettings::new("rest", &[("a", 1)]),
        ]);
        settings.smsc[0].window = 1;
        let gateway = Gateway::with(&fleet.world, &test, settings).await;
        fleet.bound(&[&gateway]).await;
        // All of it waits before anything leaves: which comes first is then no matter of who is quicker.
        let order = async |order: &str| {
            gateway.operator.put(&format!("{BINDS}/a"), &json!({"order": order})).await.assert_status(200);
        };
        order("paused").await;
        fleet.send(&gateway, "bulk", 60).await;
        let codes = (0..60).map(|number| {
            let correl = format!("code{number}");
            let mut request = fleet.world.maker.request(ACME, &correl, &message(&correl));
            request.insert("class".into(), "otp".into());
            Some(serde_json::to_vec(&request).unwrap())
        });
        gateway.produce(codes.collect()).await;
        wait_until("the requests to be stored", async || {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs").await == 120
        })
        .await;
        order("open").await;

        ends(&[&gateway], "code", 60).await;
        ends(&[&gateway], "bulk", 60).await;

        let texts: Vec<String> = fleet.smsc("a").accepted().into_iter().map(|one| String::from_utf8(one.message.short_message).unwrap()).collect();
        let first = texts.iter().position(|text| text.starts_with("code")).unwrap();
        let last = texts.iter().rposition(|text| text.starts_with("code")).unwrap();
        let between = texts[first..last].iter().filter(|text| text.starts_with("bulk")).count();
        assert!(texts[last..].len() > 20, "{texts:?}");
        assert!((4..=20).contains(&between), "{between} of {texts:?}");
        gateway.stop().await;
    }

    async fn jobs_that_wait_are_routed_by_the_settings_of_now(test: TestDb) {
        let fleet = Fleet::new().await;
        fleet.smsc("a").kill();
        let before = vec![by_prefix("old", "+255", &[("a", 1)]), by_prefix("ke", "+254", &[("a", 1)])];
        let first = Gateway::with(&fleet.world, &test, fleet.settings(before)).await;
        fleet.send(&first, "w", 20).await;
        first.request(&fleet.world.maker.request(ACME, "gone", &to("+254123456789", "gone"))).await;
        wait_until("all jobs", || async { count(&first, "SELECT COUNT(*) AS n FROM sms_jobs").await == 21 }).await;
        // As a version without routes has left them.
        first.db.write(|conn| {
            diesel::sql_query("UPDATE sms_jobs SET route = '' WHERE correl_id LIKE 'w1%'").execute(conn)?;
            Ok::<_, db::DbError>(())
        }).await.unwrap();
        first.stop().await;

        let after = vec![by_prefix("new", "+255", &[("b", 1)])];
        let second = Gateway::with(&fleet.world, &test, fleet.settings(after)).await;

        let ended = ends(&[&second], "w", 20).await;
        assert!(ended.values().all(|end| end == "DELIVERED"), "{ended:?}");
        let refused = second.statuses("gone", 1).await;
        assert_eq!(refused[0].error_text.as_deref(), Some("no route to this number"));
        assert_eq!(fleet.smsc("b").accepted().len(), 20);
        assert_eq!(count(&second, "SELECT COUNT(*) AS n FROM sms_jobs WHERE route <> 'new' AND correl_id <> 'gone'").await, 0);
        second.stop().await;
    }

    async fn an_smsc_that_refuses_most_keeps_a_trickle(test: TestDb) {
        let fleet = Fleet::new().await;
        refuse(fleet.smsc("a"), CommandStatus::RSYSERR);
        let routes = vec![RouteSettings::new("all", &[("a", 1), ("b", 1)])];
        let gateway = Gateway::with(&fleet.world, &test, fleet.settings(routes)).await;
        fleet.bound(&[&gateway]).await;

        fleet.send(&gateway, "h", 300).await;
        let ended = ends(&[&gateway], "h", 300).await;

        // Nobody is hurt: what it refuses goes to the other one.
        assert!(ended.values().all(|end| end == "DELIVERED"));
        let refused = fleet.smsc("a").counts().borrow().refused;
        assert!((10..=60).contains(&refused), "{refused}");
        // It is well again: it gets its part again.
        fleet.smsc("a").behave(|behaviour| behaviour.script = None);
        fleet.send(&gateway, "w", 3_000).await;
        ends(&[&gateway], "w", 3_000).await;
        let accepted = fleet.smsc("a").accepted().len();
        assert!(accepted > 500, "{accepted}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn faults_of_routes_keep_the_gateway_from_starting() {
    let settings = Settings { route: vec![RouteSettings::new("r", &[("nobody", 1)])], ..Settings::default() };

    let faults = settings.faults();

    assert_eq!(faults[0].0, "sms_gateway.route.smscs");
    assert!(faults[0].1.contains("\"nobody\""), "{faults:?}");
}

#[test]
fn a_route_may_not_want_of_smpp_3_3_what_that_does_not_have() {
    let old = SmscSettings {
        name: "old".into(),
        bind: Bind::Pair,
        interface_version: InterfaceVersion::Smpp33,
        ..SmscSettings::default()
    };
    let faults = |long_text| {
        let route = RouteSettings { long_text: Some(long_text), ..RouteSettings::new("r", &[("old", 1)]) };
        Settings { smsc: vec![old.clone()], route: vec![route], ..Settings::default() }.faults()
    };

    let refused = faults(LongText::Sar);

    assert_eq!((refused.len(), refused[0].0.as_str()), (1, "sms_gateway.route.long_text"));
    assert!(refused[0].1.contains("\"old\", which speaks SMPP 3.3"), "{refused:?}");
    assert_eq!(faults(LongText::Udh16), []);
}
