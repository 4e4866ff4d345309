//! Connections of which receivers of webhooks are told.

use std::sync::Arc;

use common::models::{ChannelTokenId, UnixMillis};
use uuid::Uuid;

use super::Presence;
use crate::domain::ChannelName;

/// A connection that has come or gone.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) come: bool,
    pub(super) at: UnixMillis,
    pub(super) connection: Arc<Connection>,
}

/// A client in a channel.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: Uuid,
    pub(super) channel: ChannelName,
    pub(super) member: Option<String>,
    pub(super) token: Option<ChannelTokenId>,
}

/// A client that is about to be let into a channel of which a webhook tells.
pub(crate) struct Link {
    presence: Presence,
    connection: Arc<Connection>,
}

/// A client that is in, until it is dropped.
pub(in crate::delivery) struct Connected {
    presence: Presence,
    connection: Arc<Connection>,
}

impl Presence {
    /// Prepares what is told of a client; none, if no webhook wants to know.
    pub(in crate::delivery) fn link(
        &self,
        channel: &ChannelName,
        member: Option<String>,
        token: Option<ChannelTokenId>,
    ) -> Option<Link> {
        let webhooks = self.0.webhooks.as_ref()?;
        webhooks.want_connections(channel).then(|| {
            let connection = Connection { id: Uuid::now_v7(), channel: channel.clone(), member, token };
            Link { presence: self.clone(), connection: Arc::new(connection) }
        })
    }

    fn moved(&self, connection: &Arc<Connection>, come: bool) {
        let Some(webhooks) = &self.0.webhooks else { return };
        let at = webhooks.now();
        let mut members = self.0.members();
        if come {
            members.open.insert(connection.id, Arc::clone(connection));
        } else {
            members.open.remove(&connection.id);
        }
        members.moves.push(Move { come, at, connection: Arc::clone(connection) });
        drop(members);
        self.0.changed.notify_one();
    }
}

impl Link {
    /// Lets the client be in.
    pub(in crate::delivery) fn open(self) -> Box<Connected> {
        let Self { presence, connection } = self;
        presence.moved(&connection, true);
        Box::new(Connected { presence, connection })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.presence.moved(&self.connection, false);
    }
}
