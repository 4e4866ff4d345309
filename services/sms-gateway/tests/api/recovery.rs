//! What goes wrong: refusals, silence, lost links, restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::models::{Clock as _, SystemClock};
use diesel::prelude::*;
use diesel::sql_types::Text;
use smpp::codec::{Body, CommandStatus};
use smpp::smsc::{Behaviour, IdFormat, Receipts, Span, Verdict};
use sms::message_id::IdBase;
use testkit::database::columns;
use testkit::on_both;
use testkit::wait::{wait_for, wait_until};

use crate::cases::{ACME, TEST, message};
use crate::harness::{Gateway, World, count, receipt};
use crate::inbound::wire::Listening;

/// Gives each submission the verdict of a function of its number, from 1.
fn scripted(verdict: impl Fn(u64) -> Verdict + Send + Sync + 'static) -> Behaviour {
    let script =
        move |_: &smpp::codec::SubmitSm, number, plan: &mut smpp::smsc::Plan| plan.verdict = verdict(number);
    Behaviour { script: Some(Arc::new(script)), ..World::with_receipts() }
}

on_both! {
    async fn a_long_message_is_one_message(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "long", &message(&"ж".repeat(150)))).await;

        let statuses = gateway.statuses("long", 2).await;
        let accepted = world.smsc.accepted();
        assert_eq!(accepted.len(), 3);
        assert!(accepted.iter().all(|one| one.message.esm_class == 0x40 && one.message.data_coding == 8));
        assert_eq!(gateway.names("long"), ["SENT", "DELIVERED"]);
        let last = accepted.iter().find(|one| one.message.short_message[5] == 3).unwrap();
        assert_eq!(statuses[0].recall_id.as_deref(), Some(last.message_id.as_str()));
        gateway.stop().await;
    }

    async fn a_refusal_is_told_with_code_and_name(test: TestDb) {
        let world = World::new(scripted(|number| match number {
            1 => Verdict::Refuse(CommandStatus::RINVDSTADR),
            _ => Verdict::Refuse(CommandStatus::RSYSERR),
        })).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "bad-number", &message("hello"))).await;
        let first = gateway.statuses("bad-number", 1).await;
        gateway.request(&world.maker.request(ACME, "bad-day", &message("hello"))).await;
        let second = gateway.statuses("bad-day", 1).await;

        assert_eq!((gateway.names("bad-number"), gateway.names("bad-day")), (vec!["INVALID".into()], vec!["FAILED".into()]));
        assert!(first[0].error_text.as_deref().unwrap().contains("ESME_RINVDSTADR"));
        assert!(second[0].error_text.as_deref().unwrap().contains("0x00000008"));
        gateway.stop().await;
    }

    async fn throttled_segments_are_sent_again_until_taken(test: TestDb) {
        let world = World::new(scripted(|number| match number {
            1..=3 => Verdict::Refuse(CommandStatus::RTHROTTLED),
            _ => Verdict::Accept,
        })).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "slowly", &message("hello"))).await;

        gateway.statuses("slowly", 2).await;
        assert_eq!(gateway.names("slowly"), ["SENT", "DELIVERED"]);
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn throttled_until_the_deadline_is_expired(test: TestDb) {
        let world = World::new(scripted(|_| Verdict::Refuse(CommandStatus::RMSGQFUL))).await;
        let gateway = Gateway::start(&world, &test).await;
        let soon = common::models::UnixMillis(common::models::Clock::now(&common::models::SystemClock).as_i64() + 2_500);
        let mut request = world.maker.request(ACME, "never", &message("hello"));
        request.insert("deadline".into(), soon.to_rfc3339_seconds().into());

        gateway.request(&request).await;

        gateway.statuses("never", 1).await;
        assert_eq!(gateway.names("never"), ["EXPIRED"]);
        gateway.stop().await;
    }

    async fn without_an_smsc_a_request_waits_until_its_deadline_and_is_expired(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        world.smsc.kill();
        let gateway = Gateway::start(&world, &test).await;
        let deadline = (SystemClock.now() + Duration::from_millis(2_500)).to_rfc3339_seconds();
        let mut request = world.maker.request(ACME, "waits", &message("hello"));
        request.insert("deadline".into(), deadline.clone().into());

        gateway.request(&request).await;
        let statuses = gateway.statuses("waits", 1).await;
        world.smsc.revive().await.unwrap();
        gateway.request(&world.maker.request(ACME, "next", &message("hello"))).await;

        gateway.statuses("next", 2).await;
        assert_eq!(gateway.names("waits"), ["EXPIRED"]);
        assert!(statuses[0].timestamp.to_rfc3339_seconds() >= deadline);
        assert_eq!(world.smsc.accepted().len(), 1);
        gateway.stop().await;
    }

    async fn silence_is_unknown_until_a_late_answer_corrects_it(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let mut settings = world.impatient();
        settings.smsc[0].port = smsc.port();
        // Long enough for a bind, too.
        settings.smsc[0].response_timeout = Duration::from_secs(3);
        let gateway = Gateway::with(&world, &test, settings).await;
        let mut wire = smsc.let_in(&gateway).await;

        gateway.request(&world.maker.request(ACME, "late", &message("hello"))).await;
        let submission = wire.submitted().await;
        let told = gateway.statuses("late", 1).await;
        wire.accept(submission).await;
        wire.bring(Body::DeliverSm(receipt(&format!("m{submission}")))).await;

        gateway.statuses("late", 3).await;
        assert_eq!(gateway.names("late"), ["FAILED", "SENT", "DELIVERED"]);
        assert!(told[0].error_text.as_deref().unwrap().contains("outcome unknown"));
        tokio::join!(gateway.stop(), wire.leave());
    }

    async fn a_receipt_may_overtake_its_response_and_be_padded(test: TestDb) {
        let world = World::new(Behaviour {
            latency: Span::exactly(Duration::from_millis(300)),
            ids: IdFormat::Hex,
            receipts: Some(Receipts { ids: Some(IdFormat::Padded), ..Receipts::default() }),
            ..Behaviour::default()
        }).await;
        let mut settings = world.settings();
        settings.smsc[0].id_base = IdBase::HexThenDecimal;
        let gateway = Gateway::with(&world, &test, settings).await;

        for correl in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
            gateway.request(&world.maker.request(ACME, correl, &message(correl))).await;
        }

        for correl in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
            gateway.statuses(correl, 2).await;
            assert_eq!(gateway.names(correl), ["SENT", "DELIVERED"], "{correl}");
        }
        gateway.stop().await;
    }

    async fn a_killed_smsc_costs_no_message_and_doubles_none(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;
        world.smsc.behave(|behaviour| behaviour.die_after = Some(5));

        for index in 0..20 {
            gateway.request(&world.maker.request(ACME, &format!("k{index}"), &message("hello"))).await;
        }
        let mut counts = world.smsc.counts();
        counts.wait_for(|counts| counts.accepted >= 5 && counts.bound == 0).await.unwrap();
        world.smsc.behave(|behaviour| behaviour.die_after = None);
        world.smsc.revive().await.unwrap();

        for index in 0..20 {
            let correl = format!("k{index}");
            wait_until(&format!("an end of {correl}"), || {
                let names = gateway.names(&correl);
                async move { names.iter().any(|name| name == "DELIVERED" || name == "FAILED") }
            }).await;
            let names = gateway.names(&correl);
            assert!(names == ["SENT", "DELIVERED"] || names == ["FAILED"], "{correl}: {names:?}");
        }
        let sent = (0..20).filter(|index| gateway.names(&format!("k{index}")).contains(&"SENT".into())).count();
        let unknown = 20 - sent;
        let accepted = world.smsc.accepted().len();
        assert!(accepted >= sent && accepted <= 20, "{accepted} accepted, {sent} sent, {unknown} unknown");
        gateway.stop().await;
    }

    async fn a_row_that_says_submitting_is_never_sent_after_a_restart(test: TestDb) {
        let world = World::new(Default::default()).await;
        let first = Gateway::with(&world, &test, sms_gateway::Settings { smsc: vec![], ..world.settings() }).await;
        first.request(&world.maker.request(ACME, "half", &message("hello"))).await;
        wait_until("the job", || async { count(&first, "SELECT COUNT(*) AS n FROM sms_jobs").await == 1 }).await;
        first.db.write(|conn| {
            diesel::sql_query("UPDATE sms_jobs SET state = 'submitting', segments = 1, smsc = 'main'").execute(conn)?;
            let part = "INSERT INTO sms_parts (client_id, job_id, part, smsc, state, updated_at)
                        SELECT client_id, id, 1, 'main', 'submitting', 0 FROM sms_jobs";
            diesel::sql_query(part).execute(conn)?;
            Ok::<_, db::DbError>(())
        }).await.unwrap();
        first.stop().await;

        let second = Gateway::start(&world, &test).await;

        let statuses = second.statuses("half", 1).await;
        assert_eq!(second.names("half"), ["FAILED"]);
        assert!(statuses[0].error_text.as_deref().unwrap().contains("outcome unknown"));
        assert_eq!(world.smsc.accepted(), []);
        second.stop().await;
    }

    async fn what_waits_survives_a_restart(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let mut slow = sms_gateway::Settings { smsc: vec![], ..world.settings() };
        slow.loopback_long_delay = Duration::from_secs(3);
        let first = Gateway::with(&world, &test, slow).await;
        first.request(&world.maker.request(ACME, "queued", &message("hello"))).await;
        first.request(&world.maker.request(TEST, "looping", "To: +1\n\nS1D1")).await;
        first.statuses("looping", 1).await;
        first.stop().await;

        let second = Gateway::start(&world, &test).await;

        second.statuses("queued", 2).await;
        second.statuses("looping", 2).await;
        assert_eq!(second.names("queued"), ["SENT", "DELIVERED"]);
        assert_eq!(second.names("looping"), ["SENT", "DELIVERED"]);
        second.stop().await;
    }

    async fn a_stop_in_mid_flight_settles_what_is_under_way(test: TestDb) {
        let world = World::new(Behaviour { latency: Span::exactly(Duration::from_millis(300)), ..World::with_receipts() }).await;
        let first = Gateway::start(&world, &test).await;
        let mut counts = world.smsc.counts();
        for index in 0..30 {
            first.request(&world.maker.request(ACME, &format!("m{index}"), &message("hello"))).await;
        }
        counts.wait_for(|counts| counts.accepted > 0).await.unwrap();
        first.stop().await;

        let second = Gateway::start(&world, &test).await;

        for index in 0..30 {
            let correl = format!("m{index}");
            second.statuses(&correl, 2).await;
            assert_eq!(second.names(&correl), ["SENT", "DELIVERED"], "{correl}");
        }
        assert_eq!(world.smsc.accepted().len(), 30);
        second.stop().await;
    }

    async fn the_same_ids_are_not_sent_twice_but_may_be_after_a_failure(test: TestDb) {
        let world = World::new(scripted(|number| match number {
            2 => Verdict::Refuse(CommandStatus::RSYSERR),
            _ => Verdict::Accept,
        })).await;
        let gateway = Gateway::start(&world, &test).await;
        let good = world.maker.request(ACME, "good", &message("hello"));
        gateway.request(&good).await;
        gateway.statuses("good", 2).await;
        gateway.request(&good).await;
        let again = world.maker.request(ACME, "again", &message("hello"));
        gateway.request(&again).await;
        gateway.statuses("again", 1).await;
        gateway.request(&again).await;

        gateway.statuses("again", 3).await;
        assert_eq!(gateway.names("again"), ["FAILED", "SENT", "DELIVERED"]);
        assert_eq!(gateway.names("good"), ["SENT", "DELIVERED"]);
        assert_eq!(world.smsc.accepted().len(), 2);
        gateway.stop().await;
    }

    async fn no_row_and_no_record_holds_what_was_sealed(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let mut settings = world.settings();
        settings.smsc[0].port = smsc.port();
        let gateway = Gateway::with(&world, &test, settings).await;

        // Each state lasts until it was looked at: the bind, the receipts, which find no id of theirs, and the answers
        // come when they are wanted.
        gateway.request(&world.maker.request(ACME, "quiet", &message(&"a secret text ".repeat(20)))).await;
        look(&gateway, &[("sms_jobs", "queued")]).await;
        let mut wire = smsc.let_in(&gateway).await;
        let submissions = [wire.submitted().await, wire.submitted().await];
        look(&gateway, &[("sms_jobs", "submitting"), ("sms_parts", "submitting"), ("sms_references", "")]).await;
        for submission in submissions {
            wire.bring(Body::DeliverSm(receipt(&format!("m{submission}")))).await;
        }
        look(&gateway, &[("sms_receipts", "DELIVERED")]).await;
        for submission in submissions {
            wire.accept(submission).await;
        }

        wait_until("the end", async || gateway.names("quiet").contains(&"DELIVERED".into())).await;
        look(&gateway, &[("sms_statuses", "DELIVERED"), ("outbox", "DELIVERED")]).await;
        let records = serde_json::to_string(&gateway.published("quiet")).unwrap();
        assert_eq!(sealed(&records), None);
        tokio::join!(gateway.stop(), wire.leave());
    }
}

