//! The provider interface "WASP" (spec §9): XML both ways.
//!
//! Requests are written and answers are read with quick-xml: a pull reader that resolves no entity but the five of XML
//! and character references, so that no answer can make it fetch or expand anything.

use quick_xml::events::{BytesText, Event};
use quick_xml::{Reader, Writer};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;

use super::answer::{self, Answer};
use super::wording::Private;
use super::{Message, Request, Unwritable, Verdict};
use common::crypto::Secret;
use common::models::UnixMillis;

const INTERFACE_ID: &str = "JX";
/// The path to each element that is read of an answer.
const MESSAGE_ID: [&str; 2] = ["SMSSubmitRsp", "MessageID"];
const STATUS: [&str; 2] = ["SMSSubmitRsp", "Status"];
const STATUS_CODE: &str = "StatusCode";
const STATUS_TEXT: &str = "StatusText";
const DETAIL: &str = "Detail";
/// Elements of an answer are not nested deeper.
const DEEPEST: usize = 64;

/// How one such provider is addressed.
pub(crate) struct Wasp {
    /// Its name in texts.
    pub(crate) name: String,
    /// Where it takes messages, in order of preference.
    pub(crate) urls: Vec<Url>,
    pub(crate) username: String,
    pub(crate) password: Secret<String>,
}

impl Wasp {
    /// Writes the request for a message to the URL at `index`.
    ///
    /// # Errors
    /// [`Unwritable::Character`]; [`Unwritable::Form`] without such a URL.
    pub(crate) fn request(&self, index: usize, message: &Message) -> Result<Request, Unwritable> {
        let url = self.urls.get(index).ok_or(Unwritable::Form)?;
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/xml; charset=utf-8"),
        )]);
        Ok(Request { method: Method::POST, url: url.clone(), headers, body: self.body(message)? })
    }

    fn body(&self, message: &Message) -> Result<Vec<u8>, Unwritable> {
        let username = escaped(&self.username)?;
        let password = escaped(self.password.expose())?;
        let sender = escaped(message.sender())?;
        let text = escaped(message.payload.text())?;
        let digits = message.to.digits();
        let mut writer = Writer::new(br#"<?xml version="1.0" encoding="UTF-8"?>"#.to_vec());
        let written = writer.create_element("SMSSubmitReq").write_inner_content(|root| {
            leaf(root, "InterfaceID", INTERFACE_ID)?;
            root.create_element("Sender").write_inner_content(|within| {
                leaf(within, "Username", &username)?;
                leaf(within, "Password", &password)?;
                leaf(within, "SenderAddressType", "1")?;
                leaf(within, "Address", &sender)
            })?;
            root.create_element("Recipient").write_inner_content(|within| leaf(within, "Number", digits))?;
            root.create_element("MsgDetails").write_inner_content(|within| {
                leaf(within, "ShortMessage", &text)?;
                leaf(within, "MsgType", "0")
            })?;
            root.create_element("Tariff").write_inner_content(|within| leaf(within, "TariffPrice", "0"))?;
            root.create_element("DeliveryReport")
                .write_inner_content(|within| leaf(within, "ReportEnabled", "false"))?;
            Ok(())
        });
        written.map_err(|_| Unwritable::Form)?;
        Ok(writer.into_inner())
    }

    /// Reads an answer. A status of class 4xx says that the server did not act on the request (RFC 9110 §15.5), and 429
    /// that it will later; of any other but 2xx nobody can tell, nor of a body that is not the one specified.
    pub(crate) fn read(&self, answer: &Answer, message: &Message, now: UnixMillis) -> Verdict {
        match answer.status {
            200..=299 => {}
            429 => return Verdict::Throttled { pause: answer.retry_after(now) },
            status @ 400..=499 => {
                return Verdict::Refused { text: self.refusal(&format!("HTTP {status}"), &[]) };
            }
            _ => return Verdict::Unknown { why: "an HTTP status that tells nothing" },
        }
        let Some(body) = answer.text() else {
            return Verdict::Unknown { why: "an answer that is too large or broken off" };
        };
        let Some(answer) = SubmitRsp::parse(&body) else {
            return Verdict::Unknown { why: "an answer that is no SMSSubmitRsp with a status" };
        };
        match answer.status_code {
            0 => Verdict::Accepted { message_id: answer::message_id(&answer.message_id) },
            code => {
                let private = self.private(message);
                let remarks = [&answer.status_text, &answer.detail].map(|remark| private.shown(remark));
                let remarks: Vec<String> = remarks.into_iter().flatten().collect();
                Verdict::Refused { text: self.refusal(&format!("code {code}"), &remarks) }
            }
        }
    }

    fn refusal(&self, code: &str, remarks: &[String]) -> String {
        let mut text = format!("{} refused the message: {code}", self.name);
        for remark in remarks {
            text.push_str(", ");
            text.push_str(remark);
        }
        text
    }

    fn private<'a>(&'a self, message: &'a Message) -> Private<'a> {
        Private {
            texts: vec![message.payload.text(), message.sender()],
            numbers: vec![message.to.digits()],
            credentials: vec![&self.username, self.password.expose()],
        }
    }
}

fn leaf(within: &mut Writer<Vec<u8>>, name: &str, escaped: &str) -> std::io::Result<()> {
    within.create_element(name).write_text_content(BytesText::from_escaped(escaped)).map(|_| ())
}

/// Escapes what stands between tags. A CR is written as a reference, as a reader makes LF of it otherwise (XML 1.0
/// §2.11).
fn escaped(text: &str) -> Result<String, Unwritable> {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(character),
            '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => return Err(Unwritable::Character),
            _ => escaped.push(character),
        }
    }
    Ok(escaped)
}

/// What is read of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct SubmitRsp {
    message_id: String,
    status_code: i64,
    status_text: String,
    detail: String,
}

impl SubmitRsp {
    /// Reads it; `None` when it is no such document, or has no status code that is a number. Namespaces do not matter.
    fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        let (mut read, mut code) = (Self::default(), None::<String>);
        let mut path: Vec<String> = Vec::new();
        let mut root_seen = false;
        loop {
            let piece = match reader.read_event().ok()? {
                Event::Start(tag) => {
                    if path.is_empty() && std::mem::replace(&mut root_seen, true) || path.len() == DEEPEST {
                        return None;
                    }
                    path.push(tag.local_name().as_ref().to_owned());
                    if path == [STATUS[0], STATUS[1], STATUS_CODE] && code.replace(String::new()).is_some() {
                        // Two of them: nobody can tell which counts.
                        return None;
                    }
                    continue;
                }
                Event::End(_) => {
                    path.pop();
                    continue;
                }
                Event::Text(text) => text.xml10_content().into_owned(),
                Event::CData(text) => text.xml10_content().into_owned(),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned(),
                },
                Event::Eof => break,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    continue;
                }
            };
            match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                place if place == MESSAGE_ID => read.message_id.push_str(&piece),
                [root, status, leaf] if [*root, *status] == STATUS => match *leaf {
                    STATUS_CODE => code.get_or_insert_default().push_str(&piece),
                    STATUS_TEXT => read.status_text.push_str(&piece),
                    DETAIL => read.detail.push_str(&piece),
                    _ => {}
                },
                _ => {}
            }
        }
        if !path.is_empty() {
            return None;
        }
        read.status_code = code?.trim().parse().ok()?;
        Some(read)
    }
}

#[cfg(test)]
mod tests;
