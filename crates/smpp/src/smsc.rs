//! An SMSC simulator: for tests, for trying things without an operator, and for `sealpost smsc`.
//!
//! In: binds and submit_sm from any number of ESMEs. Out: responses, receipts and messages, as the [`Behaviour`]
//! says: late, lost, throttled, refused, in several formats, dead after so many. The same seed and the same order of
//! submissions give the same behaviour. Receipts go to any receiver bound under the submitter's system_id, are kept
//! until there is one, and come again until they are answered with status 0.

mod behaviour;
mod connection;
mod receipt;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use behaviour::{Behaviour, FinalState, IdFormat, Plan, ReceiptFormat, Receipts, Script, Span, Verdict};
pub use state::{Accepted, SmscCounts, SmscEvent};

use crate::codec::DeliverSm;
use crate::esme::Password;
use state::Shared;

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
    address: SocketAddr,
    shared: Arc<Shared>,
    life: Mutex<Life>,
}

/// The listener and the connections from a start or revival to the next death.
#[derive(Clone)]
struct Life {
    /// Cancelled to kill them all.
    death: CancellationToken,
    tasks: TaskTracker,
}

impl Life {
    fn start(listener: TcpListener, shared: &Arc<Shared>) -> Self {
        let life = Self { death: CancellationToken::new(), tasks: TaskTracker::new() };
        life.tasks.spawn(accept(listener, Arc::clone(shared), life.clone()));
        life
    }
}

impl Smsc {
    /// Starts one on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(settings: SmscSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings));
        let life = Mutex::new(Life::start(listener, &shared));
        Ok(Self { address, shared, life })
    }

    /// Gives the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the messages accepted so far, in order (the last [`SmscSettings::keep`] of them).
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.lock().log.iter().cloned().collect()
    }

    /// Gives the counters to read, or to wait on.
    pub fn counts(&self) -> watch::Receiver<SmscCounts> {
        self.shared.counts.subscribe()
    }

    /// Changes how it behaves from the next message on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.lock().behaviour);
    }

    /// Brings a message to the ESME of that system_id, as soon as a receiver is bound.
    pub fn deliver(&self, system_id: &str, message: DeliverSm) {
        self.shared.enqueue(system_id, std::time::Duration::ZERO, message);
    }

    /// Dies as by kill -9: listener and connections are gone at once; what was accepted, and receipts not yet
    /// answered, stay for [`Self::revive`].
    pub fn kill(&self) {
        self.life().death.cancel();
    }

    fn life(&self) -> Life {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lives again at the same address, and forgets [`Behaviour::die_after`].
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn revive(&self) -> io::Result<()> {
        let old = self.life();
        old.death.cancel();
        old.tasks.close();
        old.tasks.wait().await;
        let listener = TcpListener::bind(self.address).await?;
        self.behave(|behaviour| behaviour.die_after = None);
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Life::start(listener, &self.shared);
        Ok(())
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, life: Life) {
    loop {
        tokio::select! {
            () = life.death.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    life.tasks.spawn(connection::serve(stream, Arc::clone(&shared), life.death.clone()));
                }
                // Out of descriptors, or a peer that went away: the next may be better, but not at once.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            },
        }
    }
}
