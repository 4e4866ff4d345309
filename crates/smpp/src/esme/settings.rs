//! What an ESME is told once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::pace::PaceLimits;
use crate::codec::Bind;
use crate::session::{BindKind, SessionSettings};
use crate::tls::ClientTls;

/// A password; its `Debug` is `[redacted]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the text, at most 8 characters for SMPP 3.4.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Version of SMPP that an ESME says it speaks (SMPP 3.4 §5.2.4). Whatever version the SMSC names, or none, is
/// accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InterfaceVersion {
    /// 3.3, for SMSCs that refuse newer ones. It has no optional parameters: none are sent, and a message that needs
    /// them is invalid. It has no transceiver either, so it goes with a transmitter and a receiver.
    Smpp33,
    /// 3.4.
    #[default]
    Smpp34,
    /// 5.0, as far as it is 3.4: nothing that only 5.0 has is used.
    Smpp50,
}

impl InterfaceVersion {
    /// Gives the value of interface_version.
    pub fn as_u8(self) -> u8 {
        match self {
            Self::Smpp33 => 0x33,
            Self::Smpp34 => 0x34,
            Self::Smpp50 => 0x50,
        }
    }
}

/// A text names no version: 3.3, 3.4 or 5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an SMPP version is 3.3, 3.4 or 5.0")]
pub struct UnknownInterfaceVersion;

impl FromStr for InterfaceVersion {
    type Err = UnknownInterfaceVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "3.3" => Ok(Self::Smpp33),
            "3.4" => Ok(Self::Smpp34),
            "5.0" => Ok(Self::Smpp50),
            _ => Err(UnknownInterfaceVersion),
        }
    }
}

/// One bind to one SMSC.
#[derive(Debug, Clone)]
pub struct EsmeSettings {
    /// Name of the SMSC in logs.
    pub name: String,
    /// Host name or address of the SMSC.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// TLS, if connections are to use it; [`super::Esme::renew_tls`] changes it.
    pub tls: Option<ClientTls>,
    /// Who binds, at most 15 characters.
    pub system_id: String,
    /// Its password.
    pub password: Password,
    /// Kind of ESME, at most 12 characters.
    pub system_type: String,
    /// Which bind.
    pub kind: BindKind,
    /// SMPP version spoken.
    pub interface_version: InterfaceVersion,
    /// Type of number of the addresses served.
    pub addr_ton: u8,
    /// Numbering plan of the addresses served.
    pub addr_npi: u8,
    /// Addresses served, as a pattern.
    pub address_range: String,
    /// Most requests without a response.
    pub window: usize,
    /// Most submissions that wait for a slot; also the size of the event channel, at least.
    pub queue: usize,
    /// Most submissions in any second, evenly spread; `None` for no limit. A fraction counts as a whole one in some
    /// seconds. Parts of one SMS are submissions like others.
    pub tps: Option<f64>,
    /// First pause of the bind after "throttled" or "queue full"; doubled while throttling goes on.
    pub throttle_pause: Duration,
    /// Longest such pause.
    pub throttle_pause_max: Duration,
    /// Whether submissions that were not written when such a pause begins, or come during it, are given back as
    /// [`Event::NotSent`](super::Event::NotSent), for an owner who has other ways to send them; else they wait.
    pub give_back_when_paused: bool,
    /// Without `tps`: how long after the last such pause the limit is lifted that throttling has set.
    pub throttle_lift: Duration,
    /// How long a connection may take, with the handshake of TLS.
    pub connect_timeout: Duration,
    /// How long a response may take.
    pub response_timeout: Duration,
    /// How long the SMSC may be silent before it is asked whether it lives.
    pub enquire_link: Duration,
    /// First wait before a new connection; doubled at each failure, with jitter.
    pub reconnect_min: Duration,
    /// Longest wait before a new connection.
    pub reconnect_max: Duration,
    /// Wait before a new try after refused credentials.
    pub alarm_retry: Duration,
    /// How long responses are waited for at [`super::Esme::shutdown`], and when it begins to be held.
    pub drain: Duration,
    /// Whether it begins [held](super::Esme::hold).
    pub held: bool,
}

impl Default for EsmeSettings {
    fn default() -> Self {
        Self {
            name: "smsc".into(),
            host: "127.0.0.1".into(),
            port: 2775,
            tls: None,
            system_id: String::new(),
            password: Password::default(),
            system_type: String::new(),
            kind: BindKind::Transceiver,
            interface_version: InterfaceVersion::default(),
            addr_ton: 0,
            addr_npi: 0,
            address_range: String::new(),
            window: 10,
            queue: 1000,
            tps: None,
            throttle_pause: Duration::from_secs(1),
            throttle_pause_max: Duration::from_secs(60),
            give_back_when_paused: false,
            throttle_lift: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(10),
            enquire_link: Duration::from_secs(30),
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(60),
            alarm_retry: Duration::from_secs(60),
            drain: Duration::from_secs(10),
            held: false,
        }
    }
}

impl EsmeSettings {
    pub(super) fn pace(&self) -> PaceLimits {
        PaceLimits {
            tps: self.tps,
            pause: self.throttle_pause,
            pause_max: self.throttle_pause_max,
            lift_after: self.throttle_lift,
        }
    }

    pub(super) fn session(&self) -> SessionSettings {
        SessionSettings {
            kind: self.kind,
            bind: Bind {
                system_id: self.system_id.clone(),
                password: self.password.expose().to_owned(),
                system_type: self.system_type.clone(),
                interface_version: self.interface_version.as_u8(),
                addr_ton: self.addr_ton,
                addr_npi: self.addr_npi,
                address_range: self.address_range.clone(),
            },
            window: self.window,
            response_timeout: self.response_timeout,
            enquire_link: self.enquire_link,
        }
    }
}
