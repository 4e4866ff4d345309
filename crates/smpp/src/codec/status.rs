//! `command_status` values (SMPP 3.4 §5.1.3).

use std::fmt;

/// Says how a request went: zero is success. Any number is kept, as SMSCs have codes of their own (§5.1.3 reserves
/// 0x400 to 0x4FF for them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CommandStatus(pub u32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl CommandStatus {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Gives the specification's name, such as `ESME_RTHROTTLED`; `None` for a code it does not define.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(concat!("ESME_", stringify!($name))),)*
                    _ => None,
                }
            }

            /// Gives the status of such a name, with or without `ESME_`; `None` for a name it does not define.
            pub fn from_name(name: &str) -> Option<Self> {
                match name.strip_prefix("ESME_").unwrap_or(name) {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// No error.
    ROK = 0x00;
    /// Message length is invalid.
    RINVMSGLEN = 0x01;
    /// Command length is invalid.
    RINVCMDLEN = 0x02;
    /// Command id is invalid.
    RINVCMDID = 0x03;
    /// Incorrect bind status for the command.
    RINVBNDSTS = 0x04;
    /// The ESME is already bound.
    RALYBND = 0x05;
    /// Invalid priority flag.
    RINVPRTFLG = 0x06;
    /// Invalid registered delivery flag.
    RINVREGDLVFLG = 0x07;
    /// System error.
    RSYSERR = 0x08;
    /// Invalid source address.
    RINVSRCADR = 0x0A;
    /// Invalid destination address.
    RINVDSTADR = 0x0B;
    /// Message id is invalid.
    RINVMSGID = 0x0C;
    /// Bind failed.
    RBINDFAIL = 0x0D;
    /// Invalid password.
    RINVPASWD = 0x0E;
    /// Invalid system id.
    RINVSYSID = 0x0F;
    /// cancel_sm failed.
    RCANCELFAIL = 0x11;
    /// replace_sm failed.
    RREPLACEFAIL = 0x13;
    /// The SMSC's queue is full.
    RMSGQFUL = 0x14;
    /// Invalid service type.
    RINVSERTYP = 0x15;
    /// Invalid number of destinations.
    RINVNUMDESTS = 0x33;
    /// Invalid distribution list.
    RINVDLNAME = 0x34;
    /// Invalid destination flag.
    RINVDESTFLAG = 0x40;
    /// Invalid combination of submission and "replace if present".
    RINVSUBREP = 0x42;
    /// Invalid esm_class.
    RINVESMCLASS = 0x43;
    /// Cannot submit to the distribution list.
    RCNTSUBDL = 0x44;
    /// The submission failed.
    RSUBMITFAIL = 0x45;
    /// Invalid type of number of the source.
    RINVSRCTON = 0x48;
    /// Invalid numbering plan of the source.
    RINVSRCNPI = 0x49;
    /// Invalid type of number of the destination.
    RINVDSTTON = 0x50;
    /// Invalid numbering plan of the destination.
    RINVDSTNPI = 0x51;
    /// Invalid system type.
    RINVSYSTYP = 0x53;
    /// Invalid "replace if present" flag.
    RINVREPFLAG = 0x54;
    /// Invalid number of messages.
    RINVNUMMSGS = 0x55;
    /// The ESME sends faster than it is allowed to.
    RTHROTTLED = 0x58;
    /// Invalid scheduled delivery time.
    RINVSCHED = 0x61;
    /// Invalid validity period.
    RINVEXPIRY = 0x62;
    /// Predefined message is invalid or not found.
    RINVDFTMSGID = 0x63;
    /// The receiver has a temporary error: the SMSC should deliver again.
    RX_T_APPN = 0x64;
    /// The receiver has a permanent error.
    RX_P_APPN = 0x65;
    /// The receiver rejects the message.
    RX_R_APPN = 0x66;
    /// query_sm failed.
    RQUERYFAIL = 0x67;
    /// Error in the optional part of the PDU.
    RINVOPTPARSTREAM = 0xC0;
    /// Optional parameter not allowed.
    ROPTPARNOTALLWD = 0xC1;
    /// Invalid parameter length.
    RINVPARLEN = 0xC2;
    /// An expected optional parameter is missing.
    RMISSINGOPTPARAM = 0xC3;
    /// Invalid value of an optional parameter.
    RINVOPTPARAMVAL = 0xC4;
    /// Delivery failed.
    RDELIVERYFAILURE = 0xFE;
    /// Unknown error.
    RUNKNOWNERR = 0xFF;
}

impl CommandStatus {
    /// Tells whether the request succeeded.
    pub fn is_ok(self) -> bool {
        self == Self::ROK
    }

    /// Tells whether the SMSC asks for a slower pace: throttled, or its queue is full. Nothing was accepted.
    pub fn is_throttle(self) -> bool {
        matches!(self, Self::RTHROTTLED | Self::RMSGQFUL)
    }

    /// Tells whether a bind was refused for who asked, which no quick retry mends.
    pub fn is_refused_bind(self) -> bool {
        matches!(self, Self::RBINDFAIL | Self::RINVPASWD | Self::RINVSYSID)
    }
}

impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.0),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}
