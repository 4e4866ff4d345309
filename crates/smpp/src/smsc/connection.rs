//! One connection of the simulator.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::behaviour::Verdict;
use super::state::{Shared, SmscEvent};
use crate::codec::{
    BindResp, Body, CommandStatus, DEFAULT_MAX_FRAME, DataSmResp, DeliverSm, Pdu, QuerySm, QuerySmResp,
    SubmitSm, SubmitSmResp, Tlv, Tlvs, split_frame,
};
use crate::outgoing::Outgoing;
use crate::session::BindKind;

/// Most deliver_sm without an answer on one connection.
const DELIVERY_WINDOW: usize = 100;
/// No more is read while so many octets wait to be written.
const OUTGOING_LIMIT: usize = 1024 * 1024;

/// Who is bound, and how.
struct Bound {
    system_id: String,
    kind: BindKind,
}

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
    unanswered: HashMap<u32, DeliverSm>,
    ended: bool,
}

/// Serves a connection until either side ends it, or the simulator dies.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>, life: CancellationToken) {
    // Without it answers only come later.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        shared,
        life: life.clone(),
        inbox: BytesMut::with_capacity(64 * 1024),
        outgoing: Outgoing::default(),
        delayed: BTreeMap::new(),
        bound: None,
        sequence: 0,
        unanswered: HashMap::new(),
        ended: false,
    };
    tokio::select! {
        () = life.cancelled() => {}
        // How a peer went away makes no difference here.
        _ = connection.run(&mut stream) => {}
    }
    connection.give_back();
}

impl Connection {
    async fn run(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let mut arrivals = self.shared.arrivals.subscribe();
        let (mut reader, mut writer) = stream.split();
        while !self.ended || !self.outgoing.is_empty() {
            arrivals.mark_unchanged();
            let deadline = [self.release_delayed(), self.deliver()].into_iter().flatten().min();
            let may_read = !self.ended && self.outgoing.unwritten_octets().len() < OUTGOING_LIMIT;
            tokio::select! {
                wrote = writer.write(self.outgoing.unwritten_octets()), if !self.outgoing.is_empty() => {
                    self.outgoing.wrote(wrote?);
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
        for message in due {
            self.sequence = self.sequence % 0x7FFF_FFFF + 1;
            self.send(&Pdu::ok(self.sequence, Body::DeliverSm(message.clone())));
            self.unanswered.insert(self.sequence, message);
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
                let status = self.bind(bind, BindKind::Receiver);
                self.answer_bind(status, sequence, Body::BindReceiverResp);
            }
            Body::BindTransmitter(bind) => {
                let status = self.bind(bind, BindKind::Transmitter);
                self.answer_bind(status, sequence, Body::BindTransmitterResp);
            }
            Body::BindTransceiver(bind) => {
                let status = self.bind(bind, BindKind::Transceiver);
                self.answer_bind(status, sequence, Body::BindTransceiverResp);
            }
            Body::SubmitSm(message) => self.submit(sequence, message),
            Body::QuerySm(query) => self.query(sequence, query),
            Body::DeliverSmResp => self.delivered(sequence, status),
            Body::GenericNack => {
                let status = if status.is_ok() { CommandStatus::RUNKNOWNERR } else { status };
                self.delivered(sequence, status);
            }
            Body::EnquireLink => {
                self.shared.count(|counts| counts.enquiries += 1);
                self.send(&Pdu::ok(sequence, Body::EnquireLinkResp));
            }
            Body::Unbind => {
                self.send(&Pdu::ok(sequence, Body::UnbindResp));
                self.ended = true;
            }
            Body::DataSm(_) => self.send(&Pdu {
                status: CommandStatus::RINVCMDID,
                sequence,
                body: Body::DataSmResp(DataSmResp::default()),
            }),
            Body::DeliverSm(_) | Body::Outbind(_) | Body::AlertNotification(_) => {
                self.send(&Pdu { status: CommandStatus::RINVCMDID, sequence, body: Body::GenericNack });
            }
            Body::BindReceiverResp(_)
            | Body::BindTransmitterResp(_)
            | Body::BindTransceiverResp(_)
            | Body::QuerySmResp(_)
            | Body::SubmitSmResp(_)
            | Body::UnbindResp
            | Body::EnquireLinkResp
            | Body::DataSmResp(_) => {}
        }
    }

    fn bind(&mut self, bind: crate::codec::Bind, kind: BindKind) -> CommandStatus {
        if self.bound.is_some() {
            return CommandStatus::RALYBND;
        }
        let status = self.shared.judge_bind(&bind);
        let system_id = bind.system_id;
        if status.is_ok() {
            self.shared.tell(|| SmscEvent::Bound { system_id: system_id.clone() });
            self.bound = Some(Bound { system_id, kind });
            self.shared.count(|counts| {
                counts.bound += 1;
                counts.binds += 1;
            });
        } else {
            self.shared.tell(|| SmscEvent::BindRefused { system_id, status });
        }
        status
    }

    fn answer_bind(&mut self, status: CommandStatus, sequence: u32, body: impl FnOnce(BindResp) -> Body) {
        let resp = if status.is_ok() {
            let tlvs = Tlvs(vec![Tlv::ScInterfaceVersion(0x34)]);
            BindResp { system_id: self.shared.system_id.clone(), tlvs }
        } else {
            BindResp::default()
        };
        self.send(&Pdu { status, sequence, body: body(resp) });
    }

    fn submit(&mut self, sequence: u32, message: SubmitSm) {
        let answer = |status, message_id| Pdu {
            status,
            sequence,
            body: Body::SubmitSmResp(SubmitSmResp { message_id }),
        };
        let Some(bound) = self.bound.as_ref().filter(|bound| bound.kind != BindKind::Receiver) else {
            self.send(&answer(CommandStatus::RINVBNDSTS, String::new()));
            return;
        };
        let decision = self.shared.submit(&bound.system_id, message);
        if decision.fatal {
            self.life.cancel();
            self.ended = true;
            return;
        }
        let pdu = match decision.plan.verdict {
            Verdict::Accept => answer(CommandStatus::ROK, decision.message_id),
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
            Some(message_state) => {
                let resp =
                    QuerySmResp { message_id: query.message_id, message_state, ..QuerySmResp::default() };
                (CommandStatus::ROK, resp)
            }
            None => (CommandStatus::RQUERYFAIL, QuerySmResp::default()),
        };
        self.send(&Pdu { status, sequence, body: Body::QuerySmResp(resp) });
    }

    fn delivered(&mut self, sequence: u32, status: CommandStatus) {
        let Some(message) = self.unanswered.remove(&sequence) else { return };
        let Some(bound) = &self.bound else { return };
        self.shared.tell(|| SmscEvent::Delivered {
            system_id: bound.system_id.clone(),
            message: message.clone(),
            status,
        });
        if status.is_ok() {
            self.shared.count(|counts| counts.delivered += 1);
        } else {
            self.shared.enqueue(&bound.system_id, self.shared.retry_delay(), message);
        }
    }

    /// Keeps what was not answered for the next receiver.
    fn give_back(&mut self) {
        let Some(bound) = self.bound.take() else { return };
        for (_, message) in self.unanswered.drain() {
            self.shared.enqueue(&bound.system_id, Duration::ZERO, message);
        }
        self.shared.count(|counts| counts.bound -= 1);
        self.shared.tell(|| SmscEvent::Unbound { system_id: bound.system_id });
    }
}

/// Sleeps until then, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
