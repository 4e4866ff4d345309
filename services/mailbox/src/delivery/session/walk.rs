//! Random walks: a mailbox, a client and the sessions between them, in any order of events, and what must hold then.

use std::collections::BTreeSet;

use common::models::ws;
use proptest::prelude::*;

use super::tests::{WINDOW, answer_with, envelope};
use super::*;

/// What may happen next.
#[derive(Debug, Clone)]
enum Event {
    Arrives,
    Hint,
    PageIsRead,
    /// The client answers the n-th of what it got.
    Answers(usize, bool),
    AnswersNonsense(u64),
    /// The acks that have gathered are stored.
    AcksAreStored,
    Expires(usize),
    /// The connection ends, and the device connects again; acks that are on their way are stored before, or lost.
    Reconnects {
        acks_are_stored: bool,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Arrives),
        1 => Just(Event::Hint),
        4 => Just(Event::PageIsRead),
        4 => (0..6_usize, proptest::bool::weighted(0.8)).prop_map(|(n, ok)| Event::Answers(n, ok)),
        1 => (0..60_u64).prop_map(Event::AnswersNonsense),
        2 => Just(Event::AcksAreStored),
        1 => (0..4_usize).prop_map(Event::Expires),
        1 => proptest::bool::ANY.prop_map(|acks_are_stored| Event::Reconnects { acks_are_stored }),
    ]
}

/// The mailbox and the client, over all connections.
#[derive(Default)]
struct World {
    mailbox: Vec<Envelope>,
    last_seq: i64,
    /// What came to the client at least once, and what it has answered with 200.
    received: BTreeSet<i64>,
    kept_by_client: BTreeSet<i64>,
    expired: BTreeSet<i64>,
    /// Acks that are on their way to the table.
    acks: Vec<i64>,
}

/// One connection.
struct Connection {
    session: Session,
    asked: Option<PageRequest>,
    /// Requests that the client has not answered.
    open: Vec<(u64, i64)>,
    sent: Vec<i64>,
    backlog: i64,
    empty_told: usize,
}

impl World {
    fn arrives(&mut self) {
        self.last_seq += 1;
        self.mailbox.push(envelope(self.last_seq));
    }

    fn store_acks(&mut self) {
        let acks = std::mem::take(&mut self.acks);
        self.mailbox.retain(|envelope| !acks.contains(&envelope.seq));
    }

    fn connect(&mut self) -> Connection {
        let (session, outputs) = Session::begin(self.last_seq, WINDOW);
        let mut connection = Connection {
            session,
            asked: None,
            open: Vec::new(),
            sent: Vec::new(),
            backlog: self.last_seq,
            empty_told: 0,
        };
        connection.see(self, outputs);
        connection
    }

    fn page(&self, request: PageRequest) -> Input {
        let after: Vec<_> = self.mailbox.iter().filter(|envelope| envelope.seq > request.after).collect();
        let envelopes = after.iter().take(request.limit).map(|envelope| (*envelope).clone()).collect();
        Input::Stored { envelopes, more: after.len() > request.limit }
    }
}

impl Connection {
    fn step(&mut self, world: &mut World, input: Input) {
        let outputs = self.session.step(input);
        self.see(world, outputs);
    }

    fn see(&mut self, world: &mut World, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Fetch(request) => {
                    assert!(self.asked.is_none(), "one page at a time");
                    assert!(self.open.len() + request.limit <= WINDOW.envelopes, "beyond the window");
                    self.asked = Some(request);
                }
                Output::Ack { seq, .. } => {
                    assert!(world.kept_by_client.contains(&seq), "acked without an answer");
                    world.acks.push(seq);
                }
                Output::Send(ServerFrame::Request(request)) if request.path == ws::MESSAGE => {
                    let seq = request.body.unwrap()["seq"].as_i64().unwrap();
                    assert!(self.sent.last().is_none_or(|last| *last < seq), "out of order, or twice");
                    self.sent.push(seq);
                    self.open.push((request.id, seq));
                    assert!(self.open.len() <= WINDOW.envelopes, "beyond the window");
                    world.received.insert(seq);
                }
                Output::Send(ServerFrame::Request(request)) if request.path == ws::QUEUE_EMPTY => {
                    self.empty_told += 1;
                    assert_eq!(self.empty_told, 1, "told twice");
                    let unanswered = self.open.iter().any(|(_, seq)| *seq <= self.backlog);
                    assert!(!unanswered, "told before the last answer");
                    let mut backlog = world.mailbox.iter().filter(|envelope| envelope.seq <= self.backlog);
                    assert!(backlog.all(|envelope| self.sent.contains(&envelope.seq)), "told too early");
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn page_is_read(&mut self, world: &mut World) -> bool {
        let Some(request) = self.asked.take() else { return false };
        let page = world.page(request);
        self.step(world, page);
        true
    }

    fn answers(&mut self, world: &mut World, n: usize, ok: bool) -> bool {
        if n >= self.open.len() {
            return false;
        }
        let (id, seq) = self.open.remove(n);
        if ok {
            world.kept_by_client.insert(seq);
        }
        self.step(world, answer_with(id, if ok { 200 } else { 500 }));
        true
    }

    fn happens(&mut self, world: &mut World, event: &Event) {
        match *event {
            Event::Arrives => {
                world.arrives();
                self.step(world, Input::Notified);
            }
            Event::Hint => self.step(world, Input::Notified),
            Event::PageIsRead => {
                self.page_is_read(world);
            }
            Event::Answers(n, ok) => {
                self.answers(world, n, ok);
            }
            Event::AnswersNonsense(id) => {
                if self.open.iter().all(|(open, _)| *open != id) {
                    self.step(world, answer_with(id, 200));
                }
            }
            Event::AcksAreStored => world.store_acks(),
            Event::Expires(n) => {
                if n < world.mailbox.len() {
                    world.expired.insert(world.mailbox.remove(n).seq);
                }
            }
            Event::Reconnects { acks_are_stored } => {
                if acks_are_stored {
                    world.store_acks();
                }
                world.acks.clear();
                assert!(self.empty_told <= 1);
                *self = world.connect();
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(
        backlog in 0..20, events in proptest::collection::vec(event(), 0..300),
    ) {
        let mut world = World::default();
        (0..backlog).for_each(|_| world.arrives());
        let mut connection = world.connect();
        for event in &events {
            connection.happens(&mut world, event);
        }

        // A client that goes on answering gets everything, in the end, and is told once that it has caught up.
        while connection.page_is_read(&mut world) || connection.answers(&mut world, 0, true) {}
        world.store_acks();

        prop_assert_eq!(connection.empty_told, 1);
        let all: BTreeSet<i64> = (1..=world.last_seq).collect();
        let lost: Vec<_> = all.iter().filter(|seq| !world.received.contains(seq) && !world.expired.contains(seq)).collect();
        prop_assert!(lost.is_empty(), "never sent: {:?}", lost);
        // What is left was refused by the client on this connection, and is for the next one.
        let left: Vec<_> = world.mailbox.iter().filter(|e| !connection.sent.contains(&e.seq)).map(|e| e.seq).collect();
        prop_assert!(left.is_empty(), "held back: {:?}", left);
    }
}
