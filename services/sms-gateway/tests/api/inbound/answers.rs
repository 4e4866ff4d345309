//! What an SMSC is answered, on the wire; and what comes of messages whose answer it never got.

use std::time::Duration;

use smpp::codec::{Body, CommandStatus, DeliverSm};
use sms::LongText;
use sms_gateway::{Inbound, Settings, Unowned};
use testkit::on_both;
use testkit::program::{Program, ProgramSettings};

use super::wire::Listening;
use super::{NUMBER, brought, key, open, read, settings, told};
use crate::cases::{ACME, KEYLESS, message};
use crate::harness::{Gateway, KEY, PASSWORD, World, count};

const PHONE: &str = "255123456789";

/// The settings beside an SMSC that is moved by hand.
fn beside(world: &World, smsc: &Listening) -> Settings {
    let mut settings = settings(world);
    settings.smsc[0].port = smsc.port();
    settings.inbound_unowned = Unowned::Refuse;
    settings
}

fn sms(text: &str) -> DeliverSm {
    brought(PHONE, text, LongText::Udh8, 1).remove(0)
}

on_both! {
    async fn a_message_is_answered_by_what_becomes_of_it(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let mut own = beside(&world, &smsc);
        own.inbound.push(Inbound::new("15052".parse().unwrap(), KEYLESS.into()));
        let gateway = Gateway::with(&world, &test, own).await;
        let mut wire = smsc.bound().await;
        let to = |number: &str| {
            let mut message = sms("hello");
            message.destination.value = number.into();
            Body::DeliverSm(message)
        };

        let owned = wire.ask(to(NUMBER)).await;
        let (unowned, keyless) = (wire.ask(to("15051")).await, wire.ask(to("15052")).await);
        tokio::join!(gateway.stop(), wire.leave());
        let accepting = Settings { inbound_unowned: Unowned::default(), ..beside(&world, &smsc) };
        let gateway = Gateway::with(&world, &test, accepting).await;
        let accepted = smsc.bound().await.ask(to("15051")).await;

        assert_eq!(owned, (CommandStatus::ROK, Body::DeliverSmResp));
        // Never to come again, and to come again.
        assert_eq!((unowned.0, unowned.0.0), (CommandStatus::RX_P_APPN, 0x65));
        assert_eq!((keyless.0, keyless.0.0), (CommandStatus::RX_T_APPN, 0x64));
        assert_eq!(accepted.0, CommandStatus::ROK);
        gateway.stop().await;
    }

    async fn a_data_sm_is_a_message_like_others(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let gateway = Gateway::with(&world, &test, beside(&world, &smsc)).await;
        let mut wire = smsc.bound().await;

        let whole = wire.ask(Body::DataSm(sms("Yes, €5").into())).await;
        let long = "x".repeat(200);
        for part in brought(PHONE, &long, LongText::Sar, 3) {
            let answer = wire.ask(Body::DataSm(part.into())).await;
            assert_eq!(answer.0, CommandStatus::ROK);
        }
        let strange = DeliverSm { destination: Default::default(), ..sms("lost") };
        let nobodys = wire.ask(Body::DataSm(strange.into())).await;

        let messages = read(&gateway, 2).await;
        let texts: Vec<String> = messages.iter().map(|one| open(one).1).collect();
        assert_eq!(texts, ["Yes, €5".to_owned(), long]);
        assert!(matches!(whole, (CommandStatus::ROK, Body::DataSmResp(_))), "{whole:?}");
        assert!(matches!(nobodys, (CommandStatus::RX_P_APPN, Body::DataSmResp(_))), "{nobodys:?}");
        tokio::join!(gateway.stop(), wire.leave());
    }

    async fn a_stop_is_answered_when_nothing_is_under_way_or_is_to_come_again(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let mut own = beside(&world, &smsc);
        own.opt_out.patience = Duration::from_millis(300);
        let gateway = Gateway::with(&world, &test, own).await;
        let mut wire = smsc.bound().await;
        gateway.request(&world.maker.request(ACME, "open", &message("hello"))).await;
        let submission = wire.submitted().await;

        let impatient = wire.ask(Body::DeliverSm(sms("stop"))).await;
        wire.accept(submission).await;
        gateway.statuses("open", 1).await;
        let settled = wire.ask(Body::DeliverSm(sms("stop"))).await;

        assert_eq!((impatient.0, settled.0), (CommandStatus::RX_T_APPN, CommandStatus::ROK));
        assert_eq!(read(&gateway, 1).await.len(), 1);
        assert_eq!(count(&gateway, "SELECT count(*) AS n FROM sms_opt_outs").await, 1);
        tokio::join!(gateway.stop(), wire.leave());
    }

    async fn what_counts_as_brought_again_is_a_setting(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        for (repeats, expected) in [(Duration::from_secs(60), 1), (Duration::ZERO, 3)] {
            let own = Settings { inbound_repeats: repeats, ..beside(&world, &smsc) };
            let gateway = Gateway::with(&world, &test, own).await;
            let mut wire = smsc.bound().await;

            for _ in 0..2 {
                let (status, _) = wire.ask(Body::DeliverSm(sms("yes"))).await;
                assert_eq!(status, CommandStatus::ROK);
            }

            assert_eq!(read(&gateway, expected).await.len(), expected);
            tokio::join!(gateway.stop(), wire.leave());
        }
    }

    async fn a_gateway_killed_before_it_could_answer_gets_it_again_and_tells_it_once(test: TestDb) {
        let (world, smsc) = (World::new(Default::default()).await, Listening::start().await);
        let file = format!(
            r#"
            database.url = "{}"
            [sms_gateway]
            vault = "{}"
            vault_password = "{PASSWORD}"
            allowed_clients = ["acme"]
            http_keys = {{ "{KEY}" = "acme" }}
            unknown_after = "30s"
            [[sms_gateway.smsc]]
            name = "main"
            port = {}
            system_id = "acme"
            reconnect = "50ms"
            reconnect_max = "200ms"
            response_timeout = "20s"
            [[sms_gateway.inbound]]
            number = "{NUMBER}"
            client = "acme"
            public_key = "{}"
            "#,
            test.settings().url,
            world.path().join("vault").display(),
            smsc.port(),
            key().sealing_key().unwrap().to_line().unwrap(),
        );
        let settings =
            ProgramSettings { name: "sealpost-sms-gateway", file: &file, ..ProgramSettings::default() };
        let mut program = Program::start(settings).await.unwrap();
        let text = "long ".repeat(50);
        let mut parts = brought(PHONE, &text, LongText::Udh8, 9).into_iter();
        let (first, second) = (Body::DeliverSm(parts.next().unwrap()), Body::DeliverSm(parts.next().unwrap()));

        // Each answer is on its way or not: the SMSC reads none, and so has to bring all again.
        let mut wire = smsc.bound().await;
        wire.bring(first.clone()).await;
        wire.bring(second.clone()).await;
        told(&program.http, 1).await;
        program.kill();
        drop(wire);
        let (restarted, mut wire) = tokio::join!(program.restart(), smsc.bound());
        restarted.unwrap();
        for part in [first.clone(), second.clone(), first, second] {
            assert_eq!(wire.ask(part).await.0, CommandStatus::ROK);
        }

        // Committed, and certainly not answered: a message is under way that a STOP has to wait for.
        let request = world.maker.request(ACME, "open", &message("hello"));
        let client = program.http.with_token(KEY);
        client.post("/v1/sms", &request).await.assert_status(202);
        wire.submitted().await;
        wire.bring(Body::DeliverSm(sms("Stop"))).await;
        told(&program.http, 2).await;
        program.kill();
        drop(wire);
        let (restarted, mut wire) = tokio::join!(program.restart(), smsc.bound());
        restarted.unwrap();
        let stop = wire.bring(Body::DeliverSm(sms("Stop"))).await;
        wire.bring(Body::DeliverSm(sms("the last"))).await;

        let messages = told(&program.http, 3).await;
        let texts: Vec<String> = messages.iter().map(|one| open(one).1).collect();
        assert_eq!(texts, [text.as_str(), "Stop", "the last"]);
        assert_ne!(wire.answer(stop).await.0, CommandStatus::RX_P_APPN);
        program.stop().await.unwrap();
    }
}
