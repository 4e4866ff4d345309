//! What a client says in which namespace, over one Engine.IO session.
//!
//! In: the messages of the session, in order. Out: one step each, whole: an event comes with its attachments. What must
//! hold: nothing reaches a namespace that was not joined, and what is kept of an unfinished event is bounded.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::socket::{Body, Packet};
use crate::codec::{Json, Malformed};

/// Bounds of one session.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Most namespaces.
    pub namespaces: usize,
    /// Most attachments of one packet.
    pub attachments: usize,
    /// Most bytes of one packet with its attachments.
    pub packet_bytes: usize,
}

/// What a message means.
#[derive(Debug, PartialEq)]
pub enum Step<C> {
    /// More has to come.
    None,
    /// The client asks to join a namespace. Answer with [`SocketSession::join`], or refuse.
    Join {
        /// The namespace.
        namespace: String,
        /// The credentials.
        auth: Option<Json>,
    },
    /// An event.
    Event {
        /// Who sent it, and where.
        client: C,
        /// The id by which it is to be acknowledged.
        id: Option<u64>,
        /// The name.
        name: String,
        /// The arguments: an array, with placeholders for attachments.
        args: Json,
        /// The attachments.
        attachments: Vec<Bytes>,
    },
    /// An event of ours is acknowledged.
    Ack {
        /// Who acknowledges.
        client: C,
        /// The id of the event.
        id: u64,
        /// The arguments: an array, with placeholders for attachments.
        args: Json,
        /// The attachments.
        attachments: Vec<Bytes>,
    },
    /// The client left.
    Leave(C),
}

/// The state of one session. `C` is what the driver keeps for a namespace that was joined.
#[derive(Debug)]
pub struct SocketSession<C> {
    members: Vec<Member<C>>,
    pending: Option<Box<Pending>>,
    joined: bool,
}

#[derive(Debug)]
struct Member<C> {
    namespace: Arc<str>,
    /// None: this side has left, and the client may not know yet.
    client: Option<C>,
}

/// A packet whose attachments are not all there.
#[derive(Debug)]
struct Pending {
    namespace: String,
    body: Body,
    wanted: usize,
    attachments: Vec<Bytes>,
    bytes: usize,
}

impl<C> Default for SocketSession<C> {
    fn default() -> Self {
        Self { members: Vec::new(), pending: None, joined: false }
    }
}

impl<C: Clone> SocketSession<C> {
    /// Takes a text message.
    ///
    /// # Errors
    /// [`Malformed`]: the session cannot go on.
    pub fn text(&mut self, text: &str, limits: &SocketLimits) -> Result<Step<C>, Malformed> {
        if self.pending.is_some() {
            return Err(Malformed("a text before all attachments"));
        }
        let Packet { namespace, body } = Packet::decode(text)?;
        let wanted = body.attachments();
        if wanted == 0 {
            return self.step(namespace, body, Vec::new(), limits);
        }
        if wanted > limits.attachments {
            return Err(Malformed("too many attachments"));
        }
        let pending = Pending {
            namespace: namespace.to_owned(),
            body,
            wanted,
            attachments: Vec::new(),
            bytes: text.len(),
        };
        self.pending = Some(Box::new(pending));
        Ok(Step::None)
    }

    /// Takes a binary message.
    ///
    /// # Errors
    /// [`Malformed`]: the session cannot go on.
    pub fn binary(&mut self, data: Bytes, limits: &SocketLimits) -> Result<Step<C>, Malformed> {
        let mut pending = self.pending.take().ok_or(Malformed("an attachment of nothing"))?;
        pending.bytes += data.len();
        if pending.bytes > limits.packet_bytes {
            return Err(Malformed("attachments over the limit"));
        }
        pending.attachments.push(data);
        if pending.attachments.len() < pending.wanted {
            self.pending = Some(pending);
            return Ok(Step::None);
        }
        let Pending { namespace, body, attachments, .. } = *pending;
        self.step(&namespace, body, attachments, limits)
    }

    /// Lets the client into a namespace.
    pub fn join(&mut self, namespace: Arc<str>, client: C) {
        self.members.retain(|member| member.namespace != namespace);
        self.members.push(Member { namespace, client: Some(client) });
        self.members.shrink_to_fit();
        self.joined = true;
    }

    /// Leaves a namespace on this side's account. What the client still says there is passed over, until it leaves or
    /// joins again: it could not know.
    pub fn leave(&mut self, namespace: &str) -> Option<C> {
        self.members.iter_mut().find(|member| &*member.namespace == namespace)?.client.take()
    }

    /// Tells whether any namespace was ever joined.
    pub fn has_joined(&self) -> bool {
        self.joined
    }

    /// Takes out who is in a namespace now, at the end of the session.
    pub fn drain(&mut self) -> Vec<C> {
        self.pending = None;
        std::mem::take(&mut self.members).into_iter().filter_map(|member| member.client).collect()
    }

    fn step(
        &mut self,
        namespace: &str,
        body: Body,
        attachments: Vec<Bytes>,
        limits: &SocketLimits,
    ) -> Result<Step<C>, Malformed> {
        let place = self.members.iter().position(|member| &*member.namespace == namespace);
        let client = place.and_then(|place| self.members.get(place)).map(|member| member.client.clone());
        match (body, client) {
            (Body::ConnectError(_), _) => Err(Malformed("a CONNECT_ERROR of a client")),
            (Body::Connect(_), Some(Some(_))) => Err(Malformed("a CONNECT to a namespace that is joined")),
            (Body::Connect(_), None) if self.members.len() >= limits.namespaces => {
                Err(Malformed("too many namespaces"))
            }
            (Body::Connect(auth), _) => Ok(Step::Join { namespace: namespace.to_owned(), auth }),
            (_, None) => Err(Malformed("a packet for a namespace that is not joined")),
            (Body::Disconnect, Some(client)) => {
                self.members.retain(|member| &*member.namespace != namespace);
                Ok(client.map_or(Step::None, Step::Leave))
            }
            (Body::Event { .. } | Body::Ack { .. }, Some(None)) => Ok(Step::None),
            (Body::Event { id, name, args, .. }, Some(Some(client))) => {
                Ok(Step::Event { client, id, name, args, attachments })
            }
            (Body::Ack { id, args, .. }, Some(Some(client))) => {
                Ok(Step::Ack { client, id, args, attachments })
            }
        }
    }
}

#[cfg(test)]
mod tests;
