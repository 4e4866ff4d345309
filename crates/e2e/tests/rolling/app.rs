//! An app of the SMSWithoutBorders gateway server, for a user whose number is verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::oaep::{MaskHash, OaepPrivateKey, OaepPublicKey};
use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;
use futures_util::StreamExt as _;
use openssl::symm::{Cipher, encrypt};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::http::TestClient;
use tokio::time::{Duration, sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::device::PASSWORD;
use crate::journal::Journal;
use crate::messages::RESTART;
use crate::world::World;

/// How long a frame may take.
const FRAME_WITHIN: Duration = Duration::from_secs(20);
/// How long a client pauses before it connects again.
const RETRY: Duration = Duration::from_millis(20);

/// A user with an app.
pub(crate) struct App {
    pub(crate) phone: String,
    url: String,
    account: String,
    http: TestClient,
    key: OaepPrivateKey,
    journal: Journal,
}

impl App {
    /// Makes an account and verifies its number in the tables of auth: the way of a code over SMS is in the suite `e2e-sms`.
    pub(crate) async fn register(world: &World, username: &str, phone: &str) -> Self {
        let http = world.client();
        let who = json!({"username": username, "password": PASSWORD});
        http.post("/v1/accounts", &who).await.assert_status(201);
        let session = http.post("/v1/sessions", &who).await.expect(201).value();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let (account, token) = (text("accountId"), text("accessToken"));
        let sql = "UPDATE accounts SET phone = $1, phone_verified_at = created_at WHERE account_id = $2";
        let update =
            diesel::sql_query(sql).bind::<Text, _>(phone.to_owned()).bind::<Text, _>(account.clone());
        let auth = db::Db::new(world.installation.db.settings(), "auth").unwrap();
        let changed = auth.write(move |conn| Ok::<_, db::DbError>(update.execute(conn)?)).await;
        assert_eq!(changed.unwrap(), 1);
        let key = OaepPrivateKey::from_pem(&OaepPrivateKey::generate_pem().unwrap()).unwrap();
        let (url, journal) = (world.url.clone(), world.journal.clone());
        Self { phone: phone.to_owned(), url, account, http: http.with_token(token), key, journal }
    }

    /// Synchronizes, with a pause of `hesitation` between keys and password; gives the shared key.
    pub(crate) async fn synchronize(&self, hesitation: Duration) -> String {
        let begin = || self.http.request(Method::GET, &format!("/v2/sync/users/{}", self.account));
        let url = self.journal.insist("a start of a synchronization", begin).await.text();
        let mut session = Shown { app: self, path: path(&url).to_owned(), socket: None };
        let shown = session.text().await;

        let body = json!({"public_key": self.key.public().to_pem()});
        let exchange = || self.http.request(Method::POST, path(&shown)).json(&body);
        let handshake = self.journal.insist("a handshake", exchange).await.value();
        session.expect("201- pause").await;
        sleep(hesitation).await;
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let server = OaepPublicKey::from_pem(&text(&handshake, "public_key")).unwrap();
        let proof = STANDARD.encode(server.encrypt(MaskHash::Sha1, PASSWORD.as_bytes()).unwrap());
        let (at, body) = (text(&handshake, "verification_url"), json!({"password": proof}));
        let verify = || self.http.request(Method::POST, path(&at)).json(&body);
        let verified = self.journal.insist("a verification", verify).await.value();
        session.expect("200- ack").await;

        let shared = STANDARD.decode(text(&verified, "shared_key")).unwrap();
        String::from_utf8(self.key.decrypt(MaskHash::Sha1, &shared).unwrap().to_vec()).unwrap()
    }
}

/// The text of an SMS, as an app with this shared key makes it.
pub(crate) fn sms(shared_key: &str, message: &str) -> String {
    let iv = "1234567890123456";
    let sealed =
        encrypt(Cipher::aes_256_cbc(), shared_key.as_bytes(), Some(iv.as_bytes()), message.as_bytes());
    STANDARD.encode(format!("{iv}{}", STANDARD.encode(sealed.unwrap())))
}

/// The path of a URL: nginx tells services its name without its port, which is another in a test.
fn path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    &after[after.find('/').unwrap()..]
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A session as its websocket shows it; comes back when that closes.
struct Shown<'a> {
    app: &'a App,
    path: String,
    socket: Option<Socket>,
}

impl Shown<'_> {
    /// The next frame. What was seen before may come again after a break.
    async fn text(&mut self) -> String {
        let journal = &self.app.journal;
        loop {
            let Some(socket) = &mut self.socket else {
                self.socket = self.connect().await;
                continue;
            };
            let next = timeout(FRAME_WITHIN, socket.next()).await;
            match next.unwrap_or_else(|_| panic!("no frame of a session during {}", journal.stage())) {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == RESTART => {
                    self.socket = None
                }
                // The process that closed has not let go of the session yet.
                Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 4409 => {
                    journal.failed("the websocket of a session", "already connected");
                    self.socket = None;
                    sleep(RETRY).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} of a session during {}", journal.stage()),
            }
        }
    }

    /// Reads until `frame` comes; a frame that was seen before is passed over.
    async fn expect(&mut self, frame: &str) {
        loop {
            let text = self.text().await;
            if text == frame {
                return;
            }
            assert!(
                !text.starts_with("http"),
                "{text} instead of {frame} during {}",
                self.app.journal.stage()
            );
        }
    }

    async fn connect(&self) -> Option<Socket> {
        let journal = &self.app.journal;
        let url = format!("{}{}", self.app.url.replacen("http", "ws", 1), self.path);
        match connect_async(url).await {
            Ok((socket, _)) => return Some(socket),
            Err(Error::Http(answer)) if !matches!(answer.status().as_u16(), 502..=504) => {
                panic!("{} to the websocket of a session during {}", answer.status(), journal.stage())
            }
            Err(error) => journal.failed("the websocket of a session", error),
        }
        sleep(RETRY).await;
        None
    }
}
