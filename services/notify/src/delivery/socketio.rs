//! Clients of Socket.IO, as ChannelAPI has them: `join_channel`, `clientevent`, `message`.
//!
//! A join as it is documented gets the value of each message as the only argument. One with `offset`, or with `meta`,
//! gets what is known of the message as a second argument, and resumes.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::models::Epoch;
use common::models::notify::{EndReason, Place};
use common::models::problem::{AsProblem, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio::{Ack, Application, Client, Encoded, Event, Handled, Json, Packet, Reason, Refusal, SendError};
use tokio::task::AbortHandle;
use web::ClientAddr;

use super::attendance;
use super::catching::{Catching, Step, Welcome};
use super::channel::Channel;
use super::door::Door;
use super::hub::Hub;
use super::inbox::Listener;
use super::joining::{self, Joining};
use super::worker::Seat;
use crate::app::State;
use crate::domain::{NotifyError, Publication};

/// The one namespace.
const MAIN: &str = "/";

/// How long a client with a full queue is left alone before it is looked at again.
const PACE: Duration = Duration::from_millis(5);

/// The application behind `/socket.io/`.
pub(crate) struct ChannelApi(State);

impl ChannelApi {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self(state))
    }
}

/// What is kept with a client.
struct Kept {
    seats: Mutex<Vec<Seat>>,
    /// Sends it away if it joins no channel in time.
    patience: Mutex<Option<AbortHandle>>,
}

impl Kept {
    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_patience(&self) {
        if let Some(patience) = self.patience.lock().unwrap_or_else(PoisonError::into_inner).take() {
            patience.abort();
        }
    }
}

impl Application for ChannelApi {
    fn connect(&self, client: &Client, _: Option<Json>) -> Handled<Result<(), Refusal>> {
        let known = client.namespace() == MAIN;
        if known { Ok(()) } else { Err(Refusal::invalid_namespace()) }.into()
    }

    fn connected(&self, client: &Client) {
        self.0.hub.door(Door::SocketIo).open();
        let (waiting, patience) = (client.clone(), self.0.settings.join_timeout);
        let late = actix_rt::spawn(async move {
            tokio::time::sleep(patience).await;
            waiting.close(Reason::Application("in no channel: join with a valid token"));
        });
        let patience = Mutex::new(Some(late.abort_handle()));
        client.keep(Kept { seats: Mutex::default(), patience });
        tell(client, &Told { data: "Connected".to_owned(), count: Some(0), ..Told::default() });
    }

    fn event(&self, client: &Client, event: Event) -> Handled<()> {
        match event.name.as_str() {
            "join_channel" => {
                let (state, client) = (self.0.clone(), client.clone());
                Handled::later(async move { join(&state, &client, event).await })
            }
            "message" => {
                let mut back = Packet::event("message");
                for data in event.attachments {
                    back.attach(data);
                }
                // A client that is gone needs no echo.
                let _ = client.emit(&back.args(&event.args));
                acknowledge(event.ack, &Packet::answer());
                ().into()
            }
            _ => {
                acknowledge(event.ack, &Packet::answer());
                ().into()
            }
        }
    }

    fn disconnected(&self, client: &Client, _: Reason) {
        self.0.hub.door(Door::SocketIo).close();
        if let Some(kept) = client.kept::<Kept>() {
            kept.forget_patience();
            kept.seats().clear();
        }
    }
}

/// What a client shows to join.
#[derive(Deserialize)]
struct Shown {
    token: String,
    #[serde(default)]
    offset: Option<i64>,
    #[serde(default)]
    epoch: Option<Epoch>,
    #[serde(default)]
    meta: bool,
    #[serde(default)]
    presence: bool,
}

/// Reads the argument of `join_channel`: an object, or the text of one. Of a key that is there twice, the last counts.
fn read(event: &Event) -> Option<Shown> {
    let shown: Value = match event.arg(0).ok()?? {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        other => other,
    };
    shown.is_object().then(|| serde_json::from_value(shown).ok()).flatten()
}

/// The argument of `clientevent`.
#[derive(Debug, Default, Serialize)]
struct Told {
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<EndReason>,
}

fn tell(client: &Client, told: &Told) {
    // Plain fields always have a form in JSON, and a client that is gone need not be told.
    if let Ok(packet) = Packet::event("clientevent").arg(told) {
        let _ = client.emit(&packet);
    }
}

fn acknowledge(ack: Option<Ack>, answer: &Packet) {
    if let Some(ack) = ack {
        // A client that is gone awaits no answer.
        let _ = ack.send(answer);
    }
}

async fn join(state: &State, client: &Client, mut event: Event) {
    let mut ack = event.ack.take();
    if let Err(error) = try_join(state, client, &event, &mut ack).await {
        refuse(client, &error, ack);
    }
}

async fn try_join(
    state: &State,
    client: &Client,
    event: &Event,
    ack: &mut Option<Ack>,
) -> Result<(), NotifyError> {
    let Shown { token, offset, epoch, meta, presence } = read(event).ok_or(NotifyError::TokenRefused)?;
    let joining = Joining { token, offset, epoch, presence };
    let meta = meta || offset.is_some();
    let network = ClientAddr(client.peer().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).network();
    let ticket = joining::open(state, &joining, network).await?;
    let Some(kept) = client.kept::<Kept>() else { return Ok(()) };
    let channel = Arc::clone(ticket.entered.channel());
    if kept.seats().iter().any(|seat| seat.is_in(&channel)) {
        // Once is enough.
        let place = channel.last().filter(|_| meta);
        welcome(client, &channel, place, place.map(|_| true), ack.take());
        return Ok(());
    }
    let limit = state.settings.max_subscriptions;
    if kept.seats().len() >= limit {
        return Err(NotifyError::TooManyChannels { limit });
    }
    let (Welcome { place, recovered }, catching) = Catching::begin(&state.hub, ticket, &joining).await?;
    kept.forget_patience();
    welcome(client, &channel, meta.then_some(place), meta.then_some(recovered), ack.take());
    catch_up(client, meta, &state.hub, catching).await
}

