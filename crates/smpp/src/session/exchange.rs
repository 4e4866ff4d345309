//! What a session is told, and what it says.

use std::time::Duration;

use crate::codec::{
    BadPdu, BindResp, CommandStatus, DeliverSm, EncodeError, Pdu, QuerySm, QuerySmResp, SubmitSm,
};

/// Names a deliver_sm or data_sm that waits for its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryId {
    pub(super) sequence: u32,
    pub(super) data_sm: bool,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The connection is there.
    Connected,
    /// A PDU came in.
    Received(Pdu),
    /// A PDU came in that could not be read.
    Malformed(BadPdu),
    /// The owner submits; `token` is its name for the outcome.
    Submit {
        /// Repeated in the outcome.
        token: u64,
        /// The message.
        pdu: SubmitSm,
    },
    /// The owner asks for a message's state.
    Query {
        /// Repeated in the outcome.
        token: u64,
        /// The question.
        pdu: QuerySm,
    },
    /// The owner answers what was delivered.
    Answer {
        /// Which one.
        id: DeliveryId,
        /// How it went; [`CommandStatus::RX_T_APPN`] makes the SMSC try again.
        status: CommandStatus,
    },
    /// A PDU given out by `Send` did not fit its fields, so nothing was written.
    Unsendable {
        /// Its sequence number.
        sequence: u32,
        /// Why.
        error: EncodeError,
    },
    /// Time has passed.
    Tick,
    /// The owner wants to end: no more submissions, wait for responses, unbind.
    Unbind {
        /// How long responses are waited for.
        patience: Duration,
    },
    /// The connection is gone.
    Disconnected {
        /// Sequence numbers given out by `Send` of which not all octets were written: the peer cannot have read them.
        unwritten: Vec<u32>,
    },
}

/// What a session wants done, or tells its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write this.
    Send(Pdu),
    /// Close the connection once everything is written, then say [`Input::Disconnected`].
    Close(CloseReason),
    /// The session is bound.
    Bound(BindResp),
    /// A submission was answered in time.
    Responded(Response),
    /// A submission was answered after its `Unknown`.
    LateResponse(Response),
    /// No response in time: the SMSC may or may not have the message.
    Unknown {
        /// The submission.
        token: u64,
    },
    /// Certainly not sent: there was no room, no bind, or no write.
    NotSent {
        /// The submission.
        token: u64,
    },
    /// The message does not fit its PDU; it cannot be sent as it is.
    Invalid {
        /// The submission.
        token: u64,
        /// Why.
        error: EncodeError,
    },
    /// A question was answered.
    Queried {
        /// The question.
        token: u64,
        /// The answer.
        result: Result<QuerySmResp, QueryError>,
    },
    /// The SMSC brings a message or a receipt; it waits for [`Input::Answer`].
    Deliver {
        /// For the answer.
        id: DeliveryId,
        /// What it brings; a data_sm has its text in message_payload.
        message: DeliverSm,
    },
    /// The peer sent something that nobody waits for. Only for logs and counters.
    Unexpected {
        /// The name or nature of it.
        what: &'static str,
    },
    /// The session is over; the submissions still without a response.
    Ended {
        /// In the order of their sequence numbers.
        in_flight: Vec<InFlight>,
    },
}

/// The SMSC's answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The submission.
    pub token: u64,
    /// How it went.
    pub status: CommandStatus,
    /// The SMSC's id; empty when the status is an error, and from some SMSCs.
    pub message_id: String,
    /// How long it took since the submission was given out to be written.
    pub took: Duration,
}

/// A submission that had no response when its session ended: its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// The submission.
    pub token: u64,
    /// Whether an `Unknown` has already said so.
    pub reported: bool,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The SMSC refused the bind.
    #[error("bind refused: {0}")]
    Refused(CommandStatus),
    /// The bind was not answered in time.
    #[error("bind not answered")]
    BindTimeout,
    /// The peer unbound.
    #[error("unbound by the SMSC")]
    PeerUnbound,
    /// The peer answers no enquire_link.
    #[error("enquire_link not answered")]
    LinkDead,
    /// Every slot of the window waits for a response that is overdue.
    #[error("no slot of the window is answered any more")]
    WindowStuck,
    /// Half of the window waits for responses that are long overdue.
    #[error("half of the window waits for responses that do not come")]
    WindowWorn,
    /// The owner wanted it.
    #[error("unbound")]
    Requested,
}

/// Why a query has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is no bind that may ask, or no room in its window.
    #[error("not bound, or the window is full")]
    NotSent,
    /// No response in time, or the connection was lost.
    #[error("no answer")]
    NoAnswer,
    /// The SMSC refused.
    #[error("refused: {0}")]
    Refused(CommandStatus),
    /// The question does not fit its PDU.
    #[error(transparent)]
    Invalid(#[from] EncodeError),
}
