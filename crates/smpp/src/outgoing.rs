//! Octets on their way to the socket, and which PDUs they end.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::codec::{EncodeError, Pdu};

/// The octets that have gathered since the last write: one write takes them all.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    octets: Vec<u8>,
    /// Octets of `octets` that are written.
    written: usize,
    /// Where each PDU ends in `octets`, and the sequence number of a request. That of an answer is the peer's, and may be
    /// that of a request of ours, too.
    ends: VecDeque<(usize, Option<u32>)>,
    /// The stream has taken octets that it may not have passed on yet, as TLS does.
    unflushed: bool,
}

impl Outgoing {
    /// Adds a PDU behind the others.
    pub(crate) fn push(&mut self, pdu: &Pdu) -> Result<(), EncodeError> {
        pdu.encode(&mut self.octets)?;
        let own = Some(pdu.sequence).filter(|_| !pdu.is_response());
        self.ends.push_back((self.octets.len(), own));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    pub(crate) fn unwritten_octets(&self) -> &[u8] {
        self.octets.get(self.written..).unwrap_or_default()
    }

    /// Tells whether neither a write nor a flush is due.
    pub(crate) fn is_done(&self) -> bool {
        self.is_empty() && !self.unflushed
    }

    /// Notes what [`push`] has done for the [`Self::unwritten_octets`].
    pub(crate) fn pushed(&mut self, count: usize) {
        self.unflushed = !self.is_empty();
        self.wrote(count);
    }

    /// Notes that the socket took `count` more octets.
    fn wrote(&mut self, count: usize) {
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

    /// Gives the sequence numbers of the requests of which at least one octet was not written.
    pub(crate) fn unwritten(&self) -> Vec<u32> {
        self.ends.iter().filter_map(|&(_, own)| own).collect()
    }
}

/// Writes some of `octets`, or flushes when there are none. May be dropped unfinished: then nothing was taken.
pub(crate) async fn push(writer: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<usize> {
    if octets.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(octets).await }
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

        outgoing.pushed(16);
        assert_eq!(outgoing.unwritten(), [2, 3]);
        outgoing.pushed(31);
        assert_eq!(outgoing.unwritten(), [3]);
        outgoing.pushed(1);
        assert!(outgoing.is_empty() && outgoing.unwritten().is_empty());
        assert!(!outgoing.is_done(), "a flush is due");
        outgoing.pushed(0);
        assert!(outgoing.is_done());
    }

    #[test]
    fn the_number_of_an_unwritten_answer_is_not_that_of_a_request() {
        let mut outgoing = Outgoing::default();
        for body in [Body::EnquireLinkResp, Body::GenericNack, Body::EnquireLink] {
            outgoing.push(&Pdu::ok(7, body)).unwrap();
        }

        assert_eq!(outgoing.unwritten(), [7]);
    }
}