/// Waits until these tables have a row with that word, and looks for what was sealed in all rows of all tables.
async fn look(gateway: &Gateway, wanted: &[(&str, &str)]) {
    let rows = wait_for(&format!("{wanted:?}"), || async {
        let rows = rows(gateway).await;
        let has = |(table, word): &(&str, &str)| rows[*table].iter().any(|row| row.contains(word));
        wanted.iter().all(has).then_some(rows)
    })
    .await;
    for (table, rows) in rows {
        let found: Vec<&str> = rows.iter().filter_map(|row| sealed(row)).collect();
        assert_eq!(found, [""; 0], "{table}");
    }
}

fn sealed(text: &str) -> Option<&str> {
    ["secret", "123456789"].iter().any(|word| text.contains(word)).then_some(text)
}

/// All rows of all tables.
async fn rows(gateway: &Gateway) -> BTreeMap<String, Vec<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        row: String,
    }
    let tables = columns(&gateway.db).await.unwrap();
    let read = gateway.db.read(move |conn| {
        if let db::DbConn::Pg(conn) = conn {
            diesel::sql_query("SET bytea_output = 'escape'").execute(conn)?;
        }
        let mut rows = BTreeMap::new();
        for (table, columns) in tables {
            let columns = columns.iter().map(|name| format!("coalesce(CAST({name} AS TEXT), '')"));
            let row = columns.collect::<Vec<_>>().join(" || ' ' || ");
            let found: Vec<Row> =
                diesel::sql_query(format!("SELECT {row} AS row FROM {table}")).load(conn)?;
            rows.insert(table, found.into_iter().map(|one| one.row).collect());
        }
        Ok::<_, db::DbError>(rows)
    });
    read.await.unwrap()
}
