//! An SMSC simulator: for tests, for trying things without an operator, and for `sealpost smsc`.
//!
//! In: binds and submit_sm from any number of ESMEs. Out: responses, receipts and messages, as the [`Behaviour`]
//! says: late, out of order, lost, throttled, refused, under wrong ids, in many formats, dead after so many. The same
//! seed and the same order of submissions give the same behaviour. Receipts go to any receiver bound under the submitter's system_id, are kept
//! until there is one, and come again until they are answered with status 0.

mod behaviour;
mod connection;
mod event;
mod life;
mod receipt;
mod state;
mod waiting;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use behaviour::{
    Behaviour, Binds, FinalState, IdChoice, IdFormat, Plan, ReceiptFormat, ReceiptPlan, ReceiptShape,
    Receipts, Script, Span, Verdict, WrongIds,
};
pub use event::{Accepted, SmscCounts, SmscEvent};

use crate::codec::DeliverSm;
use crate::esme::Password;
use crate::tls::ServerTls;
use life::Lives;
use waiting::Parcel;

/// Who may bind.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its system_id.
    pub system_id: String,
    /// Its password.
    pub password: Password,
}

/// Told of everything that happens, at once and in order; it must not block, nor ask the simulator. For printing.
pub type Hook = Arc<dyn Fn(&SmscEvent) + Send + Sync>;

/// What a simulator begins with.
#[derive(Clone)]
pub struct SmscSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, if connections are to use it.
    pub tls: Option<ServerTls>,
    /// What it calls itself, at most 15 characters.
    pub system_id: String,
    /// Who may bind; empty lets everyone in.
    pub accounts: Vec<Account>,
    /// How it behaves at first.
    pub behaviour: Behaviour,
    /// Seed of everything random.
    pub seed: u64,
    /// Most accepted messages that are kept for [`Smsc::accepted`]; the oldest go.
    pub keep: usize,
    /// Told of what happens.
    pub hook: Option<Hook>,
}

impl Default for SmscSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            system_id: "sealpost-smsc".into(),
            accounts: Vec::new(),
            behaviour: Behaviour::default(),
            seed: 1,
            keep: 100_000,
            hook: None,
        }
    }
}

/// A running simulator. Dropping it kills it.
pub struct Smsc {
    lives: Arc<Lives>,
}

impl Smsc {
    /// Starts one on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(settings: SmscSettings) -> io::Result<Self> {
        Ok(Self { lives: Lives::start(settings).await? })
    }

    /// Gives the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.lives.address
    }

    /// Gives the messages accepted so far, in order (the last [`SmscSettings::keep`] of them).
    pub fn accepted(&self) -> Vec<Accepted> {
        self.lives.shared.log()
    }

    /// Gives the counters to read, or to wait on.
    pub fn counts(&self) -> watch::Receiver<SmscCounts> {
        self.lives.shared.counts.subscribe()
    }

    /// Changes how it behaves from the next message on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.lives.shared.lock().behaviour);
    }

    /// Brings a message to the ESME of that system_id, as soon as a receiver is bound.
    pub fn deliver(&self, system_id: &str, message: DeliverSm) {
        self.lives.shared.enqueue(system_id, Duration::ZERO, Parcel { message, by_data_sm: false });
    }

    /// Dies as by kill -9: listener and connections are gone at once; what was accepted, and receipts not yet
    /// answered, stay for [`Self::revive`].
    pub fn kill(&self) {
        self.lives.end();
    }

    /// Lives again at the same address, and forgets [`Behaviour::die_after`].
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn revive(&self) -> io::Result<()> {
        self.behave(|behaviour| behaviour.die_after = None);
        self.lives.begin().await
    }
}
