//! Outcomes that stay away: how they are learnt after all, and what is sent once more.

use std::sync::Arc;
use std::time::Duration;

use smpp::codec::SubmitSm;
use smpp::smsc::{Behaviour, Plan, Verdict};
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, count, receipt};

/// The SMSC takes the first so many submissions without a word.
fn silent(first: u64, otherwise: Behaviour) -> Behaviour {
    let script = move |_: &SubmitSm, number, plan: &mut Plan| {
        if number <= first {
            plan.verdict = Verdict::AcceptSilently;
        }
    };
    Behaviour { script: Some(Arc::new(script)), ..otherwise }
}

on_both! {
    async fn what_is_urgent_is_sent_once_more_and_says_so(test: TestDb) {
        let world = World::new(silent(1, Behaviour::default())).await;
        let settings = sms_gateway::Settings { resend_after: Duration::from_secs(2), ..world.impatient() };
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut request = world.maker.request(ACME, "code", &message("12345"));
        request.insert("class".into(), "otp".into());

        gateway.request(&request).await;

        let statuses = gateway.statuses("code", 1).await;
        assert_eq!((gateway.names("code"), statuses[0].possible_duplicate), (vec!["SENT".into()], true));
        let accepted = world.smsc.accepted();
        assert_eq!(accepted.len(), 2);
        let [first, second] = [&accepted[0].message, &accepted[1].message];
        assert_eq!((&first.short_message, &first.destination), (&second.short_message, &second.destination));
        gateway.stop().await;
    }

    async fn a_lost_part_of_what_is_urgent_is_sent_once_more_under_the_same_reference(test: TestDb) {
        let script = |_: &SubmitSm, number, plan: &mut Plan| {
            if number == 2 {
                plan.verdict = Verdict::AcceptSilently;
            }
        };
        let world = World::new(Behaviour { script: Some(Arc::new(script)), ..Behaviour::default() }).await;
        let settings = sms_gateway::Settings { resend_after: Duration::from_secs(2), ..world.impatient() };
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut request = world.maker.request(ACME, "long", &message(&"x".repeat(200)));
        request.insert("class".into(), "otp".into());

        gateway.request(&request).await;

        let statuses = gateway.statuses("long", 1).await;
        assert_eq!((gateway.names("long"), statuses[0].possible_duplicate), (vec!["SENT".into()], true));
        let accepted = world.smsc.accepted();
        let sent: Vec<&[u8]> = accepted.iter().map(|one| one.message.short_message.as_slice()).collect();
        let [first, second, again] = sent[..] else { panic!("{} were sent", sent.len()) };
        // The header: its length, the kind, the length, the reference, how many, which one.
        assert_eq!((first[4], second[4], first[5], second[5]), (2, 2, 1, 2));
        assert_eq!(first[3], second[3]);
        assert_eq!(second, again);
        gateway.stop().await;
    }

    async fn what_is_urgent_is_not_sent_a_third_time(test: TestDb) {
        let world = World::new(silent(u64::MAX, Behaviour::default())).await;
        let settings = sms_gateway::Settings { resend_after: Duration::from_secs(2), ..world.impatient() };
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut request = world.maker.request(ACME, "alarm", &message("flood"));
        request.insert("class".into(), "alert".into());

        gateway.request(&request).await;

        let statuses = gateway.statuses("alarm", 1).await;
        assert_eq!((gateway.names("alarm"), statuses[0].possible_duplicate), (vec!["FAILED".into()], true));
        assert!(statuses[0].error_text.as_deref().unwrap().contains("outcome unknown"));
        assert_eq!(world.smsc.accepted().len(), 2);
        gateway.stop().await;
    }

    async fn what_waits_for_the_rate_is_not_taken_for_lost(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let mut settings = sms_gateway::Settings { resend_after: Duration::from_secs(6), ..world.settings() };
        settings.smsc[0].tps = 3.0;
        // So that all are handed over at once.
        settings.smsc[0].window = 30;
        settings.smsc[0].response_timeout = Duration::from_secs(5);
        let gateway = Gateway::with(&world, &test, settings).await;

        // Six segments each: the last ones leave ten seconds after the first.
        let alerts = (0..5).map(|number| {
            let mut request = world.maker.request(ACME, &format!("alert{number}"), &message(&"x".repeat(900)));
            request.insert("class".into(), "alert".into());
            Some(serde_json::to_vec(&request).unwrap())
        });
        gateway.produce(alerts.collect()).await;

        for number in 0..5 {
            let correl = format!("alert{number}");
            let statuses = gateway.statuses(&correl, 1).await;
            assert_eq!((gateway.names(&correl), statuses[0].possible_duplicate), (vec!["SENT".into()], false));
        }
        assert_eq!(world.smsc.accepted().len(), 30);
        gateway.stop().await;
    }

    async fn after_an_unknown_outcome_the_same_ids_are_sent_again(test: TestDb) {
        let world = World::new(silent(1, Behaviour::default())).await;
        let gateway = Gateway::with(&world, &test, world.impatient()).await;
        let request = world.maker.request(ACME, "again", &message("hello"));
        gateway.request(&request).await;
        gateway.statuses("again", 1).await;

        gateway.request(&request).await;

        gateway.statuses("again", 2).await;
        assert_eq!(gateway.names("again"), ["FAILED", "SENT"]);
        assert_eq!(world.smsc.accepted().len(), 2);
        gateway.stop().await;
    }

    async fn after_an_unknown_outcome_the_same_ids_are_refused_where_the_settings_say_so(test: TestDb) {
        let world = World::new(silent(1, Behaviour::default())).await;
        let settings = sms_gateway::Settings { resubmit_unknown: false, ..world.impatient() };
        let gateway = Gateway::with(&world, &test, settings).await;
        let request = world.maker.request(ACME, "once", &message("hello"));
        gateway.request(&request).await;
        let told = gateway.statuses("once", 1).await;

        gateway.request(&request).await;

        wait_until("the second", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'duplicate'").await == 1
        }).await;
        assert!(told[0].error_text.as_deref().unwrap().contains("outcome unknown"));
        assert_eq!(gateway.names("once"), ["FAILED"]);
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn what_is_not_answered_in_time_is_told_soon_and_not_when_patience_ends(test: TestDb) {
        let world = World::new(silent(1, Behaviour::default())).await;
        let settings = sms_gateway::Settings {
            unknown_after: Duration::from_secs(600),
            unknown_grace: Duration::from_secs(1),
            ..world.impatient()
        };
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "lost", &message("hello"))).await;

        let statuses = gateway.statuses("lost", 1).await;
        assert_eq!(gateway.names("lost"), ["FAILED"]);
        assert!(statuses[0].error_text.as_deref().unwrap().contains("outcome unknown"));
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn a_receipt_that_comes_in_time_is_the_first_word_about_its_message(test: TestDb) {
        let world = World::new(silent(1, World::with_receipts())).await;
        // It is brought to its message after 3 to 4 s.
        let settings = sms_gateway::Settings {
            unknown_after: Duration::from_secs(600),
            unknown_grace: Duration::from_secs(15),
            ..world.impatient()
        };
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "told", &message("hello"))).await;

        gateway.statuses("told", 2).await;
        assert_eq!(gateway.names("told"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn a_receipt_finds_the_message_that_was_never_answered(test: TestDb) {
        let world = World::new(silent(u64::MAX, Behaviour::default())).await;
        let gateway = Gateway::with(&world, &test, world.impatient()).await;
        gateway.request(&world.maker.request(ACME, "long", &message(&"a".repeat(400)))).await;
        gateway.statuses("long", 1).await;
        world.smsc.counts().wait_for(|counts| counts.accepted == 3).await.unwrap();

        for one in world.smsc.accepted() {
            world.smsc.deliver("acme", receipt(&one.message_id));
        }

        let statuses = gateway.statuses("long", 3).await;
        assert_eq!(gateway.names("long"), ["FAILED", "SENT", "DELIVERED"]);
        assert!(statuses.iter().all(|status| !status.possible_duplicate));
        assert_eq!(world.smsc.accepted().len(), 3);
        assert_eq!(count(&gateway, "SELECT COUNT(*) AS n FROM sms_receipts").await, 0);
        gateway.stop().await;
    }

    async fn a_receipt_that_may_mean_two_messages_is_kept_for_neither(test: TestDb) {
        let world = World::new(silent(2, Behaviour::default())).await;
        let gateway = Gateway::with(&world, &test, world.impatient()).await;

        for correl in ["one", "two"] {
            gateway.request(&world.maker.request(ACME, correl, &message(correl))).await;
        }
        world.smsc.counts().wait_for(|counts| counts.accepted == 2).await.unwrap();
        for one in world.smsc.accepted() {
            world.smsc.deliver("acme", receipt(&one.message_id));
        }

        wait_until("both receipts to be tried in every way", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_receipts WHERE looked_at > 0").await == 2
        }).await;
        for correl in ["one", "two"] {
            gateway.statuses(correl, 1).await;
            assert_eq!(gateway.names(correl), ["FAILED"]);
        }
        gateway.stop().await;
    }

    async fn a_receipt_waits_for_the_answer_to_a_later_message_to_the_same_phone(test: TestDb) {
        // The first message is never answered, nor does a receipt tell of it; the second is answered long after its
        // receipt.
        let script = |_: &SubmitSm, number, plan: &mut Plan| match number {
            1 => plan.verdict = Verdict::Lose,
            _ => plan.latency = Duration::from_secs(8),
        };
        let world = World::new(Behaviour { script: Some(Arc::new(script)), ..World::with_receipts() }).await;
        let mut settings = world.settings();
        settings.smsc[0].response_timeout = Duration::from_secs(10);
        (settings.unknown_after, settings.resend_after) = (Duration::from_secs(12), Duration::from_secs(12));
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "lost", &message("lost"))).await;
        let mut counts = world.smsc.counts();
        counts.wait_for(|counts| counts.binds > 0).await.unwrap();
        wait_until("the first message to leave", || async {
            count(&gateway, "SELECT COUNT(*) AS n FROM sms_jobs WHERE state = 'submitting'").await == 1
        }).await;

        gateway.request(&world.maker.request(ACME, "slow", &message("slow"))).await;

        gateway.statuses("slow", 2).await;
        gateway.statuses("lost", 1).await;
        assert_eq!((gateway.names("slow"), gateway.names("lost")), (vec!["SENT".into(), "DELIVERED".into()], vec!["FAILED".to_owned()]));
        gateway.stop().await;
    }

    async fn a_receipt_that_does_not_come_is_asked_for(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let mut settings = world.settings();
        settings.smsc[0].query_after = Some(Duration::from_secs(1));
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "asked", &message(&"a".repeat(200)))).await;

        gateway.statuses("asked", 2).await;
        assert_eq!(gateway.names("asked"), ["SENT", "DELIVERED"]);
        let kept = "SELECT COUNT(*) AS n FROM sms_jobs WHERE payload IS NOT NULL OR due_at IS NOT NULL";
        assert_eq!(count(&gateway, kept).await, 0);
        gateway.stop().await;
    }

    async fn long_texts_to_one_phone_never_share_a_reference(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let texts = ["a", "b", "c", "d"];

        for (index, text) in texts.into_iter().enumerate() {
            // Also over a restart.
            let gateway = Gateway::start(&world, &test).await;
            let correl = format!("long{index}");
            gateway.request(&world.maker.request(ACME, &correl, &message(&text.repeat(200)))).await;
            gateway.statuses(&correl, 2).await;
            gateway.stop().await;
        }

        let mut references: Vec<u8> =
            world.smsc.accepted().iter().map(|one| one.message.short_message[3]).collect();
        assert_eq!(references.len(), 2 * texts.len());
        references.sort_unstable();
        references.dedup();
        assert_eq!(references.len(), texts.len());
    }

    async fn a_client_with_a_limit_gets_no_more_than_its_share(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let settings = sms_gateway::Settings { tps_of: [(ACME.to_owned(), 2.0)].into(), ..world.settings() };
        let gateway = Gateway::with(&world, &test, settings).await;

        let start = std::time::Instant::now();
        for index in 0..7 {
            gateway.request(&world.maker.request(ACME, &format!("n{index}"), &message("hello"))).await;
        }
        for index in 0..7 {
            gateway.statuses(&format!("n{index}"), 1).await;
        }

        let took = start.elapsed();
        assert!(took >= Duration::from_millis(2_900), "{took:?}");
        gateway.stop().await;
    }
}
