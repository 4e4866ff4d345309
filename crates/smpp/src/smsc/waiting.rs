//! What waits to be delivered, by the system_id that it is for.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use crate::codec::{Body, DeliverSm};

/// A receipt or message for an ESME.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) message: DeliverSm,
    pub(super) by_data_sm: bool,
}

impl Parcel {
    /// Gives the request that carries it. An ESME older than SMPP 3.4 gets no optional parameters: the text of one goes
    /// into short_message as far as it fits.
    pub(super) fn body(&self, knows_tlvs: bool) -> Body {
        let mut message = self.message.clone();
        if self.by_data_sm && knows_tlvs {
            return Body::DataSm(message.into());
        }
        if !knows_tlvs {
            message.short_message = message.text().iter().copied().take(254).collect();
            message.tlvs = Default::default();
        }
        Body::DeliverSm(message)
    }
}

/// Parcels by system_id and time; the number keeps two of one moment apart and in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    parcels: HashMap<String, BTreeMap<(Instant, u64), Parcel>>,
    count: u64,
}

impl Waiting {
    pub(super) fn put(&mut self, system_id: &str, at: Instant, parcel: Parcel) {
        self.count += 1;
        self.parcels.entry(system_id.to_owned()).or_default().insert((at, self.count), parcel);
    }

    /// Takes at most `most` parcels that are due, and tells when the next is.
    pub(super) fn take(
        &mut self,
        system_id: &str,
        now: Instant,
        most: usize,
    ) -> (Vec<Parcel>, Option<Instant>) {
        let Some(waiting) = self.parcels.get_mut(system_id) else { return (Vec::new(), None) };
        let mut due = Vec::new();
        while due.len() < most
            && let Some(entry) = waiting.first_entry()
            && entry.key().0 <= now
        {
            due.push(entry.remove());
        }
        (due, waiting.first_key_value().map(|(&(at, _), _)| at))
    }
}
