//! A JSON body, as an extractor whose refusals are problems.

use std::ops::{Deref, DerefMut};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, Responder, dev::Payload, http::header};
use bytes::BytesMut;
use common::models::problem::{Problem, ProblemKind};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::{Serialize, de::DeserializeOwned};

use crate::Failure;

/// `[http] json_limit_bytes`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonLimit(pub(crate) usize);

const DEFAULT_LIMIT: usize = 256 * 1024;

/// A JSON body, in or out.
///
/// In: 415 for another content type, 413 for a body over the limit (`LIMIT` bytes; 0, the default, stands for
/// `[http] json_limit_bytes`), 400 with a JSON pointer for a body that is not a `T`. Where `LIMIT` is given, name the
/// body in `#[utoipa::path(request_body = T)]`. Out: status 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T, const LIMIT: usize = 0>(pub T);

impl<T, const LIMIT: usize> Json<T, LIMIT> {
    /// Returns what was in the body.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T, const LIMIT: usize> Deref for Json<T, LIMIT> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T, const LIMIT: usize> DerefMut for Json<T, LIMIT> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Serialize, const LIMIT: usize> Responder for Json<T, LIMIT> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        match serde_json::to_vec(&self.0) {
            Ok(body) => HttpResponse::Ok().content_type(header::ContentType::json()).body(body),
            Err(error) => HttpResponse::from_error(Failure::internal(error)),
        }
    }
}

impl<T: DeserializeOwned + 'static, const LIMIT: usize> FromRequest for Json<T, LIMIT> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = match LIMIT {
            0 => request.app_data::<JsonLimit>().map_or(DEFAULT_LIMIT, |limit| limit.0),
            limit => limit,
        };
        let typed = is_json(request);
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let payload = payload.take();
        Box::pin(async move {
            if !typed {
                let problem = Problem::new(ProblemKind::UnsupportedMediaType);
                return Err(Failure::problem(problem.with_detail("the body must be application/json")));
            }
            if announced.is_some_and(|length| length > limit) {
                return Err(too_large(limit));
            }
            let body = read(payload, limit).await?;
            parse_json(&body).map(Self)
        })
    }
}

/// Accepts `application/json` and types made from it (`application/merge-patch+json`).
fn is_json(request: &HttpRequest) -> bool {
    let content_type = request.content_type();
    let (kind, subtype) = content_type.split_once('/').unwrap_or_default();
    let subtype = subtype.to_ascii_lowercase();
    kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
}

async fn read(mut payload: Payload, limit: usize) -> Result<BytesMut, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Failure::foreign(&error.into()))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(limit: usize) -> Failure {
    let problem = Problem::new(ProblemKind::TooLarge);
    Failure::problem(problem.with_detail(format!("the body may have {limit} bytes")))
}

/// Parses a JSON body by hand, with the same refusals as the extractor: for handlers that need its bytes too.
///
/// # Errors
/// 400 that points at the place where the body is not a `T`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| {
        // The second reading is slower and tells the place; only refused bodies pay for it.
        let mut reader = serde_json::Deserializer::from_slice(body);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Err(error) => Failure::invalid(pointer(error.path()), error.inner().to_string()),
            Ok(_) => Failure::invalid("", "there is something after the JSON value"),
        }
    })
}

/// Writes a path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
        pointer
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "a/b")]
        _slash: Option<u8>,
        _list: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        _id: u8,
    }

    #[test]
    fn the_pointer_names_the_place() {
        for (body, at) in [
            (r#"{"_list":[{"_id":1},{"_id":"x"}]}"#, "/_list/1/_id"),
            (r#"{"a/b":-1}"#, "/a~1b"),
            (r#"{"_list":[{}]}"#, "/_list/0"),
            (r#"{"_list":[], "more":1}"#, "/more"),
            (r#"{"_list":[]} x"#, ""),
            ("", ""),
        ] {
            let failure = parse_json::<Sample>(body.as_bytes()).unwrap_err();

            assert_eq!(failure.as_problem().status, 400);
            assert_eq!(failure.as_problem().errors[0].pointer, at, "{body}");
        }
    }
}
