//! Any lawful PDU.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::codec::*;

fn text(most: usize) -> impl Strategy<Value = String> {
    vec((1u8..=255).prop_map(char::from), 0..=most).prop_map(String::from_iter)
}

fn address(most: usize) -> impl Strategy<Value = Address> {
    (any::<u8>(), any::<u8>(), text(most)).prop_map(|(ton, npi, value)| Address { ton, npi, value })
}

fn tlv() -> impl Strategy<Value = Tlv> {
    prop_oneof![
        text(64).prop_map(Tlv::ReceiptedMessageId),
        any::<u8>().prop_map(Tlv::MessageState),
        vec(any::<u8>(), 0..300).prop_map(Tlv::MessagePayload),
        any::<u16>().prop_map(Tlv::SarMsgRefNum),
        any::<u8>().prop_map(Tlv::SarTotalSegments),
        any::<u8>().prop_map(Tlv::SarSegmentSeqnum),
        any::<(u8, u16)>().prop_map(|(network, code)| Tlv::NetworkErrorCode(network, code)),
        any::<u16>().prop_map(Tlv::UserMessageReference),
        any::<u8>().prop_map(Tlv::ScInterfaceVersion),
        (0x1400u16..0x3FFF, vec(any::<u8>(), 0..20)).prop_map(|(tag, value)| Tlv::Other { tag, value }),
    ]
}

fn tlvs() -> impl Strategy<Value = Tlvs> {
    vec(tlv(), 0..4).prop_map(Tlvs)
}

fn bind() -> impl Strategy<Value = Bind> {
    (text(15), text(8), text(12), any::<[u8; 3]>(), text(40)).prop_map(
        |(system_id, password, system_type, [interface_version, addr_ton, addr_npi], address_range)| Bind {
            system_id,
            password,
            system_type,
            interface_version,
            addr_ton,
            addr_npi,
            address_range,
        },
    )
}

fn bind_resp() -> impl Strategy<Value = BindResp> {
    (text(15), tlvs()).prop_map(|(system_id, tlvs)| BindResp { system_id, tlvs })
}

fn message() -> impl Strategy<Value = ShortMessage> {
    let addresses = (text(5), address(20), address(20));
    let times = (text(16), text(16));
    (addresses, times, any::<[u8; 7]>(), vec(any::<u8>(), 0..=254), tlvs()).prop_map(
        |((service_type, source, destination), (schedule, validity), octets, short_message, tlvs)| {
            ShortMessage {
                service_type,
                source,
                destination,
                esm_class: octets[0],
                protocol_id: octets[1],
                priority_flag: octets[2],
                schedule_delivery_time: schedule,
                validity_period: validity,
                registered_delivery: octets[3],
                replace_if_present_flag: octets[4],
                data_coding: octets[5],
                sm_default_msg_id: octets[6],
                short_message,
                tlvs,
            }
        },
    )
}

fn data() -> impl Strategy<Value = DataSm> {
    (text(5), address(64), address(64), any::<[u8; 3]>(), tlvs()).prop_map(
        |(service_type, source, destination, [esm_class, registered_delivery, data_coding], tlvs)| DataSm {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            tlvs,
        },
    )
}

fn query_resp() -> impl Strategy<Value = QuerySmResp> {
    (text(64), text(16), any::<u8>(), any::<u8>()).prop_map(
        |(message_id, final_date, message_state, error_code)| QuerySmResp {
            message_id,
            final_date,
            message_state: message_state.into(),
            error_code,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        bind().prop_map(Body::BindReceiver),
        bind_resp().prop_map(Body::BindReceiverResp),
        bind().prop_map(Body::BindTransmitter),
        bind_resp().prop_map(Body::BindTransmitterResp),
        bind().prop_map(Body::BindTransceiver),
        bind_resp().prop_map(Body::BindTransceiverResp),
        (text(64), address(20))
            .prop_map(|(message_id, source)| Body::QuerySm(QuerySm { message_id, source })),
        query_resp().prop_map(Body::QuerySmResp),
        message().prop_map(Body::SubmitSm),
        text(64).prop_map(|message_id| Body::SubmitSmResp(SubmitSmResp { message_id })),
        message().prop_map(Body::DeliverSm),
        (text(15), text(8)).prop_map(|(system_id, password)| Body::Outbind(Outbind { system_id, password })),
        (address(64), address(64), tlvs()).prop_map(|(source, esme, tlvs)| {
            Body::AlertNotification(AlertNotification { source, esme, tlvs })
        }),
        data().prop_map(Body::DataSm),
        (text(64), tlvs()).prop_map(|(message_id, tlvs)| Body::DataSmResp(DataSmResp { message_id, tlvs })),
        proptest::sample::select(vec![
            Body::GenericNack,
            Body::DeliverSmResp,
            Body::Unbind,
            Body::UnbindResp,
            Body::EnquireLink,
            Body::EnquireLinkResp,
        ]),
    ]
}

/// Any PDU that the encoder accepts.
pub(super) fn pdu() -> impl Strategy<Value = Pdu> {
    (option::of(any::<u32>()), any::<u32>(), body()).prop_map(|(status, sequence, body)| Pdu {
        status: CommandStatus(status.unwrap_or_default()),
        sequence,
        body,
    })
}
