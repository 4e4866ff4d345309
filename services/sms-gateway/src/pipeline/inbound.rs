//! Messages from handsets: stored, and answered once they are durable.

pub(crate) mod overdue;
pub(crate) mod settling;

use std::collections::BTreeSet;

use common::crypto::sms_envelope::{KeyKind, SealingKey};
use common::models::sms::{ClientId, SmscName};
use smpp::codec::CommandStatus;
use smpp::esme::Delivery;
use sms::DefaultAlphabet;

use super::Gateway;
use super::vault::CachedVault;
use crate::domain::inbound::Fragment;
use crate::domain::inbound::owners::PublicKeys;
use crate::settings::Unowned;
use crate::store::inbound::{Fate, Taken, Task};
use settling::Waiting;

impl PublicKeys for CachedVault {
    fn public_key(&self, client: &ClientId, kind: KeyKind) -> Option<SealingKey> {
        let keys = self.keys().ok()?;
        keys.vault.as_ref()?.sealing_key_of(client.as_str(), kind).ok()
    }
}

/// Reads what an SMSC has brought.
pub(crate) fn read(smsc: &SmscName, alphabet: DefaultAlphabet, delivery: &Delivery) -> Task {
    Task::Take(Fragment::read(smsc, alphabet, &delivery.message))
}

impl Gateway {
    /// Stores what an SMSC has brought, and answers it.
    pub(crate) async fn take_inbound(&self, smsc: &SmscName, brought: Vec<(Delivery, Task)>) {
        if brought.is_empty() {
            return;
        }
        let (deliveries, tasks): (Vec<Delivery>, Vec<Task>) = brought.into_iter().unzip();
        let taken = self.inbound.submit_many(tasks).await;
        let mut published = false;
        for (delivery, taken) in deliveries.into_iter().zip(taken) {
            let outcome = match taken {
                Ok(taken) => {
                    published |= taken.fate == Fate::Published;
                    self.answer_inbound(smsc, delivery, taken)
                }
                Err(error) => {
                    tracing::warn!(%smsc, %error, "a message from a handset cannot be stored now");
                    delivery.answer(CommandStatus::RX_T_APPN);
                    "refused"
                }
            };
            self.metrics.inbound_total.with_label_values(&[smsc.as_str(), outcome]).inc();
        }
        if published {
            self.announcer.wake();
        }
    }

    fn answer_inbound(&self, smsc: &SmscName, delivery: Delivery, taken: Taken) -> &'static str {
        let Taken { fate, stops, words } = taken;
        for word in words {
            self.metrics.opt_outs_total.with_label_values(&[word.as_str()]).inc();
        }
        match fate {
            Fate::Unowned => {
                tracing::warn!(%smsc, "a message from a handset is nobody's: no entry of sms_gateway.inbound has its number");
                delivery.answer(match self.settings.inbound_unowned {
                    Unowned::Accept => CommandStatus::ROK,
                    Unowned::Refuse => CommandStatus::RX_P_APPN,
                });
            }
            Fate::Keyless => delivery.answer(CommandStatus::RX_T_APPN),
            _ if stops.is_empty() => delivery.answer(CommandStatus::ROK),
            _ => self.settle_later(delivery, stops),
        }
        fate.as_str()
    }

    /// Answers a STOP once nothing is under way that it should have stopped.
    fn settle_later(&self, delivery: Delivery, stops: BTreeSet<(ClientId, String)>) {
        if let Err(full) = self.stops.try_send(Waiting::new(delivery, stops)) {
            full.into_inner().refuse();
        }
    }
}
