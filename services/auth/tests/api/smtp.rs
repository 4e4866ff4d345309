//! A mail server that takes mail, puts it off, or refuses it, as a test says (RFC 5321).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it says to recipients.
pub(crate) const TAKES: &str = "250 ok";
pub(crate) const PUTS_OFF: &str = "451 try again later";
pub(crate) const REFUSES: &str = "550 no such mailbox";

#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<&'static str>>,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            mails: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                // A client that goes away ends its conversation, and nothing else.
                tokio::spawn(async move { drop(serving.converse(stream).await) });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn answers(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 test\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "RCPT" => *self.answer.lock().unwrap(),
                "DATA" => {
                    writer.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        mail += &line;
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
