//! Where mails go: an SMTP server, or a folder.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::letter::Letter;

/// How long an SMTP server may take for one step.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A setting of mail that cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportFault {
    /// The sender is no mailbox.
    #[error("is no mailbox such as: Sealpost <noreply@example.org>")]
    From,
    /// The URL of the server. What is wrong is not told: it holds a password.
    #[error("is neither an smtp:// or smtps:// URL nor a folder")]
    Url,
}

/// The three digits that a server answered with (RFC 5321 §4.2), if it did. Its text may repeat the address.
#[derive(Debug)]
pub(crate) struct Reply(Option<String>);

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("no answer"))
    }
}

/// A mail that was not sent. Says why, and not what or to whom.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// No mail can be made of it: an address that was taken, but cannot be written to.
    #[error("the mail cannot be written")]
    Unwritable,
    /// The server refused for good.
    #[error("the mail server refused it ({0})")]
    Refused(Reply),
    /// The server is away, or refused for now.
    #[error("the mail server did not take it ({0})")]
    Away(Reply),
    /// The folder takes nothing.
    #[error("the folder for mail takes nothing: {0}")]
    Folder(#[source] std::io::Error),
}

impl TransportError {
    /// Tells whether trying again is of no use.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Unwritable | Self::Refused(_))
    }
}

/// The way out. `Display` is for the log: it names a folder, and nothing of a URL.
pub(crate) struct Transport {
    from: Mailbox,
    to: Way,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

impl Transport {
    /// Reads the settings `mail` and `mail_from`; none for an empty `mail`. Connects to nothing.
    pub(crate) fn new(mail: &str, from: &str) -> Result<Option<Self>, TransportFault> {
        if mail.is_empty() {
            return Ok(None);
        }
        let from = from.parse().map_err(|_| TransportFault::From)?;
        let to = match mail.split_once("://") {
            Some(("smtp" | "smtps", _)) => {
                let builder =
                    AsyncSmtpTransport::<Tokio1Executor>::from_url(mail).map_err(|_| TransportFault::Url)?;
                Way::Smtp(builder.timeout(Some(TIMEOUT)).build())
            }
            Some(_) => return Err(TransportFault::Url),
            None => Way::Folder(PathBuf::from(mail)),
        };
        Ok(Some(Self { from, to }))
    }

    /// Hands a mail over. The id is the mail's own, so that a repetition can be told for one.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), TransportError> {
        let recipient = letter.recipient.parse().map_err(|_| TransportError::Unwritable)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient))
            .subject(letter.subject)
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(body(letter.body.expose()))
            .map_err(|_| TransportError::Unwritable)?;
        match &self.to {
            Way::Smtp(smtp) => smtp.send(message).await.map(drop).map_err(|error| refusal(&error)),
            Way::Folder(folder) => {
                let path = folder.join(format!("{}.eml", letter.id));
                let bytes = message.formatted();
                let written = tokio::task::spawn_blocking(move || write(&path, &bytes)).await;
                written.map_err(std::io::Error::other).flatten().map_err(TransportError::Folder)
            }
        }
    }
}

/// The text as it stands, wherever RFC 5322 §2.1.1 lets it: a token or link stays in one piece for whoever reads the
/// file. Anything else is encoded.
fn body(text: &str) -> Body {
    const LONGEST_LINE: usize = 998;
    if text.is_ascii() && text.lines().all(|line| line.len() <= LONGEST_LINE) {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit)
    } else {
        Body::new(text.to_owned())
    }
}

fn refusal(error: &smtp::Error) -> TransportError {
    let reply = Reply(error.status().map(|code| code.to_string()));
    if error.is_permanent() { TransportError::Refused(reply) } else { TransportError::Away(reply) }
}

/// Puts a file there whole or not at all, for its owner alone.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = path.with_extension("unfinished");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    std::fs::File::open(folder)?.sync_all()
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Way::Smtp(_) => f.write_str("the SMTP server of auth.mail"),
            Way::Folder(folder) => write!(f, "the folder {}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pool of connections wants a runtime when it is made.
    #[tokio::test]
    async fn settings_lead_to_a_server_or_a_folder_or_are_refused() {
        let way = |mail: &str| {
            Transport::new(mail, "Sealpost <noreply@example.org>")
                .map(|made| made.map(|transport| transport.to_string()))
        };

        assert_eq!(way("").unwrap(), None);
        assert_eq!(way("/var/mail").unwrap().unwrap(), "the folder /var/mail");
        let server = way("smtps://user:hunter2@mail.example.org").unwrap().unwrap();
        assert_eq!(server, "the SMTP server of auth.mail");
        for wrong in ["http://example.org", "smtp://", "smtp://user:hunter2@:bad"] {
            let fault = way(wrong).unwrap_err().to_string();
            assert!(fault.starts_with("is neither") && !fault.contains("hunter2"), "{fault}");
        }
        assert!(matches!(Transport::new("/x", "nobody"), Err(TransportFault::From)));
    }
}
