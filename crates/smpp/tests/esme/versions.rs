//! Versions of SMPP: the one spoken, and those that SMSCs name.

use smpp::codec::{BindResp, Body, EncodeError, SubmitSm, Tlv, Tlvs, tag};
use smpp::esme::{BindKind, EsmeSettings, Event, InterfaceVersion, Submission};
use smpp::smsc::{Behaviour, ReceiptFormat, Receipts};

use crate::harness::{Bound, message, settings, simulator, submission};
use crate::peer::{bound, bound_with};

fn with_reference(token: u64) -> Submission {
    let mut pdu = message(token);
    pdu.tlvs.set_user_message_reference(7);
    Submission { pdu, ..submission(token) }
}

#[tokio::test]
async fn the_bind_names_the_version_that_is_set() {
    let versions = [
        (InterfaceVersion::Smpp33, 0x33, None),
        (InterfaceVersion::Smpp34, 0x34, Some(7)),
        (InterfaceVersion::Smpp50, 0x50, Some(7)),
    ];

    for (interface_version, octet, reference) in versions {
        let (bound, mut peer) = bound(|settings| EsmeSettings { interface_version, ..settings }).await;
        bound.esme.submit(vec![with_reference(1)]).await.unwrap();

        let Body::SubmitSm(submit) = peer.read().await.body else { panic!() };
        assert_eq!(peer.bind.interface_version, octet);
        assert_eq!(submit.tlvs.user_message_reference(), reference, "{interface_version:?}");
    }
}

#[tokio::test]
async fn any_version_of_the_smsc_is_accepted() {
    let named = [0x00, 0x33, 0x34, 0x50, 0xFF].map(|version| vec![Tlv::ScInterfaceVersion(version)]);

    for tlvs in named.into_iter().chain([vec![]]) {
        let answer = BindResp { tlvs: Tlvs(tlvs), ..BindResp::default() };
        let (bound, mut peer) = bound_with(|settings| settings, answer).await;
        bound.submit([1]).await;
        assert!(matches!(peer.read().await.body, Body::SubmitSm(_)));
    }
}

#[tokio::test]
async fn a_message_that_needs_optional_parameters_is_invalid_in_3_3() {
    let interface_version = InterfaceVersion::Smpp33;
    let (mut bound, mut peer) = bound(|settings| EsmeSettings { interface_version, ..settings }).await;
    let mut long: SubmitSm = message(1);
    long.set_payload(vec![b'x'; 300]);

    bound.esme.submit(vec![Submission { pdu: long, ..submission(1) }, with_reference(2)]).await.unwrap();

    let Event::Invalid { token: 1, error } = bound.event().await else { panic!() };
    assert_eq!(error, EncodeError::OptionalParameter(tag::MESSAGE_PAYLOAD));
    let Body::SubmitSm(submit) = peer.read().await.body else { panic!() };
    assert_eq!((submit.short_message.as_slice(), submit.tlvs), (b"message 2".as_slice(), Tlvs::default()));
}

#[tokio::test]
async fn simulator_gives_an_esme_of_3_3_receipts_without_optional_parameters() {
    let receipts = Receipts { format: ReceiptFormat::Tlv, ..Receipts::default() };
    let smsc = simulator(Behaviour { receipts: Some(receipts), ..Behaviour::default() }).await;
    let interface_version = InterfaceVersion::Smpp33;
    let bind = |kind| EsmeSettings { kind, interface_version, ..settings(smsc.address()) };
    let transmitter = Bound::spawn(bind(BindKind::Transmitter)).await;
    let mut receiver = Bound::spawn(bind(BindKind::Receiver)).await;

    transmitter.submit([1]).await;

    let receipt = receiver.delivery().await.message;
    assert!(receipt.is_receipt() && receipt.tlvs == Tlvs::default());
    assert!(receipt.text().starts_with(b"id:1 sub:001 "));
}
