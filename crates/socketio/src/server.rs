//! A Socket.IO server: namespaces over Engine.IO.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::web::ServiceConfig;
use serde_json::json;
use web::ws::Frame;

use crate::application::{Application, Event, Refusal};
use crate::client::{Ack, Client};
use crate::codec::socket::{Body, MAIN, Packet};
use crate::codec::{Json, Malformed};
use crate::engine::{Class, Engine, Link, Message, Protocol};
use crate::handled::Handled;
use crate::session::Reason;
use crate::session::socket::{SocketSession, Step};
use crate::settings::Settings;
use crate::sid::Sid;
use crate::stats::Stats;

/// A server. Clones share it.
#[derive(Clone, Debug)]
pub struct Server(Arc<Engine<Namespaces>>);

impl Server {
    /// Makes a server for an application.
    pub fn new(settings: Settings, application: Arc<dyn Application>) -> Self {
        Self(Engine::new(settings, Namespaces { application, main: MAIN.into() }))
    }

    /// Answers at `path` (clients ask for `/socket.io/` unless told otherwise) in an application that `web::Server` hosts.
    /// In the routes of a service: `config.map(|config| server.mount("/socket.io/", config))`.
    pub fn mount<'c>(&self, path: &str, config: &'c mut ServiceConfig) -> &'c mut ServiceConfig {
        self.0.mount(path, config)
    }

    /// Returns what was counted so far.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

/// Socket.IO as it is spoken over Engine.IO.
pub(crate) struct Namespaces {
    application: Arc<dyn Application>,
    /// The name of the main namespace, shared by all who are in it.
    main: Arc<str>,
}

/// What is kept of a session.
#[derive(Default)]
pub(crate) struct Members(Mutex<State>);

#[derive(Default)]
struct State {
    session: SocketSession<Client>,
    /// Clients that were sent out, and of whom the application is still to be told.
    sent_out: Vec<Client>,
}

impl Members {
    /// No code panics while it holds the lock half-way through a change, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Namespaces {
    /// Sends a client out of its namespace.
    pub(crate) fn disconnect(link: &Link<Self>, client: &Client) {
        let mut state = link.session().lock();
        if client.leave(message(client.namespace(), Body::Disconnect)).is_ok() {
            state.session.leave(client.namespace());
            state.sent_out.push(client.clone());
            drop(state);
            link.attend();
        }
    }

    fn join(
        &self,
        link: &Arc<Link<Self>>,
        namespace: &str,
        auth: Option<Json>,
    ) -> Handled<Result<(), Reason>> {
        let Some(id) = Sid::random() else { return Err(Reason::Fault).into() };
        let name = if namespace == MAIN { Arc::clone(&self.main) } else { namespace.into() };
        let client = Client::new(id, name, Arc::clone(link));
        let link = Arc::clone(link);
        self.application.connect(&client, auth).then(move |decision| {
            match decision {
                Ok(()) => link.engine().protocol().let_in(&link, &client, id),
                Err(refusal) => {
                    let refusal = refuse(client.namespace(), &refusal);
                    // A session that has ended meanwhile has nobody to be told.
                    let _ = link.send(&[refusal], Class::Kept, || true);
                }
            }
            Ok(())
        })
    }

    fn let_in(&self, link: &Link<Self>, client: &Client, id: Sid) {
        let reply = Json::of(&json!({ "sid": id.as_str() })).ok();
        let reply = message(client.namespace(), Body::Connect(reply));
        let mut state = link.session().lock();
        if client.enter(reply).is_err() {
            return;
        }
        state.session.join(client.shared_namespace(), client.clone());
        drop(state);
        self.application.connected(client);
    }

    fn step(&self, link: &Arc<Link<Self>>, step: Step<Client>) -> Handled<Result<(), Reason>> {
        match step {
            Step::None => Ok(()).into(),
            Step::Join { namespace, auth } => self.join(link, &namespace, auth),
            Step::Event { client, id, name, args, attachments } => {
                let ack = id.map(|id| Ack::new(client.clone(), id));
                self.application.event(&client, Event { name, args, attachments, ack }).then(Ok)
            }
            Step::Ack { client, id, args, attachments } => {
                client.acknowledged(id, args, attachments);
                Ok(()).into()
            }
            Step::Leave(client) => {
                client.left();
                self.application.disconnected(&client, Reason::ClientLeft);
                Ok(()).into()
            }
        }
    }
}

impl Protocol for Namespaces {
    type Session = Members;

    fn session(&self) -> Members {
        Members::default()
    }

    fn admit(&self, request: &HttpRequest) -> Result<(), String> {
        self.application.admit(request)
    }

    fn message(&self, link: &Arc<Link<Self>>, message: Message<'_>) -> Handled<Result<(), Reason>> {
        let limits = link.engine().settings().socket_limits();
        let mut state = link.session().lock();
        let step = match message {
            Message::Text(text) => state.session.text(text, &limits),
            Message::Binary(data) => state.session.binary(data, &limits),
        };
        drop(state);
        match step {
            Ok(step) => self.step(link, step),
            Err(malformed @ Malformed(_)) => Err(Reason::Malformed(malformed)).into(),
        }
    }

    fn deadline(&self, link: &Link<Self>) -> Option<(Instant, Reason)> {
        let joined = link.session().lock().session.has_joined();
        let deadline = link.opened() + link.engine().settings().connect_timeout;
        (!joined).then_some((deadline, Reason::ConnectTimeout))
    }

    fn attend(&self, link: &Link<Self>) {
        let sent_out = std::mem::take(&mut link.session().lock().sent_out);
        for client in sent_out {
            client.left();
            self.application.disconnected(&client, Reason::Application("sent out"));
        }
    }

    fn ended(&self, link: &Link<Self>, reason: Reason) {
        self.attend(link);
        // After the end nobody can be let in any more: the reply cannot be queued.
        let members = link.session().lock().session.drain();
        for client in members {
            client.left();
            self.application.disconnected(&client, reason);
        }
    }
}

/// A packet as the frame of an Engine.IO message.
fn message(namespace: &str, body: Body) -> Frame {
    let mut text = "4".to_owned();
    Packet { namespace, body }.encode(&mut text);
    Frame::text(&text)
}

fn refuse(namespace: &str, refusal: &Refusal) -> Frame {
    // Two plain fields always have a form in JSON.
    let data = Json::of(refusal).unwrap_or_else(|_| Json::empty_array());
    message(namespace, Body::ConnectError(data))
}
