//! One bind of an SMSC: which way it goes, and since when it is refused.

use std::sync::{Mutex, PoisonError};

use smpp::codec::CommandStatus;
use smpp::esme::{BindKind, Esme, EsmeState};
use tokio::time::Instant;

/// A bind.
pub(crate) struct Way {
    pub(super) esme: Esme,
    kind: BindKind,
    refused: Mutex<Option<(CommandStatus, Instant)>>,
}

impl Way {
    pub(super) fn new(esme: Esme, kind: BindKind) -> Self {
        Self { esme, kind, refused: Mutex::default() }
    }

    /// Gives which one it is.
    pub(crate) fn kind(&self) -> BindKind {
        self.kind
    }

    /// Tells whether it submits.
    pub(crate) fn submits(&self) -> bool {
        self.kind != BindKind::Receiver
    }

    /// Gives what it is at.
    pub(crate) fn state(&self) -> EsmeState {
        self.esme.state()
    }

    /// While the SMSC refuses our credentials: with what, and since when. To be asked again and again.
    pub(crate) fn alarm(&self) -> Option<(CommandStatus, Instant)> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match self.state() {
            EsmeState::Alarm { status } => {
                let since = refused.map_or_else(Instant::now, |(_, since)| since);
                *refused = Some((status, since));
            }
            // The next try, which may well be refused again.
            EsmeState::Connecting => {}
            _ => *refused = None,
        }
        *refused
    }
}
