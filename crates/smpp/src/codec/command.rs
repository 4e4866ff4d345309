//! `command_id` values (SMPP 3.4 §5.1.2.1).

/// The bit that tells a response from its request.
const RESPONSE: u32 = 0x8000_0000;

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// Names the operation of a PDU: SMPP 3.4 §5.1.2.1, without the operations that this crate does not speak.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum CommandId {
            $($(#[$doc])* $variant = $code,)*
        }

        impl CommandId {
            /// Gives the command of a number, `None` for one that this crate does not speak.
            pub fn from_u32(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Gives the name used by the specification, such as `submit_sm_resp`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

commands! {
    /// Says that a PDU could not be understood.
    GenericNack = 0x8000_0000, "generic_nack";
    /// Binds a receiver.
    BindReceiver = 0x0000_0001, "bind_receiver";
    /// Answers [`Self::BindReceiver`].
    BindReceiverResp = 0x8000_0001, "bind_receiver_resp";
    /// Binds a transmitter.
    BindTransmitter = 0x0000_0002, "bind_transmitter";
    /// Answers [`Self::BindTransmitter`].
    BindTransmitterResp = 0x8000_0002, "bind_transmitter_resp";
    /// Asks for the state of a message.
    QuerySm = 0x0000_0003, "query_sm";
    /// Answers [`Self::QuerySm`].
    QuerySmResp = 0x8000_0003, "query_sm_resp";
    /// Submits a message to the SMSC.
    SubmitSm = 0x0000_0004, "submit_sm";
    /// Answers [`Self::SubmitSm`].
    SubmitSmResp = 0x8000_0004, "submit_sm_resp";
    /// Brings a message or a receipt to the ESME.
    DeliverSm = 0x0000_0005, "deliver_sm";
    /// Answers [`Self::DeliverSm`].
    DeliverSmResp = 0x8000_0005, "deliver_sm_resp";
    /// Ends a session.
    Unbind = 0x0000_0006, "unbind";
    /// Answers [`Self::Unbind`].
    UnbindResp = 0x8000_0006, "unbind_resp";
    /// Binds a transceiver.
    BindTransceiver = 0x0000_0009, "bind_transceiver";
    /// Answers [`Self::BindTransceiver`].
    BindTransceiverResp = 0x8000_0009, "bind_transceiver_resp";
    /// Asks an ESME to bind.
    Outbind = 0x0000_000B, "outbind";
    /// Tests the link.
    EnquireLink = 0x0000_0015, "enquire_link";
    /// Answers [`Self::EnquireLink`].
    EnquireLinkResp = 0x8000_0015, "enquire_link_resp";
    /// Says that a subscriber has become available.
    AlertNotification = 0x0000_0102, "alert_notification";
    /// Carries data either way.
    DataSm = 0x0000_0103, "data_sm";
    /// Answers [`Self::DataSm`].
    DataSmResp = 0x8000_0103, "data_sm_resp";
}

impl CommandId {
    /// Gives the number on the wire.
    pub fn as_u32(self) -> u32 {
        self as u32
    }

    /// Tells whether a raw `command_id` is a response's (generic_nack included): those are never answered.
    pub fn is_response(code: u32) -> bool {
        code & RESPONSE != 0
    }
}
