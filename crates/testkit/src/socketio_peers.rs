//! Clients of Socket.IO that are not ours: socket.io-client 4 and 3 of npm, python-socketio of PyPI. Each by polling, by
//! websocket, and by one and then the other.
//!
//! What they can be told to do is in `deploy/test-peers/npm/socketio.mjs`.

use serde_json::{Value, json};

use crate::peer_client::PeerClient;
use crate::peers;
use crate::process::InfraError;

/// A client, and how it connects.
#[derive(Clone, Copy, Debug)]
pub struct SocketIoPeer {
    library: Library,
    transports: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Library {
    /// npm's socket.io-client, by its major version.
    Npm(u8),
    Python,
}

impl SocketIoPeer {
    /// All nine.
    pub fn all() -> impl Iterator<Item = Self> {
        let libraries = [Library::Npm(4), Library::Npm(3), Library::Python];
        let transports: [&[&str]; 3] = [&["polling"], &["websocket"], &["polling", "websocket"]];
        libraries
            .into_iter()
            .flat_map(move |library| transports.map(|transports| Self { library, transports }))
    }

    /// Starts it with a task: `do`, and what belongs to that.
    ///
    /// # Errors
    /// [`InfraError`], when it cannot be fetched or started.
    pub fn start(self, url: &str, mut task: Value) -> Result<PeerClient, InfraError> {
        task["url"] = json!(url);
        task["transports"] = json!(self.transports);
        let name = format!("{:?} {:?}", self.library, self.transports);
        match self.library {
            Library::Npm(version) => {
                task["client"] = json!(version);
                PeerClient::start(name, peers::node("socketio.mjs")?, &task)
            }
            Library::Python => PeerClient::start(name, peers::python("socketio_client.py")?, &task),
        }
    }

    /// The transport that it ends with.
    pub fn last_transport(self) -> &'static str {
        self.transports.last().copied().unwrap_or_default()
    }

    /// Whether its application hears events in the order in which they came. python-socketio has a thread for each.
    pub fn keeps_order(self) -> bool {
        self.library != Library::Python
    }
}
