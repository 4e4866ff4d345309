//! A provider with the interface WASP: the tables of the specification's §9, row by row.

use std::time::Duration;

use sms_gateway::{Settings, Unreachable};
use testkit::on_both;
use testkit::wait::wait_until;

use super::stub::{Act, Door, Stub, free_port};
use super::{NUMBER, PASSWORD, USER, connection, impatient, nobody, wasp};
use crate::cases::{ACME, message};
use crate::deadlines::{LATENCY, soon};
use crate::harness::{Gateway, World, count};
use crate::operators::{BINDS, ask, bound};

pub(crate) fn submitted(code: i64, id: &str, remarks: &str) -> Act {
    Act::answer(
        200,
        format!(
            "<?xml version=\"1.0\"?><SMSSubmitRsp><MessageID>{id}</MessageID>\
             <Status><StatusCode>{code}</StatusCode>{remarks}</Status></SMSSubmitRsp>"
        ),
    )
}

on_both! {
    async fn a_message_goes_whole_as_the_document_of_the_specification(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, number| submitted(0, &format!("w-{number}"), "<StatusText>OK</StatusText>")).await;
        let gateway = Gateway::with(&world, &test, wasp(&world, &[stub.url()])).await;
        let text = format!("{} <&> ж", "a".repeat(400));

        gateway.request(&world.maker.request(ACME, "whole", &message(&text))).await;

        let statuses = gateway.statuses("whole", 1).await;
        assert_eq!((gateway.names("whole"), statuses[0].recall_id.as_deref()), (vec!["SENT".into()], Some("w-1")));
        let seen = stub.seen();
        assert_eq!((seen.len(), seen[0].line.as_str()), (1, "POST /submit HTTP/1.1"));
        assert!(seen[0].header("content-type").unwrap().starts_with("application/xml"));
        for (name, value) in [
            ("InterfaceID", "JX"),
            ("Username", USER),
            ("Password", PASSWORD),
            ("SenderAddressType", "1"),
            ("Address", "TEST"),
            ("Number", NUMBER),
            ("MsgType", "0"),
            ("TariffPrice", "0"),
            ("ReportEnabled", "false"),
        ] {
            assert_eq!(seen[0].element(name), value, "{name}");
        }
        assert_eq!(seen[0].element("ShortMessage"), text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        gateway.stop().await;
    }

    async fn each_answer_leads_to_its_status_and_none_is_asked_for_twice(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|seen, _| match seen.element("ShortMessage") {
            "good" => submitted(0, "1", ""),
            "refused" => submitted(105, "2", "<StatusText>No credit</StatusText><Detail>for 255123456789</Detail>"),
            "no-status" => Act::answer(200, "<SMSSubmitRsp><MessageID>3</MessageID></SMSSubmitRsp>"),
            "garbage" => Act::answer(200, "\u{1}\u{2}<<<"),
            "huge" => Act::answer(200, format!("<SMSSubmitRsp>{}", " ".repeat(10_000))),
            "error" => Act::answer(500, "<SMSSubmitRsp><Status><StatusCode>0</StatusCode></Status></SMSSubmitRsp>"),
            "moved" => Act::Answer(302, "location: /elsewhere\r\n", String::new()),
            "denied" => Act::answer(401, ""),
            other => panic!("{other}"),
        })
        .await;
        let gateway = Gateway::with(&world, &test, wasp(&world, &[stub.url()])).await;
        let rows = [
            ("good", "SENT", ""),
            ("refused", "FAILED", "vodacom refused the message: code 105, No credit, for …"),
            ("no-status", "FAILED", "outcome unknown"),
            ("garbage", "FAILED", "outcome unknown"),
            ("huge", "FAILED", "outcome unknown"),
            ("error", "FAILED", "outcome unknown"),
            ("moved", "FAILED", "outcome unknown"),
            ("denied", "FAILED", "vodacom refused the message: HTTP 401"),
        ];

        for (text, ..) in rows {
            gateway.request(&world.maker.request(ACME, text, &message(text))).await;
        }

        for (text, status, why) in rows {
            let statuses = gateway.statuses(text, 1).await;
            assert_eq!(gateway.names(text), [status], "{text}");
            let error = statuses[0].error_text.clone().unwrap_or_default();
            assert!(error.contains(why) && error.is_empty() == why.is_empty(), "{text}: {error}");
            let times = stub.seen().iter().filter(|seen| seen.element("ShortMessage") == text).count();
            assert_eq!(times, 1, "{text}");
        }
        gateway.stop().await;
    }

    async fn urls_that_cannot_be_reached_are_passed_over_and_the_last_good_one_is_remembered(test: TestDb) {
        let world = World::new(Default::default()).await;
        let mute = Stub::closed(Door::Mute).await;
        let plain = Stub::start(|_, _| submitted(0, "plain", "")).await;
        let good = Stub::start(|_, number| submitted(0, &number.to_string(), "")).await;
        let urls = [
            nobody(),
            // A label may have 63 characters: no name server is asked for this one.
            format!("http://{}.invalid/", "x".repeat(64)),
            format!("https://127.0.0.1:{}/", mute.port),
            // It takes the connection, and the hello of TLS for no HTTP.
            format!("https://127.0.0.1:{}/", plain.port),
            nobody(),
            nobody(),
            nobody(),
            good.url(),
        ];
        let mut settings = wasp(&world, &urls);
        settings.wasp[0].connection = impatient();
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "first", &message("hello"))).await;
        gateway.statuses("first", 1).await;
        let tried = mute.connections();
        gateway.request(&world.maker.request(ACME, "second", &message("hello"))).await;
        gateway.statuses("second", 1).await;

        assert_eq!((gateway.names("first"), gateway.names("second")), (vec!["SENT".into()], vec!["SENT".into()]));
        assert_eq!((good.seen().len(), tried, mute.connections()), (2, 1, 1));
        gateway.stop().await;
    }

    async fn without_any_url_a_message_fails_at_once_or_waits_as_the_settings_say(test: TestDb) {
        let world = World::new(Default::default()).await;
        let port = free_port();
        let urls = [format!("http://127.0.0.1:{port}/"), nobody()];
        let gateway = Gateway::with(&world, &test, wasp(&world, &urls)).await;
        gateway.request(&world.maker.request(ACME, "fails", &message("hello"))).await;
        let statuses = gateway.statuses("fails", 1).await;
        assert_eq!(gateway.names("fails"), ["FAILED"]);
        assert_eq!(statuses[0].error_text.as_deref(), Some("no URL of vodacom can be reached"));
        gateway.stop().await;

        let mut settings = wasp(&world, &urls);
        settings.wasp[0].unreachable = Unreachable::Wait;
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "waits", &message("hello"))).await;
        wait_until("a try that failed", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE tries > 0 AND state = 'queued'").await == 1
        }).await;
        let late = Stub::with(port, Door::Open, None, |_, _| submitted(0, "9", "")).await;

        gateway.statuses("waits", 1).await;
        assert_eq!((gateway.names("waits"), late.seen().len()), (vec!["SENT".into()], 1));
        gateway.stop().await;
    }

    async fn a_provider_that_throttles_is_left_alone_as_long_as_it_says(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, number| match number {
            1 => Act::Answer(429, "retry-after: 1\r\n", String::new()),
            _ => submitted(0, "1", ""),
        })
        .await;
        let gateway = Gateway::with(&world, &test, wasp(&world, &[stub.url()])).await;
        let start = std::time::Instant::now();

        gateway.request(&world.maker.request(ACME, "slowly", &message("hello"))).await;

        gateway.statuses("slowly", 1).await;
        assert_eq!((gateway.names("slowly"), stub.seen().len()), (vec!["SENT".into()], 2));
        assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        gateway.stop().await;
    }

    async fn the_window_is_never_exceeded_and_the_rate_is_kept(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, _| Act::Late(Duration::from_millis(200), Box::new(submitted(0, "1", "")))).await;
        let mut settings = wasp(&world, &[stub.url()]);
        settings.wasp[0].window = 3;
        settings.wasp[0].tps = 10.0;
        let gateway = Gateway::with(&world, &test, settings).await;
        let start = std::time::Instant::now();

        for index in 0..15 {
            gateway.request(&world.maker.request(ACME, &format!("n{index}"), &message("hello"))).await;
        }
        for index in 0..15 {
            gateway.statuses(&format!("n{index}"), 1).await;
            assert_eq!(gateway.names(&format!("n{index}")), ["SENT"]);
        }

        assert!((2..=3).contains(&stub.most_under_way()), "{}", stub.most_under_way());
        assert!(start.elapsed() >= Duration::from_millis(1_400), "{:?}", start.elapsed());
        assert_eq!(stub.seen().len(), 15);
        gateway.stop().await;
    }

    async fn what_waits_for_its_turn_past_its_deadline_is_expired_and_never_sent(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, _| submitted(0, "1", "")).await;
        let mut settings = wasp(&world, &[stub.url()]);
        settings.wasp[0].tps = LATENCY.as_secs_f64().recip();
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "first", &message("hello"))).await;
        gateway.statuses("first", 1).await;

        gateway.request(&soon(&world, "late", "hello")).await;
        wait_until("it to be with the provider's task", async || {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'submitting'").await == 1
        }).await;

        gateway.statuses("late", 1).await;
        assert_eq!((gateway.names("first"), gateway.names("late")), (vec!["SENT".into()], vec!["EXPIRED".into()]));
        assert_eq!(stub.seen().len(), 1);
        gateway.stop().await;
    }

    async fn a_deadline_that_passes_at_one_url_keeps_a_message_from_the_next(test: TestDb) {
        let world = World::new(Default::default()).await;
        let (mute, good) = (Stub::closed(Door::Mute).await, Stub::start(|_, _| submitted(0, "1", "")).await);
        let mut settings = wasp(&world, &[format!("https://127.0.0.1:{}/", mute.port), good.url()]);
        let connection = &mut settings.wasp[0].connection;
        (connection.connect_timeout, connection.response_timeout) = (LATENCY, LATENCY * 2);
        let gateway = Gateway::with(&world, &test, settings).await;
        wait_until("its start", async || ask(&gateway, BINDS).await[0]["state"] == "reachable").await;

        gateway.request(&soon(&world, "late", "hello")).await;

        gateway.statuses("late", 1).await;
        assert_eq!(gateway.names("late"), ["EXPIRED"]);
        assert_eq!((mute.connections(), good.seen().len()), (1, 0));
        // The next one begins where that one would have gone on.
        gateway.request(&soon(&world, "next", "hello")).await;
        gateway.statuses("next", 1).await;
        assert_eq!(gateway.names("next"), ["SENT"]);
        assert_eq!((mute.connections(), good.seen().len()), (1, 1));
        gateway.stop().await;
    }

    async fn a_stop_in_mid_flight_waits_for_answers_and_leaves_the_rest(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, _| Act::Late(Duration::from_millis(400), Box::new(submitted(0, "1", "")))).await;
        let mut settings = wasp(&world, &[stub.url()]);
        settings.wasp[0].window = 4;
        let first = Gateway::with(&world, &test, settings.clone()).await;
        for index in 0..10 {
            first.request(&world.maker.request(ACME, &format!("m{index}"), &message("hello"))).await;
        }
        wait_until("requests", || async { !stub.seen().is_empty() }).await;
        first.stop().await;

        let second = Gateway::with(&world, &test, settings).await;

        for index in 0..10 {
            second.statuses(&format!("m{index}"), 1).await;
            assert_eq!(second.names(&format!("m{index}")), ["SENT"]);
        }
        assert_eq!(stub.seen().len(), 10);
        second.stop().await;
    }

    async fn smscs_come_first_and_a_provider_stands_in_for_them(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, _| submitted(0, "w", "")).await;
        let settings = Settings { smsc: world.settings().smsc, ..wasp(&world, &[stub.url()]) };
        let gateway = Gateway::with(&world, &test, settings.clone()).await;
        bound(&gateway).await;
        let text = "b".repeat(400);

        gateway.request(&world.maker.request(ACME, "smpp", &message(&text))).await;
        gateway.statuses("smpp", 1).await;
        assert_eq!((gateway.names("smpp"), stub.seen().len()), (vec!["SENT".into()], 0));
        gateway.stop().await;
        world.smsc.kill();
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "http", &message(&text))).await;
        gateway.statuses("http", 1).await;

        assert_eq!((gateway.names("http"), stub.seen().len()), (vec!["SENT".into()], 1));
        assert_eq!(world.smsc.accepted().len(), 3);
        gateway.stop().await;
    }
}

#[test]
fn names_are_one_namespace_and_faults_have_their_place() {
    let settings = Settings {
        smsc: vec![sms_gateway::SmscSettings { name: "a".into(), ..Default::default() }],
        wasp: vec![sms_gateway::WaspSettings {
            name: "a".into(),
            urls: vec!["ftp://example.org/".parse().unwrap()],
            connection: connection(),
            ..Default::default()
        }],
        ..Settings::default()
    };

    let places: Vec<String> = settings.faults().into_iter().map(|(place, _)| place).collect();

    assert_eq!(
        places,
        [
            "sms_gateway.wasp.name",
            "sms_gateway.wasp.urls",
            "sms_gateway.wasp.username",
            "sms_gateway.wasp.password"
        ]
    );
    assert!(
        !format!(
            "{:?}",
            Settings {
                wasp: vec![sms_gateway::WaspSettings { password: PASSWORD.into(), ..Default::default() }],
                ..Settings::default()
            }
        )
        .contains(PASSWORD)
    );
}
