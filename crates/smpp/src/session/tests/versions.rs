//! SMPP 3.3 has no optional parameters.

use super::*;
use crate::codec::tag;

fn bound(interface_version: u8) -> Bench {
    let mut bench = Bench::fresh();
    bench.session.settings.bind.interface_version = interface_version;
    bench.step(Input::Connected);
    bench.receive(1, 0, Body::BindTransceiverResp(BindResp::default()));
    bench
}

fn with(set: impl FnOnce(&mut SubmitSm)) -> SubmitSm {
    let mut pdu = SubmitSm { short_message: b"hello".to_vec(), ..SubmitSm::default() };
    set(&mut pdu);
    pdu
}

#[test]
fn hints_are_left_out_before_3_4() {
    let message = with(|pdu| pdu.tlvs.set_user_message_reference(7));

    for (version, sent) in [(0x33, with(|_| {})), (0x34, message.clone()), (0x50, message.clone())] {
        let outputs = bound(version).step(Input::Submit { token: 1, pdu: message.clone() });
        assert_eq!(outputs, [Output::Send(Pdu::ok(2, Body::SubmitSm(sent)))], "0x{version:x}");
    }
}

#[test]
fn a_message_is_never_sent_without_its_text_or_its_place() {
    let payload = with(|pdu| pdu.set_payload(b"hello".to_vec()));
    let segment = with(|pdu| pdu.tlvs.set_sar(crate::codec::Sar { reference: 1, total: 2, number: 1 }));

    for (pdu, tag) in [(payload, tag::MESSAGE_PAYLOAD), (segment, tag::SAR_MSG_REF_NUM)] {
        let mut bench = bound(0x33);
        let error = EncodeError::OptionalParameter(tag);
        assert_eq!(bench.step(Input::Submit { token: 1, pdu }), [Output::Invalid { token: 1, error }]);
        assert_eq!(bench.session.in_flight(), 0);
    }
}
