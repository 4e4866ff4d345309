//! Bodies in the three forms that signal_server takes: JSON, urlencoded, multipart.

use std::convert::Infallible;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::Refusal;

/// Reads a body; `None` for an empty one, whatever its type is said to be. Of a field that comes twice the last counts.
///
/// # Errors
/// 413 for one that is too long, 415 for another type, 400 for one that is not what its type says.
pub(super) async fn read(
    request: &HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<Option<Value>, Refusal> {
    let body = body.map_err(|error| match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::detail(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.")
        }
        _ => malformed("The body could not be read."),
    })?;
    if body.is_empty() {
        return Ok(None);
    }
    let kind = request.content_type();
    match kind.to_ascii_lowercase().as_str() {
        "application/json" => {
            // The words of the parser may quote the body, so they go to nobody.
            serde_json::from_slice(&body).map(Some).map_err(|_| malformed("JSON parse error."))
        }
        "application/x-www-form-urlencoded" => {
            let pairs = form_urlencoded::parse(&body).into_owned();
            Ok(Some(Value::Object(pairs.map(|(name, value)| (name, Value::String(value))).collect())))
        }
        "multipart/form-data" => multipart(request, body).await.map(Some),
        _ => {
            let text = format!("Unsupported media type \"{kind}\" in request.");
            Err(Refusal::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text))
        }
    }
}

/// Takes the fields that are text; a file is none.
async fn multipart(request: &HttpRequest, body: Bytes) -> Result<Value, Refusal> {
    let wrong = |_| malformed("Multipart form parse error.");
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(header.unwrap_or_default()).map_err(wrong)?;
    let stream = futures_util::stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let mut fields = Map::new();
    while let Some(field) = form.next_field().await.map_err(wrong)? {
        let name = field.name().map(str::to_owned);
        if let Some(name) = name.filter(|_| field.file_name().is_none()) {
            fields.insert(name, Value::String(field.text().await.map_err(wrong)?));
        }
    }
    Ok(Value::Object(fields))
}

fn malformed(text: &str) -> Refusal {
    Refusal::detail(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    async fn status_or_value(kind: &str, body: &'static [u8]) -> Result<Option<Value>, u16> {
        let request = TestRequest::post().insert_header(("content-type", kind)).to_http_request();
        let read = read(&request, Ok(Bytes::from_static(body))).await;
        read.map_err(|refusal| refusal.into_response().status().as_u16())
    }

    #[tokio::test]
    async fn the_three_forms_say_the_same() {
        let form = b"--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n\
            --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nfile\r\n--x--\r\n";
        let expected = Ok(Some(json!({"username": "alice"})));

        for (kind, body) in [
            ("application/json", &b"{\"username\":\"bob\",\"username\":\"alice\"}"[..]),
            ("application/json; charset=utf-8", b" {\"username\":\"alice\"} "),
            ("application/x-www-form-urlencoded", b"username=bob&username=alice"),
            ("Multipart/form-data; boundary=x", form),
        ] {
            assert_eq!(status_or_value(kind, body).await, expected, "{kind}");
        }
    }

    #[tokio::test]
    async fn what_is_not_what_it_says_is_refused_and_nothing_is_none() {
        for body in [&b"{"[..], b"{\"a\":NaN}", b"{} {}", b"\xff", b"{\"a\":\"\\ud800\"}"] {
            assert_eq!(status_or_value("application/json", body).await, Err(400), "{body:?}");
        }
        for (kind, expected) in [
            ("text/plain", Err(415)),
            ("application/xml", Err(415)),
            ("", Err(415)),
            ("multipart/form-data", Err(400)),
            ("multipart/form-data; boundary=x", Err(400)),
        ] {
            assert_eq!(status_or_value(kind, b"x").await, expected, "{kind}");
            assert_eq!(status_or_value(kind, b"").await, Ok(None), "{kind}");
        }
        assert_eq!(status_or_value("application/json", b"[1]").await, Ok(Some(json!([1]))));
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(
            body in prop::collection::vec(any::<u8>(), 0..200),
            kind in prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]),
            framed: bool,
        ) {
            let body = if framed { [b"--x\r\n", &*body, b"\r\n--x--"].concat() } else { body };
            let request = TestRequest::post().insert_header(("content-type", kind)).to_http_request();

            // The body is there as a whole: reading it waits for nothing.
            let read = futures_util::FutureExt::now_or_never(read(&request, Ok(Bytes::from(body))));

            prop_assert!(read.is_some());
        }
    }
}
