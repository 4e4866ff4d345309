//! Outcomes that nobody knows: never repeated elsewhere, and again only where the class asks for it.

use std::time::Duration;

use testkit::on_both;

use super::stub::{Act, Door, Stub};
use super::wasp::submitted;
use super::{LATE, impatient, wasp};
use crate::cases::{ACME, message};
use crate::harness::{Gateway, World};

on_both! {
    async fn what_may_have_arrived_goes_to_no_other_url(test: TestDb) {
        let world = World::new(Default::default()).await;
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n<SMSSubmitRsp><Status><StatusCode>0".to_vec();
        let acts = [
            ("reset", Act::Reset),
            ("closed", Act::Raw(Vec::new())),
            ("half-a-line", Act::Raw(b"HTTP/1.1 20".to_vec())),
            ("no-http", Act::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
            ("broken-off", Act::Raw(cut)),
            ("silent", Act::Silent),
            ("late", Act::Late(LATE, Box::new(submitted(0, "1", "")))),
        ];
        let script = acts.clone();
        let first = Stub::start(move |seen, _| {
            let wanted = seen.element("ShortMessage");
            script.iter().find(|(name, _)| *name == wanted).map(|(_, act)| act.clone()).unwrap()
        })
        .await;
        let other = Stub::start(|_, _| submitted(0, "other", "")).await;
        let mut settings = wasp(&world, &[first.url(), other.url()]);
        settings.wasp[0].connection = impatient();
        let gateway = Gateway::with(&world, &test, settings).await;

        for (name, _) in &acts {
            gateway.request(&world.maker.request(ACME, name, &message(name))).await;
        }

        for (name, _) in &acts {
            let statuses = gateway.statuses(name, 1).await;
            assert_eq!(gateway.names(name), ["FAILED"], "{name}");
            let error = statuses[0].error_text.clone().unwrap();
            assert!(error.starts_with("outcome unknown"), "{name}: {error}");
        }
        assert_eq!((first.seen().len(), other.connections()), (acts.len(), 0));
        gateway.stop().await;
    }

    async fn a_connection_that_breaks_before_anything_was_read_is_as_unknown(test: TestDb) {
        let world = World::new(Default::default()).await;
        let (first, other) = (Stub::closed(Door::Reset).await, Stub::start(|_, _| submitted(0, "other", "")).await);
        let gateway = Gateway::with(&world, &test, wasp(&world, &[first.url(), other.url()])).await;

        gateway.request(&world.maker.request(ACME, "broken", &message("hello"))).await;

        gateway.statuses("broken", 1).await;
        assert_eq!(gateway.names("broken"), ["FAILED"]);
        assert_eq!((first.connections(), other.connections()), (1, 0));
        gateway.stop().await;
    }

    async fn what_is_urgent_is_sent_once_more_to_the_same_provider_and_says_so(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, number| match number {
            1 => Act::answer(502, ""),
            _ => submitted(0, "2", ""),
        })
        .await;
        let mut settings = wasp(&world, &[stub.url()]);
        // Nor is it sent once more before the longest time that an answer may take.
        settings.resend_after = Duration::from_secs(4);
        settings.wasp[0].connection = impatient();
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut request = world.maker.request(ACME, "code", &message("12345"));
        request.insert("class".into(), "otp".into());

        gateway.request(&request).await;

        let statuses = gateway.statuses("code", 1).await;
        assert_eq!((gateway.names("code"), statuses[0].possible_duplicate), (vec!["SENT".into()], true));
        assert_eq!(stub.seen().len(), 2);
        gateway.stop().await;
    }

    async fn a_provider_that_tells_nothing_is_left_alone_for_a_while(test: TestDb) {
        let world = World::new(Default::default()).await;
        let stub = Stub::start(|_, number| match number {
            1..=3 => Act::answer(500, ""),
            _ => submitted(0, "1", ""),
        })
        .await;
        let mut settings = wasp(&world, &[stub.url()]);
        settings.wasp[0].window = 1;
        settings.wasp[0].connection.pause = Duration::from_millis(1500);
        settings.wasp[0].connection.pause_max = Duration::from_millis(1500);
        let gateway = Gateway::with(&world, &test, settings).await;
        let start = std::time::Instant::now();

        for index in 0..4 {
            gateway.request(&world.maker.request(ACME, &format!("n{index}"), &message("hello"))).await;
        }

        testkit::wait::wait_until("an answer", || async { stub.seen().len() == 4 }).await;
        assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
        gateway.stop().await;
    }
}
