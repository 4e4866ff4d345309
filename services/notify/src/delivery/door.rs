//! The doors through which clients come: one stream of notifications, in a form for each.

use telemetry::prometheus::{IntCounter, IntGauge};

use crate::metrics::Metrics;

/// A door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Frames of JSON on a plain websocket.
    Websocket,
    /// An event stream (WHATWG HTML §9.2).
    Events,
    /// Socket.IO, by websocket or polling.
    SocketIo,
}

impl Door {
    /// Gives the name in metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Events => "events",
            Self::SocketIo => "socketio",
        }
    }
}

/// The series of a door, looked up once.
pub(super) struct DoorSeries {
    deliveries: IntCounter,
    clients: IntGauge,
}

impl DoorSeries {
    fn of(metrics: &Metrics, door: Door) -> Self {
        let name = &[door.as_str()];
        let deliveries = metrics.deliveries_total.with_label_values(name);
        Self { deliveries, clients: metrics.clients.with_label_values(name) }
    }

    /// Counts notifications that were handed to a client.
    pub(super) fn delivered(&self, count: u64) {
        self.deliveries.inc_by(count);
    }

    /// Counts a client that has come.
    pub(super) fn open(&self) {
        self.clients.inc();
    }

    /// Counts a client that has gone.
    pub(super) fn close(&self) {
        self.clients.dec();
    }
}

/// The series of all doors.
pub(super) struct Doors {
    websocket: DoorSeries,
    events: DoorSeries,
    socketio: DoorSeries,
}

impl Doors {
    pub(super) fn of(metrics: &Metrics) -> Self {
        let of = |door| DoorSeries::of(metrics, door);
        Self { websocket: of(Door::Websocket), events: of(Door::Events), socketio: of(Door::SocketIo) }
    }

    pub(super) fn of_door(&self, door: Door) -> &DoorSeries {
        match door {
            Door::Websocket => &self.websocket,
            Door::Events => &self.events,
            Door::SocketIo => &self.socketio,
        }
    }
}
