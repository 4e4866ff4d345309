//! Parameters of bind_transmitter, bind_receiver, bind_transceiver, their responses, and outbind (SMPP 3.4 §4.1).

use std::fmt;

use super::error::{EncodeError, Fault};
use super::fields::{Reader, put_text};
use super::tlv::Tlvs;

/// Asks for a session (SMPP 3.4 §4.1.1, §4.1.3, §4.1.5: the three binds have one layout).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bind {
    /// Who binds, at most 15 characters.
    pub system_id: String,
    /// Its password, at most 8 characters.
    pub password: String,
    /// Kind of ESME, at most 12 characters.
    pub system_type: String,
    /// Version spoken: 0x34 is 3.4.
    pub interface_version: u8,
    /// Type of number of the addresses served.
    pub addr_ton: u8,
    /// Numbering plan of the addresses served.
    pub addr_npi: u8,
    /// Addresses served, as a pattern; at most 40 characters.
    pub address_range: String,
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &self.system_id)
            .field("password", &"[redacted]")
            .field("system_type", &self.system_type)
            .field("interface_version", &self.interface_version)
            .finish_non_exhaustive()
    }
}

impl Bind {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            system_id: reader.text("system_id")?,
            password: reader.text("password")?,
            system_type: reader.text("system_type")?,
            interface_version: reader.u8("interface_version")?,
            addr_ton: reader.u8("addr_ton")?,
            addr_npi: reader.u8("addr_npi")?,
            address_range: reader.last_text(),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.system_id, "system_id", 16)?;
        put_text(out, &self.password, "password", 9)?;
        put_text(out, &self.system_type, "system_type", 13)?;
        out.extend([self.interface_version, self.addr_ton, self.addr_npi]);
        put_text(out, &self.address_range, "address_range", 41)
    }
}

/// Answers a bind (SMPP 3.4 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindResp {
    /// The SMSC's own name.
    pub system_id: String,
    /// Optional parameters, such as sc_interface_version.
    pub tlvs: Tlvs,
}

impl BindResp {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        Self { system_id: reader.last_text(), tlvs: Tlvs::decode(reader) }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.system_id, "system_id", 16)?;
        self.tlvs.encode(out)
    }
}

/// Asks an ESME to bind as receiver (SMPP 3.4 §4.1.7).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Outbind {
    /// The SMSC's name.
    pub system_id: String,
    /// The SMSC's password.
    pub password: String,
}

impl fmt::Debug for Outbind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbind")
            .field("system_id", &self.system_id)
            .field("password", &"[redacted]")
            .finish()
    }
}

impl Outbind {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { system_id: reader.text("system_id")?, password: reader.last_text() })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_text(out, &self.system_id, "system_id", 16)?;
        put_text(out, &self.password, "password", 9)
    }
}
