//! Octets on their way to the socket, and which PDUs they end.

use std::collections::VecDeque;

use crate::codec::{EncodeError, Pdu};

/// The octets that have gathered since the last write: one write takes them all.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    octets: Vec<u8>,
    /// Octets of `octets` that are written.
    written: usize,
    /// Where each PDU ends in `octets`, and its sequence number.
    ends: VecDeque<(usize, u32)>,
}

impl Outgoing {
    /// Adds a PDU behind the others.
    pub(crate) fn push(&mut self, pdu: &Pdu) -> Result<(), EncodeError> {
        pdu.encode(&mut self.octets)?;
        self.ends.push_back((self.octets.len(), pdu.sequence));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    pub(crate) fn unwritten_octets(&self) -> &[u8] {
        self.octets.get(self.written..).unwrap_or_default()
    }

    /// Notes that the socket took `count` more octets.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.octets.len() {
            self.octets.clear();
            self.ends.clear();
            self.written = 0;
            return;
        }
        while self.ends.front().is_some_and(|&(end, _)| end <= self.written) {
            self.ends.pop_front();
        }
    }

    /// Gives the sequence numbers of the PDUs of which at least one octet was not written.
    pub(crate) fn unwritten(&self) -> Vec<u32> {
        self.ends.iter().map(|&(_, sequence)| sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Body;

    #[test]
    fn only_pdus_written_to_their_last_octet_count_as_written() {
        let mut outgoing = Outgoing::default();
        for sequence in 1..=3 {
            outgoing.push(&Pdu::ok(sequence, Body::EnquireLink)).unwrap();
        }

        outgoing.wrote(16);
        assert_eq!(outgoing.unwritten(), [2, 3]);
        outgoing.wrote(31);
        assert_eq!(outgoing.unwritten(), [3]);
        outgoing.wrote(1);
        assert!(outgoing.is_empty() && outgoing.unwritten().is_empty());
    }
}
