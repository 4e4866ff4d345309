//! One connection of the simulator.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::behaviour::Verdict;
use super::event::SmscEvent;
use super::state::{Bound, Shared};
use super::waiting::Parcel;
use crate::codec::{
    Bind, BindResp, Body, CommandStatus, DEFAULT_MAX_FRAME, DataSmResp, Pdu, QuerySm, QuerySmResp, SubmitSm,
    SubmitSmResp, Tlv, split_frame,
};
use crate::outgoing::{Outgoing, push};
use crate::session::BindKind;

/// Most deliver_sm without an answer on one connection.
const DELIVERY_WINDOW: usize = 100;
/// No more is read while so many octets wait to be written.
const OUTGOING_LIMIT: usize = 1024 * 1024;

struct Connection {
    shared: Arc<Shared>,
    life: CancellationToken,
    inbox: BytesMut,
    outgoing: Outgoing,
    /// Answers that are to be late; the number keeps two of one moment apart.
    delayed: BTreeMap<(Instant, u64), Pdu>,
    bound: Option<Bound>,
    /// Own requests so far; also numbers them.
    sequence: u32,
    unanswered: BTreeMap<u32, Parcel>,
    ended: bool,
}

/// Serves a connection until either side ends it, or the simulator dies.
pub(super) async fn serve(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    life: CancellationToken,
) {
    let mut connection = Connection {
        shared,
        life: life.clone(),
        inbox: BytesMut::with_capacity(64 * 1024),
        outgoing: Outgoing::default(),
        delayed: BTreeMap::new(),
        bound: None,
        sequence: 0,
        unanswered: BTreeMap::new(),
        ended: false,
    };
    tokio::select! {
        () = life.cancelled() => {}
        // How a peer went away makes no difference here.
        _ = connection.run(reader, writer) => {}
    }
    if let Some(bound) = connection.bound {
        connection.shared.leave(bound, connection.unanswered.into_values());
    }
}

impl Connection {
    async fn run(
        &mut self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut arrivals = self.shared.arrivals.subscribe();
        while !self.ended || !self.outgoing.is_done() {
            arrivals.mark_unchanged();
            // A receipt that is to come before its answer does so even when both are due.
            let deadline = [self.deliver(), self.release_delayed()].into_iter().flatten().min();
            let may_read = !self.ended && self.outgoing.unwritten_octets().len() < OUTGOING_LIMIT;
            tokio::select! {
                pushed = push(&mut writer, self.outgoing.unwritten_octets()), if !self.outgoing.is_done() => {
                    self.outgoing.pushed(pushed?);
                }
                read = reader.read_buf(&mut self.inbox), if may_read => {
                    if read? == 0 {
                        return Ok(());
                    }
                    self.read_frames();
                }
                () = sleep_until(deadline) => {}
                _ = arrivals.changed() => {}
            }
        }
        writer.shutdown().await
    }

    /// Sends the late answers whose time has come; tells when the next is due.
    fn release_delayed(&mut self) -> Option<Instant> {
        let now = Instant::now();
        while let Some(entry) = self.delayed.first_entry() {
            let at = entry.key().0;
            if at > now {
                return Some(at);
            }
            let pdu = entry.remove();
            self.send(&pdu);
        }
        None
    }

    /// Sends what waits for this receiver; tells when the next is due.
    fn deliver(&mut self) -> Option<Instant> {
        let bound = self.bound.as_ref().filter(|bound| bound.kind != BindKind::Transmitter)?;
        let room = DELIVERY_WINDOW.saturating_sub(self.unanswered.len());
        let (due, next) = self.shared.due(&bound.system_id, room);
        let knows_tlvs = bound.knows_tlvs;
        for parcel in due {
            self.sequence = self.sequence % 0x7FFF_FFFF + 1;
            self.send(&Pdu::ok(self.sequence, parcel.body(knows_tlvs)));
            self.unanswered.insert(self.sequence, parcel);
        }
        // With a full window the next answer wakes us, not the clock.
        next.filter(|_| self.unanswered.len() < DELIVERY_WINDOW)
    }

    fn send(&mut self, pdu: &Pdu) {
        // A script may have made an id that fits no PDU: then there is no answer, which a test will see.
        let _ = self.outgoing.push(pdu);
    }

    fn read_frames(&mut self) {
        while !self.ended {
            match split_frame(&mut self.inbox, DEFAULT_MAX_FRAME) {
                Ok(Some(frame)) => match Pdu::decode(&frame) {
                    Ok(pdu) => self.receive(pdu),
                    Err(bad) => {
                        if let Some(nack) = bad.nack() {
                            self.send(&nack);
                        }
                    }
                },
                Ok(None) => return,
                Err(_) => {
                    self.send(&Pdu {
                        status: CommandStatus::RINVCMDLEN,
                        sequence: 0,
                        body: Body::GenericNack,
                    });
                    self.ended = true;
                }
            }
        }
    }

