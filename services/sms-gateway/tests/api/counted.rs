//! What is counted: series that the internal listener shows.

use smpp::codec::{Address, DeliverSm, esm_class};
use testkit::on_both;
use testkit::wait::wait_until;

use crate::cases::{ACME, KEYLESS, message};
use crate::harness::{Gateway, World, metric};

/// A receipt for nothing that was sent, whose text begins like this.
fn strange(begin: &str) -> DeliverSm {
    DeliverSm {
        source: Address { ton: 1, npi: 1, value: "255700000000".into() },
        esm_class: esm_class::RECEIPT,
        short_message: format!("{begin}sub:001 dlvrd:001 stat:DELIVRD err:000 text:").into_bytes(),
        ..DeliverSm::default()
    }
}

on_both! {
    async fn receipts_are_counted_by_what_became_of_them(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "known", &message("hello"))).await;
        gateway.statuses("known", 2).await;
        for begin in ["id:stranger ", ""] {
            world.smsc.deliver("acme", strange(begin));
        }

        for outcome in ["matched", "parked", "unreadable"] {
            let labels = format!(r#"outcome="{outcome}",smsc="main",service="sms-gateway""#);
            let series = format!("sealpost_sms_receipts_total{{{labels}}} 1");
            wait_until(&series, async || metric(&gateway, &series).await).await;
        }
        let unmatched = r#"sealpost_sms_receipts_unmatched{service="sms-gateway"} 1"#;
        wait_until(unmatched, async || metric(&gateway, unmatched).await).await;
        gateway.stop().await;
    }

    async fn a_record_that_nobody_can_be_told_about_is_counted(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.produce(vec![Some(b"garbage".to_vec())]).await;

        wait_until("the dead letter", async || gateway.dead().len() == 1).await;
        let dead = r#"sealpost_sms_requests_total{outcome="dead",service="sms-gateway"} 1"#;
        assert!(metric(&gateway, dead).await);
        gateway.stop().await;
    }

    async fn a_request_of_a_client_without_a_key_is_counted(test: TestDb) {
        let world = World::new(Default::default()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(KEYLESS, "keyless", &message("hello"))).await;

        gateway.statuses("keyless", 1).await;
        let missing = r#"sealpost_sms_keys_missing_total{service="sms-gateway"} 1"#;
        assert!(metric(&gateway, missing).await);
        gateway.stop().await;
    }
}
