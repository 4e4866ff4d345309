//! How the gateway is bound, and what an SMSC gets to see of a message.

use std::path::Path;
use std::time::Duration;

use common::models::{Clock as _, SystemClock};
use smpp::codec::{Address, DeliverSm};
use smpp::esme::InterfaceVersion;
use smpp::smsc::{Behaviour, Binds};
use smpp::tls::ServerTlsSettings;
use sms::LongText;
use sms_gateway::{Bind, Tls};
use testkit::wait::{wait_for, wait_until};
use testkit::{certificates, on_both};

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World, metric};
use crate::inbound::wire::Listening;
use crate::operators::{BINDS, ask};

/// Makes `smsc.pem`, a certificate that is its own authority, and `smsc.key`.
pub(crate) fn certify(folder: &Path) -> ServerTlsSettings {
    let (certificate_file, key_file) = (folder.join("smsc.pem"), folder.join("smsc.key"));
    certificates::self_signed(folder, "smsc").unwrap();
    ServerTlsSettings { certificate_file, key_file, client_ca_file: None }
}

on_both! {
    async fn a_bind_says_what_binds(test: TestDb) {
        let (world, smsc) = (World::new(Behaviour::default()).await, Listening::start().await);
        let mut settings = world.settings();
        settings.smsc[0].port = smsc.port();
        let gateway = Gateway::with(&world, &test, settings).await;

        let bind = smsc.bound().await.bind;

        assert_eq!((bind.system_id.as_str(), bind.password.as_str()), ("acme", "secret"));
        assert_eq!((bind.system_type.as_str(), bind.interface_version), ("smpp", 0x34));
        assert_eq!((bind.addr_ton, bind.addr_npi, bind.address_range.as_str()), (0, 0, ""));
        gateway.stop().await;
    }

    async fn each_way_may_have_a_bind_of_its_own(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let mut settings = world.settings();
        settings.smsc[0].bind = Bind::Pair;
        settings.smsc[0].interface_version = InterfaceVersion::Smpp33;
        let gateway = Gateway::with(&world, &test, settings).await;
        world.smsc.counts().wait_for(|counts| counts.bound == 2).await.unwrap();

        gateway.request(&world.maker.request(ACME, "pair", &message("hello"))).await;

        gateway.statuses("pair", 2).await;
        assert_eq!(gateway.names("pair"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn the_connection_may_be_over_tls(test: TestDb) {
        let folder = tempfile::tempdir().unwrap();
        let tls = certify(folder.path());
        let smsc = smpp::smsc::SmscSettings {
            behaviour: World::with_receipts(),
            tls: Some(tls.load().unwrap()),
            ..Default::default()
        };
        let world = World::beside(smsc).await;
        let mut settings = world.settings();
        settings.smsc[0].tls = Some(Tls { ca_file: Some(tls.certificate_file), ..Tls::default() });
        let gateway = Gateway::with(&world, &test, settings).await;

        gateway.request(&world.maker.request(ACME, "tls", &message("hello"))).await;

        gateway.statuses("tls", 2).await;
        assert_eq!(gateway.names("tls"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn the_smsc_is_told_how_long_to_try(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let gateway = Gateway::start(&world, &test).await;
        let mut request = world.maker.request(ACME, "soon", &message("hello"));
        let deadline = SystemClock.now() + Duration::from_secs(7_200);
        request.insert("deadline".into(), deadline.to_rfc3339_seconds().into());

        gateway.request(&request).await;

        gateway.statuses("soon", 1).await;
        let message = world.smsc.accepted()[0].message.clone();
        assert_eq!((message.destination.ton, message.destination.npi), (1, 0));
        let period = message.validity_period;
        assert!(period.starts_with("00000001595") && period.ends_with("000R"), "{period}");
        gateway.stop().await;
    }

    async fn the_smsc_gets_long_texts_as_it_wants_them(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        for (correl, form) in [("sar", LongText::Sar), ("payload", LongText::Payload { most_octets: 65_535 })] {
            let mut settings = world.settings();
            settings.smsc[0].long_text = form;
            settings.smsc[0].destination_npi = 1;
            let gateway = Gateway::with(&world, &test, settings).await;
            gateway.request(&world.maker.request(ACME, correl, &message(&"a".repeat(200)))).await;
            gateway.statuses(correl, 2).await;
            gateway.stop().await;
        }

        let accepted = world.smsc.accepted();
        let places: Vec<u8> = accepted.iter().filter_map(|one| Some(one.message.tlvs.sar()?.number)).collect();
        assert_eq!((accepted.len(), places), (3, vec![1, 2]));
        assert!(accepted.iter().all(|one| one.message.destination.npi == 1));
        assert_eq!(accepted[2].message.text(), "a".repeat(200).as_bytes());
    }

    async fn the_smsc_is_asked_for_the_receipts_that_are_wanted(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        for wanted in [0, 2] {
            let mut settings = world.settings();
            settings.smsc[0].registered_delivery = wanted;
            let gateway = Gateway::with(&world, &test, settings).await;
            let correl = format!("wanted{wanted}");
            gateway.request(&world.maker.request(ACME, &correl, &message("hello"))).await;
            gateway.statuses(&correl, 1).await;
            gateway.stop().await;
        }

        let asked = world.smsc.accepted();
        assert_eq!(asked.iter().map(|one| one.message.registered_delivery).collect::<Vec<_>>(), [0, 2]);
    }

    async fn a_receipt_that_nothing_marks_is_one_where_the_settings_say_so(test: TestDb) {
        let world = World::new(Behaviour::default()).await;
        let mut settings = world.settings();
        settings.smsc[0].receipts_by_text = true;
        let gateway = Gateway::with(&world, &test, settings).await;
        gateway.request(&world.maker.request(ACME, "plain", &message("hello"))).await;
        gateway.statuses("plain", 1).await;

        let id = world.smsc.accepted()[0].message_id.clone();
        let unmarked = DeliverSm {
            source: Address { ton: 1, npi: 1, value: "255123456789".into() },
            short_message: format!("id:{id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:").into_bytes(),
            ..DeliverSm::default()
        };
        world.smsc.deliver("acme", unmarked);

        gateway.statuses("plain", 2).await;
        assert_eq!(gateway.names("plain"), ["SENT", "DELIVERED"]);
        gateway.stop().await;
    }

    async fn an_smsc_that_has_never_answered_shows_as_not_bound(test: TestDb) {
        let (world, mute) = (World::new(Behaviour::default()).await, Listening::start().await);
        let mut settings = world.impatient();
        settings.smsc[0].port = mute.port();
        let gateway = Gateway::with(&world, &test, settings).await;

        let series = r#"sealpost_sms_bound{bind="transceiver",smsc="main",service="sms-gateway"} 0"#;
        wait_until(series, async || metric(&gateway, series).await).await;
        wait_until("the reason", async || ask(&gateway, BINDS).await[0]["state"] == "waiting").await;
        gateway.stop().await;
    }

    async fn of_two_binds_each_is_shown_for_itself(test: TestDb) {
        let binds = Binds { most: Some(1), ..Binds::default() };
        let world = World::new(Behaviour { binds, ..Behaviour::default() }).await;
        let mut settings = world.settings();
        settings.smsc[0].bind = Bind::Pair;
        let gateway = Gateway::with(&world, &test, settings).await;

        // Whichever came second is refused.
        let states = async || {
            let view = ask(&gateway, BINDS).await[0].clone();
            (view["state"].clone(), view["receiver"]["state"].clone(), view.to_string())
        };
        let refused = wait_for("the refusal of one", async || match states().await {
            (first, second, view) if first == "bound" && second == "waiting" => Some(("receiver", view)),
            (first, second, view) if first == "waiting" && second == "receiving" => Some(("transmitter", view)),
            _ => None,
        });

        let (refused, view) = refused.await;
        assert!(view.contains("ESME_RALYBND"), "{view}");
        for bind in ["transmitter", "receiver"] {
            let stands = i32::from(bind != refused);
            let series = format!(r#"sealpost_sms_bound{{bind="{bind}",smsc="main",service="sms-gateway"}} {stands}"#);
            wait_until(&series, async || metric(&gateway, &series).await).await;
        }
        gateway.stop().await;
    }
}