/// Sends what was missed, no faster than the client takes it, and lets the client in.
async fn catch_up(client: &Client, meta: bool, hub: &Hub, mut catching: Catching) -> Result<(), NotifyError> {
    let member: Rc<dyn Listener> = Rc::new(Member { client: client.clone(), meta, hub: hub.clone() });
    let heartbeat = &hub.settings().socketio;
    let patience = heartbeat.ping_interval + heartbeat.ping_timeout;
    loop {
        match catching.next(&member).await? {
            Step::Missed(publications, rest) => {
                catching = rest;
                for publication in publications {
                    if !pass_on(client, publication.packet(meta), patience).await {
                        return Ok(());
                    }
                }
            }
            Step::Lost(place, rest) => {
                catching = rest;
                member.lost(catching.channel(), place);
            }
            Step::In(seat, publications) => {
                publications.iter().for_each(|publication| {
                    member.deliver(publication);
                });
                if let Some(kept) = client.kept::<Kept>() {
                    kept.seats().push(seat);
                }
                return Ok(());
            }
        }
    }
}

/// Sends a packet once there is room for it. False: the client is gone. One that takes nothing for so long as `patience`
/// is sent away: while it is served it is not listened to, and so not missed by its heartbeat.
async fn pass_on(client: &Client, packet: &Encoded, patience: Duration) -> bool {
    let since = Instant::now();
    loop {
        match client.emit_volatile(packet) {
            Ok(()) => return true,
            Err(SendError::Closed) => return false,
            // It is left out, and comes again.
            Err(SendError::Full) if since.elapsed() < patience => tokio::time::sleep(PACE).await,
            Err(SendError::Full) => {
                client.close(Reason::SlowConsumer);
                return false;
            }
        }
    }
}

/// Tells a client that it is in a channel, and how; with no place as ChannelAPI does it.
fn welcome(
    client: &Client,
    channel: &Channel,
    place: Option<Place>,
    recovered: Option<bool>,
    ack: Option<Ack>,
) {
    let name = channel.name().as_str();
    let data = format!("Connected to {name}");
    let told = Told { data, channel: place.map(|_| name.to_owned()), place, recovered, ..Told::default() };
    tell(client, &told);
    let answer = if place.is_some() { Packet::answer().arg(&told).ok() } else { None };
    acknowledge(ack, &answer.unwrap_or_else(Packet::answer));
}

/// Tells a client that it may not join, if it asked to be told, and sends it away: one that may try again loses its
/// connection, and so comes back.
fn refuse(client: &Client, error: &NotifyError, ack: Option<Ack>) {
    let problem = Problem::of(error);
    if let Ok(answer) = Packet::answer().arg(&serde_json::json!({ "error": problem })) {
        acknowledge(ack, &answer);
    }
    match error {
        NotifyError::TooManyChannels { .. } => {
            tell(client, &Told { data: error.to_string(), ..Told::default() });
        }
        error if error.kind().is_fault() => {
            tracing::warn!(%error, "a client could not join");
            client.close(Reason::Application("come back later"));
        }
        _ => client.disconnect(),
    }
}

/// A client in a channel.
struct Member {
    client: Client,
    /// It wants to know what is known of messages.
    meta: bool,
    hub: Hub,
}

impl Listener for Member {
    fn deliver(&self, publication: &Arc<Publication>) -> bool {
        let packet = publication.packet(self.meta);
        let sent = if publication.place().is_some() {
            self.client.emit_encoded(packet)
        } else {
            self.client.emit_volatile(packet)
        };
        if sent.is_ok() {
            self.hub.door(Door::SocketIo).delivered(1);
        }
        // Its session ends by itself, and says why.
        !matches!((sent, publication.place()), (Err(SendError::Full), Some(_)))
    }

    fn lost(&self, channel: &Arc<Channel>, place: Place) {
        let name = channel.name().as_str().to_owned();
        let data = format!("Messages lost in {name}");
        let told =
            Told { data, channel: Some(name), place: Some(place), recovered: Some(false), ..Told::default() };
        tell(&self.client, &told);
    }

    fn present(&self, told: &Arc<attendance::Told>) {
        // What finds no room is out of date soon.
        let _ = self.client.emit_volatile(&told.packet);
    }

    fn end(&self, channel: &Arc<Channel>, reason: EndReason) {
        let name = channel.name().as_str().to_owned();
        let data = format!("Disconnected from {name}");
        tell(&self.client, &Told { data, channel: Some(name), reason: Some(reason), ..Told::default() });
        if let Some(kept) = self.client.kept::<Kept>() {
            let mut seats = kept.seats();
            seats.retain(|seat| !seat.is_in(channel));
            let alone = seats.is_empty();
            drop(seats);
            if alone {
                self.client.disconnect();
            }
        }
    }

    fn late(&self) {
        // Its patience has a timer of its own.
    }
}
