//! An application that does what it is told by events, and records what it is told by the server.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use socketio::{Application, Client, Event, Handled, Json, Packet, Reason, Refusal, Server, Settings};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Host};

/// What it was told, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Connected(String),
    Event(String),
    Disconnected(String, Reason),
}

/// The application.
pub(crate) struct Toy {
    told: Mutex<Vec<Told>>,
    clients: Mutex<Vec<Client>>,
    /// Each permit lets one `wait` go on.
    pub(crate) gate: Arc<Semaphore>,
}

impl Toy {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            told: Mutex::default(),
            clients: Mutex::default(),
            gate: Arc::new(Semaphore::new(0)),
        })
    }

    /// Serves it.
    pub(crate) fn start(settings: Settings) -> (Host, Arc<Self>, Server) {
        let toy = Self::new();
        let server = Server::new(settings, toy.clone());
        let mounted = server.clone();
        let routes = web::routes(move |config| {
            config.map(|config| mounted.mount("/socket.io/", config));
        });
        (Host::start("/socket.io/", routes), toy, server)
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// The client that connected last.
    pub(crate) fn client(&self) -> Client {
        self.clients.lock().unwrap().last().unwrap().clone()
    }

    /// Waits until it was told something.
    pub(crate) async fn until(&self, wanted: &Told) {
        let seen = async {
            while !self.told().contains(wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(DEADLINE, seen).await.is_err() {
            panic!("not told {wanted:?}, but {:?}", self.told());
        }
    }

    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }
}

impl Application for Toy {
    fn admit(&self, request: &actix_web::HttpRequest) -> Result<(), String> {
        if request.query_string().contains("banned") { Err("not you".to_owned()) } else { Ok(()) }
    }

    fn connect(&self, client: &Client, auth: Option<Json>) -> Handled<Result<(), Refusal>> {
        let auth = auth.map(|auth| auth.as_str().to_owned()).unwrap_or_default();
        let decision = match client.namespace() {
            "/late" => {
                return Handled::later(async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(())
                });
            }
            "/" | "/custom" if auth.contains("wrong") => {
                Err(Refusal::new("Not authorized").with_data(Json::of(&[1]).unwrap()))
            }
            "/" | "/custom" => Ok(()),
            _ => Err(Refusal::invalid_namespace()),
        };
        client.keep(auth);
        decision.into()
    }

    fn connected(&self, client: &Client) {
        self.clients.lock().unwrap().push(client.clone());
        self.tell(Told::Connected(client.namespace().to_owned()));
    }

    fn event(&self, client: &Client, event: Event) -> Handled<()> {
        self.tell(Told::Event(event.name.clone()));
        let mut back = Packet::event("back").args(&event.args);
        let mut answer = Packet::answer().args(&event.args);
        for attachment in &event.attachments {
            back.attach(attachment.clone());
            answer.attach(attachment.clone());
        }
        match &*event.name {
            "wait" => {
                let (gate, client) = (Arc::clone(&self.gate), client.clone());
                return Handled::later(async move {
                    gate.acquire().await.unwrap().forget();
                    client.emit(&back).unwrap();
                });
            }
            "leave" => client.disconnect(),
            "close" => client.close(Reason::Application("go away")),
            "panic" => panic!("told to"),
            "silent" => {}
            _ => match event.ack {
                Some(ack) => ack.send(&answer).unwrap(),
                None => client.emit(&back).unwrap(),
            },
        }
        ().into()
    }

    fn disconnected(&self, client: &Client, reason: Reason) {
        assert!(!client.is_connected());
        self.tell(Told::Disconnected(client.namespace().to_owned(), reason));
    }
}
