//! What a client of Woosh sends: header credentials, fields of a body, fields of a query.

use std::convert::Infallible;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Query};
use actix_web::{Error, FromRequest, HttpRequest};
use common::crypto::Secret;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};

use super::Refusal;

/// Most characters of a key, of a message and of `info`.
pub const MAX_CHARACTERS: usize = 4096;

/// `x-user-name` and `x-user-token`, not looked at yet.
#[derive(Debug)]
pub struct Credentials {
    /// The name, as it was written.
    pub username: String,
    /// The password.
    pub token: Secret<String>,
}

impl Credentials {
    /// Reads both headers; none when one is missing.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let header = |name: &str| request.headers().get(name).map(|value| decode(value.as_bytes()));
        Some(Self { username: header("x-user-name")?, token: header("x-user-token")?.into() })
    }
}

/// A header's octets as text: UTF-8, or else ISO-8859-1, in which many clients write what is not ASCII (RFC 9110 §5.5).
fn decode(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}

/// Extractor: a body of whatever content type, or what kept it from being read. It is looked at after the credentials.
#[derive(Debug)]
pub struct Body(Result<Bytes, Error>);

impl FromRequest for Body {
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Bytes::from_request(request, payload).map(|read| Ok(Self(read))).boxed_local()
    }
}

/// The fields of a body. One that is no JSON object has none, and a field that is null is none.
#[derive(Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// A body that is too long, or that broke off.
    pub fn read(Body(body): Body) -> Result<Self, Refusal> {
        let body = body.map_err(|error| match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            _ => Refusal::invalid("the body could not be read"),
        })?;
        Ok(Self(serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Gives a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Gives a field that must be there; `help` says what it is for.
    ///
    /// # Errors
    /// The 400 that names it.
    pub fn required(&self, name: &str, help: &str) -> Result<&Value, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid(format!("missing field \"{name}\" in body: {help}")))
    }
}

/// Reads the text of a field, of `least` to [`MAX_CHARACTERS`] characters.
///
/// # Errors
/// The 400 that says so.
pub fn text(name: &str, value: &Value, least: usize) -> Result<String, Refusal> {
    match value {
        Value::String(text) if (least..=MAX_CHARACTERS).contains(&text.chars().count()) => Ok(text.clone()),
        _ => Err(Refusal::invalid(format!(
            "invalid field \"{name}\": text of {least} to {MAX_CHARACTERS} characters expected"
        ))),
    }
}

/// Gives a field of the query; of several of one name, the first.
pub fn query(request: &HttpRequest, name: &str) -> Option<String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?.into_inner();
    pairs.into_iter().find_map(|(field, value)| (field == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    fn fields(body: &'static [u8]) -> Fields {
        Fields::read(Body(Ok(Bytes::from_static(body)))).unwrap()
    }

    #[test]
    fn what_is_no_object_has_no_fields_and_null_is_none() {
        for body in
            [&b""[..], b"[]", b"null", b"\"contents\"", b"{\"contents\":", b"\xff", b"{\"contents\":null}"]
        {
            assert!(fields(body).get("contents").is_none(), "{body:?}");
        }
        assert_eq!(fields(b"{\"contents\":\"\",\"more\":1}").get("contents"), Some(&json!("")));
    }

    #[test]
    fn text_is_counted_in_characters_and_nothing_else_is_text() {
        let read = |value: Value| text("contents", &value, 1);

        assert!(read(json!("ä".repeat(4096))).is_ok() && read(json!("ä".repeat(4097))).is_err());
        for value in [json!(""), json!(1), json!(true), json!(["a"]), json!({})] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn credentials_need_both_headers_and_may_be_in_either_encoding() {
        let request = |token: &[u8]| {
            let request = TestRequest::get().insert_header(("X-User-Name", "alice"));
            let token = actix_web::http::header::HeaderValue::from_bytes(token).unwrap();
            Credentials::of(&request.insert_header(("X-User-Token", token)).to_http_request()).unwrap()
        };

        assert_eq!(request("pässword".as_bytes()).token.expose(), "pässword");
        assert_eq!(request(b"p\xe4ssword").token.expose(), "pässword");
        let one = TestRequest::get().insert_header(("x-user-name", "alice")).to_http_request();
        assert!(Credentials::of(&one).is_none());
    }

    #[test]
    fn of_two_fields_of_a_query_the_first_counts() {
        let request = TestRequest::get().uri("/messages?a=%20b%C3%A4&until=1&until=2").to_http_request();

        assert_eq!(query(&request, "until").as_deref(), Some("1"));
        assert_eq!(query(&request, "a").as_deref(), Some(" bä"));
        assert_eq!(query(&request, "b"), None);
    }
}
