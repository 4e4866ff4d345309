//! What an ESME is told once.

use std::fmt;
use std::time::Duration;

use crate::codec::Bind;
use crate::session::{BindKind, SessionSettings};

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

/// One bind to one SMSC.
#[derive(Debug, Clone)]
pub struct EsmeSettings {
    /// Name of the SMSC in logs.
    pub name: String,
    /// Host name or address of the SMSC.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Who binds, at most 15 characters.
    pub system_id: String,
    /// Its password.
    pub password: Password,
    /// Kind of ESME, at most 12 characters.
    pub system_type: String,
    /// Which bind.
    pub kind: BindKind,
    /// SMPP version spoken: 0x34 is 3.4.
    pub interface_version: u8,
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
    /// Most submissions a second; `None` for no limit.
    pub tps: Option<f64>,
    /// How long a connection may take.
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
    /// How long responses are waited for at [`Esme::shutdown`].
    pub drain: Duration,
}

impl Default for EsmeSettings {
    fn default() -> Self {
        Self {
            name: "smsc".into(),
            host: "127.0.0.1".into(),
            port: 2775,
            system_id: String::new(),
            password: Password::default(),
            system_type: String::new(),
            kind: BindKind::Transceiver,
            interface_version: 0x34,
            addr_ton: 0,
            addr_npi: 0,
            address_range: String::new(),
            window: 10,
            queue: 1000,
            tps: None,
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(10),
            enquire_link: Duration::from_secs(30),
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(60),
            alarm_retry: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

impl EsmeSettings {
    pub(super) fn session(&self) -> SessionSettings {
        SessionSettings {
            kind: self.kind,
            bind: Bind {
                system_id: self.system_id.clone(),
                password: self.password.expose().to_owned(),
                system_type: self.system_type.clone(),
                interface_version: self.interface_version,
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
