//! From the request to the receipt, through the simulator.

use testkit::on_both;

use crate::cases::{ACME, message};
use crate::harness::{Gateway, World};

on_both! {
    async fn a_message_is_sent_and_delivered(test: TestDb) {
        let world = World::new(World::with_receipts()).await;
        let gateway = Gateway::start(&world, &test).await;

        gateway.request(&world.maker.request(ACME, "one", &message("Hello @ you"))).await;

        let statuses = gateway.statuses("one", 2).await;
        assert_eq!(gateway.names("one"), ["SENT", "DELIVERED"]);
        let accepted = world.smsc.accepted();
        assert_eq!(accepted.len(), 1);
        for status in &statuses {
            assert_eq!(status.recall_id.as_deref(), Some(accepted[0].message_id.as_str()));
            assert_eq!((status.simulated, &status.error_text), (true, &None));
        }
        let pdu = &accepted[0].message;
        assert_eq!((pdu.source.ton, pdu.source.value.as_str()), (5, "TEST"));
        assert_eq!((pdu.destination.ton, pdu.destination.value.as_str()), (1, "255123456789"));
        assert_eq!((pdu.data_coding, pdu.registered_delivery), (0, 1));
        let fixed = [pdu.protocol_id, pdu.priority_flag, pdu.replace_if_present_flag, pdu.sm_default_msg_id];
        assert_eq!(fixed, [0, 1, 0, 0]);
        assert_eq!(pdu.short_message, b"Hello \0 you");
        gateway.stop().await;
    }
}
