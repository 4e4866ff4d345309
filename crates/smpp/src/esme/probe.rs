//! One bind, step by step, for whoever sets one up: what [`super::Esme`] hides, the answers and their times, is told.
//!
//! In: settings, one message at a time. Out: the SMSC's answers as they are. Nothing is tried again. What the SMSC
//! brings is answered by the caller: it may belong to somebody else.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::connect::{Stream, connect};
use super::{EsmeSettings, LinkError};
use crate::codec::{
    BindResp, Body, CommandId, CommandStatus, DEFAULT_MAX_FRAME, DataSmResp, DeliverSm, EncodeError, Pdu,
    SubmitSm, SubmitSmResp, split_frame,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The connection, or what came over it.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No answer in time.
    #[error("no answer in {0:?}")]
    Silent(Duration),
    /// The SMSC ended the session.
    #[error("the SMSC ended the session")]
    Unbound,
    /// What was to be sent does not fit SMPP.
    #[error(transparent)]
    Invalid(#[from] EncodeError),
}

/// An answer.
#[derive(Debug)]
pub struct Answered<T> {
    /// What the SMSC says.
    pub status: CommandStatus,
    /// Its parameters; empty ones when it refuses.
    pub body: T,
    /// How long it took.
    pub took: Duration,
}

/// What the SMSC brings.
#[derive(Debug)]
pub struct Brought {
    /// A message or a receipt.
    pub message: DeliverSm,
    /// Whether it came as data_sm.
    pub data_sm: bool,
    /// When.
    pub at: Instant,
    sequence: u32,
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A connection to an SMSC; dropped, it is closed.
pub struct Probe {
    settings: EsmeSettings,
    stream: Box<dyn Connection>,
    inbox: BytesMut,
    brought: VecDeque<Brought>,
    sequence: u32,
}

impl Probe {
    /// Connects, with the handshake of TLS where the settings have one.
    ///
    /// # Errors
    /// [`LinkError::Connect`], [`LinkError::Tls`].
    pub async fn connect(settings: EsmeSettings) -> Result<Self, LinkError> {
        let stream: Box<dyn Connection> = match connect(&settings, settings.tls.clone()).await? {
            Stream::Plain(stream) => Box::new(stream),
            Stream::Tls(stream) => stream,
        };
        let (inbox, brought) = (BytesMut::with_capacity(4096), VecDeque::new());
        Ok(Self { settings, stream, inbox, brought, sequence: 0 })
    }

    /// Asks for a bind, as the settings say.
    ///
    /// # Errors
    /// [`ProbeError`], see its variants; a refusal is an answer.
    pub async fn bind(&mut self) -> Result<Answered<BindResp>, ProbeError> {
        let session = self.settings.session();
        self.ask(session.kind.request(session.bind), |body| match body {
            Body::BindTransceiverResp(resp)
            | Body::BindTransmitterResp(resp)
            | Body::BindReceiverResp(resp) => resp,
            _ => BindResp::default(),
        })
        .await
    }

    /// Submits a message.
    ///
    /// # Errors
    /// As [`Self::bind`]. After [`ProbeError::Silent`] the SMSC may have the message.
    pub async fn submit(&mut self, message: SubmitSm) -> Result<Answered<SubmitSmResp>, ProbeError> {
        self.ask(Body::SubmitSm(message), |body| match body {
            Body::SubmitSmResp(resp) => resp,
            _ => SubmitSmResp::default(),
        })
        .await
    }

    /// Waits for what the SMSC brings next; `None` when nothing comes until then. What is not answered with
    /// [`Self::answer`], it brings again, to another bind of the same account perhaps.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub async fn receive(&mut self, until: Instant) -> Result<Option<Brought>, ProbeError> {
        loop {
            if let Some(brought) = self.brought.pop_front() {
                return Ok(Some(brought));
            }
            match timeout_at(until, self.read()).await {
                Ok(pdu) => self.other(pdu?).await?,
                Err(_) => return Ok(None),
            }
        }
    }

    /// Answers it: [`CommandStatus::ROK`] to keep it, [`CommandStatus::RX_T_APPN`] to have it brought again.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub async fn answer(&mut self, brought: &Brought, status: CommandStatus) -> Result<(), ProbeError> {
        let body =
            if brought.data_sm { Body::DataSmResp(DataSmResp::default()) } else { Body::DeliverSmResp };
        self.write(&Pdu { status, sequence: brought.sequence, body }).await
    }

    /// Ends the bind in order, if the SMSC lets it.
    pub async fn unbind(mut self) {
        // Whatever it says, the connection is closed.
        let _ = self.ask(Body::Unbind, drop).await;
        let _ = self.stream.shutdown().await;
    }

    async fn ask<T>(&mut self, body: Body, read: impl Fn(Body) -> T) -> Result<Answered<T>, ProbeError> {
        self.sequence += 1;
        let (sequence, begun) = (self.sequence, Instant::now());
        let patience = self.settings.response_timeout;
        self.write(&Pdu { status: CommandStatus::ROK, sequence, body }).await?;
        loop {
            let pdu = timeout_at(begun + patience, self.read())
                .await
                .map_err(|_| ProbeError::Silent(patience))??;
            if pdu.sequence == sequence && CommandId::is_response(pdu.body.command_id().as_u32()) {
                return Ok(Answered { status: pdu.status, body: read(pdu.body), took: begun.elapsed() });
            }
            self.other(pdu).await?;
        }
    }

    /// Takes what is no answer.
    async fn other(&mut self, Pdu { sequence, body, .. }: Pdu) -> Result<(), ProbeError> {
        let (message, data_sm) = match body {
            Body::DeliverSm(message) => (message, false),
            Body::DataSm(data) => (data.into(), true),
            Body::EnquireLink => return self.write(&Pdu::ok(sequence, Body::EnquireLinkResp)).await,
            Body::Unbind => {
                self.write(&Pdu::ok(sequence, Body::UnbindResp)).await?;
                return Err(ProbeError::Unbound);
            }
            // Late answers, alerts and what makes no sense: nothing to learn from.
            _ => return Ok(()),
        };
        self.brought.push_back(Brought { message, data_sm, at: Instant::now(), sequence });
        Ok(())
    }

    async fn write(&mut self, pdu: &Pdu) -> Result<(), ProbeError> {
        let mut octets = Vec::new();
        pdu.encode(&mut octets)?;
        let writing = async {
            self.stream.write_all(&octets).await?;
            self.stream.flush().await
        };
        writing.await.map_err(|error| LinkError::lost(&error).into())
    }

    /// Reads the next PDU; cancel-safe.
    async fn read(&mut self) -> Result<Pdu, LinkError> {
        loop {
            if let Some(frame) =
                split_frame(&mut self.inbox, DEFAULT_MAX_FRAME).map_err(LinkError::Framing)?
            {
                match Pdu::decode(&frame) {
                    Ok(pdu) => return Ok(pdu),
                    // What cannot be read is passed over, as the session does.
                    Err(_) => continue,
                }
            }
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => return Err(LinkError::Lost(io::ErrorKind::UnexpectedEof)),
                Ok(_) => {}
                Err(error) => return Err(LinkError::lost(&error)),
            }
        }
    }
}
