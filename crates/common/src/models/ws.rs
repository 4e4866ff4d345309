//! Frames of `/v1/websocket`: JSON text, requests and responses in both directions.
//!
//! Either side numbers its own requests; a response names the request's number. A client's 2xx response to a pushed
//! message acknowledges it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::PreKeyKind;

/// Path of the server's request that pushes one envelope (`PUT`).
pub const MESSAGE: &str = "/v1/message";
/// Path of the server's request that passes on an envelope which was not stored (`PUT`); it needs no answer.
pub const ONLINE_MESSAGE: &str = "/v1/message/online";
/// Path of the server's request that says: the backlog has been sent (`PUT`, body [`QueueEmpty`]).
pub const QUEUE_EMPTY: &str = "/v1/queue/empty";
/// Path of the server's request that asks for more prekeys (`PUT`, body [`KeysLow`]).
pub const KEYS_LOW: &str = "/v1/keys/low";
/// Path of the client's request that keeps the socket alive (`GET`).
pub const KEEPALIVE: &str = "/v1/keepalive";

/// The largest number of a request: integers that every JSON reader keeps exactly.
pub const MAX_REQUEST_ID: u64 = (1 << 53) - 1;

/// A request, from either side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WsRequest {
    /// Number of the request, chosen by its sender.
    pub id: u64,
    /// HTTP method in capitals.
    pub verb: String,
    /// Path with query.
    pub path: String,
    /// JSON body, if the request has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<Object>))]
    pub body: Option<Value>,
}

/// A response, from either side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct WsResponse {
    /// Number of the request that is answered.
    pub id: u64,
    /// HTTP status.
    pub status: u16,
    /// JSON body, if the response has one; a problem when the status says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "utoipa", schema(value_type = Option<Object>))]
    pub body: Option<Value>,
}

impl WsResponse {
    /// Tells whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum ClientFrame {
    /// Asks the server for something, such as [`KEEPALIVE`].
    Request(WsRequest),
    /// Answers a push; 2xx acknowledges it.
    Response(WsResponse),
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum ServerFrame {
    /// Pushes something: [`MESSAGE`], [`ONLINE_MESSAGE`], [`QUEUE_EMPTY`], [`KEYS_LOW`].
    Request(WsRequest),
    /// Answers a client's request.
    Response(WsResponse),
}

/// Body of [`QUEUE_EMPTY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct QueueEmpty {
    /// Number of the last envelope of the backlog; 0 when there was none ever.
    pub last_seq: i64,
}

/// Body of [`KEYS_LOW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct KeysLow {
    /// Which prekeys run out.
    pub kind: PreKeyKind,
    /// How many are left.
    pub remaining: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_have_the_documented_form() {
        let push = ServerFrame::Request(WsRequest {
            id: 7,
            verb: "PUT".to_owned(),
            path: MESSAGE.to_owned(),
            body: Some(json!({"seq": 1})),
        });

        assert_eq!(
            serde_json::to_string(&push).unwrap(),
            r#"{"type":"request","id":7,"verb":"PUT","path":"/v1/message","body":{"seq":1}}"#
        );
    }

    #[test]
    fn an_ack_needs_no_body() {
        let frame: ClientFrame = serde_json::from_str(r#"{"type":"response","id":7,"status":200}"#).unwrap();

        let ClientFrame::Response(response) = frame else { panic!("a response") };
        assert!(response.is_success() && response.body.is_none());
    }

    #[test]
    fn other_frames_are_refused() {
        for text in
            [r#"{"type":"hello"}"#, r#"{"id":7,"status":200}"#, r#"{"type":"response","id":-1,"status":200}"#]
        {
            assert!(serde_json::from_str::<ClientFrame>(text).is_err(), "{text}");
        }
    }
}
