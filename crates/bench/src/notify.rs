//! Notifications: idle connections, fan-out and publishes of `sealpost-notify`, beside npm's socket.io and npm's ws.
//!
//! Ours keeps every notification in a PostgreSQL that syncs before it delivers it; the other two keep nothing. What is
//! compared is the CPU time and the memory of the server's process, with the same subscribers.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use testkit::postgres::Postgres;
use testkit::program::{Program, ProgramSettings};

use crate::Run;
use crate::auth::Auth;
use crate::error::BenchError;
use crate::http::{Connection, address, write_request};
use crate::machine::{self, cores};
use crate::report::progress;

mod fan_out;
mod idle;
mod peers;
mod publishes;
mod subscribers;

use peers::{Kind, Peer};
use subscribers::Opening;

/// What to measure, and how much.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Sections, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = Section::ALL, value_enum)]
    only: Vec<Section>,
    /// Subscribers of the fan-out, one measurement for each number [default: 1000,10000; with --quick 200]
    #[arg(long, value_delimiter = ',')]
    subscribers: Vec<usize>,
    /// Deliveries of one measurement [default: 300000; with --quick 4000]
    #[arg(long)]
    deliveries: Option<usize>,
    /// Idle connections [default: 10000; with --quick 500]
    #[arg(long)]
    idle: Option<usize>,
    /// Rounds of fan-out and publishes [default: 3; with --quick 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of publishing [default: 5; with --quick 2]
    #[arg(long)]
    seconds: Option<u64>,
    /// Bytes of a notification
    #[arg(long, default_value_t = 200)]
    content: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    FanOut,
    Publishes,
    Idle,
}

impl Section {
    const ALL: [Self; 3] = [Self::FanOut, Self::Publishes, Self::Idle];
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FanOut => "fan-out",
            Self::Publishes => "publishes",
            Self::Idle => "idle",
        })
    }
}

/// How much is measured, all defaults settled.
struct Plan {
    subscribers: Vec<usize>,
    deliveries: usize,
    idle: usize,
    rounds: usize,
    time: Duration,
}

/// Notifications that are published at once.
const BURST: usize = 20;

/// The channel.
const CHANNEL: &str = "bench";
/// The key of the REST interface.
const KEY: &str = "bench-0123456789abcdef0123456789abcdef";

/// By which door ours is entered, or whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    SealpostSocketIo,
    SealpostWebsocket,
    SocketIo,
    Ws,
}

impl Contender {
    const ALL: [Self; 4] = [Self::SealpostSocketIo, Self::SealpostWebsocket, Self::SocketIo, Self::Ws];

    fn name(self) -> &'static str {
        match self {
            Self::SealpostSocketIo => "sealpost, Socket.IO",
            Self::SealpostWebsocket => "sealpost, websocket",
            Self::SocketIo => "npm socket.io",
            Self::Ws => "npm ws",
        }
    }
}

/// A server that runs, and how to use it.
struct Server {
    address: SocketAddr,
    pid: u32,
    opening: Opening,
    /// The request that publishes one notification.
    one: Vec<u8>,
    /// The request that publishes [`BURST`] of them.
    burst: Vec<u8>,
    /// Ends with it.
    _process: Box<dyn Any>,
}

/// What leads to a server.
struct World<'a> {
    run: &'a Run,
    plan: Plan,
    content: String,
    auth: Auth,
    postgres: Postgres,
}