    fn receive(&mut self, pdu: Pdu) {
        let Pdu { status, sequence, body } = pdu;
        match body {
            Body::BindReceiver(bind) => {
                self.bind(sequence, bind, BindKind::Receiver, Body::BindReceiverResp);
            }
            Body::BindTransmitter(bind) => {
                self.bind(sequence, bind, BindKind::Transmitter, Body::BindTransmitterResp);
            }
            Body::BindTransceiver(bind) => {
                self.bind(sequence, bind, BindKind::Transceiver, Body::BindTransceiverResp);
            }
            Body::SubmitSm(message) => {
                self.submit(sequence, message, |message_id| Body::SubmitSmResp(SubmitSmResp { message_id }))
            }
            Body::DataSm(data) => self.submit(sequence, data.into(), |message_id| {
                Body::DataSmResp(DataSmResp { message_id, ..DataSmResp::default() })
            }),
            Body::QuerySm(query) => self.query(sequence, query),
            Body::DeliverSmResp | Body::DataSmResp(_) => self.delivered(sequence, status),
            Body::GenericNack => {
                let status = if status.is_ok() { CommandStatus::RUNKNOWNERR } else { status };
                self.delivered(sequence, status);
            }
            Body::EnquireLink => {
                self.shared.count(|counts| counts.enquiries += 1);
                if !self.shared.lock().behaviour.ignore_enquire_link {
                    self.send(&Pdu::ok(sequence, Body::EnquireLinkResp));
                }
            }
            Body::Unbind => {
                self.send(&Pdu::ok(sequence, Body::UnbindResp));
                self.ended = true;
            }
            Body::DeliverSm(_) | Body::Outbind(_) | Body::AlertNotification(_) => {
                self.send(&Pdu { status: CommandStatus::RINVCMDID, sequence, body: Body::GenericNack });
            }
            Body::BindReceiverResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindTransceiverResp(_)
            | Body::QuerySmResp(_)
            | Body::SubmitSmResp(_)
            | Body::UnbindResp
            | Body::EnquireLinkResp => {}
        }
    }

    fn bind(&mut self, sequence: u32, bind: Bind, kind: BindKind, body: impl FnOnce(BindResp) -> Body) {
        let admitted =
            if self.bound.is_some() { Err(CommandStatus::RALYBND) } else { self.shared.admit(bind, kind) };
        let (status, resp) = match admitted {
            Ok(bound) => {
                let mut resp = BindResp { system_id: self.shared.system_id.clone(), ..BindResp::default() };
                let version = self.shared.lock().behaviour.binds.sc_interface_version;
                if let Some(version) = version.filter(|_| bound.knows_tlvs) {
                    resp.tlvs.set(Tlv::ScInterfaceVersion(version));
                }
                self.bound = Some(bound);
                (CommandStatus::ROK, resp)
            }
            Err(status) => (status, BindResp::default()),
        };
        self.send(&Pdu { status, sequence, body: body(resp) });
    }

    fn submit(&mut self, sequence: u32, message: SubmitSm, body: impl Fn(String) -> Body) {
        let answer = |status, message_id| Pdu { status, sequence, body: body(message_id) };
        let Some(bound) = self.bound.as_ref().filter(|bound| bound.kind != BindKind::Receiver) else {
            self.send(&answer(CommandStatus::RINVBNDSTS, String::new()));
            return;
        };
        let decision = self.shared.submit(bound, message);
        if decision.fatal {
            self.shared.tell(|| SmscEvent::Died);
            self.life.cancel();
            self.ended = true;
            return;
        }
        let pdu = match decision.plan.verdict {
            Verdict::Accept => answer(CommandStatus::ROK, decision.answered_id),
            Verdict::Refuse(status) => answer(status, String::new()),
            Verdict::AcceptSilently | Verdict::Lose => return,
            Verdict::Disconnect => {
                self.ended = true;
                return;
            }
        };
        if decision.plan.latency == Duration::ZERO {
            self.send(&pdu);
        } else {
            self.delayed.insert((Instant::now() + decision.plan.latency, u64::from(sequence)), pdu);
        }
    }

    fn query(&mut self, sequence: u32, query: QuerySm) {
        let (status, resp) = match self.shared.find(&query.message_id) {
            Some(resp) => (CommandStatus::ROK, resp),
            None => (CommandStatus::RQUERYFAIL, QuerySmResp::default()),
        };
        self.send(&Pdu { status, sequence, body: Body::QuerySmResp(resp) });
    }

    fn delivered(&mut self, sequence: u32, status: CommandStatus) {
        let Some(parcel) = self.unanswered.remove(&sequence) else { return };
        let Some(bound) = &self.bound else { return };
        self.shared.tell(|| SmscEvent::Delivered {
            system_id: bound.system_id.clone(),
            message: parcel.message.clone(),
            status,
        });
        if status.is_ok() {
            self.shared.count(|counts| counts.delivered += 1);
        } else {
            self.shared.enqueue(&bound.system_id, self.shared.retry_delay(), parcel);
        }
    }
}

/// Sleeps until then, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
