//! Deadlines that pass between the queue and the SMSC.

use std::time::Duration;

use common::models::{Clock, SystemClock};
use serde_json::{Map, Value};
use smpp::smsc::{Behaviour, Span};
use sms_gateway::Settings;
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, count};
use crate::operators::bound;

/// Longer than any deadline here.
pub(crate) const LATENCY: Duration = Duration::from_secs(13);

/// An SMSC that answers late, and a gateway that hands it one segment at a time.
async fn one_at_a_time() -> (World, Settings) {
    let world = World::new(Behaviour { latency: Span::exactly(LATENCY), ..Behaviour::default() }).await;
    let long = LATENCY * 4;
    let mut settings = Settings { unknown_after: long, resend_after: long, ..world.settings() };
    (settings.smsc[0].window, settings.smsc[0].response_timeout) = (1, long / 2);
    (world, settings)
}

/// A request that is to leave within eight or nine seconds.
pub(crate) fn soon(world: &World, correl: &str, text: &str) -> Map<String, Value> {
    let deadline = SystemClock.now() + Duration::from_secs(9);
    let mut request = world.maker.request(ACME, correl, &message(text));
    request.insert("deadline".into(), deadline.to_rfc3339_seconds().into());
    request
}

on_both! {
    async fn what_waits_for_a_full_window_past_its_deadline_is_expired_and_never_submitted(test: TestDb) {
        let (world, settings) = one_at_a_time().await;
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "first", &message("hello"))).await;
        world.smsc.counts().wait_for(|counts| counts.accepted == 1).await.unwrap();

        gateway.request(&soon(&world, "late", "hello")).await;
        wait_until("it to be with the session", async || {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'submitting'").await == 2
        }).await;

        gateway.statuses("first", 1).await;
        gateway.statuses("late", 1).await;
        assert_eq!((gateway.names("first"), gateway.names("late")), (vec!["SENT".into()], vec!["EXPIRED".into()]));
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn segments_that_wait_past_the_deadline_stay_unsent_and_the_message_has_failed(test: TestDb) {
        let (world, settings) = one_at_a_time().await;
        let gateway = Gateway::with(&world, &test, settings).await;
        bound(&gateway).await;

        gateway.request(&soon(&world, "long", &"a".repeat(400))).await;

        let statuses = gateway.statuses("long", 1).await;
        assert_eq!(gateway.names("long"), ["FAILED"]);
        let text = statuses[0].error_text.as_deref().unwrap();
        assert!(text.starts_with("only 1 of 3 segments were sent"), "{text}");
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }
}