impl World<'_> {
    /// Starts a contender anew: memory that another measurement has left is not counted.
    async fn start(&self, contender: Contender) -> Result<Server, BenchError> {
        match contender {
            Contender::SealpostSocketIo | Contender::SealpostWebsocket => self.ours(contender).await,
            Contender::SocketIo => self.theirs(Kind::SocketIo).await,
            Contender::Ws => self.theirs(Kind::Ws).await,
        }
    }

    async fn ours(&self, contender: Contender) -> Result<Server, BenchError> {
        let more = [
            ("database.url", self.postgres.url()),
            ("http.workers", cores().to_string()),
            ("notify.auth_keys.bench", KEY.to_owned()),
            ("internal.auth_url", self.auth.url()),
        ];
        let more: Vec<(&str, &str)> = more.iter().map(|(path, value)| (*path, value.as_str())).collect();
        let program = Program::start(ProgramSettings {
            name: "sealpost-notify",
            more: &more,
            folder: Some(&self.run.binaries),
            ..ProgramSettings::default()
        })
        .await?;
        let address = address(&program.url)?;
        // ChannelAPI takes the bare key, our own paths take it as a bearer token.
        let post = |path: &str, scheme: &str, body: &Value| {
            let mut request = Vec::new();
            let authorization = format!("Authorization: {scheme}{KEY}");
            write_request(&mut request, &["POST ", path], &[&authorization], body.to_string().as_bytes());
            request
        };
        let failed = |error| BenchError::Io("the channel", error);
        let mut connection = Connection::open(address).await.map_err(failed)?;
        let answer = connection.exchange(&post(&format!("/channel/{CHANNEL}"), "", &json!({}))).await;
        let answer = answer.map_err(failed)?;
        answer.success("asking for a token")?;
        let answer: Value =
            serde_json::from_slice(answer.body).map_err(|error| BenchError::of("the answer", error))?;
        let message = json!({ "text": self.content });
        Ok(Server {
            address,
            pid: program.pid().ok_or_else(|| BenchError::unexpected("sealpost-notify does not run"))?,
            opening: opening(contender, answer["token"].as_str().unwrap_or_default()),
            one: post(&format!("/message/{CHANNEL}"), "", &json!({ "message": message })),
            burst: post(
                "/v1/notify/messages/batch",
                "Bearer ",
                &json!({ "messages": vec![json!({ "channel": CHANNEL, "data": message }); BURST] }),
            ),
            _process: Box::new(program),
        })
    }

    async fn theirs(&self, kind: Kind) -> Result<Server, BenchError> {
        let peer = Peer::start(kind).await?;
        let body = json!({ "text": self.content }).to_string();
        let publish = |path: String| {
            let mut request = Vec::new();
            write_request(&mut request, &["POST ", &path], &["Accept: */*"], body.as_bytes());
            request
        };
        Ok(Server {
            address: peer.address,
            pid: peer.pid(),
            opening: peers::opening(kind),
            one: publish("/publish".to_owned()),
            burst: publish(format!("/publish?count={BURST}")),
            _process: Box::new(peer),
        })
    }
}

/// Runs the sections.
///
/// # Errors
/// Any [`BenchError`].
pub(crate) async fn run(run: &Run, options: Options) -> Result<(), BenchError> {
    let default = |given: Option<usize>, full: usize, quick: usize| {
        given.unwrap_or(if run.quick { quick } else { full }).max(1)
    };
    let subscribers = match options.subscribers.as_slice() {
        [] if run.quick => vec![200],
        [] => vec![1000, 10_000],
        given => given.to_vec(),
    };
    let plan = Plan {
        subscribers,
        deliveries: default(options.deliveries, 300_000, 4000),
        idle: default(options.idle, 10_000, 500),
        rounds: default(options.rounds, 3, 1),
        time: Duration::from_secs(options.seconds.unwrap_or(if run.quick { 2 } else { 5 }).max(1)),
    };
    progress("starting PostgreSQL, which syncs");
    let postgres = Postgres::start_durable().await?;
    machine::describe("Sealpost: notifications", &postgres)?;
    let (auth, content) = (Auth::start().await?, "x".repeat(options.content.max(1)));
    let world = World { run, plan, content, auth, postgres };
    for section in Section::ALL.into_iter().filter(|section| options.only.contains(section)) {
        match section {
            Section::FanOut => fan_out::measure(&world).await?,
            Section::Publishes => publishes::measure(&world).await?,
            Section::Idle => idle::measure(&world).await?,
        }
    }
    Ok(())
}

/// How one subscribes to ours.
fn opening(contender: Contender, token: &str) -> Opening {
    let line = |said: &str, answer: &str| (said.to_owned(), answer.to_owned());
    if contender == Contender::SealpostWebsocket {
        return Opening {
            path: "/v1/notify/ws".to_owned(),
            greeting: None,
            lines: vec![line(
                &json!({ "type": "subscribe", "id": 1, "token": token }).to_string(),
                r#"{"type":"subscribed""#,
            )],
            notification: r#"{"type":"message""#.to_owned(),
        };
    }
    let join = json!(["join_channel", { "token": token }]);
    Opening {
        path: "/socket.io/?EIO=4&transport=websocket".to_owned(),
        greeting: Some("0{".to_owned()),
        lines: vec![
            line("40", "40{"),
            line(&format!("42{join}"), r#"42["clientevent",{"data":"Connected to"#),
        ],
        notification: r#"42["message""#.to_owned(),
    }
}
